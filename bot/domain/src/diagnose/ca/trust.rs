//! The CA certificate that the MDM distributes: is it the one that issues?

use crate::{Cause, Confidence, Platform, ProfileState, ScepAnswer, Stage, TrustProfile};

use super::{change_evidence, no_issue_evidence, outdated_by};
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    fleet::OrgChange,
    profile,
    verdict::{Found, Verdict},
};

const COMES: Verdict = Verdict::NoFault("nothing says that a certificate was asked for in vain");

/// What an own log line of Windows says when the CA certificate is not the one expected.
const HASH_WORDS: [&str; 2] = ["hash value is not correct", "cert thumbprint"];

/// How the distributed CA certificate stands to Okta's authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Retiring,
    Foreign,
    Unknown,
}

fn standing(facts: &Facts<'_, '_>) -> Standing {
    let trust = facts
        .attestation_profile()
        .and_then(|profile| profile.trust.as_ref());
    let key = trust.and_then(|trust| trust.key_id.as_deref());
    let authorities = facts.observations().okta.authorities.as_deref();
    let (Some(key), Some(authorities)) = (key, authorities) else {
        return Standing::Unknown;
    };
    let mut certificates = authorities
        .iter()
        .filter(|authority| authority.attests_management)
        .flat_map(|authority| &authority.certificates)
        .peekable();
    if certificates.peek().is_none() {
        return Standing::Unknown;
    }
    match certificates.find(|certificate| certificate.key_id.eq_ignore_ascii_case(key)) {
        Some(certificate) if certificate.retiring => Standing::Retiring,
        Some(_) => Standing::Active,
        None => Standing::Foreign,
    }
}

/// C07: Okta's CA was renewed, and the MDM still distributes the old certificate.
pub(in crate::diagnose) static RENEWED: Entry = Entry {
    cause: Cause::CaRenewedNotDistributed,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "`pki.ca.renew` after the profile's last edit and failures since, with nobody served or with a hash error; or the profile brings a CA certificate that Okta is retiring",
    person: "MDM admin: distribute the new CA certificate beside the old one; Okta admin: move the SCEP configuration (rollover for Jamf, parallel for Intune). The old one stays until its certificates are renewed",
    neighbours: &[Cause::CaStaticSecretRotated, Cause::CaTrustedCertMismatch],
    prove: Prove::OfUser(renewed),
};

fn renewed(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return COMES;
    };
    let outdated = outdated_by(facts, trouble, OrgChange::CaRenewed);
    let about_hash = trouble.says(&HASH_WORDS);
    let retiring = standing(facts) == Standing::Retiring;
    let confidence = match (&outdated, about_hash || retiring) {
        (Some(_), true) => Confidence::Medium,
        (Some(outdated), false) => outdated.confidence,
        // Beside the new one an old CA certificate is no fault by itself.
        (None, true) if retiring => Confidence::Low,
        (None, _) => {
            return Verdict::NoFault(
                "no renewal of Okta's CA lies between the profile's last edit and the failure",
            );
        }
    };
    let mut evidence = vec![trouble.evidence(facts)];
    if let Some(outdated) = outdated {
        evidence.push(change_evidence(facts, outdated.change));
        evidence.extend(no_issue_evidence(facts, outdated.change.at));
    }
    if retiring {
        evidence.push(facts.okta_says("authority.certificate", "retiring", None));
    }
    Found::new(Cause::CaRenewedNotDistributed, confidence, evidence)
        .worded(trouble.error)
        .since(trouble.since)
        .into()
}

/// C06: the trusted-certificate profile, or the thumbprint in the SCEP payload, is of another CA certificate.
pub(in crate::diagnose) static WRONG_CA_CERTIFICATE: Entry = Entry {
    cause: Cause::CaTrustedCertMismatch,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "Intune, Workspace ONE, Fleet",
    confidence: Confidence::High,
    evidence: "the error says \"The hash value is not correct\"; or the distributed thumbprint is none of those that the SCEP server shows; or its key is none of Okta's authorities'",
    person: "MDM admin: take the x509 certificate from Okta again, replace it in the trusted-certificate profile, select it anew in the SCEP profile, keep both for a while",
    neighbours: &[
        Cause::CaRenewedNotDistributed,
        Cause::CaChallengeUnprintable,
    ],
    prove: Prove::OfUser(wrong_ca_certificate),
};

fn wrong_ca_certificate(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return COMES;
    };
    let mut evidence = vec![trouble.evidence(facts)];
    let confidence = if trouble.says(&HASH_WORDS) {
        profile::sure(facts)
    } else if let Some(pinned) = pinned_elsewhere(facts) {
        evidence.push(facts.mdm_says("profile.ca_thumbprint", pinned, None));
        Confidence::Medium
    } else if standing(facts) == Standing::Foreign {
        evidence.push(facts.mdm_says("profile.ca_key", "none of Okta's authorities", None));
        Confidence::Medium
    } else {
        return Verdict::NoFault(
            "nothing speaks against the CA certificate that the profile brings",
        );
    };
    Found::new(Cause::CaTrustedCertMismatch, confidence, evidence)
        .worded(trouble.error)
        .since(trouble.since)
        .into()
}

/// The thumbprint that the profile pins or brings, if the SCEP server shows others only. Some MDMs show SHA-1, some
/// SHA-256: only equal lengths are compared.
fn pinned_elsewhere<'a>(facts: &Facts<'_, 'a>) -> Option<&'a str> {
    let profile = facts.attestation_profile()?;
    let url = profile.scep.url.as_deref()?;
    let probe = facts
        .settings
        .scep_probes
        .iter()
        .find(|probe| probe.url == url)?;
    let ScepAnswer::Works { thumbprints } = &probe.answer else {
        return None;
    };
    let brought = |trust: &'a TrustProfile| trust.sha256.as_deref().or(trust.thumbprint.as_deref());
    let pinned = profile
        .scep
        .ca_fingerprint
        .as_deref()
        .or_else(|| profile.trust.as_ref().and_then(brought))?;
    let mut comparable = thumbprints
        .iter()
        .filter(|shown| shown.len() == pinned.len())
        .peekable();
    comparable.peek()?;
    (!comparable.any(|shown| shown.eq_ignore_ascii_case(pinned))).then_some(pinned)
}

/// C08: the intermediate certificate of Okta's CA is not on the device.
pub(in crate::diagnose) static CHAIN_MISSING: Entry = Entry {
    cause: Cause::CaChainMissing,
    section: Section::CertificateAuthority,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the MDM lists certificates and no \"Organization Intermediate Authority\", or the trusted-certificate profile is not assigned; on a Mac a weak cause: Okta does not validate the whole chain",
    person: "MDM admin: bring the trusted-certificate profile to this device; it only adds an intermediate",
    neighbours: &[
        Cause::ProfileDependencyGroupMismatch,
        Cause::ProfileNotInScope,
    ],
    prove: Prove::OfUser(chain_missing),
};

fn chain_missing(facts: &Facts<'_, '_>) -> Verdict {
    let Some((_, record)) = facts.mdm() else {
        return Verdict::NoFault("there is no MDM record");
    };
    let unassigned = record.trust_profile == Some(ProfileState::NotAssigned);
    match record.intermediate_present {
        Some(true) => return Verdict::NoFault("the intermediate certificate is on the device"),
        Some(false) => {}
        None if unassigned => {}
        None => {
            return Verdict::NoFault("nothing says that the intermediate certificate is missing");
        }
    }
    // Windows enrols only with it; a certificate that is there still signs without it.
    let symptom = facts
        .refused()
        .or(facts.trouble().and_then(|trouble| trouble.since));
    if facts.trouble().is_none() && facts.refused().is_none() {
        return Verdict::NoFault("without the intermediate certificate, no attempt has failed yet");
    }
    let confidence = match facts.device.platform {
        Platform::Windows => Confidence::Medium,
        _ => Confidence::Low,
    };
    let mut evidence = facts.certificate_evidence();
    evidence.extend(facts.trouble().map(|trouble| trouble.evidence(facts)));
    if record.intermediate_present == Some(false) {
        evidence.push(facts.mdm_says(
            "intermediate_certificate",
            "not listed",
            record.inventory_at,
        ));
    }
    if unassigned {
        evidence.push(facts.mdm_says("trust_profile.state", "not_assigned", None));
    }
    Found::new(Cause::CaChainMissing, confidence, evidence)
        .since(symptom)
        .into()
}
