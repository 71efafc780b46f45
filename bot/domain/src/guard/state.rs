//! What limits proposals: the settings, and what the store knows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::{
    Cause, DeviceId, GroupId, HardwareKey, MdmName, Plan, PlannedRepair, PlaybookName, ProposalId,
    UserId,
};

/// `[safety] mode`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Tells, never proposes.
    #[default]
    Observe,
    /// Posts cards and acts on their decisions.
    Approve,
}

/// Whom and what a person excluded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// Logins or ids.
    pub users: BTreeSet<String>,
    /// Okta groups.
    pub groups: BTreeSet<GroupId>,
    /// Okta device ids, MDM record ids, serial numbers or names.
    pub devices: BTreeSet<String>,
}

impl Exclusions {
    /// What excludes a repair by name, in words. Whoever is in an excluded group is out of scope before there is a plan,
    /// and is asked for again before the first step.
    pub fn of_repair(&self, repair: &PlannedRepair) -> Option<String> {
        let device_ids = repair
            .subjects
            .iter()
            .map(|subject| subject.device_id.as_str());
        let names = device_ids
            .chain(repair.mdm_device_id.as_ref().map(|id| id.as_str()))
            .chain(repair.serial_number.as_deref())
            .chain([repair.device_name.as_str()]);
        if let Some(name) = names.into_iter().find(|name| self.devices.contains(*name)) {
            return Some(format!("device {name}"));
        }
        for subject in &repair.subjects {
            if self.users.contains(subject.user_id.as_str()) || self.users.contains(&subject.login)
            {
                return Some(format!("user {}", subject.login));
            }
        }
        None
    }
}

/// The organisation's safety settings. A playbook's limits may only be tighter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetySettings {
    /// Whether proposals are made at all.
    pub mode: Mode,
    /// Computers a day of a playbook that has no verified batch yet.
    pub first_day_cap: u32,
    /// Whom to leave alone.
    pub exclusions: Exclusions,
}

impl Default for SafetySettings {
    fn default() -> Self {
        Self {
            mode: Mode::Observe,
            first_day_cap: 10,
            exclusions: Exclusions::default(),
        }
    }
}

/// A repair that was decided and has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Its proposal.
    pub proposal: ProposalId,
    /// Its playbook.
    pub playbook: PlaybookName,
    /// Its cause.
    pub cause: Cause,
}

/// A person's word that nothing more may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Who.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why, as far as they said.
    pub reason: String,
}

/// What is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stops {
    /// Everything.
    pub all: Option<Stop>,
    /// Single playbooks.
    pub playbooks: BTreeMap<PlaybookName, Stop>,
}

impl Stops {
    /// The stop that holds for a playbook.
    pub fn of_playbook(&self, playbook: &PlaybookName) -> Option<&Stop> {
        self.all.as_ref().or_else(|| self.playbooks.get(playbook))
    }
}

/// What a denial is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeniedKey {
    /// Computer.
    pub hardware: HardwareKey,
    /// Playbook.
    pub playbook: PlaybookName,
    /// Cause.
    pub cause: Cause,
}

/// An undecided proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenProposal {
    /// Its id.
    pub id: ProposalId,
    /// Its revision.
    pub revision: u32,
    /// Its frozen plan.
    pub plan: Plan,
    /// When this revision was made.
    pub revised_at: DateTime<Utc>,
    /// Whether somebody has a dialogue about it open.
    pub modal_open: bool,
}

/// What the store knows that limits a proposal.
#[derive(Debug, Clone, Default)]
pub struct GuardState {
    /// Computers with a decided repair that has not ended.
    pub in_flight: HashMap<HardwareKey, InFlight>,
    /// Users of those, with the computer.
    pub users_in_flight: HashMap<UserId, HardwareKey>,
    /// End of the last repair per computer and playbook.
    pub last_repair: HashMap<(HardwareKey, PlaybookName), DateTime<Utc>>,
    /// Repairs per computer and playbook that did not help.
    pub attempts: HashMap<(HardwareKey, PlaybookName), u32>,
    /// Computers that a person must look at, and why.
    pub quarantined: HashMap<HardwareKey, String>,
    /// Denials, and until when they hold.
    pub denied: HashMap<DeniedKey, DateTime<Utc>>,
    /// What is stopped.
    pub stops: Stops,
    /// Computers begun today per playbook.
    pub executed_today: HashMap<PlaybookName, u32>,
    /// Playbooks with a batch that was verified.
    pub verified: HashSet<PlaybookName>,
    /// In-scope desktop device-users of the last complete sweep.
    pub in_scope: usize,
    /// Undecided proposals.
    pub open: Vec<OpenProposal>,
    /// The MDM that knew a device record in the last complete sweep, as far as that MDM was not read whole now.
    pub last_known_mdm: HashMap<DeviceId, MdmName>,
}
