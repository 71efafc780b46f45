//! Okta Verify's account and the FastPass sign-in that carries the proof.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Cause, Confidence, Evidence, OktaDeviceStatus, Want, certificate::IssuerMatch};

use super::{
    facts::{Facts, time},
    policy::{self, Asked},
    verdict::{Found, Gap, Verdict, not_enough},
};

/// A sign-in this soon after the issue may have run before the certificate was in its store.
pub(super) const CERTIFICATE_SETTLES: TimeDelta = TimeDelta::minutes(10);

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

/// C43: the record is there, and Okta Verify's account on it is not complete.
pub(super) fn registration_incomplete(facts: &Facts<'_, '_>) -> Verdict {
    let device = facts.device;
    if device.status == OktaDeviceStatus::Created {
        let evidence = vec![facts.okta_says("device.status", "CREATED", device.last_updated)];
        return incomplete(facts, Confidence::High, evidence);
    }
    if !device.registered {
        let evidence = vec![facts.okta_says("device.registered", "false", device.last_updated)];
        return incomplete(facts, Confidence::High, evidence);
    }
    match is_enrolled(facts) {
        // Only factors that the user's enrolment policy allows are listed: absence is weak.
        Some(false) => {
            let evidence = vec![facts.okta_says("factor.signed_nonce", "not listed", None)];
            incomplete(facts, Confidence::Medium, evidence)
        }
        Some(true) => Verdict::NoFault("FastPass is enrolled"),
        None => Verdict::NoFault("nothing says that Okta Verify's account is incomplete"),
    }
}

fn incomplete(facts: &Facts<'_, '_>, confidence: Confidence, evidence: Vec<Evidence>) -> Verdict {
    let since = facts.link.created.or(facts.device.created);
    Found::new(Cause::OvRegistrationIncomplete, confidence, evidence)
        .since(since)
        .into()
}

/// C47: everything is in place, and the user has not signed in with FastPass since. Not broken: proof pending.
pub(super) fn no_sign_in_since_certificate(facts: &Facts<'_, '_>) -> Verdict {
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
    let policies = &facts.observations().okta.policies;
    if policies.fastpass_active == Some(false) {
        return not_enough("FastPass is switched off in this org");
    }
    let mut wants = Vec::new();
    let mut confidence = view.confidence;
    match policy::asks_for_managed(facts) {
        Asked::ByRule(_) => {}
        Asked::ByNoRule => {
            return not_enough(
                "no active rule asks for a managed device, so that a sign-in would prove nothing",
            );
        }
        Asked::NotOfThisUser => {
            return Verdict::NoFault("no rule would ask this user's device at a sign-in");
        }
        Asked::Unknown(want) => {
            confidence = confidence.min(Confidence::Medium);
            wants.extend(want);
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
    evidence.push(match last {
        Some(at) => facts.okta_says("fastpass.last", time(at), Some(at)),
        None => facts.okta_says("fastpass.last", "none on this device", None),
    });
    let mut found =
        Found::new(Cause::FastpassNoSigninSinceCert, confidence, evidence).since(Some(issued));
    found.wants = wants;
    found.into()
}

/// C99: every stage is proved, and a FastPass sign-in after all of it still said "not managed".
///
/// A copied, misplaced or unreadable key looks the same from here (C35 to C40), so that it takes positive proof of each
/// stage, and is by elimination even then.
pub(super) fn unexplained(facts: &Facts<'_, '_>) -> Verdict {
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
            matches!(policy::asks_for_managed(facts), Asked::ByRule(_)),
            "there was a FastPass sign-in after the certificate and the device is still not managed, but no rule is known to have asked",
        ),
        (
            facts.device.registered && facts.device.status == OktaDeviceStatus::Active,
            "there was a FastPass sign-in after the certificate and the device is still not managed, but its record is not active",
        ),
    ];
    if let Some((_, reason)) = is_proved.iter().find(|(proved, _)| !proved) {
        let gap = Gap::new(reason);
        return match policy::asks_for_managed(facts) {
            Asked::Unknown(Some(want)) => gap.wanting(want).into(),
            _ => gap.into(),
        };
    }
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.okta_says("fastpass.device_managed", "false", Some(refused)));
    Found::new(Cause::Unexplained, Confidence::Low, evidence)
        .since(Some(refused))
        .into()
}
