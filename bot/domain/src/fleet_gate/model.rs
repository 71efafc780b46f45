//! Fleet findings: what they are, where they are on their way, and what earlier sweeps know of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Attribute;
use crate::{
    Cause, Confidence, DeviceId, Evidence, Finding, FleetFindingId, OrgChangeSeen, UserId,
};

/// Before so much history, what is usual is not known.
pub(super) const HISTORY: TimeDelta = TimeDelta::days(14);

/// One device-user.
pub type Member = (DeviceId, UserId);

/// What is counted as usual: new faults of a cause with a value.
pub type UsualKey = (Cause, Attribute, String);

/// Where a fleet finding is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its members are held.
    Open,
    /// A person says that the cause is gone; nothing is let go yet.
    MarkedFixed,
    /// Some of its members are let go.
    Canary,
    /// All of them are let go.
    Resumed,
    /// Nobody is affected any more.
    Closed,
}

/// A fleet finding that earlier sweeps know.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its id.
    pub id: FleetFindingId,
    /// What is wrong.
    pub cause: Cause,
    /// What its members share.
    pub attribute: Attribute,
    /// The shared value, as it is shown.
    pub value: String,
    /// Onset.
    pub since: Option<DateTime<Utc>>,
    /// The change that began it.
    pub change: Option<OrgChangeSeen>,
    /// Where it is on its way.
    pub phase: Phase,
    /// When a person said that it is fixed, in Okta's time.
    pub marked_at: Option<DateTime<Utc>>,
    /// Everybody who was ever affected.
    pub members: BTreeSet<Member>,
    /// Those who were let go.
    pub released: BTreeSet<Member>,
}

/// What the store knows that the gate needs.
#[derive(Debug, Clone, Default)]
pub struct FleetState {
    /// Begin of the first complete sweep.
    pub history_since: Option<DateTime<Utc>>,
    /// Begin of the last complete sweep.
    pub last_look: Option<DateTime<Utc>>,
    /// New faults of the 14 days before the last look.
    pub usual: HashMap<UsualKey, usize>,
    /// Causes that a playbook matches: a canary should be one of those.
    pub playbook_causes: BTreeSet<Cause>,
    /// Fleet findings that are not over, and those over that a person marked as fixed.
    pub known: Vec<Known>,
}

impl FleetState {
    /// Whether there is enough history to know what is usual.
    pub(super) fn is_long(&self, now: DateTime<Utc>) -> bool {
        self.history_since
            .is_some_and(|since| now - since >= HISTORY)
    }
}

/// One cause that hits many computers, after this sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetFinding {
    /// Its id; made of what it is and when it began, so that a dry run names the same.
    pub id: FleetFindingId,
    /// What is wrong.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// What its members share.
    pub attribute: Attribute,
    /// The shared value, as it is shown.
    pub value: String,
    /// Onset, by the change or by the first fault.
    pub since: Option<DateTime<Utc>>,
    /// The change that began it, probably.
    pub change: Option<OrgChangeSeen>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Where it is on its way.
    pub phase: Phase,
    /// Whether it fired again after a person had said that it is fixed.
    pub reopened: bool,
    /// Device-users that are affected now, held or let go.
    pub members: BTreeSet<Member>,
    /// Computers of those.
    pub computers: usize,
    /// Members that were let go, those of this sweep too.
    pub released: BTreeSet<Member>,
    /// Members that were let go and are managed again.
    pub managed: usize,
}

/// What the gate says about one sweep.
#[derive(Debug, Default)]
pub struct Gated {
    /// Fleet findings, those that are over by this sweep last.
    pub findings: Vec<FleetFinding>,
    /// The finding that holds a case, by the case's place.
    pub held: HashMap<usize, usize>,
    /// New faults since the last look by the day on which they began, to know later what is usual.
    pub new_faults: BTreeMap<(NaiveDate, UsualKey), usize>,
}

impl Gated {
    /// The finding that holds a case.
    pub fn holder(&self, case: usize) -> Option<&FleetFinding> {
        self.held.get(&case).map(|at| &self.findings[*at])
    }
}

impl FleetFinding {
    /// Members whose repair waits for this finding.
    pub fn held(&self) -> usize {
        match self.phase {
            Phase::Resumed | Phase::Closed => 0,
            _ => self.members.difference(&self.released).count(),
        }
    }

    /// Gives a held member the cause; its own stays in the evidence.
    pub fn mark(&self, finding: &mut Finding) {
        let own = Evidence {
            source: "okta".to_owned(),
            fact: "fleet.own_cause".to_owned(),
            value: finding.cause.name().to_owned(),
            observed_at: finding
                .evidence
                .first()
                .map_or_else(DateTime::default, |evidence| evidence.observed_at),
            about: None,
            assumes: None,
        };
        let change = self
            .evidence
            .iter()
            .filter(|evidence| !evidence.fact.starts_with("fleet."));
        finding.evidence.extend(change.cloned());
        finding.evidence.push(own);
        finding.confidence = match finding.confirmed {
            true => self.confidence,
            false => self.confidence.min(Confidence::Medium),
        };
        finding.cause = self.cause;
        finding.playbook = None;
    }

    /// In one line, for people: `F-7F3K2Q: the SCEP secret was reset in Okta (profile Okta SCEP)`.
    pub fn line(&self) -> String {
        let shared = match self.attribute {
            Attribute::Org => self.value.clone(),
            attribute => format!("{} {}", attribute.title(), self.value),
        };
        format!("{}: {} ({shared})", self.id, self.cause.title())
    }
}
