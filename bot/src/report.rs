//! The document of `sweep --json`. Keys may be added, never renamed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{
    DeviceId, Evidence, Finding, FleetFindingId, MdmDeviceId, MdmName, PlanDigest, PlaybookName,
    ProposalId, ProposalState, UserId,
    findings::Counts,
    fleet_gate::{self, Phase},
};

/// One sweep, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepDocument {
    /// When, and whether it was whole.
    pub sweep: SweepHead,
    /// How many of what.
    pub counts: Counts,
    /// One entry per `NOT_MANAGED` device-user in scope.
    pub findings: Vec<Finding>,
    /// Records without a device-user.
    pub unlinked: Vec<Finding>,
    /// MANAGED device-users whose certificate expired or expires soon.
    pub upcoming: Vec<Finding>,
    /// Causes that hit many devices at once.
    pub fleet_findings: Vec<FleetFinding>,
    /// Every undecided proposal, old and new.
    pub proposals: Vec<ProposalSummary>,
    /// HTTP requests per source.
    pub api: BTreeMap<String, Api>,
}

/// When a sweep ran, and whether it saw everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepHead {
    /// Id of the sweep.
    pub id: String,
    /// Start, on our own clock.
    pub started_at: DateTime<Utc>,
    /// End.
    pub finished_at: DateTime<Utc>,
    /// Whether every source was read to the end.
    pub complete: bool,
    /// Which were not, and why.
    pub incomplete: Vec<Incomplete>,
    /// Whether nothing was written anywhere.
    pub dry_run: bool,
    /// Since when the System Log's changes are covered.
    pub log_covers_from: Option<DateTime<Utc>>,
}

/// A source that was not read to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// okta, log or `[[mdm]].name`.
    pub source: String,
    /// What happened.
    pub reason: String,
}

/// A cause that hit many devices at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetFinding {
    /// `F-` and six base32 characters.
    #[serde(default)]
    pub id: Option<FleetFindingId>,
    /// Cause.
    pub cause: String,
    /// What its members share.
    pub attribute: String,
    /// The shared value.
    pub value: String,
    /// How many device-users.
    pub affected: usize,
    /// Onset.
    pub since: Option<DateTime<Utc>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Where it is: open, `marked_fixed`, canary or resumed.
    #[serde(default)]
    pub state: Option<Phase>,
    /// How many computers.
    #[serde(default)]
    pub computers: usize,
    /// Device-users whose repair waits for it.
    #[serde(default)]
    pub held: usize,
    /// Device-users that were let go since a person said that it is fixed.
    #[serde(default)]
    pub released: usize,
    /// Those of them that are managed again.
    #[serde(default)]
    pub managed: usize,
    /// The change that began it, probably, and who made it.
    #[serde(default)]
    pub change: Option<Change>,
}

/// A change that a fleet-wide fault probably began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: DateTime<Utc>,
    /// Okta's event type, or what happened in the MDM.
    pub event: String,
    /// Who did it.
    pub by: Option<String>,
    /// To what.
    pub to: Option<String>,
}

impl FleetFinding {
    /// As the gate has it.
    pub fn new(finding: &fleet_gate::FleetFinding) -> Self {
        Self {
            id: Some(finding.id.clone()),
            cause: finding.cause.name().into(),
            attribute: finding.attribute.word().into(),
            value: finding.value.clone(),
            affected: finding.members.len(),
            since: finding.since,
            evidence: finding.evidence.clone(),
            state: Some(finding.phase),
            computers: finding.computers,
            held: finding.held(),
            released: finding.released.len(),
            managed: finding.managed,
            change: finding.change.as_ref().map(|change| Change {
                at: change.at,
                event: change.event_type.clone(),
                by: change.actor.clone(),
                to: change.target.clone(),
            }),
        }
    }
}

/// A proposal, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProposalSummary {
    /// Null in a dry run.
    pub id: Option<ProposalId>,
    /// Revision.
    pub revision: u32,
    /// Playbook.
    pub playbook: PlaybookName,
    /// Cause.
    pub cause: String,
    /// Digest of the plan.
    pub plan_digest: PlanDigest,
    /// Okta devices, sorted.
    pub devices: Vec<DeviceId>,
    /// Device-users, sorted.
    pub targets: Vec<Target>,
    /// State.
    pub state: ProposalState,
}

/// One device-user of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// Okta device.
    pub device_id: DeviceId,
    /// Okta user.
    pub user_id: UserId,
    /// MDM.
    pub mdm: Option<MdmName>,
    /// Record there.
    pub mdm_device_id: Option<MdmDeviceId>,
}

/// Requests to one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// All, tokens and retries included.
    pub requests: u64,
    /// Answers that said "too many".
    pub throttled: u64,
}

impl ProposalSummary {
    /// A plan with its place in the queue.
    pub fn new(
        id: Option<ProposalId>,
        revision: u32,
        plan: &crate::domain::Plan,
        digest: PlanDigest,
        state: ProposalState,
    ) -> Self {
        let mut targets: Vec<Target> = plan
            .repairs
            .iter()
            .flat_map(|repair| {
                repair.subjects.iter().map(|subject| Target {
                    device_id: subject.device_id.clone(),
                    user_id: subject.user_id.clone(),
                    mdm: repair.mdm.clone(),
                    mdm_device_id: repair.mdm_device_id.clone(),
                })
            })
            .collect();
        targets.sort();
        let mut devices: Vec<DeviceId> = targets
            .iter()
            .map(|target| target.device_id.clone())
            .collect();
        devices.dedup();
        Self {
            id,
            revision,
            playbook: plan.playbook.clone(),
            cause: plan.cause.name().into(),
            plan_digest: digest,
            devices,
            targets,
            state,
        }
    }
}
