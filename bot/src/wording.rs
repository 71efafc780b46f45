//! Findings, plans and outcomes in the sentences that the terminal, Slack and the pages share.

mod guide;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::{
        Cause, Confidence, Finding, Hop, MatchStrength, MicroStepKind, Plan, PlannedRepair,
        Platform, ProposalId, ProposalState, RepairState, Stage, VendorCall, WaitUntil, WaitingOn,
        WhyNot, verify::ProvedBy,
    },
    executor::Proved,
    words::count,
};

pub use guide::guide;

/// `MBP-0114 · ann@acme.com`; names before ids.
pub fn who(finding: &Finding) -> String {
    let device = finding
        .device_name
        .as_deref()
        .or(finding.serial_number.as_deref())
        .or(finding.device_id.as_ref().map(AsRef::as_ref))
        .or(finding.mdm_device_id.as_ref().map(AsRef::as_ref))
        .unwrap_or("a computer without a name");
    match &finding.login {
        Some(login) => format!("{device} · {login}"),
        None => device.to_owned(),
    }
}

/// One paragraph that a helpdesk can forward: what is wrong and what has to happen.
pub fn sentence(finding: &Finding) -> String {
    let what = match finding.cause {
        Cause::MdmNotEnrolled => {
            "The computer is not in any connected MDM, so nothing can prove that it is managed."
        }
        Cause::MdmNotCheckingIn => {
            "The computer has not contacted its MDM for days although it is in use."
        }
        Cause::MdmEnrolmentBroken => {
            "The MDM still lists the computer, but has lost its management of it."
        }
        Cause::ProfileNotInScope => {
            "The profile that delivers the management certificate is not assigned to this computer."
        }
        Cause::ProfilePending => {
            "The profile that delivers the management certificate is assigned, but has not arrived yet."
        }
        Cause::ProfileFailed => {
            "The profile that delivers the management certificate failed to install."
        }
        Cause::ProfileInstalledNoCert => {
            "The MDM says the profile is installed, but no certificate was ever issued."
        }
        Cause::CertMissing => {
            "The certificate that proves management was issued once and is gone from the computer."
        }
        Cause::CertExpired => "The certificate that proves management expired.",
        Cause::CertExpiringSoon => "The certificate that proves management expires soon.",
        Cause::CertUnusedRevoked => {
            "The certificate was revoked because it was not used within 90 days."
        }
        Cause::CertRevokedByDeletion => {
            "The certificate was revoked when an earlier Okta record of this computer was deleted."
        }
        Cause::OvNotInstalled => "Okta Verify is not installed on the computer.",
        Cause::OvNotEnrolled => "Okta Verify has no account on this computer.",
        Cause::OvRegistrationIncomplete => {
            "The account in Okta Verify on this computer is not set up to the end."
        }
        Cause::OvEnrolmentOrphaned => {
            "Okta Verify on this computer still holds an Okta record that was deleted."
        }
        Cause::FastpassNoSigninSinceCert => {
            "Everything is in place; what is missing is one sign-in with Okta FastPass on this computer."
        }
        Cause::PolicyUserOutOfScope => {
            "The sign-in rule that asks for a managed computer does not cover this user."
        }
        Cause::OktaDeviceSuspended => {
            "The computer is suspended in Okta; somebody may have a reason for that."
        }
        Cause::OktaDeviceDeactivated => "The computer is deactivated in Okta.",
        Cause::OktaDuplicateRecords => {
            "This is an old Okta record of a computer that has registered anew."
        }
        Cause::OktaRecordStale => "Nobody has used this record for a long time.",
        Cause::SharedUserStoreOnly => {
            "The computer is shared, and its certificate belongs to the first user only."
        }
        Cause::RecordImportedNotRegistered => {
            "The record was imported into Okta and never registered by Okta Verify."
        }
        Cause::Unexplained => {
            "Everything that can be checked is in place, and Okta still shows the computer as not managed."
        }
        Cause::InsufficientEvidence => "What can be seen does not decide what is wrong.",
        other => return format!("Cause: {}. {}", other.title(), next_step(other)),
    };
    let detail = match (finding.cause, &finding.why_not_detail) {
        (Cause::InsufficientEvidence, Some(detail)) => format!(" ({detail})"),
        _ => String::new(),
    };
    format!("{what}{detail} {}", next_step(finding.cause))
}

/// What has to happen next, whoever does it.
pub fn next_step(cause: Cause) -> &'static str {
    match cause {
        Cause::MdmNotEnrolled => "Enrol it in the MDM, or stop using it for company apps.",
        Cause::MdmNotCheckingIn | Cause::ProfilePending => {
            "The MDM is asked to contact it; if nothing moves, its owner opens the company portal or restarts it."
        }
        Cause::MdmEnrolmentBroken => "It has to be enrolled in the MDM again.",
        Cause::ProfileNotInScope => "It has to be put into the group that gets the profile.",
        Cause::ProfileFailed => {
            "The profile is sent once more if the error can pass; otherwise an engineer reads the error."
        }
        Cause::ProfileInstalledNoCert
        | Cause::CertMissing
        | Cause::CertExpired
        | Cause::CertExpiringSoon
        | Cause::CertRevokedByDeletion => {
            "The profile has to be delivered again; afterwards the owner signs in once with FastPass."
        }
        Cause::CertUnusedRevoked => {
            "A new certificate is needed, after the owner was asked to use it within days."
        }
        Cause::OvNotInstalled => "The app has to be assigned in the MDM.",
        Cause::OvNotEnrolled => "The owner opens Okta Verify and adds the company account.",
        Cause::OvRegistrationIncomplete | Cause::OvEnrolmentOrphaned => {
            "The owner removes the account in Okta Verify and adds it again."
        }
        Cause::FastpassNoSigninSinceCert => {
            "The owner opens a company app and chooses Okta FastPass."
        }
        Cause::PolicyUserOutOfScope => {
            "The user has to be added to the group that the rule covers."
        }
        Cause::OktaDeviceSuspended => {
            "Ask who suspended it and why; the security team may lift it."
        }
        Cause::OktaDeviceDeactivated => {
            "The owner enrols Okta Verify again if the computer is still in use."
        }
        Cause::OktaDuplicateRecords => {
            "Nothing has to be repaired; the old record can be cleaned up by a person."
        }
        Cause::SharedUserStoreOnly => "The certificate has to move to the computer's own store.",
        Cause::Unexplained => {
            "One more delivery and one sign-in; if nothing changes, collect Okta Verify's logs and ask Okta."
        }
        Cause::InsufficientEvidence => "It is looked at again when newer evidence is there.",
        _ => "An engineer follows the written guide.",
    }
}

/// Why a subject is in no proposal.
pub fn why_not(why: WhyNot) -> &'static str {
    match why {
        WhyNot::Settling => {
            "registered, enrolled or repaired a short while ago; it gets time to settle"
        }
        WhyNot::SourceIncomplete => "a source could not be read to the end",
        WhyNot::HeldByFleetFinding => {
            "part of a fleet-wide finding, held until a person marks it as fixed"
        }
        WhyNot::InsufficientEvidence => "not enough evidence",
        WhyNot::NoMatch => "no record in the MDM matches",
        WhyNot::WeakMatch => "matched by user and name only; confirm with `unstuck link`",
        WhyNot::Unconfirmed => "not yet confirmed by a read by id",
        WhyNot::NoPlaybook => "no playbook; a person follows the written guide",
        WhyNot::ConditionUnknown => "a condition of the playbook cannot be judged",
        WhyNot::ConditionFalse => "a condition of the playbook does not hold",
        WhyNot::RepairNotConfigured => "the repair needs a target that is not in the settings",
        WhyNot::NotPossibleHere => "no gentle way fits what was read",
        WhyNot::UserUnreachable => "the owner cannot be reached",
        WhyNot::Excluded => "excluded in the settings",
        WhyNot::Cooldown => "repaired recently; cooling down",
        WhyNot::AttemptCap => "tried as often as allowed",
        WhyNot::Quarantine => "left alone after too many tries",
        WhyNot::OverCap => "more than may be done at once",
        WhyNot::WindowClosed => "outside the maintenance window",
        WhyNot::InFlight => "a repair is under way",
        WhyNot::Denied => "denied by a person",
        WhyNot::Stopped => "stopped by a person",
        WhyNot::ObserveOnly => "observe mode: nothing is proposed",
    }
}

/// The word of a `why_not` as JSON has it.
pub fn why_not_word(why: WhyNot) -> String {
    serde_json::to_value(why)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// `6 Macs`, `4 PCs`, `7 computers`.
pub fn computers(plan: &Plan, platform_of: impl Fn(&PlannedRepair) -> Platform) -> String {
    let macs = plan
        .repairs
        .iter()
        .filter(|repair| platform_of(repair) == Platform::Macos)
        .count();
    let noun = match macs {
        0 => "PC",
        all if all == plan.repairs.len() => "Mac",
        _ => "computer",
    };
    count(plan.repairs.len(), noun)
}

/// A confidence, for people.
pub fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

/// A match strength, for people.
pub fn strength(strength: MatchStrength) -> &'static str {
    match strength {
        MatchStrength::Strong => "strong",
        MatchStrength::Weak => "weak",
        MatchStrength::None => "none",
    }
}

/// A stage as JSON has it.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Unknown => "unknown",
        Stage::MdmEnrolled => "mdm_enrolled",
        Stage::ProfileAssigned => "profile_assigned",
        Stage::ProfileDelivered => "profile_delivered",
        Stage::CertIssued => "cert_issued",
        Stage::CertPresent => "cert_present",
        Stage::OvRegistered => "ov_registered",
        Stage::FastpassAfterCert => "fastpass_after_cert",
        Stage::PolicyAsks => "policy_asks",
        Stage::Managed => "managed",
    }
}

/// A hop of the proof, for people.
pub fn hop(hop: Hop) -> &'static str {
    match hop {
        Hop::ProfileDelivered => "profile delivered",
        Hop::CertPresent => "certificate on the computer",
        Hop::CertBound => "certificate used at a sign-in",
        Hop::Managed => "managed in Okta",
        Hop::CheckedIn => "contact with its MDM",
    }
}

/// A hop as JSON has it.
pub fn hop_word(hop: Hop) -> &'static str {
    match hop {
        Hop::ProfileDelivered => "profile_delivered",
        Hop::CertPresent => "cert_present",
        Hop::CertBound => "cert_bound",
        Hop::Managed => "managed",
        Hop::CheckedIn => "checked_in",
    }
}

/// One micro-step, for people.
pub fn step(kind: &MicroStepKind) -> String {
    match kind {
        MicroStepKind::Call(call) => self::call(call),
        MicroStepKind::Wait(wait) => {
            let within = span(TimeDelta::seconds(wait.within_seconds as i64));
            match &wait.until {
                WaitUntil::Expression { cel } => format!("wait until {cel} (at most {within})"),
                WaitUntil::ProfileRemoved { .. } => {
                    format!("wait until the removal is acknowledged (at most {within})")
                }
                WaitUntil::ProfileInstalled { .. } => {
                    format!("wait until the delivery is acknowledged (at most {within})")
                }
                WaitUntil::ScriptFinished { .. } => {
                    format!("wait for the script's result (at most {within})")
                }
                WaitUntil::Elapsed => format!("wait {within}"),
                WaitUntil::CheckedIn { .. } => {
                    format!("wait for the computer to contact its MDM (at most {within})")
                }
            }
        }
    }
}

/// What proved that a computer is managed.
pub fn proved_by(by: ProvedBy) -> &'static str {
    match by {
        ProvedBy::FastPass => "a FastPass sign-in from the computer as a managed one",
        ProvedBy::Bind => "Okta, which bound the new certificate to it",
        ProvedBy::Flip => {
            "Okta, which showed it as not managed before the repair and shows it as managed now"
        }
    }
}

/// `It was proved managed on Mon 23 Nov 11:40 UTC by …, after the repair P-7F3K2Q.`
pub fn proved(proved: &Proved, proposal: &ProposalId) -> String {
    let by = proved
        .by
        .map(|by| format!(" by {}", proved_by(by)))
        .unwrap_or_default();
    let at = proved.at.format("%a %-d %b %H:%M UTC");
    format!("It was proved managed on {at}{by}, after the repair {proposal}.")
}

/// One vendor call, for people.
pub fn call(call: &VendorCall) -> String {
    match call {
        VendorCall::Sync { mdm, .. } => format!("ask the computer to contact {mdm} now"),
        VendorCall::FlushFailedCommands { mdm, .. } => {
            format!("clear its failed commands in {mdm}")
        }
        VendorCall::EnablePush { mdm, .. } => format!("turn push on again in {mdm}"),
        VendorCall::RefreshInventory { mdm, .. } => format!("ask {mdm} for a new inventory"),
        VendorCall::SetDeviceGroup {
            mdm,
            group,
            present: true,
            hold: true,
            ..
        } => {
            format!(
                "put it into the hold group of {mdm} ({group}), which takes the profile away for a while"
            )
        }
        VendorCall::SetDeviceGroup {
            mdm,
            group,
            present: false,
            hold: true,
            ..
        } => {
            format!(
                "take it out of the hold group of {mdm} ({group}), which delivers the profile again"
            )
        }
        VendorCall::SetDeviceGroup {
            mdm,
            group,
            present: true,
            ..
        } => format!("put it into the prepared group of {mdm} that gets the profile ({group})"),
        VendorCall::SetDeviceGroup { mdm, group, .. } => {
            format!("take it out of the prepared group of {mdm} that gets the profile ({group})")
        }
        VendorCall::SetDeviceCategory { mdm, category, .. } => {
            format!(
                "set its category in {mdm} to {}",
                category.as_deref().unwrap_or("none")
            )
        }
        VendorCall::RunCleanupScript { mdm, .. } => {
            format!("run the clean-up script of {mdm} once")
        }
        VendorCall::SetUserGroup {
            group,
            present: true,
            ..
        } => format!("add the user to Okta's FastPass group ({group})"),
        VendorCall::SetUserGroup { group, .. } => {
            format!("remove the user from Okta's FastPass group ({group})")
        }
        VendorCall::DirectMessage { purpose, .. } => match purpose {
            crate::domain::MessagePurpose::AnnounceRepair => "tell the owner in Slack".into(),
            crate::domain::MessagePurpose::RequestFastpassSignIn => {
                "ask the owner in Slack to sign in once with FastPass".into()
            }
        },
    }
}

/// A proposal's state, for people.
pub fn proposal_state(state: ProposalState) -> &'static str {
    match state {
        ProposalState::DryRun => "dry run",
        ProposalState::AwaitingApproval => "waits for a decision",
        ProposalState::PartlyApproved => "waits for one more approval",
        ProposalState::Snoozed => "snoozed",
        ProposalState::Approved => "approved",
        ProposalState::Running => "running",
        ProposalState::WaitingForSignIn => "waits for sign-ins",
        ProposalState::Done => "done",
        ProposalState::DoneWithFailures => "done with failures",
        ProposalState::Denied => "denied",
        ProposalState::Expired => "expired",
        ProposalState::Superseded => "superseded",
        ProposalState::Stopped => "stopped",
        ProposalState::Cured => "cured by itself",
        ProposalState::Undone => "undone",
        ProposalState::NeedsHuman => "needs a person",
    }
}

/// A repair's state, for people.
pub fn repair_state(state: &RepairState) -> String {
    match state {
        RepairState::Queued => "queued".into(),
        RepairState::Preflight => "checking its preconditions".into(),
        RepairState::Acting { .. } => "acting".into(),
        RepairState::Waiting {
            on: WaitingOn::Step { .. },
            ..
        } => "waits for the computer".into(),
        RepairState::Waiting {
            on: WaitingOn::Hop {
                hop: Hop::CertBound | Hop::Managed,
            },
            ..
        } => "waits for the owner's sign-in".into(),
        RepairState::Waiting {
            on: WaitingOn::Hop { hop },
            ..
        } => format!("waits for: {}", self::hop(*hop)),
        RepairState::Managed => "managed again".into(),
        RepairState::NotFixed { hop } => format!("not fixed: no {}", self::hop(*hop)),
        RepairState::Undone => "undone".into(),
        RepairState::NeedsHuman { reason } => format!("needs a person: {reason}"),
        RepairState::Dropped { reason } => format!("left out: {reason}"),
        RepairState::CuredByItself => "managed before anything was done".into(),
        RepairState::Stopped => "stopped".into(),
    }
}

/// `45 s`, `2 h`, `3 d`.
pub fn span(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().abs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `2 h ago` when young, else the date.
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let age = now - at;
    if age < TimeDelta::zero() {
        format!("in {}", span(age))
    } else if age < TimeDelta::days(7) {
        format!("{} ago", span(age))
    } else {
        at.format("%-d %b %Y").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_why_not_has_words() {
        for word in ["settling", "over_cap", "observe_only"] {
            let why: WhyNot = serde_json::from_value(word.into()).unwrap();
            assert_eq!(why_not_word(why), word);
            assert!(!why_not(why).is_empty());
        }
    }

    #[test]
    fn young_times_are_relative_and_old_ones_are_dates() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(ago("2026-11-24T10:00:00Z".parse().unwrap(), now), "2 h ago");
        assert_eq!(
            ago("2026-11-02T10:00:00Z".parse().unwrap(), now),
            "2 Nov 2026"
        );
    }
}
