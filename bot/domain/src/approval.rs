//! A proposal and the decisions about it. A transition consumes the old state, so that a stale one cannot be used.
//!
//! A decision names the revision and the digest that the person saw. Whatever does not fit changes nothing and says
//! why. Which groups a person is in, and who they are in Okta, is looked up by the caller.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::{DeviceId, Plan, PlanDigest, ProposalId, ProposalState};

mod decision;

pub use decision::{Decision, Identity, Person, Refusal, Verdict, Vote};

/// A set of computers that waits for decisions, or has had them.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// The frozen plan.
    pub plan: Plan,
    /// Its digest.
    pub digest: PlanDigest,
    /// Its revision, from 1.
    pub revision: u32,
    /// Earlier revisions, oldest first.
    pub history: Vec<Revision>,
    /// When it can no longer be decided.
    pub expires_at: DateTime<Utc>,
    /// How it stands.
    pub status: Status,
}

/// What an earlier revision was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number.
    pub revision: u32,
    /// Its digest.
    pub digest: PlanDigest,
    /// Its devices.
    pub devices: BTreeSet<DeviceId>,
}

/// How a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Nobody, or not everybody needed, has approved.
    Waiting {
        /// Approvals so far.
        approvals: Vec<Vote>,
    },
    /// Put off.
    Snoozed {
        /// Until when.
        until: DateTime<Utc>,
        /// By whom.
        by: Person,
        /// Approvals so far.
        approvals: Vec<Vote>,
    },
    /// Everybody needed has approved.
    Approved {
        /// Who.
        approvals: Vec<Vote>,
        /// When the last one did.
        at: DateTime<Utc>,
        /// Until when it may be executed.
        valid_until: DateTime<Utc>,
    },
    /// Refused.
    Denied {
        /// By whom.
        by: Vote,
        /// Why.
        reason: Option<String>,
    },
    /// Nobody decided in time.
    Expired {
        /// When.
        at: DateTime<Utc>,
    },
    /// Another proposal took its place.
    Superseded {
        /// When.
        at: DateTime<Utc>,
    },
    /// Every computer of it is managed by now.
    Cured {
        /// When.
        at: DateTime<Utc>,
    },
    /// Stopped before it was decided.
    Stopped {
        /// When.
        at: DateTime<Utc>,
        /// By whom.
        by: String,
    },
}

/// The group that may stop and deny, but not approve.
pub const OPERATORS: &str = "operators";

impl Proposal {
    /// A new proposal, first revision.
    pub fn new(id: ProposalId, plan: Plan, now: DateTime<Utc>) -> Self {
        Self {
            id,
            digest: crate::digest::digest(&plan),
            expires_at: now + seconds(plan.approval.expires_seconds),
            plan,
            revision: 1,
            history: Vec::new(),
            status: Status::Waiting {
                approvals: Vec::new(),
            },
        }
    }

    /// How it stands, before a run takes over.
    pub fn state(&self) -> ProposalState {
        match &self.status {
            Status::Waiting { approvals } if approvals.is_empty() => {
                ProposalState::AwaitingApproval
            }
            Status::Waiting { .. } => ProposalState::PartlyApproved,
            Status::Snoozed { .. } => ProposalState::Snoozed,
            Status::Approved { .. } => ProposalState::Approved,
            Status::Denied { .. } => ProposalState::Denied,
            Status::Expired { .. } => ProposalState::Expired,
            Status::Superseded { .. } => ProposalState::Superseded,
            Status::Cured { .. } => ProposalState::Cured,
            Status::Stopped { .. } => ProposalState::Stopped,
        }
    }

    /// Approvals so far.
    pub fn approvals(&self) -> &[Vote] {
        match &self.status {
            Status::Waiting { approvals }
            | Status::Snoozed { approvals, .. }
            | Status::Approved { approvals, .. } => approvals,
            _ => &[],
        }
    }

    /// Takes a decision, or says why not. A refusal leaves the stored proposal as it was.
    pub fn decide(self, decision: &Decision) -> Result<Self, Refusal> {
        self.open_for_decisions(decision.at)?;
        self.shown_is_current(decision)?;
        if matches!(decision.by, Person::Cli(_))
            && decision
                .reason
                .as_ref()
                .is_none_or(|reason| reason.trim().is_empty())
        {
            return Err(Refusal::ReasonMissing);
        }
        let may_approve = self
            .plan
            .approval
            .groups
            .iter()
            .any(|group| decision.groups.contains(group));
        let may_deny = may_approve || decision.groups.contains(OPERATORS);
        let allowed = match decision.verdict {
            Verdict::Approve => may_approve,
            Verdict::Deny | Verdict::Snooze { .. } => may_deny,
        };
        if !allowed {
            return Err(Refusal::NotAnApprover {
                by: decision.by.clone(),
                groups: self.plan.approval.groups.clone(),
            });
        }
        match decision.verdict {
            Verdict::Approve => self.approve(decision),
            Verdict::Deny => {
                let status = Status::Denied {
                    by: vote(decision),
                    reason: decision.reason.clone(),
                };
                Ok(Self { status, ..self })
            }
            Verdict::Snooze { until } => {
                let latest = self.expires_at;
                if until <= decision.at || until >= latest {
                    return Err(Refusal::SnoozeTooLong { latest });
                }
                let status = Status::Snoozed {
                    until,
                    by: decision.by.clone(),
                    approvals: self.approvals().to_vec(),
                };
                Ok(Self { status, ..self })
            }
        }
    }

    /// Lets time pass: a snooze ends, the time to decide ends.
    pub fn at(self, now: DateTime<Utc>) -> Self {
        if !self.state().is_undecided() {
            return self;
        }
        if now >= self.expires_at {
            let at = self.expires_at;
            return Self {
                status: Status::Expired { at },
                ..self
            };
        }
        match self.status {
            Status::Snoozed {
                until, approvals, ..
            } if now >= until => Self {
                status: Status::Waiting { approvals },
                ..self
            },
            status => Self { status, ..self },
        }
    }

    /// A new revision. It asks everybody again: an approval holds for the digest that was seen.
    pub fn revise(mut self, plan: Plan, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.open_for_decisions(now)?;
        self.history.push(Revision {
            revision: self.revision,
            digest: self.digest,
            devices: devices(&self.plan),
        });
        Ok(Self {
            digest: crate::digest::digest(&plan),
            expires_at: now + seconds(plan.approval.expires_seconds),
            revision: self.revision + 1,
            plan,
            status: Status::Waiting {
                approvals: Vec::new(),
            },
            ..self
        })
    }

    /// Ends it undecided because every computer of it is managed by now.
    pub fn cured(self, at: DateTime<Utc>) -> Result<Self, Refusal> {
        self.end_undecided(at, Status::Cured { at })
    }

    /// Ends it undecided because another proposal takes its place.
    pub fn superseded(self, at: DateTime<Utc>) -> Result<Self, Refusal> {
        self.end_undecided(at, Status::Superseded { at })
    }

    /// Ends it undecided because somebody stopped it.
    pub fn stopped(self, by: String, at: DateTime<Utc>) -> Result<Self, Refusal> {
        self.end_undecided(at, Status::Stopped { at, by })
    }

    fn end_undecided(self, at: DateTime<Utc>, status: Status) -> Result<Self, Refusal> {
        self.open_for_decisions(at)?;
        Ok(Self { status, ..self })
    }

    fn open_for_decisions(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let decided = |word, by: String, at| Err(Refusal::AlreadyDecided { word, by, at });
        match &self.status {
            Status::Waiting { .. } | Status::Snoozed { .. } if now >= self.expires_at => {
                Err(Refusal::Expired {
                    at: self.expires_at,
                })
            }
            Status::Waiting { .. } | Status::Snoozed { .. } => Ok(()),
            Status::Expired { at } => Err(Refusal::Expired { at: *at }),
            Status::Stopped { by, .. } => Err(Refusal::Stopped { by: by.clone() }),
            Status::Approved { approvals, at, .. } => {
                let by: Vec<String> = approvals.iter().map(|vote| vote.by.to_string()).collect();
                decided("approved", by.join(", "), *at)
            }
            Status::Denied { by, .. } => decided("denied", by.by.to_string(), by.at),
            Status::Superseded { at } => decided("superseded", "a newer proposal".to_owned(), *at),
            Status::Cured { at } => decided("cured", "the computers themselves".to_owned(), *at),
        }
    }

    fn shown_is_current(&self, decision: &Decision) -> Result<(), Refusal> {
        if decision.revision != self.revision {
            return Err(Refusal::StaleRevision {
                seen: decision.revision,
                current: self.revision,
                changed: self.changed_since(decision.revision),
            });
        }
        if decision.digest != self.digest {
            return Err(Refusal::DigestDiffers);
        }
        Ok(())
    }

    fn changed_since(&self, revision: u32) -> Vec<String> {
        let Some(seen) = self
            .history
            .iter()
            .find(|earlier| earlier.revision == revision)
        else {
            return vec!["no such revision".to_owned()];
        };
        let now = devices(&self.plan);
        let added = now
            .difference(&seen.devices)
            .map(|device| format!("added {device}"));
        let left = seen
            .devices
            .difference(&now)
            .map(|device| format!("left {device}"));
        added.chain(left).collect()
    }

    fn approve(self, decision: &Decision) -> Result<Self, Refusal> {
        let rule = &self.plan.approval;
        if !rule.self_approval {
            match &decision.identity {
                Identity::LookUpFailed(why) => {
                    return Err(Refusal::IdentityUnknown { why: why.clone() });
                }
                Identity::None => {}
                Identity::User(user) => {
                    let affected = self.plan.repairs.iter().flat_map(|repair| &repair.affected);
                    let subjects = self.plan.repairs.iter().flat_map(|repair| &repair.subjects);
                    let own = affected
                        .filter(|one| one.user_id == *user)
                        .map(|one| &one.device_id)
                        .chain(
                            subjects
                                .filter(|one| one.user_id == *user)
                                .map(|one| &one.device_id),
                        )
                        .next();
                    if let Some(device) = own {
                        return Err(Refusal::OwnDevice {
                            device: device.clone(),
                        });
                    }
                }
            }
        }
        let mut approvals = self.approvals().to_vec();
        if approvals.iter().any(|vote| vote.by == decision.by) {
            return Err(Refusal::SamePersonAgain {
                by: decision.by.clone(),
            });
        }
        approvals.push(vote(decision));
        let required = usize::from(rule.required);
        if approvals.len() < required {
            return Ok(Self {
                status: Status::Waiting { approvals },
                ..self
            });
        }
        if required > 1
            && approvals
                .iter()
                .all(|vote| matches!(vote.by, Person::Cli(_)))
        {
            return Err(Refusal::CliQuorum);
        }
        let valid_until = decision.at + seconds(rule.valid_for_seconds);
        let status = Status::Approved {
            approvals,
            at: decision.at,
            valid_until,
        };
        Ok(Self { status, ..self })
    }
}

/// Devices of a plan's subjects.
fn devices(plan: &Plan) -> BTreeSet<DeviceId> {
    let subjects = plan.repairs.iter().flat_map(|repair| &repair.subjects);
    subjects.map(|subject| subject.device_id.clone()).collect()
}

fn vote(decision: &Decision) -> Vote {
    Vote {
        by: decision.by.clone(),
        at: decision.at,
    }
}

fn seconds(value: u64) -> Duration {
    Duration::seconds(i64::try_from(value).unwrap_or(i64::MAX / 1000))
}

#[cfg(test)]
mod tests;
