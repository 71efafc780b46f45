//! Deployment of the SCEP profile.
//!
//! A valid certificate that the MDM lists proves that the profile once arrived, and ends the question.

use crate::{Cause, Confidence, Evidence, ProfileState};

use super::{
    facts::{Facts, time},
    verdict::{Found, Verdict, not_enough},
};

/// What the state of the delivery comes to, before an entry has its say.
fn settled(facts: &Facts<'_, '_>) -> Option<Verdict> {
    if facts.mdm().is_none() {
        return Some(Verdict::NoFault("there is no MDM record"));
    }
    facts
        .certificate_is_listed_valid()
        .then_some(Verdict::NoFault("a valid certificate is on the device"))
}

/// The MDM's word on the profile is proof, unless it lists a certificate that may be good all the same.
fn sure(facts: &Facts<'_, '_>) -> Confidence {
    let rows = facts
        .subject
        .record
        .and_then(|record| record.certificates.as_deref());
    let is_listed = rows.is_some_and(|rows| !rows.is_empty());
    let view = &facts.certificate;
    let is_judged = view.state.word().is_some() && view.confidence == Confidence::High;
    match is_listed && !is_judged {
        true => Confidence::Medium,
        false => Confidence::High,
    }
}

fn evidence(facts: &Facts<'_, '_>, state: &str) -> Vec<Evidence> {
    let since = facts.profile.and_then(|delivery| delivery.since);
    let mut evidence = Vec::with_capacity(3);
    if let Some(delivery) = facts.profile {
        evidence.push(facts.mdm_says("profile.id", &delivery.profile_id, None));
    }
    evidence.push(facts.mdm_says("profile.state", state, since));
    if let Some(since) = since {
        evidence.push(facts.mdm_says("profile.state_since", time(since), Some(since)));
    }
    evidence
}

/// What the MDM's word on the profile proves.
fn found(facts: &Facts<'_, '_>, cause: Cause, word: &str) -> Found {
    let since = facts.profile.and_then(|delivery| delivery.since);
    Found::new(cause, sure(facts), evidence(facts, word)).since(since)
}

/// C19: the SCEP profile is not assigned to this device or user.
pub(super) fn not_in_scope(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(settled) = settled(facts) {
        return settled;
    }
    let Some((mdm, record)) = facts.mdm() else {
        return Verdict::NoFault("there is no MDM record");
    };
    match facts.profile.map(|delivery| &delivery.state) {
        Some(ProfileState::NotAssigned) => {
            found(facts, Cause::ProfileNotInScope, "not_assigned").into()
        }
        Some(ProfileState::Unknown) => {
            not_enough("the MDM does not tell how the SCEP profile stands")
        }
        Some(_) => Verdict::NoFault("the SCEP profile is assigned"),
        None if !mdm
            .profiles
            .iter()
            .any(|profile| profile.platform == record.platform) =>
        {
            not_enough("no SCEP profile of this MDM matches `attestation.scep_profiles`")
        }
        None if record.profiles.is_some() && mdm.shows.assignment => {
            found(facts, Cause::ProfileNotInScope, "no row").into()
        }
        None => not_enough("this MDM does not show whether the SCEP profile is assigned"),
    }
}

/// C21: assigned, not delivered yet.
pub(super) fn pending(facts: &Facts<'_, '_>) -> Verdict {
    entry(
        facts,
        |state| (*state == ProfileState::Pending).then_some("pending"),
        Cause::ProfilePending,
        "the SCEP profile is not pending",
    )
}

/// C22: the MDM reports an error.
pub(super) fn failed(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(settled) = settled(facts) {
        return settled;
    }
    let Some(ProfileState::Failed { error }) = facts.profile.map(|delivery| &delivery.state) else {
        return Verdict::NoFault("the MDM reports no error for the SCEP profile");
    };
    let mut found = found(facts, Cause::ProfileFailed, "failed").error(error);
    found
        .evidence
        .push(facts.mdm_says("profile.error", error, None));
    found.into()
}

/// C23: platform, edition, ownership or a filter excludes it.
pub(super) fn not_applicable(facts: &Facts<'_, '_>) -> Verdict {
    entry(
        facts,
        |state| (*state == ProfileState::NotApplicable).then_some("not_applicable"),
        Cause::ProfileNotApplicable,
        "the SCEP profile applies to this device",
    )
}

/// C24: two profiles set different values.
pub(super) fn conflict(facts: &Facts<'_, '_>) -> Verdict {
    entry(
        facts,
        |state| (*state == ProfileState::Conflict).then_some("conflict"),
        Cause::ProfileConflict,
        "the MDM reports no conflict",
    )
}

/// An entry that one word of the MDM proves.
fn entry(
    facts: &Facts<'_, '_>,
    word: impl Fn(&ProfileState) -> Option<&'static str>,
    is: Cause,
    otherwise: &'static str,
) -> Verdict {
    if let Some(settled) = settled(facts) {
        return settled;
    }
    match facts.profile.and_then(|delivery| word(&delivery.state)) {
        Some(word) => found(facts, is, word).into(),
        None => Verdict::NoFault(otherwise),
    }
}
