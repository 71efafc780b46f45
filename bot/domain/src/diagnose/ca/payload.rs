//! What the SCEP payload asks for: which CA, which key usage, which subject.

use crate::{
    Cause, Confidence, Evidence, ScepSettings, Stage, certificate::has_unresolved_variable,
};

use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Found, Verdict, open},
};

/// C11: the profile's SCEP URL is that of Device Access, whose certificates do not attest management.
pub(in crate::diagnose) static WRONG_PURPOSE: Entry = Entry {
    cause: Cause::CaWrongScepPurpose,
    section: Section::CertificateAuthority,
    stage: Some(Stage::CertIssued),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the SCEP URL carries the id of a Device Access authority (needs Okta's CA API, Early Access); no certificate of this profile was ever bound",
    person: "MDM admin: deploy the Endpoint management profile beside it; replacing it would break Desktop MFA and password sync",
    neighbours: &[Cause::CertWrongIssuer, Cause::CaScepUrlWrong],
    prove: Prove::OfUser(wrong_purpose),
};

fn wrong_purpose(facts: &Facts<'_, '_>) -> Verdict {
    if facts.certificate.used {
        return Verdict::NoFault("its certificate has attested before");
    }
    let url = facts.scep().and_then(|scep| scep.url.as_deref());
    let (Some(url), Some(authorities)) = (url, facts.observations().okta.authorities.as_deref())
    else {
        return match only_other_subjects(facts) {
            true => open(
                "the only certificate listed does not carry an attestation's subject; whether it is one of Device Access is not shown",
                "compare the profile's SCEP URL with the one under Security > Device integrations > Device Access",
            ),
            false => Verdict::NoFault("nothing says that the profile is one of Device Access"),
        };
    };
    let device_access = authorities.iter().find(|authority| {
        !authority.attests_management
            && authority.id.len() >= 8
            && crate::certificate::contains_ignoring_case(url, &authority.id)
    });
    let Some(authority) = device_access else {
        return Verdict::NoFault("the profile's SCEP URL is not one of Device Access");
    };
    let evidence = vec![
        facts.mdm_says("profile.scep_url", url, None),
        facts.okta_says("authority.device_access", &authority.id, None),
    ];
    let since = facts
        .attestation_profile()
        .and_then(|profile| profile.modified_at);
    Found::new(Cause::CaWrongScepPurpose, Confidence::Medium, evidence)
        .since(since)
        .into()
}

fn only_other_subjects(facts: &Facts<'_, '_>) -> bool {
    let rows = facts
        .subject
        .record
        .and_then(|record| record.certificates.as_deref());
    rows.is_some_and(|rows| {
        !rows.is_empty()
            && rows
                .iter()
                .all(|row| !row.subject_matches && !has_unresolved_variable(&row.subject))
    })
}

/// C12: key usage, extended key usage or key size are not what Okta needs.
pub(in crate::diagnose) static WRONG_KEY_USAGE: Entry = Entry {
    cause: Cause::CaTemplateKeyUsageWrong,
    section: Section::CertificateAuthority,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the SCEP payload lacks digital signature or client authentication, or asks for fewer than 2048 bits; its certificate has never attested",
    person: "MDM admin: correct the profile, pilot, redistribute; the edit issues anew for the whole scope",
    neighbours: &[
        Cause::CertKeyInaccessibleMacos,
        Cause::CertKeyInaccessibleWindows,
        Cause::FastpassNoSigninSinceCert,
    ],
    prove: Prove::OfUser(wrong_key_usage),
};

fn wrong_key_usage(facts: &Facts<'_, '_>) -> Verdict {
    let Some(scep) = facts.scep() else {
        return Verdict::NoFault("what the SCEP payload asks for is not shown");
    };
    if facts.certificate.used {
        return Verdict::NoFault("its certificate has attested before");
    }
    let mut evidence = facts.certificate_evidence();
    evidence.extend(wrong_usage(facts, scep));
    let is_wrong = evidence.iter().any(|one| one.fact.starts_with("profile."));
    if !is_wrong {
        return Verdict::NoFault("nothing is wrong with the key usage that the payload asks for");
    }
    let since = facts
        .attestation_profile()
        .and_then(|profile| profile.modified_at);
    Found::new(Cause::CaTemplateKeyUsageWrong, Confidence::Medium, evidence)
        .since(since)
        .into()
}

fn wrong_usage(facts: &Facts<'_, '_>, scep: &ScepSettings) -> Vec<Evidence> {
    let mut wrong = Vec::new();
    if scep.digital_signature == Some(false) {
        wrong.push(facts.mdm_says("profile.key_usage", "no digital signature", None));
    }
    if scep.client_authentication == Some(false) {
        wrong.push(facts.mdm_says(
            "profile.extended_key_usage",
            "no client authentication",
            None,
        ));
    }
    if let Some(bits) = scep.key_size.filter(|bits| *bits < 2048) {
        wrong.push(facts.mdm_says("profile.key_size", bits, None));
    }
    wrong
}

/// C13: the subject's variables are not resolved, or it names no computer.
///
/// Okta accepts any subject, so that this alone keeps nobody unmanaged: what it breaks is telling whose certificate was
/// issued. It is the answer only where that is the question.
pub(in crate::diagnose) static WRONG_SUBJECT: Entry = Entry {
    cause: Cause::CaSubjectTemplateWrong,
    section: Section::CertificateAuthority,
    stage: Some(Stage::CertIssued),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "the payload's subject holds no variable, or the listed certificate's holds a literal one; the log cannot say whether this computer's was issued",
    person: "MDM admin: correct the subject at the next redistribution",
    neighbours: &[Cause::CertBoundToOther, Cause::ProfileInstalledNoCert],
    prove: Prove::OfUser(wrong_subject),
};

fn wrong_subject(facts: &Facts<'_, '_>) -> Verdict {
    const CHECK: &str = "look at the subject in the SCEP profile: it must name the computer by a variable that the MDM knows";
    let listed = facts
        .certificate
        .certificate
        .map(|row| row.subject.as_str());
    if listed.is_some_and(has_unresolved_variable) {
        return open(
            "the certificate's subject holds a variable that the MDM did not fill in; Okta does not mind, but the log cannot name the computer",
            CHECK,
        );
    }
    let template = facts.scep().and_then(|scep| scep.subject.as_deref());
    let Some(template) = template.filter(|template| !has_variable(template)) else {
        return Verdict::NoFault("nothing speaks against the subject of the SCEP profile");
    };
    let Some(trouble) = facts.trouble().filter(|trouble| trouble.error.is_none()) else {
        return open(
            "the SCEP profile's subject is the same for every computer",
            CHECK,
        );
    };
    let evidence = vec![
        trouble.evidence(facts),
        facts.mdm_says("profile.subject", template, None),
    ];
    Found::new(Cause::CaSubjectTemplateWrong, Confidence::Medium, evidence)
        .since(trouble.since)
        .into()
}

/// Jamf writes `$UDID`, Intune `{{DeviceId}}`, Workspace ONE `{DeviceUid}`, Windows' own client `%…%`.
fn has_variable(template: &str) -> bool {
    template.contains(['$', '{', '%'])
}
