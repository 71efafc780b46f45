//! The certificate on the device. Which one counts, and its state, is judged in [`crate::certificate`].

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Cause, Confidence, EventClass, LifecycleSeen, MdmKind, Platform, ProfileState,
    certificate::{CertificateState, RevokedBy, UNUSED_DIES_AFTER, UnknownBecause},
    correlate::normalise,
};

use super::{
    facts::{Facts, time},
    verdict::{Found, Gap, Verdict, not_enough},
};

/// After this long an installed profile must have brought its certificate into the inventory.
const INVENTORY_INTERVAL: TimeDelta = TimeDelta::hours(24);

/// The newest certificate is bad and another one is good: which of them Okta Verify takes, and what would help, is not
/// told apart here (C37, C38).
fn hidden(facts: &Facts<'_, '_>) -> Option<Verdict> {
    facts
        .certificate
        .hides_a_good_one
        .then(|| not_enough("several certificates are listed, and the newest is not the good one"))
}

/// C30: past its end. On a Mac in Intune it is C27: no new one comes while the expired one stays.
pub(super) fn expired(facts: &Facts<'_, '_>) -> Verdict {
    match facts.certificate.state {
        CertificateState::Expired => {}
        CertificateState::Unknown(because) => return facts.certificate_gap(because).into(),
        _ => return Verdict::NoFault("the certificate that counts is not expired"),
    }
    if let Some(hidden) = hidden(facts) {
        return hidden;
    }
    let intune_on_mac = facts.device.platform == Platform::Macos
        && facts
            .mdm()
            .is_some_and(|(mdm, _)| mdm.kind == MdmKind::Intune);
    let listed = facts.certificate.confidence;
    let found = match intune_on_mac {
        true => Found::new(
            Cause::IntuneMacRenewalMissed,
            listed.min(Confidence::Medium),
            facts.certificate_evidence(),
        ),
        false => Found::new(Cause::CertExpired, listed, facts.certificate_evidence()),
    };
    found.since(facts.certificate.expires_at).into()
}

/// C34: the Okta record that owned the certificate was deleted, and the certificate with it.
pub(super) fn revoked_by_deletion(facts: &Facts<'_, '_>) -> Verdict {
    const NONE: &str =
        "no Okta record of this computer was deleted since the certificate was issued";
    let Some(deletion) = deletion(facts) else {
        return Verdict::NoFault(NONE);
    };
    let view = &facts.certificate;
    match view.state {
        CertificateState::Valid | CertificateState::Revoked(_) => {}
        CertificateState::Unknown(UnknownBecause::PerhapsUnused) => {}
        CertificateState::Unknown(because) => return facts.certificate_gap(because).into(),
        CertificateState::Expired | CertificateState::Missing => return Verdict::NoFault(NONE),
    }
    let Some(issued) = view.issued_at else {
        return not_enough(
            "a record of this computer was deleted, and the age of the certificate is not known",
        );
    };
    if issued >= deletion.at {
        return Verdict::NoFault("the certificate is newer than the deletion of the Okta record");
    }
    if used_since(facts, deletion.at) {
        return Verdict::NoFault("the certificate was used after the deletion of the Okta record");
    }
    if let Some(hidden) = hidden(facts) {
        return hidden;
    }
    let owned_it = view.bound_to == Some(&deletion.device);
    let registered_anew = facts
        .device
        .created
        .is_some_and(|created| created >= deletion.at);
    if view.bound_to.is_some() && !owned_it {
        return not_enough(
            "the certificate is bound to another Okta record, which cannot be told from a copy here",
        );
    }
    if !owned_it && !registered_anew {
        return Verdict::NoFault("the deleted Okta record was another one than the certificate's");
    }
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.okta_says(
        "device.lifecycle.delete",
        &deletion.device,
        Some(deletion.at),
    ));
    if let Some(actor) = &deletion.actor {
        evidence.push(facts.okta_says("device.lifecycle.delete.actor", actor, Some(deletion.at)));
    }
    if let Some(revocation) = view.revocation {
        evidence.push(facts.okta_says(&revocation.event_type, "seen", Some(revocation.at)));
    }
    Found::new(Cause::CertRevokedByDeletion, view.confidence, evidence)
        .since(Some(deletion.at))
        .into()
}

/// The last deletion of another Okta record with this computer's serial number.
fn deletion<'a>(facts: &Facts<'_, 'a>) -> Option<&'a LifecycleSeen> {
    let deletions = &facts.observations().log.deletions;
    if deletions.is_empty() {
        return None;
    }
    [
        facts.device.serial_number.as_deref(),
        facts
            .subject
            .record
            .and_then(|record| record.serial_number.as_deref()),
    ]
    .into_iter()
    .flatten()
    .filter_map(normalise)
    .filter_map(|serial| deletions.get(&serial))
    .find(|deletion| deletion.device != facts.device.id)
}

fn used_since(facts: &Facts<'_, '_>, at: DateTime<Utc>) -> bool {
    let bound = facts
        .observations()
        .log
        .binds
        .get(&facts.device.id)
        .map(|seen| seen.last);
    let attested = facts.fastpass.and_then(|seen| seen.last_managed);
    bound.max(attested).is_some_and(|used| used > at)
}

/// C33: not used in 90 days, and so revoked. A revocation event proves it, or a log that is whole since the issue.
pub(super) fn revoked_unused(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    let by = match view.state {
        CertificateState::Revoked(by) => by,
        CertificateState::Unknown(because) => return facts.certificate_gap(because).into(),
        _ => return Verdict::NoFault("the certificate that counts is not revoked"),
    };
    if let Some(hidden) = hidden(facts) {
        return hidden;
    }
    let mut evidence = facts.certificate_evidence();
    let binds = facts
        .observations()
        .log
        .coverage(EventClass::CertificateBound);
    match by {
        RevokedBy::Mdm => {
            not_enough("the MDM says the certificate is revoked, and the log does not show by what")
        }
        RevokedBy::Disuse => {
            evidence.push(facts.okta_says(
                "pki.cert.bind",
                "none since the issue",
                binds.covered_from,
            ));
            Found::new(Cause::CertUnusedRevoked, Confidence::Medium, evidence)
                .since(view.issued_at.map(|issued| issued + UNUSED_DIES_AFTER))
                .into()
        }
        RevokedBy::Ledger => {
            let Some(revocation) = view.revocation else {
                return not_enough("the certificate is revoked, and the log does not show by what");
            };
            let Some(issued) = view.issued_at else {
                return not_enough("the certificate is revoked, and its age is not known");
            };
            // The job that revokes runs on day 91; a day's slack for the clocks and its schedule.
            if view.used || revocation.at < issued + UNUSED_DIES_AFTER - TimeDelta::days(2) {
                return not_enough("the certificate was revoked for another reason than disuse");
            }
            let event = &revocation.event_type;
            evidence.push(facts.okta_says(event, "seen", Some(revocation.at)));
            let confidence = match view.certificate.is_some() && binds.proves_absence_since(issued)
            {
                true => Confidence::High,
                false => Confidence::Medium,
            };
            Found::new(Cause::CertUnusedRevoked, confidence, evidence)
                .since(Some(revocation.at))
                .into()
        }
    }
}

/// C29: it was issued once, and a fresh inventory lists none.
pub(super) fn missing(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(verdict) = not_missing(facts) {
        return verdict;
    }
    let log = &facts.observations().log;
    let issued = facts.subject.issued.map(|issued| issued.seen.last);
    let bound = log.binds.get(&facts.device.id).map(|seen| seen.last);
    let (fact, at) = match (issued, bound) {
        (Some(at), _) => ("pki.cert.issue", at),
        (None, Some(at)) => ("pki.cert.bind", at),
        (None, None) => {
            return Verdict::NoFault(
                "no certificate is known to have been issued for this computer",
            );
        }
    };
    let inventory = facts.subject.record.and_then(|record| record.inventory_at);
    let evidence = vec![
        facts.mdm_says("certificate", "none listed", inventory),
        facts.okta_says(fact, time(at), Some(at)),
    ];
    Found::new(Cause::CertMissing, Confidence::Medium, evidence).into()
}

/// C25: the MDM says installed, and Okta's CA never issued.
pub(super) fn never_issued(facts: &Facts<'_, '_>) -> Verdict {
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
        facts.okta_says(
            "pki.cert.issue",
            "none for this computer",
            issues.covered_from,
        ),
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
