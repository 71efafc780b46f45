//! Certificates that can never be used again.

use chrono::{DateTime, Utc};

use crate::{
    Assumption, Cause, Confidence, EventClass, LifecycleSeen, Stage,
    certificate::{CertificateState, RevokedBy, UNUSED_DIES_AFTER, UnknownBecause, is_of_own_ca},
    correlate::normalise,
};

use super::another_is_good;
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Found, Verdict, not_enough},
};

/// C34: the Okta record that owned the certificate was deleted, and the certificate with it.
pub(in crate::diagnose) static BY_DELETION: Entry = Entry {
    cause: Cause::CertRevokedByDeletion,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "all, with Okta's CA",
    confidence: Confidence::High,
    evidence: "`device.lifecycle.delete` of another record with this serial number; the certificate is older than the deletion and was not used since",
    person: "MDM admin: deliver a new certificate and remove the dead one; nobody deletes records to refresh them",
    neighbours: &[
        Cause::CertExpired,
        Cause::OktaDuplicateRecords,
        Cause::CertBoundToOther,
    ],
    prove: Prove::OfUser(revoked_by_deletion),
};

fn revoked_by_deletion(facts: &Facts<'_, '_>) -> Verdict {
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
    if let Some(verdict) = another_is_good(facts) {
        return verdict;
    }
    let owned_it = view.bound_to == Some(&deletion.device);
    let registered_anew = facts
        .device
        .created
        .is_some_and(|created| created >= deletion.at);
    if view.bound_to.is_some() && !owned_it {
        return Verdict::NoFault("the certificate is bound to another record than the deleted one");
    }
    if !owned_it && !registered_anew {
        return Verdict::NoFault("the deleted Okta record was another one than the certificate's");
    }
    let mut evidence = facts.certificate_evidence();
    evidence.push(
        facts
            .okta_says(
                "device.lifecycle.delete",
                &deletion.device,
                Some(deletion.at),
            )
            .assuming(Assumption::DeletionSerial),
    );
    if let Some(actor) = &deletion.actor {
        evidence.push(facts.okta_says("device.lifecycle.delete.actor", actor, Some(deletion.at)));
    }
    if let Some(revocation) = view.revocation {
        evidence.push(facts.revocation_evidence(revocation));
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
pub(in crate::diagnose) static UNUSED: Entry = Entry {
    cause: Cause::CertUnusedRevoked,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "all, with Okta's CA",
    confidence: Confidence::High,
    evidence: "issued more than 90 days ago and never bound, by a log that covers it; or a revocation of the certificate about 90 days after its issue",
    person: "Ask the user first, then deliver a new certificate and remove the dead one; FastPass within days",
    neighbours: &[
        Cause::CertExpired,
        Cause::CertRevokedByDeletion,
        Cause::FastpassNoSigninSinceCert,
    ],
    prove: Prove::OfUser(revoked_unused),
};

fn revoked_unused(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    let by = match view.state {
        CertificateState::Revoked(by) => by,
        CertificateState::Unknown(because) => return facts.certificate_gap(because).into(),
        _ => return Verdict::NoFault("the certificate that counts is not revoked"),
    };
    if let Some(verdict) = another_is_good(facts) {
        return verdict;
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
            evidence.push(
                facts
                    .okta_says("pki.cert.bind", "none since the issue", binds.covered_from)
                    .assuming(Assumption::BindEvents),
            );
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
            if view.certificate.is_some_and(is_of_own_ca) {
                return Verdict::NoFault("an own CA revokes by its own rules");
            }
            // The job that revokes runs on day 91; a day's slack for the clocks and its schedule.
            if view.used || revocation.at < issued + UNUSED_DIES_AFTER - chrono::TimeDelta::days(2)
            {
                return not_enough("the certificate was revoked for another reason than disuse");
            }
            evidence.push(facts.revocation_evidence(revocation));
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
