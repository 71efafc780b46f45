//! Okta Verify on the computer: there, new enough, with a whole account.

use crate::{Assumption, Cause, Confidence, Evidence, OktaDeviceStatus, Stage};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::{Facts, time},
    fastpass::is_enrolled,
    machine::is_older,
    verdict::{Found, Verdict},
};

/// C41: Okta Verify is not on the computer.
pub(super) static NOT_INSTALLED: Entry = Entry {
    cause: Cause::OvNotInstalled,
    section: Section::FastPass,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "those that list applications",
    confidence: Confidence::High,
    evidence: "the MDM lists applications and Okta Verify is not among them; with an Okta record (removed since), medium, by an inventory newer than the last FastPass sign-in",
    person: "MDM admin: assign the app",
    neighbours: &[Cause::OvNotEnrolled, Cause::OvRegistrationIncomplete],
    prove: Prove::OfUser(not_installed),
};

fn not_installed(facts: &Facts<'_, '_>) -> Verdict {
    let Some((mdm, record)) = facts.mdm() else {
        return Verdict::NoFault("there is no MDM record");
    };
    if !mdm.shows.applications || record.okta_verify_installed != Some(false) {
        return Verdict::NoFault("nothing says that Okta Verify is missing");
    }
    let registered = facts.link.created.max(facts.last_fastpass());
    let Some(seen) = record.inventory_at.filter(|at| Some(*at) > registered) else {
        return Verdict::NoFault(
            "the MDM's list of applications is older than the last FastPass sign-in",
        );
    };
    let mut evidence = vec![facts.mdm_says("application.okta_verify", "not installed", Some(seen))];
    if let Some(at) = facts.last_fastpass() {
        evidence.push(facts.okta_says("fastpass.last", time(at), Some(at)));
    }
    Found::new(Cause::OvNotInstalled, Confidence::Medium, evidence).into()
}

/// C42: Okta Verify is there, and nobody has added an account.
pub(super) static NOT_ENROLLED: Entry = Entry {
    cause: Cause::OvNotEnrolled,
    section: Section::FastPass,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "those that list applications",
    confidence: Confidence::High,
    evidence: "an MDM record without an Okta record, and Okta Verify among its applications; low where applications are not shown",
    person: "The user opens Okta Verify and signs in; `OktaVerify.EnrollmentOptions` can start it",
    neighbours: &[Cause::OvNotInstalled, Cause::IdentitySerialMismatch],
    prove: Prove::Elsewhere("`unlinked`: MDM records without an Okta record"),
};

/// C45: the Okta record was deleted, and Okta Verify still holds its account.
pub(super) static ORPHANED: Entry = Entry {
    cause: Cause::OvEnrolmentOrphaned,
    section: Section::FastPass,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "an MDM record without an Okta record, and `device.lifecycle.delete` for its serial number",
    person: "The user removes the account in Okta Verify and enrols again; then C34",
    neighbours: &[Cause::CertRevokedByDeletion, Cause::OvNotEnrolled],
    prove: Prove::Elsewhere("`unlinked`: MDM records without an Okta record"),
};

/// C43: the record is there, and Okta Verify's account on it is not complete.
pub(super) static INCOMPLETE: Entry = Entry {
    cause: Cause::OvRegistrationIncomplete,
    section: Section::FastPass,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "`status` CREATED, `registered` false, or no `signed_nonce` factor listed (medium)",
    person: "The user removes the account in Okta Verify and adds it again",
    neighbours: &[Cause::OktaDeviceDeactivated, Cause::OvNotInstalled],
    prove: Prove::OfUser(registration_incomplete),
};

fn registration_incomplete(facts: &Facts<'_, '_>) -> Verdict {
    let device = facts.device;
    if device.status == OktaDeviceStatus::Created {
        let evidence = vec![facts.okta_says("device.status", "CREATED", device.last_updated)];
        return incomplete(facts, Confidence::High, evidence);
    }
    if !device.registered {
        let evidence = vec![facts.okta_says("device.registered", "false", device.last_updated)];
        return incomplete(facts, Confidence::High, evidence);
    }
    match is_enrolled(facts) {
        // Only factors that the user's enrolment policy allows are listed: absence is weak.
        Some(false) => {
            let absent = facts.okta_says("factor.signed_nonce", "not listed", None);
            let evidence = vec![absent.assuming(Assumption::FactorList)];
            incomplete(facts, Confidence::Medium, evidence)
        }
        Some(true) => Verdict::NoFault("FastPass is enrolled"),
        None => Verdict::NoFault("nothing says that Okta Verify's account is incomplete"),
    }
}

fn incomplete(facts: &Facts<'_, '_>, confidence: Confidence, evidence: Vec<Evidence>) -> Verdict {
    let since = facts.link.created.or(facts.device.created);
    Found::new(Cause::OvRegistrationIncomplete, confidence, evidence)
        .since(since)
        .into()
}

/// C44: older than the version that the settings ask for.
pub(super) static OUTDATED: Entry = Entry {
    cause: Cause::OvOutdated,
    section: Section::FastPass,
    stage: Some(Stage::OvRegistered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the version of Okta Verify is below `[detect] okta_verify_minimum`; without that setting it is not judged",
    person: "MDM admin: update the app",
    neighbours: &[Cause::OsUnsupported],
    prove: Prove::OfUser(outdated),
};

fn outdated(facts: &Facts<'_, '_>) -> Verdict {
    let minimum = facts
        .settings
        .okta_verify_minimum
        .get(&facts.device.platform);
    let Some(minimum) = minimum else {
        return Verdict::NoFault("no oldest version of Okta Verify is set");
    };
    let by_mdm = facts
        .subject
        .record
        .and_then(|record| record.okta_verify_version.as_deref());
    let by_okta = facts.device.okta_verify_version.as_deref();
    let Some(version) = by_mdm.or(by_okta) else {
        return Verdict::NoFault("the version of Okta Verify is not shown");
    };
    if is_older(version, minimum) != Some(true) {
        return Verdict::NoFault("Okta Verify is new enough");
    }
    let shown = match by_mdm {
        Some(_) => facts.mdm_says("application.okta_verify.version", version, None),
        None => facts
            .okta_says("device.okta_verify_version", version, None)
            .assuming(Assumption::OktaVerifyVersion),
    };
    let wanted = facts.operator_says("detect.okta_verify_minimum", minimum);
    Found::new(Cause::OvOutdated, Confidence::Medium, vec![shown, wanted]).into()
}
