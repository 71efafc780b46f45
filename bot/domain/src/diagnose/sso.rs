//! Section 6 of the article: Okta's SSO extension on Macs.
//!
//! It concerns Safari and in-app browsers only, and is rarely why a Mac is not managed: its entries are asked only where
//! FastPass was tried since the certificate and did not come through.

use crate::{Cause, Confidence, SsoExtensionProfile, Stage, certificate::CertificateState};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    fastpass::{browser, struggled},
    verdict::{Found, Verdict, open},
};

const EXTENSION_ID: &str = "com.okta.mobile.auth-service-extension";
const TEAM_ID: &str = "B7F62B65BN";
const REALM: &str = "Okta Device";

const UNTRIED: Verdict = Verdict::NoFault("FastPass did not fail in Safari since the certificate");

/// The extension's profiles on this Mac, of the kind that FastPass needs; `None` where they are not shown.
fn extensions<'a>(facts: &Facts<'_, 'a>) -> Option<Vec<&'a SsoExtensionProfile>> {
    let (mdm, record) = facts.mdm()?;
    let (known, installed) = (
        mdm.sso_extensions.as_deref()?,
        record.sso_extensions.as_deref()?,
    );
    // Platform SSO has the same identifier and the type Redirect: another matter.
    let is_ours = |profile: &&SsoExtensionProfile| {
        profile
            .kind
            .as_deref()
            .is_none_or(|kind| !kind.eq_ignore_ascii_case("Redirect"))
            && installed.contains(&profile.id)
    };
    Some(known.iter().filter(is_ours).collect())
}

fn in_safari(facts: &Facts<'_, '_>) -> Option<bool> {
    let browser = browser(facts)?;
    Some(crate::certificate::contains_ignoring_case(
        browser, "safari",
    ))
}

fn found(
    facts: &Facts<'_, '_>,
    cause: Cause,
    confidence: Confidence,
    fact: &str,
    value: &str,
) -> Verdict {
    let mut evidence = vec![facts.mdm_says(fact, value, None)];
    let tried = struggled(facts);
    if let Some(browser) = browser(facts) {
        evidence.push(facts.okta_says("fastpass.browser", browser, tried));
    }
    Found::new(cause, confidence, evidence).since(tried).into()
}

/// C68: no profile of the extension on the Mac.
pub(super) static MISSING: Entry = Entry {
    cause: Cause::SsoextMissing,
    section: Section::SsoExtension,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Macs,
    mdms: "those that list profiles",
    confidence: Confidence::High,
    evidence: "FastPass does not come through in Safari, and none of the Mac's profiles is Okta's credential extension",
    person: "MDM admin: bring the extension's profile to the Mac",
    neighbours: &[Cause::FastpassProbeBlocked],
    prove: Prove::OfUser(missing),
};

fn missing(facts: &Facts<'_, '_>) -> Verdict {
    if struggled(facts).is_none() || in_safari(facts) == Some(false) {
        return UNTRIED;
    }
    match (extensions(facts), in_safari(facts)) {
        (Some(profiles), _) if !profiles.is_empty() => {
            Verdict::NoFault("the extension's profile is on the Mac")
        }
        (Some(_), Some(true)) => found(
            facts,
            Cause::SsoextMissing,
            Confidence::High,
            "sso_extension",
            "none",
        ),
        (Some(_), _) => open(
            "no SSO extension is on the Mac, and which browser was used is not shown",
            "ask in which browser it fails: only Safari and in-app browsers need the extension",
        ),
        (None, _) => Verdict::NoFault("the MDM does not show SSO extensions"),
    }
}

/// C69: the profile names other hosts, or writes a scheme before them.
pub(super) static WRONG_HOSTS: Entry = Entry {
    cause: Cause::SsoextWrongHosts,
    section: Section::SsoExtension,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Macs,
    mdms: "those that show the payload",
    confidence: Confidence::High,
    evidence: "FastPass does not come through in Safari, and the extension's `Hosts` lack a host of the org or hold a scheme",
    person: "MDM admin: org domain and custom domain, without a scheme",
    neighbours: &[Cause::SsoextMissing, Cause::SsoextWrongPayload],
    prove: Prove::OfUser(wrong_hosts),
};

fn wrong_hosts(facts: &Facts<'_, '_>) -> Verdict {
    if struggled(facts).is_none() || in_safari(facts) != Some(true) {
        return UNTRIED;
    }
    let profiles = extensions(facts).unwrap_or_default();
    let wrong = profiles.iter().find(|profile| {
        let hosts = &profile.hosts;
        let own = &facts.settings.org_hosts;
        let lacks = |host: &String| !hosts.iter().any(|named| named.eq_ignore_ascii_case(host));
        hosts.iter().any(|host| host.contains("://")) || own.iter().any(lacks)
    });
    match wrong {
        Some(profile) => {
            let hosts = profile.hosts.join(" ");
            let hosts = if hosts.is_empty() { "none" } else { &hosts };
            found(
                facts,
                Cause::SsoextWrongHosts,
                Confidence::High,
                "sso_extension.hosts",
                hosts,
            )
        }
        None => Verdict::NoFault("the extension's hosts are the org's, as far as is shown"),
    }
}

/// C70: the payload's fixed values are wrong.
pub(super) static WRONG_PAYLOAD: Entry = Entry {
    cause: Cause::SsoextWrongPayload,
    section: Section::SsoExtension,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Macs,
    mdms: "those that show the payload",
    confidence: Confidence::High,
    evidence: "FastPass does not come through in Safari, and extension identifier, team, realm or type are not Okta's",
    person: "MDM admin: correct the payload; Platform SSO is another profile",
    neighbours: &[Cause::SsoextMissing, Cause::SsoextWrongHosts],
    prove: Prove::OfUser(wrong_payload),
};

fn wrong_payload(facts: &Facts<'_, '_>) -> Verdict {
    if struggled(facts).is_none() || in_safari(facts) != Some(true) {
        return UNTRIED;
    }
    let differs = |shown: &Option<String>, wanted: &str| {
        shown.as_deref().is_some_and(|shown| shown != wanted)
    };
    let profiles = extensions(facts).unwrap_or_default();
    let wrong = profiles.iter().find_map(|profile| {
        [
            (
                "sso_extension.identifier",
                &profile.extension_id,
                EXTENSION_ID,
            ),
            ("sso_extension.team", &profile.team_id, TEAM_ID),
            ("sso_extension.realm", &profile.realm, REALM),
            ("sso_extension.type", &profile.kind, "Credential"),
        ]
        .into_iter()
        .find(|(_, shown, wanted)| differs(shown, wanted))
    });
    match wrong {
        Some((fact, shown, _)) => {
            let shown = shown.as_deref().unwrap_or_default();
            found(
                facts,
                Cause::SsoextWrongPayload,
                Confidence::High,
                fact,
                shown,
            )
        }
        None => Verdict::NoFault("the extension's payload is Okta's, as far as is shown"),
    }
}

/// C71: two profiles of the extension on one Mac. What that does is UNVERIFIED.
pub(super) static CONFLICT: Entry = Entry {
    cause: Cause::SsoextConflict,
    section: Section::SsoExtension,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Macs,
    mdms: "those that list profiles",
    confidence: Confidence::Low,
    evidence: "FastPass does not come through in Safari, and two profiles of the extension are on the Mac",
    person: "MDM admin: merge them",
    neighbours: &[Cause::SsoextWrongHosts],
    prove: Prove::OfUser(conflict),
};

fn conflict(facts: &Facts<'_, '_>) -> Verdict {
    if struggled(facts).is_none() || in_safari(facts) != Some(true) {
        return UNTRIED;
    }
    let profiles = extensions(facts).unwrap_or_default();
    match profiles.as_slice() {
        [first, second, ..] => {
            let names = format!("{}, {}", first.name, second.name);
            found(
                facts,
                Cause::SsoextConflict,
                Confidence::Low,
                "sso_extension",
                &names,
            )
        }
        _ => Verdict::NoFault("at most one profile of the extension is on the Mac"),
    }
}

/// C72: the extension works only on a managed Mac. What keeps the certificate away comes first and has its own entry;
/// this one is named beside it where the certificate cannot be told.
pub(super) static NEEDS_CERTIFICATE: Entry = Entry {
    cause: Cause::SsoextNeedsCa,
    section: Section::SsoExtension,
    stage: Some(Stage::CertPresent),
    on: On::Macs,
    mdms: "those that list profiles",
    confidence: Confidence::Medium,
    evidence: "named as a rival: the extension is on the Mac, and no certificate is proved",
    person: "Repair the certificate first",
    neighbours: &[Cause::SsoextMissing],
    prove: Prove::OfUser(needs_certificate),
};

fn needs_certificate(facts: &Facts<'_, '_>) -> Verdict {
    if matches!(facts.certificate.state, CertificateState::Valid) {
        return Verdict::NoFault("the certificate that the extension needs is there");
    }
    match extensions(facts) {
        Some(profiles) if !profiles.is_empty() => open(
            "the SSO extension works only on a Mac with a certificate, and none is proved here",
            "look for the certificate in Keychain Access first; without it the extension fails in Safari",
        ),
        _ => Verdict::NoFault("no SSO extension is known to be on the Mac"),
    }
}
