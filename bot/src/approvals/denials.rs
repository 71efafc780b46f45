//! What a denial keeps from being asked again, and until when.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::{
        Cause, HardwareKey, Plan, PlannedRepair, PlaybookName, ProposalId, digest::sha256_hex,
    },
    store::Denial,
};

/// While the evidence is unchanged, a denial is looked at again after so long.
const UNCHANGED: TimeDelta = TimeDelta::days(30);

/// Longer than any computer lives, and still a time that every database can hold.
const FOR_EVER: TimeDelta = TimeDelta::days(36_500);

/// When the person who denied wants to be asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskAgain {
    /// When what was read of the computer has changed.
    #[default]
    Evidence,
    /// Tomorrow.
    Day,
    /// Never about these computers.
    Never,
}

/// Key of a denial: one computer, one playbook, one cause.
pub fn denial_key(hardware: &HardwareKey, playbook: &PlaybookName, cause: Cause) -> String {
    format!("{hardware}|{playbook}|{cause}")
}

/// What the plan rests on for one computer; a change of it lifts a denial that holds while evidence is unchanged.
pub fn evidence_hash(repair: &PlannedRepair) -> String {
    let read = serde_json::to_vec(&repair.preconditions).expect("preconditions have string keys");
    sha256_hex(&read)
}

/// Until when a denial keeps this computer out of a proposal; `None`: it may be asked.
pub fn denied_until(
    denials: &[Denial],
    repair: &PlannedRepair,
    playbook: &PlaybookName,
    cause: Cause,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let key = denial_key(&repair.hardware, playbook, cause);
    let denial = denials.iter().find(|denial| denial.key == key)?;
    match (denial.until, &denial.evidence_hash) {
        (Some(until), _) => (until > now).then_some(until),
        (None, Some(hash)) => (*hash == evidence_hash(repair)).then(|| now + UNCHANGED),
        (None, None) => Some(now + FOR_EVER),
    }
}

/// The denials that a "no" to a plan leaves behind.
pub(super) fn of_plan(
    plan: &Plan,
    proposal: &ProposalId,
    by: &str,
    reason: Option<&str>,
    again: AskAgain,
    at: DateTime<Utc>,
) -> Vec<Denial> {
    let of_repair = |repair: &PlannedRepair| Denial {
        key: denial_key(&repair.hardware, &plan.playbook, plan.cause),
        proposal_id: proposal.to_string(),
        denied_by: by.to_owned(),
        denied_at: at,
        until: (again == AskAgain::Day).then(|| at + TimeDelta::days(1)),
        evidence_hash: (again == AskAgain::Evidence).then(|| evidence_hash(repair)),
        reason: reason.map(str::to_owned),
    };
    plan.repairs.iter().map(of_repair).collect()
}
