//! The private key: may Okta Verify use it?

use crate::{
    Cause, CertificateStore, Confidence, KeyStorage, Stage, certificate::CertificateState,
};

use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Found, Verdict, open},
};

/// Whether the profile puts the key into a chip or Windows Hello.
pub(in crate::diagnose) fn is_kept_in_hardware(facts: &Facts<'_, '_>) -> bool {
    let storage = facts.scep().and_then(|scep| scep.key_storage);
    matches!(
        storage,
        Some(KeyStorage::TpmOnly | KeyStorage::TpmElseSoftware | KeyStorage::HelloOnly)
    )
}

/// Whether several people are linked to this computer.
pub(in crate::diagnose) fn is_shared(facts: &Facts<'_, '_>) -> bool {
    crate::correlate::effective_links(facts.observations(), facts.device)
        .any(|link| link.user_id != facts.link.user_id)
}

/// C39: on the Mac, Okta Verify was not given access to the key.
pub(in crate::diagnose) static UNREADABLE_ON_MAC: Entry = Entry {
    cause: Cause::CertKeyInaccessibleMacos,
    section: Section::Certificate,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Macs,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the SCEP payload does not let all apps use the key, and a FastPass sign-in with a valid certificate was refused",
    person: "MDM admin: set \"Allow all apps access\" in the profile, redistribute; \"Always Allow\" by the user is a stopgap",
    neighbours: &[
        Cause::CaTemplateKeyUsageWrong,
        Cause::CaByoIssuerNotUploaded,
    ],
    prove: Prove::OfUser(unreadable_on_mac),
};

fn unreadable_on_mac(facts: &Facts<'_, '_>) -> Verdict {
    let (Some(refused), CertificateState::Valid) = (facts.refused(), facts.certificate.state)
    else {
        return Verdict::NoFault("no sign-in was refused with a valid certificate");
    };
    match facts.scep().and_then(|scep| scep.all_apps_access) {
        Some(true) => Verdict::NoFault("the profile lets every app use the key"),
        None => open(
            "the MDM does not show whether every app may use the key",
            "in the SCEP payload, look for \"Allow all apps access\"; on the Mac, a keychain prompt at sign-in is the sign",
        ),
        Some(false) => {
            let mut evidence = facts.certificate_evidence();
            evidence.push(facts.mdm_says("profile.all_apps_access", "false", None));
            evidence.push(facts.refusal(refused));
            Found::new(
                Cause::CertKeyInaccessibleMacos,
                Confidence::Medium,
                evidence,
            )
            .since(facts.certificate.issued_at)
            .into()
        }
    }
}

/// C40: on Windows, the key is where Okta Verify cannot read it, or could not be made.
pub(in crate::diagnose) static UNREADABLE_ON_WINDOWS: Entry = Entry {
    cause: Cause::CertKeyInaccessibleWindows,
    section: Section::Certificate,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Windows,
    mdms: "Intune, Workspace ONE and others",
    confidence: Confidence::Medium,
    evidence: "a certificate of the machine store, with its key in the TPM or on a shared computer, and a refused sign-in; or the key must be in the TPM and the request could not be made",
    person: "MDM admin: software key storage or the user store; by script, read access to the key (software only). Clearing a TPM asks for BitLocker's recovery key",
    neighbours: &[Cause::CertWrongStore, Cause::CaTemplateKeyUsageWrong],
    prove: Prove::OfUser(unreadable_on_windows),
};

fn unreadable_on_windows(facts: &Facts<'_, '_>) -> Verdict {
    let storage = facts.scep().and_then(|scep| scep.key_storage);
    let only_in_hardware = matches!(storage, Some(KeyStorage::TpmOnly | KeyStorage::HelloOnly));
    if let Some(trouble) = facts.trouble()
        && only_in_hardware
        && trouble.says(&["requestCreationFailed"])
    {
        let evidence = vec![
            trouble.evidence(facts),
            facts.mdm_says("profile.key_storage", "hardware or nothing", None),
        ];
        return Found::new(
            Cause::CertKeyInaccessibleWindows,
            Confidence::Medium,
            evidence,
        )
        .worded(trouble.error)
        .since(trouble.since)
        .into();
    }
    let view = &facts.certificate;
    let (Some(refused), CertificateState::Valid) = (facts.refused(), view.state) else {
        return Verdict::NoFault("no sign-in was refused with a valid certificate");
    };
    if view.store != Some(CertificateStore::Machine) {
        return Verdict::NoFault("the certificate is not known to be in the machine store");
    }
    if !is_kept_in_hardware(facts) && !is_shared(facts) {
        return open(
            "no API shows whether a user without elevation may read the machine's key",
            "on the computer, as the user: certutil -store -v My must show the key without an error",
        );
    }
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.store_evidence("machine"));
    if is_kept_in_hardware(facts) {
        evidence.push(facts.mdm_says("profile.key_storage", "TPM", None));
    }
    evidence.push(facts.refusal(refused));
    Found::new(
        Cause::CertKeyInaccessibleWindows,
        Confidence::Medium,
        evidence,
    )
    .since(view.issued_at)
    .into()
}
