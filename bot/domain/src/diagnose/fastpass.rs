//! The FastPass sign-in that carries the proof: off, blocked, replaced by another factor, not made yet, or in vain.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Assumption, Cause, Confidence, OktaDeviceStatus, OtherSignIn, Stage, Want,
    certificate::IssuerMatch,
};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::{CERTIFICATE_SETTLES, Facts, time},
    fleet::OrgChange,
    policy::Asked,
    verdict::{Found, Gap, Verdict, not_enough, open},
};

/// Whether Okta Verify holds a FastPass account of this user, as far as is known.
pub(super) fn is_enrolled(facts: &Facts<'_, '_>) -> Option<bool> {
    if facts.last_fastpass().is_some() {
        return Some(true);
    }
    facts.detail?.fastpass_enrolled
}

/// Whether the user has signed in since, without FastPass on this device.
fn signed_in_otherwise(facts: &Facts<'_, '_>, since: DateTime<Utc>) -> bool {
    let log = &facts.observations().log;
    log.sign_ins
        .get(&facts.link.user_id)
        .is_some_and(|at| *at > since)
}

fn last_fastpass(facts: &Facts<'_, '_>) -> crate::Evidence {
    let evidence = match facts.last_fastpass() {
        Some(at) => facts.okta_says("fastpass.last", time(at), Some(at)),
        None => facts.okta_says("fastpass.last", "none on this device", None),
    };
    evidence.assuming(Assumption::FastpassDevice)
}

/// Browser of the last attempt.
pub(super) fn browser<'a>(facts: &Facts<'_, 'a>) -> Option<&'a str> {
    let browsers = &facts.observations().log.browsers;
    if browsers.is_empty() {
        return None;
    }
    let key = (facts.device.id.clone(), facts.link.user_id.clone());
    browsers.get(&key).map(String::as_str)
}

/// The last FastPass attempt since the certificate, if none came through whole: it failed, or did not reach Okta Verify
/// by the way that resists phishing.
pub(super) fn struggled(facts: &Facts<'_, '_>) -> Option<DateTime<Utc>> {
    failed(facts).max(not_resistant(facts))
}

fn failed(facts: &Facts<'_, '_>) -> Option<DateTime<Utc>> {
    let (seen, ready) = (facts.fastpass?, facts.ready()?);
    let succeeded = seen.success.map(|success| success.last);
    seen.last_failure
        .filter(|failed| *failed > ready && succeeded.is_none_or(|at| at < *failed))
}

fn not_resistant(facts: &Facts<'_, '_>) -> Option<DateTime<Utc>> {
    let (seen, ready) = (facts.fastpass?, facts.ready()?);
    seen.last_not_resistant.filter(|at| {
        *at > ready
            && seen
                .last_resistant
                .is_none_or(|resistant| resistant < ready)
    })
}

/// C46: FastPass is off, or nothing offers it.
pub(super) static DISABLED: Entry = Entry {
    cause: Cause::FastpassDisabled,
    section: Section::FastPass,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "authenticator `okta_verify` or its method `signed_nonce` is inactive; or the FastPass button is hidden and no rule asks for a device",
    person: "Okta admin: switch it on; it concerns the whole org",
    neighbours: &[Cause::PolicyNoManagedRule],
    prove: Prove::OfUser(disabled),
};

fn disabled(facts: &Facts<'_, '_>) -> Verdict {
    let policies = &facts.observations().okta.policies;
    let (fact, value) = if policies.fastpass_active == Some(false) {
        ("authenticator.signed_nonce", "INACTIVE")
    } else if policies.fastpass_button == Some(false) && *facts.asked() == Asked::ByNoRule {
        (
            "authenticator.show_sign_in_with_okta_verify",
            "NEVER, and no rule asks for a device",
        )
    } else {
        return Verdict::NoFault("FastPass is on, as far as is shown");
    };
    let change = facts
        .fleet
        .last_change(OrgChange::AuthenticatorOff, facts.okta_now());
    let mut evidence = vec![facts.okta_says(fact, value, None)];
    if let Some(change) = change {
        let actor = change.actor.as_deref().unwrap_or("unknown");
        evidence.push(facts.okta_says(&change.event_type, format!("by {actor}"), Some(change.at)));
    }
    Found::new(Cause::FastpassDisabled, Confidence::High, evidence)
        .since(change.map(|change| change.at))
        .into()
}

/// C49: the browser does not reach Okta Verify on the loopback.
pub(super) static PROBE_BLOCKED: Entry = Entry {
    cause: Cause::FastpassProbeBlocked,
    section: Section::FastPass,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "FastPass failed since the certificate; surer if the user signed in otherwise or it was not phishing resistant; or it succeeded without resisting phishing and was refused",
    person: "Browser and network admin: bypass 127.0.0.1 and localhost in proxies, let the org's domain pass; the user tries another browser or network",
    neighbours: &[
        Cause::SsoextMissing,
        Cause::FastpassNoSigninSinceCert,
        Cause::FastpassOtherFactorUsed,
    ],
    prove: Prove::OfUser(probe_blocked),
};

fn probe_blocked(facts: &Facts<'_, '_>) -> Verdict {
    let Some(tried) = struggled(facts) else {
        return Verdict::NoFault(
            "no FastPass attempt since the certificate failed to reach Okta Verify",
        );
    };
    let (failed, not_resistant) = (failed(facts), not_resistant(facts));
    let otherwise = facts
        .ready()
        .is_some_and(|ready| signed_in_otherwise(facts, ready));
    let two_signals = (failed.is_some() && (otherwise || not_resistant.is_some()))
        || (not_resistant.is_some() && facts.refused().is_some());
    if failed.is_none() && !two_signals {
        return open(
            "FastPass was tried since the certificate and did not come through; why is not shown",
            "try another browser and another network: an ad-blocker, a proxy or TLS inspection keeps the browser from Okta Verify",
        );
    }
    let mut evidence = facts.certificate_evidence();
    evidence.extend(failed.map(|at| facts.okta_says("fastpass.failed", time(at), Some(at))));
    evidence.extend(
        not_resistant.map(|at| facts.okta_says("fastpass.phishing_resistant", "false", Some(at))),
    );
    evidence
        .extend(browser(facts).map(|name| facts.okta_says("fastpass.browser", name, Some(tried))));
    let confidence = match two_signals {
        true => Confidence::Medium,
        false => Confidence::Low,
    };
    Found::new(Cause::FastpassProbeBlocked, confidence, evidence)
        .since(Some(tried))
        .into()
}

/// C48: the user signs in from this computer with another factor.
pub(super) static OTHER_FACTOR: Entry = Entry {
    cause: Cause::FastpassOtherFactorUsed,
    section: Section::FastPass,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "a sign-in without FastPass since the certificate, from this record, or from this operating system by somebody with one such computer; no device session; no FastPass since",
    person: "The user chooses FastPass; Okta admin: a rule that resists phishing",
    neighbours: &[
        Cause::FastpassNoSigninSinceCert,
        Cause::FastpassProbeBlocked,
    ],
    prove: Prove::OfUser(other_factor),
};

fn other_factor(facts: &Facts<'_, '_>) -> Verdict {
    const NONE: &str =
        "no sign-in with another factor is known from this computer since the certificate";
    let (Ok(Some(_)), Some(ready)) = (facts.usable_certificate(), facts.ready()) else {
        return Verdict::NoFault("there is no usable certificate to sign in with");
    };
    let other = facts
        .observations()
        .log
        .other_sign_ins
        .get(&facts.link.user_id);
    let Some(other) = other.filter(|other| other.at > ready) else {
        return Verdict::NoFault(NONE);
    };
    if other.device_session {
        return Verdict::NoFault("a session bound to the device stood for the factor: no fault");
    }
    if facts.last_fastpass().is_some_and(|at| at > ready) {
        return Verdict::NoFault("there was a FastPass sign-in after the certificate was issued");
    }
    if !is_from_here(facts, other) {
        return Verdict::NoFault(NONE);
    }
    if let Err(gap) = facts.fastpass_covered_since(ready) {
        return gap.into();
    }
    let mut evidence = facts.certificate_evidence();
    let sign_in = facts.okta_says("sign_in.other_factor", time(other.at), Some(other.at));
    evidence.push(match other.device {
        Some(_) => sign_in,
        None => sign_in.assuming(Assumption::SignInPlatform),
    });
    evidence.push(last_fastpass(facts));
    Found::new(Cause::FastpassOtherFactorUsed, Confidence::Medium, evidence)
        .since(Some(other.at))
        .into()
}

/// By the record, or by an operating system of which the user has one computer only.
fn is_from_here(facts: &Facts<'_, '_>, other: &OtherSignIn) -> bool {
    match (&other.device, other.platform) {
        (Some(device), _) => *device == facts.device.id,
        (None, Some(platform)) => {
            platform == facts.device.platform
                && facts.fleet.desktops_of(&facts.link.user_id, platform) == 1
        }
        (None, None) => false,
    }
}

/// C47: everything is in place, and the user has not signed in with FastPass since. Not broken: proof pending.
pub(super) static NO_SIGN_IN: Entry = Entry {
    cause: Cause::FastpassNoSigninSinceCert,
    section: Section::FastPass,
    stage: Some(Stage::FastpassAfterCert),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "a usable certificate, younger than 91 days or used before, and by a log that covers it no FastPass sign-in of this user on this device since",
    person: "The user opens an app and chooses FastPass; reminded after 1, 3 and 7 days",
    neighbours: &[
        Cause::CertExpired,
        Cause::CertUnusedRevoked,
        Cause::CertRevokedByDeletion,
        Cause::OvRegistrationIncomplete,
        Cause::PolicyUserOutOfScope,
        Cause::FastpassOtherFactorUsed,
        Cause::FastpassProbeBlocked,
    ],
    prove: Prove::OfUser(no_sign_in_since_certificate),
};

fn no_sign_in_since_certificate(facts: &Facts<'_, '_>) -> Verdict {
    let view = match facts.usable_certificate() {
        Ok(Some(view)) => view,
        Ok(None) => return Verdict::NoFault("there is no usable certificate to sign in with"),
        Err(gap) => return gap.into(),
    };
    let Some(issued) = view.issued_at else {
        return not_enough("it is not known when the certificate was issued");
    };
    let ready = issued + CERTIFICATE_SETTLES;
    let last = facts.last_fastpass();
    if last.is_some_and(|at| at > ready) {
        return Verdict::NoFault("there was a FastPass sign-in after the certificate was issued");
    }
    if facts
        .fastpass
        .and_then(|seen| seen.last_failure)
        .is_some_and(|at| at > ready)
    {
        return not_enough("FastPass was tried since the certificate was issued, and failed");
    }
    if let Err(gap) = facts.fastpass_covered_since(issued) {
        return gap.into();
    }
    let mut wants = Vec::new();
    let mut confidence = view.confidence;
    match facts.asked() {
        Asked::ByRule(_) => {}
        Asked::ByNoRule | Asked::NotOfThisUser => {
            return Verdict::NoFault("no rule would ask this user's device at a sign-in");
        }
        Asked::Unknown(want) => {
            confidence = confidence.min(Confidence::Medium);
            wants.extend(want.clone());
        }
    }
    if last.is_none() {
        // A factor is the user's, not this device's: only a sign-in on it proves its own enrolment.
        confidence = confidence.min(Confidence::Medium);
    }
    if signed_in_otherwise(facts, ready) {
        // Another factor may be in use on this computer (C48); the log does not say on which computer.
        confidence = confidence.min(Confidence::Medium);
    }
    if is_enrolled(facts) != Some(true) {
        confidence = confidence.min(Confidence::Medium);
        wants.push(Want::UserFactors {
            user: facts.link.user_id.clone(),
        });
    }
    let mut evidence = facts.certificate_evidence();
    evidence.push(last_fastpass(facts));
    let mut found =
        Found::new(Cause::FastpassNoSigninSinceCert, confidence, evidence).since(Some(issued));
    found.wants = wants;
    found.into()
}

/// C99: every stage is proved, and a FastPass sign-in after all of it still said "not managed".
///
/// A copied, misplaced or unreadable key looks the same from here (C35 to C40), so that it takes positive proof of each
/// stage, and is by elimination even then.
pub(super) static UNEXPLAINED: Entry = Entry {
    cause: Cause::Unexplained,
    section: Section::FastPass,
    stage: Some(Stage::Managed),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Low,
    evidence: "every stage is proved, and a FastPass sign-in after all of it still said \"not managed\"",
    person: "One delivery anew and one FastPass sign-in; then collect Okta Verify's logs and open a case with Okta",
    neighbours: &[
        Cause::CertExpired,
        Cause::CertUnusedRevoked,
        Cause::CertRevokedByDeletion,
        Cause::CertBoundToOther,
        Cause::CertWrongStore,
        Cause::PolicyUserOutOfScope,
        Cause::PolicyRuleShadowed,
        Cause::FastpassNoSigninSinceCert,
        Cause::SharedUserStoreOnly,
    ],
    prove: Prove::OfUser(unexplained),
};

fn unexplained(facts: &Facts<'_, '_>) -> Verdict {
    let view = match facts.usable_certificate() {
        Ok(Some(view)) => view,
        Ok(None) => return Verdict::NoFault("there is no usable certificate"),
        Err(gap) => return gap.into(),
    };
    let (Some(issued), Some(row)) = (view.issued_at, view.certificate) else {
        return not_enough("the certificate itself is not shown by the MDM");
    };
    let seen = facts.fastpass;
    let ready = issued + CERTIFICATE_SETTLES;
    let Some(refused) = seen
        .and_then(|seen| seen.last_unmanaged)
        .filter(|at| *at > ready)
    else {
        return not_enough("no sign-in since the certificate shows what Okta made of it");
    };
    if seen
        .and_then(|seen| seen.last_managed)
        .is_some_and(|at| at > refused)
    {
        return not_enough(
            "the last FastPass sign-in was a managed one; the link must be read again",
        );
    }
    let log = &facts.observations().log;
    let issue_seen = log
        .issued
        .get(&crate::correlate::normalise_subject(&row.subject))
        .is_some_and(|seen| (seen.last - issued).abs() < TimeDelta::days(1));
    let profile_installed = facts
        .profile
        .is_some_and(|delivery| delivery.state == crate::ProfileState::Installed);
    let is_proved = [
        (
            profile_installed,
            "there was a FastPass sign-in after the certificate and the device is still not managed, but the SCEP profile is not proved to be installed",
        ),
        (
            view.issuer == IssuerMatch::Right || issue_seen,
            "there was a FastPass sign-in after the certificate and the device is still not managed, but its issuer is not shown",
        ),
        (
            row.has_private_key == Some(true),
            "there was a FastPass sign-in after the certificate and the device is still not managed, but the MDM does not show whether the key is there",
        ),
        (
            matches!(facts.asked(), Asked::ByRule(_)),
            "there was a FastPass sign-in after the certificate and the device is still not managed, but no rule is known to have asked",
        ),
        (
            facts.device.registered && facts.device.status == OktaDeviceStatus::Active,
            "there was a FastPass sign-in after the certificate and the device is still not managed, but its record is not active",
        ),
    ];
    if let Some((_, reason)) = is_proved.iter().find(|(proved, _)| !proved) {
        let gap = Gap::new(reason);
        return match facts.asked() {
            Asked::Unknown(Some(want)) => gap.wanting(want.clone()).into(),
            _ => gap.into(),
        };
    }
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.refusal(refused));
    Found::new(Cause::Unexplained, Confidence::Low, evidence)
        .since(Some(refused))
        .into()
}
