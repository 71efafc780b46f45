//! When the certificate begins and ends.

use crate::{
    Cause, Confidence, MdmKind, Platform, Renewal, Stage,
    certificate::{CertificateState, UnknownBecause},
};

use super::another_is_good;
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::{Facts, time},
    verdict::{Found, Verdict},
};

/// C30: past its end.
pub(in crate::diagnose) static EXPIRED: Entry = Entry {
    cause: Cause::CertExpired,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "the certificate that Okta Verify would take is past its end by the MDM's listing; medium where issue and usual validity tell",
    person: "MDM admin: deliver the profile anew rather than remove it first; the user signs in with FastPass",
    neighbours: &[
        Cause::ProfileNotInScope,
        Cause::ProfileFailed,
        Cause::CertDuplicates,
        Cause::IntuneMacRenewalMissed,
    ],
    prove: Prove::OfUser(expired),
};

fn expired(facts: &Facts<'_, '_>) -> Verdict {
    match is_expired(facts) {
        Err(verdict) => verdict,
        Ok(()) => found(facts, Cause::CertExpired, facts.certificate.confidence),
    }
}

/// C27: on a Mac in Intune no new one comes while the expired one stays.
pub(in crate::diagnose) static RENEWAL_MISSED: Entry = Entry {
    cause: Cause::IntuneMacRenewalMissed,
    section: Section::ScepProfile,
    stage: Some(Stage::CertPresent),
    on: On::Macs,
    mdms: "Intune",
    confidence: Confidence::Medium,
    evidence: "a Mac in Intune whose certificate is past its end; Intune renews only inside the window and with the Mac unlocked",
    person: "MDM admin: exclude the Mac from the SCEP profile, sync until the certificate is gone, include it again, sync; the user keeps it unlocked and signs in with FastPass",
    neighbours: &[
        Cause::CertExpired,
        Cause::ProfileNotInScope,
        Cause::ProfileFailed,
    ],
    prove: Prove::OfUser(renewal_missed),
};

fn renewal_missed(facts: &Facts<'_, '_>) -> Verdict {
    let in_intune = facts
        .mdm()
        .is_some_and(|(mdm, _)| mdm.kind == MdmKind::Intune);
    if !in_intune || facts.device.platform != Platform::Macos {
        return Verdict::NoFault("Intune does not manage this Mac");
    }
    match is_expired(facts) {
        Err(verdict) => verdict,
        Ok(()) => {
            let confidence = facts.certificate.confidence.min(Confidence::Medium);
            found(facts, Cause::IntuneMacRenewalMissed, confidence)
        }
    }
}

fn is_expired(facts: &Facts<'_, '_>) -> Result<(), Verdict> {
    match facts.certificate.state {
        CertificateState::Expired => another_is_good(facts).map_or(Ok(()), Err),
        CertificateState::Unknown(because) => Err(facts.certificate_gap(because).into()),
        _ => Err(Verdict::NoFault(
            "the certificate that counts is not expired",
        )),
    }
}

fn found(facts: &Facts<'_, '_>, cause: Cause, confidence: Confidence) -> Verdict {
    let mut evidence = facts.certificate_evidence();
    if let Some(renewal) = facts.scep().and_then(|scep| scep.renewal) {
        evidence.push(facts.mdm_says("profile.renewal", renewal_word(renewal), None));
    }
    Found::new(cause, confidence, evidence)
        .since(facts.certificate.expires_at)
        .into()
}

/// When a profile delivers anew, in words.
pub(crate) fn renewal_word(renewal: Renewal) -> String {
    match renewal {
        Renewal::Off => "off".to_owned(),
        Renewal::On => "on".to_owned(),
        Renewal::DaysBefore(days) => format!("{days} days before the end"),
        Renewal::PercentLeft(percent) => format!("at {percent} % of its life"),
    }
}

/// C31: managed still, and the certificate ends soon.
pub(in crate::diagnose) static EXPIRING: Entry = Entry {
    cause: Cause::CertExpiringSoon,
    section: Section::Certificate,
    stage: Some(Stage::Managed),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "managed, and the certificate that counts ends within 30 days with no newer one",
    person: "MDM admin: deliver anew in waves; not for idle devices, because a new certificate that is unused for 91 days is revoked",
    neighbours: &[Cause::ProfileRenewalNotConfigured],
    prove: Prove::Elsewhere("`upcoming`: managed device-users"),
};

/// C32: the certificate begins in the future.
pub(in crate::diagnose) static CLOCK_WRONG: Entry = Entry {
    cause: Cause::CertNotYetValid,
    section: Section::Certificate,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Low,
    evidence: "the certificate's begin lies more than an hour after the MDM's own time",
    person: "MDM admin: set the device's clock by the network, then deliver the profile anew",
    neighbours: &[Cause::CertExpired],
    prove: Prove::OfUser(clock_wrong),
};

fn clock_wrong(facts: &Facts<'_, '_>) -> Verdict {
    let view = &facts.certificate;
    if view.state != CertificateState::Unknown(UnknownBecause::NotYetValid) {
        return Verdict::NoFault("no certificate listed begins in the future");
    }
    let mut evidence = facts.certificate_evidence();
    if let Some((mdm, _)) = facts.mdm() {
        evidence.push(facts.mdm_says("mdm.now", time(mdm.now), Some(mdm.now)));
    }
    Found::new(Cause::CertNotYetValid, Confidence::Low, evidence)
        .since(view.issued_at)
        .into()
}
