//! Certificates that are not there.

use crate::{
    Assumption, Cause, Confidence, EventClass, ProfileState, Stage,
    certificate::{CertificateState, UnknownBecause},
};

use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::{Facts, time},
    trouble::INVENTORY_INTERVAL,
    verdict::{Found, Gap, Verdict, not_enough},
};

/// C29: it was issued once, and a fresh inventory lists none.
pub(in crate::diagnose) static GONE: Entry = Entry {
    cause: Cause::CertMissing,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "those that list what is there",
    confidence: Confidence::Medium,
    evidence: "`pki.cert.issue` or `pki.cert.bind` for this computer, and a fresh inventory that lists no certificate",
    person: "MDM admin: deliver the profile anew (Apple) or sync (Intune); the user signs in with FastPass",
    neighbours: &[
        Cause::ProfileNotInScope,
        Cause::ProfilePending,
        Cause::ProfileFailed,
        Cause::ProfileInstalledNoCert,
    ],
    prove: Prove::OfUser(missing),
};

fn missing(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(verdict) = not_missing(facts) {
        return verdict;
    }
    let log = &facts.observations().log;
    let issued = facts.subject.issued.map(|issued| issued.seen.last);
    let bound = log.binds.get(&facts.device.id).map(|seen| seen.last);
    let (fact, at, belief) = match (issued, bound) {
        (Some(at), _) => ("pki.cert.issue", at, Assumption::IssueEvents),
        (None, Some(at)) => ("pki.cert.bind", at, Assumption::BindEvents),
        (None, None) => {
            return Verdict::NoFault(
                "no certificate is known to have been issued for this computer",
            );
        }
    };
    let inventory = facts.subject.record.and_then(|record| record.inventory_at);
    let evidence = vec![
        facts.mdm_says("certificate", "none listed", inventory),
        facts.okta_says(fact, time(at), Some(at)).assuming(belief),
    ];
    Found::new(Cause::CertMissing, Confidence::Medium, evidence).into()
}

/// C25: the MDM says installed, and Okta's CA never issued.
pub(in crate::diagnose) static NEVER_ISSUED: Entry = Entry {
    cause: Cause::ProfileInstalledNoCert,
    section: Section::ScepProfile,
    stage: Some(Stage::CertIssued),
    on: On::Desktops,
    mdms: "all; Fleet and others on Windows most",
    confidence: Confidence::High,
    evidence: "installed for more than a day, no `pki.cert.issue` for this computer by a log that covers it, and none listed; medium where the MDM's own silence proves nothing",
    person: "Read the computer's own log for the reason (C05, C06, C14), then MDM admin: resend, at most twice a day",
    neighbours: &[
        Cause::ProfilePending,
        Cause::ProfileFailed,
        Cause::CertMissing,
        Cause::CaStaticSecretRotated,
    ],
    prove: Prove::OfUser(never_issued),
};

fn never_issued(facts: &Facts<'_, '_>) -> Verdict {
    let missing = facts.certificate.state == CertificateState::Missing;
    let not_reported =
        facts.certificate.state == CertificateState::Unknown(UnknownBecause::NotReported);
    if !missing && !not_reported {
        return not_missing(facts).unwrap_or(Verdict::NoFault(
            "a certificate was issued for this computer",
        ));
    }
    if facts.subject.issued.is_some() {
        return Verdict::NoFault("a certificate was issued for this computer");
    }
    let Some(delivery) = facts
        .profile
        .filter(|delivery| delivery.state == ProfileState::Installed)
    else {
        return not_enough("the MDM does not say that the SCEP profile is installed");
    };
    let Some(since) = delivery.since else {
        return not_enough("the MDM does not say since when the SCEP profile is installed");
    };
    let now = facts.mdm().map_or(facts.okta_now(), |(mdm, _)| mdm.now);
    if since + INVENTORY_INTERVAL > now {
        return not_enough(
            "the SCEP profile arrived less than a day ago; the certificate may still show",
        );
    }
    let issues = facts
        .observations()
        .log
        .coverage(EventClass::CertificateIssued);
    if !issues.proves_absence_since(since) {
        return Gap::new(
            "the log does not cover certificate issues since the SCEP profile was installed",
        )
        .into();
    }
    let inventory = facts.subject.record.and_then(|record| record.inventory_at);
    let mut evidence = vec![
        facts.mdm_says("profile.state", "installed", Some(since)),
        facts
            .okta_says(
                "pki.cert.issue",
                "none for this computer",
                issues.covered_from,
            )
            .assuming(Assumption::IssueEvents),
    ];
    if missing {
        evidence.push(facts.mdm_says("certificate", "none listed", inventory));
    }
    // Where the MDM's own silence proves nothing, the ledger speaks alone.
    let confidence = match missing {
        true => facts.certificate.confidence,
        false => Confidence::Medium,
    };
    Found::new(Cause::ProfileInstalledNoCert, confidence, evidence)
        .since(Some(since))
        .into()
}

fn not_missing(facts: &Facts<'_, '_>) -> Option<Verdict> {
    match facts.certificate.state {
        CertificateState::Missing => None,
        CertificateState::Unknown(because) => Some(facts.certificate_gap(because).into()),
        _ => Some(Verdict::NoFault("a certificate is on the device")),
    }
}
