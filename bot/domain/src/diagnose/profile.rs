//! Section 2 of the article: deployment of the SCEP profile.
//!
//! A valid certificate that the MDM lists proves that the profile once arrived, and ends the question.

use crate::{
    AttestationProfile, Cause, Confidence, Evidence, GroupId, MdmKind, ProfileScope, ProfileState,
    Stage,
};

use super::{
    entry::{Entry, On, Prove, Section},
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
pub(super) fn sure(facts: &Facts<'_, '_>) -> Confidence {
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
pub(super) static NOT_IN_SCOPE: Entry = Entry {
    cause: Cause::ProfileNotInScope,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileAssigned),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "the MDM says \"not assigned\", or shows assignment and has no row",
    person: "MDM admin: add it to the group in scope, after a look at the exclusions; correct the smart group",
    neighbours: &[
        Cause::MdmNotCheckingIn,
        Cause::MdmEnrolmentBroken,
        Cause::MdmUserAffinityLost,
    ],
    prove: Prove::OfUser(not_in_scope),
};

fn not_in_scope(facts: &Facts<'_, '_>) -> Verdict {
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
pub(super) static PENDING: Entry = Entry {
    cause: Cause::ProfilePending,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "the MDM says \"pending\"",
    person: "Wait for one check-in; the user logs in and unlocks; after a day as C22",
    neighbours: &[
        Cause::MdmNotCheckingIn,
        Cause::MdmPushChannelDown,
        Cause::ProfileNotInScope,
    ],
    prove: Prove::OfUser(pending),
};

fn pending(facts: &Facts<'_, '_>) -> Verdict {
    entry(
        facts,
        |state| (*state == ProfileState::Pending).then_some("pending"),
        Cause::ProfilePending,
        "the SCEP profile is not pending",
    )
}

/// C22: the MDM reports an error.
pub(super) static FAILED: Entry = Entry {
    cause: Cause::ProfileFailed,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "the MDM says \"failed\", with its text",
    person: "MDM admin: read the error; resend once when its cause is gone, at most twice a day",
    neighbours: &[
        Cause::ProfileNotInScope,
        Cause::ProfilePending,
        Cause::ProfileConflict,
        Cause::CaStaticSecretRotated,
        Cause::CaScepUrlWrong,
        Cause::CaTrustedCertMismatch,
    ],
    prove: Prove::OfUser(failed),
};

fn failed(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(settled) = settled(facts) {
        return settled;
    }
    let Some(ProfileState::Failed { error }) = facts.profile.map(|delivery| &delivery.state) else {
        return Verdict::NoFault("the MDM reports no error for the SCEP profile");
    };
    let mut found = found(facts, Cause::ProfileFailed, "failed").worded(Some(error));
    found
        .evidence
        .push(facts.mdm_says("profile.error", error, None));
    found.into()
}

/// C23: platform, edition, ownership or a filter excludes it.
pub(super) static NOT_APPLICABLE: Entry = Entry {
    cause: Cause::ProfileNotApplicable,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileAssigned),
    on: On::Desktops,
    mdms: "Intune mostly",
    confidence: Confidence::High,
    evidence: "the MDM says \"not applicable\"",
    person: "MDM admin: use the profile that fits this platform, edition and ownership",
    neighbours: &[Cause::ProfileNotInScope, Cause::MdmUserAffinityLost],
    prove: Prove::OfUser(not_applicable),
};

fn not_applicable(facts: &Facts<'_, '_>) -> Verdict {
    entry(
        facts,
        |state| (*state == ProfileState::NotApplicable).then_some("not_applicable"),
        Cause::ProfileNotApplicable,
        "the SCEP profile applies to this device",
    )
}

/// C24: two profiles set different values.
pub(super) static CONFLICT: Entry = Entry {
    cause: Cause::ProfileConflict,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileDelivered),
    on: On::Desktops,
    mdms: "Intune",
    confidence: Confidence::High,
    evidence: "the MDM says \"conflict\"",
    person: "MDM admin: remove one of the two assignments; its certificate goes with it",
    neighbours: &[Cause::CertDuplicates],
    prove: Prove::OfUser(conflict),
};

fn conflict(facts: &Facts<'_, '_>) -> Verdict {
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

/// C20: the trusted-certificate profile goes to other groups than the SCEP profile, which fails without it.
pub(super) static DEPENDENCY_MISMATCH: Entry = Entry {
    cause: Cause::ProfileDependencyGroupMismatch,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileAssigned),
    on: On::Desktops,
    mdms: "Intune, Workspace ONE",
    confidence: Confidence::High,
    evidence: "the SCEP profile failed, and the trusted-certificate profile is not assigned to this device; medium where only the groups of the two differ",
    person: "MDM admin: assign both profiles to the same groups",
    neighbours: &[
        Cause::CaTrustedCertMismatch,
        Cause::ProfileFailed,
        Cause::ProfileNotInScope,
    ],
    prove: Prove::OfUser(dependency_mismatch),
};

fn dependency_mismatch(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(settled) = settled(facts) {
        return settled;
    }
    let Some(ProfileState::Failed { error }) = facts.profile.map(|delivery| &delivery.state) else {
        return Verdict::NoFault("the SCEP profile did not fail");
    };
    let mut found =
        found(facts, Cause::ProfileDependencyGroupMismatch, "failed").worded(Some(error));
    let state = facts
        .subject
        .record
        .and_then(|record| record.trust_profile.as_ref());
    match state {
        Some(ProfileState::NotAssigned) => {
            let word = facts.mdm_says("trust_profile.state", "not_assigned", None);
            found.evidence.push(word);
            found.into()
        }
        Some(ProfileState::Installed | ProfileState::Pending) => {
            Verdict::NoFault("the trusted-certificate profile is assigned too")
        }
        _ => match facts
            .attestation_profile()
            .filter(|profile| go_apart(profile))
        {
            Some(profile) => {
                let name = profile
                    .trust
                    .as_ref()
                    .map_or("", |trust| trust.name.as_str());
                found.confidence = found.confidence.min(Confidence::Medium);
                found
                    .evidence
                    .push(facts.mdm_says("trust_profile.assigned_elsewhere", name, None));
                found.into()
            }
            None => Verdict::NoFault("nothing says that the two profiles go to different groups"),
        },
    }
}

/// Whether the two profiles have no group in common, though neither goes to everybody.
fn go_apart(profile: &AttestationProfile) -> bool {
    let Some(trust) = profile
        .trust
        .as_ref()
        .filter(|trust| trust.id != profile.id)
    else {
        return false;
    };
    let (scep, trust) = (&profile.scope, &trust.scope);
    let groups = |scope: &ProfileScope| scope.device_groups.len() + scope.user_groups.len();
    let shares = |a: &[GroupId], b: &[GroupId]| a.iter().any(|group| b.contains(group));
    !scep.all_devices
        && !trust.all_devices
        && groups(scep) > 0
        && groups(trust) > 0
        && !shares(&scep.device_groups, &trust.device_groups)
        && !shares(&scep.user_groups, &trust.user_groups)
}

/// C28: the profile goes to users, and the MDM knows no user of this computer.
pub(super) static USER_LOST: Entry = Entry {
    cause: Cause::MdmUserAffinityLost,
    section: Section::ScepProfile,
    stage: Some(Stage::ProfileAssigned),
    on: On::Desktops,
    mdms: "Intune",
    confidence: Confidence::Medium,
    evidence: "the record has no primary user, the profile is assigned to user groups only, and it does not arrive",
    person: "MDM admin: give the computer its primary user or the user a licence",
    neighbours: &[Cause::ProfileNotInScope, Cause::ProfileNotApplicable],
    prove: Prove::OfUser(user_lost),
};

fn user_lost(facts: &Facts<'_, '_>) -> Verdict {
    if let Some(settled) = settled(facts) {
        return settled;
    }
    let Some((_, record)) = facts.mdm().filter(|(mdm, _)| mdm.kind == MdmKind::Intune) else {
        return Verdict::NoFault("its MDM does not need a primary user");
    };
    if record.user.is_some() {
        return Verdict::NoFault("the MDM knows the computer's user");
    }
    let arrives = matches!(
        facts.profile.map(|delivery| &delivery.state),
        Some(ProfileState::Installed | ProfileState::Failed { .. } | ProfileState::Conflict)
    );
    let for_users = facts.attestation_profile().is_some_and(|profile| {
        let scope = &profile.scope;
        !scope.all_devices && scope.device_groups.is_empty() && !scope.user_groups.is_empty()
    });
    if arrives || !for_users {
        return Verdict::NoFault("the SCEP profile arrives, or is not for users only");
    }
    let mut found = found(facts, Cause::MdmUserAffinityLost, "not delivered");
    found.confidence = Confidence::Medium;
    found
        .evidence
        .push(facts.mdm_says("record.user", "none", record.inventory_at));
    found.into()
}

/// C26: nothing delivers the certificate anew before it ends.
pub(super) static RENEWAL_NOT_CONFIGURED: Entry = Entry {
    cause: Cause::ProfileRenewalNotConfigured,
    section: Section::ScepProfile,
    stage: Some(Stage::Managed),
    on: On::Desktops,
    mdms: "Jamf, Workspace ONE, Kandji, Fleet",
    confidence: Confidence::Medium,
    evidence: "managed, the certificate ends within 30 days, and the profile's renewal is off; many at once are a fleet finding",
    person: "MDM admin: set redistribution before expiry (Okta's example: 120 days), resend in waves",
    neighbours: &[Cause::CertExpiringSoon],
    prove: Prove::Elsewhere("`upcoming`: managed device-users"),
};
