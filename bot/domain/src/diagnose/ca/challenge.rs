//! The challenge: the secret that a device shows to Okta's CA.

use crate::{Cause, ChallengeKind, Confidence, MdmKind, Stage};

use super::{change_evidence, no_issue_evidence, outdated_by};
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    fleet::OrgChange,
    verdict::{Found, Verdict, open},
};

const COMES: Verdict = Verdict::NoFault("nothing says that a certificate was asked for in vain");

/// C01: the static secret was reset in Okta, and the MDM's profile is older.
pub(in crate::diagnose) static SECRET_ROTATED: Entry = Entry {
    cause: Cause::CaStaticSecretRotated,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "Jamf, Workspace ONE, Kandji, Fleet",
    confidence: Confidence::Medium,
    evidence: "`device.platform.secret_key.reset` after the SCEP profile's last edit; deliveries fail since, and nobody got a certificate",
    person: "Okta and MDM admin: put the new secret into the profile, pilot on one device, then redistribute in batches; never reset the secret again as a fix",
    neighbours: &[
        Cause::CaScepUrlWrong,
        Cause::CaChallengeUnprintable,
        Cause::CaRenewedNotDistributed,
    ],
    prove: Prove::OfUser(secret_rotated),
};

fn secret_rotated(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return COMES;
    };
    match facts.scep().and_then(|scep| scep.challenge) {
        Some(ChallengeKind::Dynamic | ChallengeKind::Delegated) => {
            return Verdict::NoFault("its challenge is no static secret");
        }
        Some(ChallengeKind::Static) | None => {}
    }
    let Some(outdated) = outdated_by(facts, trouble, OrgChange::SecretReset) else {
        return Verdict::NoFault(
            "no reset of the secret lies between the profile's last edit and the failure",
        );
    };
    let is_static = facts.scep().and_then(|scep| scep.challenge).is_some();
    let confidence = match is_static {
        true => outdated.confidence,
        false => Confidence::Low,
    };
    let mut evidence = vec![
        trouble.evidence(facts),
        change_evidence(facts, outdated.change),
    ];
    evidence.extend(no_issue_evidence(facts, outdated.change.at));
    Found::new(Cause::CaStaticSecretRotated, confidence, evidence)
        .worded(trouble.error)
        .since(trouble.since)
        .into()
}

/// C03: the MDM cannot fetch a challenge for each device.
pub(in crate::diagnose) static NOT_FETCHED: Entry = Entry {
    cause: Cause::CaDynamicChallengeFailing,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "Jamf, Fleet, Workspace ONE",
    confidence: Confidence::Medium,
    evidence: "dynamic challenge; the profile fails before any SCEP request, with an error about the challenge or after a change of the platform in Okta",
    person: "Okta and MDM admin: renew user name and password of the challenge URL in the MDM; the MDM must send the profile anew, old payloads never work",
    neighbours: &[
        Cause::CaStaticSecretRotated,
        Cause::CaIntuneCredentialsInvalid,
    ],
    prove: Prove::OfUser(not_fetched),
};

fn not_fetched(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return COMES;
    };
    if facts.scep().and_then(|scep| scep.challenge) != Some(ChallengeKind::Dynamic) {
        return Verdict::NoFault("its challenge is not fetched for each device");
    }
    let changed = [OrgChange::PlatformUpdated, OrgChange::SecretReset]
        .into_iter()
        .find_map(|kind| outdated_by(facts, trouble, kind));
    let about_challenge = trouble.says(&["challenge"]);
    let mut evidence = vec![trouble.evidence(facts)];
    let confidence = match (&changed, about_challenge) {
        (Some(changed), false) => changed.confidence,
        (_, true) => Confidence::Medium,
        (None, false) => {
            return Verdict::NoFault(
                "neither the error nor a change in Okta speaks of the challenge",
            );
        }
    };
    if let Some(changed) = changed {
        evidence.push(change_evidence(facts, changed.change));
        evidence.extend(no_issue_evidence(facts, changed.change.at));
    }
    Found::new(Cause::CaDynamicChallengeFailing, confidence, evidence)
        .worded(trouble.error)
        .since(trouble.since)
        .into()
}

/// C04: the Entra app by which Okta validates Intune's challenges has lost its secret or its permission.
pub(in crate::diagnose) static INTUNE_REFUSED: Entry = Entry {
    cause: Cause::CaIntuneCredentialsInvalid,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "Intune",
    confidence: Confidence::Medium,
    evidence: "Intune's state of the request is a refused challenge or a refused issue, and nobody got a certificate since",
    person: "Entra and Okta admin: new client secret for the app behind delegated SCEP, enter it in Okta, grant consent again, sync one pilot",
    neighbours: &[
        Cause::CaStaticSecretRotated,
        Cause::CaDynamicChallengeFailing,
        Cause::CaTrustedCertMismatch,
    ],
    prove: Prove::OfUser(intune_refused),
};

fn intune_refused(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return COMES;
    };
    let by_intune = facts
        .mdm()
        .is_some_and(|(mdm, _)| mdm.kind == MdmKind::Intune);
    let delegated = facts
        .scep()
        .and_then(|scep| scep.challenge)
        .is_none_or(|kind| kind == ChallengeKind::Delegated);
    if !by_intune || !delegated {
        return Verdict::NoFault("its challenge is not made by Intune");
    }
    const REFUSED: [&str; 2] = ["challengeValidationFailed", "issueFailed"];
    if !trouble.says(&REFUSED) {
        return open(
            "nothing that can be read says why Intune's request failed",
            "in Entra, look when the client secret of the app behind delegated SCEP ends, and whether its consent stands",
        );
    }
    // One refused request may have its own reason (another subject, an old challenge); all of them have one.
    let since = trouble
        .since
        .filter(|at| facts.nothing_issued_since(*at) == Some(true));
    let Some(since) = since else {
        return open(
            "Intune's request was refused, and it is not shown that every request is",
            "in Entra, look when the client secret of the app behind delegated SCEP ends, and whether its consent stands",
        );
    };
    let mut evidence = vec![trouble.evidence(facts)];
    evidence.extend(no_issue_evidence(facts, since));
    Found::new(
        Cause::CaIntuneCredentialsInvalid,
        Confidence::Medium,
        evidence,
    )
    .worded(trouble.error)
    .since(Some(since))
    .into()
}

/// C05: the challenge holds characters that Windows cannot write into a request.
pub(in crate::diagnose) static UNPRINTABLE: Entry = Entry {
    cause: Cause::CaChallengeUnprintable,
    section: Section::CertificateAuthority,
    stage: Some(Stage::ProfileDelivered),
    on: On::Windows,
    mdms: "Fleet and all that use Windows' own SCEP client",
    confidence: Confidence::Medium,
    evidence: "the error speaks of a non-printable character (CRYPT_E_INVALID_PRINTABLE_STRING, 0x80092021)",
    person: "Okta admin: reset the secret until it holds only letters, digits and ' ( ) + , - . / : = ?, then distribute; a dynamic challenge is sent anew, at most twice",
    neighbours: &[Cause::CaTrustedCertMismatch, Cause::ProfileInstalledNoCert],
    prove: Prove::OfUser(unprintable),
};

fn unprintable(facts: &Facts<'_, '_>) -> Verdict {
    let Some(trouble) = facts.trouble() else {
        return COMES;
    };
    const WORDS: [&str; 3] = ["non-printable", "0x80092021", "INVALID_PRINTABLE_STRING"];
    if trouble.says(&WORDS) {
        let evidence = vec![trouble.evidence(facts)];
        return Found::new(Cause::CaChallengeUnprintable, Confidence::Medium, evidence)
            .worded(trouble.error)
            .since(trouble.since)
            .into();
    }
    match trouble.error {
        Some(_) => Verdict::NoFault("the error speaks of no unprintable character"),
        None => open(
            "the MDM says \"installed\", and only the computer's own log shows whether Windows could write the challenge",
            "in the computer's log DeviceManagement-Enterprise-Diagnostics-Provider, look for event 32 or 309 with \"non-printable character\"",
        ),
    }
}
