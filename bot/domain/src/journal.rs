//! The journal of one repair: step events in order, what they add up to, what comes next, what is to be undone.
//!
//! Expected flow of a call: `Intended` is written before the bytes go out, the outcome after it. An unclear answer is
//! read back before anything else: the effect is there (`Succeeded`), it is not and may be sent again (`Intended`
//! with the next attempt; only what converges), or a person must look (`Failed`). A wait is `Intended` when it begins.
//! A step whose condition is false is `Skipped`, and with it every micro-step of the same playbook step.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    MicroStep, MicroStepKind, OnError, OnTimeout, PlannedRepair, Repeat, StepState, VendorCall,
};

/// Something that happened to a micro-step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// Index of the micro-step.
    pub step: usize,
    /// What.
    pub kind: StepEventKind,
    /// When, on our own clock.
    pub at: DateTime<Utc>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StepEventKind {
    /// The intent is durable; the call may go out, or the wait begins.
    Intended,
    /// Its effect was seen.
    Succeeded,
    /// It was refused, or its effect did not come.
    Failed {
        /// Why.
        reason: String,
    },
    /// The answer does not tell.
    Unclear {
        /// What came back.
        reason: String,
    },
    /// Its condition was false.
    Skipped,
    /// A wait ended without what it waited for; what that means is the plan's word.
    TimedOut,
}

/// How one micro-step stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepStatus {
    /// State.
    pub state: Option<StepState>,
    /// How often it was intended.
    pub attempt: u32,
    /// When it was last intended.
    pub intended_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it failed or is unclear.
    pub reason: Option<String>,
    /// Whether it is a wait that ended at its deadline.
    pub timed_out: bool,
}

impl StepStatus {
    /// State; planned as long as nothing happened.
    pub fn state(&self) -> StepState {
        self.state.unwrap_or(StepState::Planned)
    }
}

/// An event that cannot follow on what happened before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The plan has no such step.
    #[error("the plan has no micro-step {step}")]
    NoSuchStep {
        /// Index.
        step: usize,
    },
    /// The state does not allow it.
    #[error("micro-step {step} is {state}, so it cannot be {event}")]
    IllegalTransition {
        /// Index.
        step: usize,
        /// State before.
        state: &'static str,
        /// What was to follow.
        event: &'static str,
    },
    /// What may be sent once was to be sent again.
    #[error("micro-step {step} may be sent once only")]
    SentTwice {
        /// Index.
        step: usize,
    },
    /// An earlier step has not ended.
    #[error("micro-step {step} cannot begin before micro-step {before} has ended")]
    OutOfOrder {
        /// Index.
        step: usize,
        /// The one that has not ended.
        before: usize,
    },
}

/// What a repair does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Evaluate the condition of this step, if it has one, then write its intent and do it.
    Begin {
        /// Index.
        step: usize,
    },
    /// Read the vendor's state before anything else.
    ReadBack {
        /// Index.
        step: usize,
        /// Whether it may be sent again if the effect is not there.
        may_repeat: bool,
    },
    /// Go on waiting.
    Wait {
        /// Index.
        step: usize,
        /// When it began.
        since: DateTime<Utc>,
    },
    /// Every step has ended; the proof follows.
    Verify,
    /// A step ended the repair; what was begun is restored first.
    End {
        /// Index of the step.
        step: usize,
        /// Why.
        reason: String,
    },
}

/// The journal of one repair.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal<'p> {
    plan: &'p PlannedRepair,
    steps: Vec<StepStatus>,
}

impl<'p> Journal<'p> {
    /// An empty journal of a plan.
    pub fn new(plan: &'p PlannedRepair) -> Self {
        Self {
            plan,
            steps: vec![StepStatus::default(); plan.steps.len()],
        }
    }

    /// Replays what happened.
    pub fn replay(plan: &'p PlannedRepair, events: &[StepEvent]) -> Result<Self, JournalError> {
        events.iter().try_fold(Self::new(plan), Self::apply)
    }

    /// How each micro-step stands, in the plan's order.
    pub fn steps(&self) -> &[StepStatus] {
        &self.steps
    }

    /// Takes in one event.
    pub fn apply(mut self, event: &StepEvent) -> Result<Self, JournalError> {
        let index = event.step;
        let planned = self
            .plan
            .steps
            .get(index)
            .ok_or(JournalError::NoSuchStep { step: index })?;
        let before = self.steps[index].state();
        let is_wait = matches!(planned.kind, MicroStepKind::Wait(_));
        let after = match (&event.kind, before) {
            (StepEventKind::Intended, StepState::Planned) => {
                self.in_order(index)?;
                StepState::Intended
            }
            (StepEventKind::Intended, StepState::Unclear) if repeat_of(planned) == Repeat::Once => {
                return Err(JournalError::SentTwice { step: index });
            }
            (StepEventKind::Intended, StepState::Unclear) => StepState::Intended,
            (StepEventKind::Skipped, StepState::Planned) => {
                self.in_order(index)?;
                StepState::Skipped
            }
            (StepEventKind::Succeeded, StepState::Intended | StepState::Unclear) => {
                StepState::Succeeded
            }
            (StepEventKind::Failed { .. }, StepState::Intended | StepState::Unclear) => {
                StepState::Failed
            }
            (StepEventKind::Unclear { .. }, StepState::Intended) if !is_wait => StepState::Unclear,
            (StepEventKind::TimedOut, StepState::Intended) if is_wait => StepState::Failed,
            (kind, before) => {
                return Err(JournalError::IllegalTransition {
                    step: index,
                    state: before.word(),
                    event: kind.word(),
                });
            }
        };
        let status = &mut self.steps[index];
        status.state = Some(after);
        match &event.kind {
            StepEventKind::Intended => {
                status.attempt += 1;
                status.intended_at = Some(event.at);
                status.reason = None;
            }
            StepEventKind::Unclear { reason } => status.reason = Some(reason.clone()),
            StepEventKind::Failed { reason } => {
                status.reason = Some(reason.clone());
                status.ended_at = Some(event.at);
            }
            StepEventKind::TimedOut => {
                status.timed_out = true;
                status.reason = Some("its time was over".to_owned());
                status.ended_at = Some(event.at);
            }
            StepEventKind::Succeeded => {
                status.reason = None;
                status.ended_at = Some(event.at);
            }
            StepEventKind::Skipped => {
                status.ended_at = Some(event.at);
                self.skip_siblings(index, event.at);
            }
        }
        Ok(self)
    }

    /// What comes next. After a takeover this is the whole memory: an intent without outcome is read back first.
    pub fn next(&self) -> Next {
        for (step, (planned, status)) in self.plan.steps.iter().zip(&self.steps).enumerate() {
            match status.state() {
                StepState::Succeeded | StepState::Skipped => {}
                StepState::Planned => return Next::Begin { step },
                StepState::Intended => {
                    return match &planned.kind {
                        MicroStepKind::Wait(_) => Next::Wait {
                            step,
                            since: status
                                .intended_at
                                .expect("an intended step has the time of its intent"),
                        },
                        MicroStepKind::Call(_) => read_back(step, planned),
                    };
                }
                StepState::Unclear => return read_back(step, planned),
                StepState::Failed if goes_on_after(planned, status) => {}
                StepState::Failed => {
                    let reason = status.reason.clone().unwrap_or_default();
                    return Next::End { step, reason };
                }
            }
        }
        Next::Verify
    }

    /// Calls that give back what a hold took and that have not been given back yet, the newest first. They are sent
    /// however the repair ends: also when it was stopped or has expired.
    pub fn to_restore(&self) -> Vec<VendorCall> {
        self.undo_of(|call| call.begins_hold())
    }

    /// Calls that take back everything that can be taken back, the newest first; [`Self::to_restore`] is part of it.
    pub fn to_undo(&self) -> Vec<VendorCall> {
        self.undo_of(|_| true)
    }

    fn undo_of(&self, wanted: impl Fn(&VendorCall) -> bool) -> Vec<VendorCall> {
        let mut undo = Vec::new();
        for (index, call, status) in self.calls() {
            // An intent without a proved outcome may have had its effect.
            let may_have_acted = matches!(
                status.state(),
                StepState::Succeeded | StepState::Intended | StepState::Unclear
            ) || (status.state() == StepState::Failed && call.begins_hold());
            if !may_have_acted || !wanted(call) {
                continue;
            }
            let Some(inverse) = self.inverse(index, call) else {
                continue;
            };
            let given_back = self.calls().any(|(later, other, status)| {
                later > index && *other == inverse && status.state() == StepState::Succeeded
            });
            if !given_back {
                undo.push(inverse);
            }
        }
        undo.reverse();
        undo
    }

    fn calls(&self) -> impl Iterator<Item = (usize, &'p VendorCall, &StepStatus)> {
        let steps = self.plan.steps.iter().zip(&self.steps).enumerate();
        steps.filter_map(|(index, (planned, status))| match &planned.kind {
            MicroStepKind::Call(call) => Some((index, call, status)),
            MicroStepKind::Wait(_) => None,
        })
    }

    /// The call that takes another one back; `None` where there is nothing to take back.
    fn inverse(&self, index: usize, call: &VendorCall) -> Option<VendorCall> {
        let mut inverse = call.clone();
        match &mut inverse {
            VendorCall::SetDeviceGroup { present, .. }
            | VendorCall::SetUserGroup { present, .. }
                if *present =>
            {
                *present = false;
                Some(inverse)
            }
            // The category that was there before stands in the plan, in the step that ends the hold.
            VendorCall::SetDeviceCategory {
                hold: true, device, ..
            } => self.calls().find_map(|(later, other, _)| match other {
                VendorCall::SetDeviceCategory {
                    hold: false,
                    device: same,
                    ..
                } if later > index && same == device => Some(other.clone()),
                _ => None,
            }),
            _ => None,
        }
    }

    fn in_order(&self, index: usize) -> Result<(), JournalError> {
        let earlier = self
            .plan
            .steps
            .iter()
            .zip(&self.steps)
            .take(index)
            .enumerate();
        for (before, (planned, status)) in earlier {
            let ended = match status.state() {
                StepState::Succeeded | StepState::Skipped => true,
                StepState::Failed => goes_on_after(planned, status),
                StepState::Planned | StepState::Intended | StepState::Unclear => false,
            };
            if !ended {
                return Err(JournalError::OutOfOrder {
                    step: index,
                    before,
                });
            }
        }
        Ok(())
    }

    fn skip_siblings(&mut self, index: usize, at: DateTime<Utc>) {
        let name = &self.plan.steps[index].step;
        for (planned, status) in self.plan.steps.iter().zip(&mut self.steps).skip(index + 1) {
            if planned.step != *name {
                break;
            }
            status.state = Some(StepState::Skipped);
            status.ended_at = Some(at);
        }
    }
}

impl StepEventKind {
    fn word(&self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Unclear { .. } => "unclear",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed out",
        }
    }
}

fn goes_on_after(planned: &MicroStep, status: &StepStatus) -> bool {
    match &planned.kind {
        MicroStepKind::Wait(wait) if status.timed_out => wait.on_timeout == OnTimeout::Continue,
        _ => planned.on_error == OnError::Continue,
    }
}

fn repeat_of(planned: &MicroStep) -> Repeat {
    match &planned.kind {
        MicroStepKind::Call(call) => call.repeat(),
        MicroStepKind::Wait(_) => Repeat::Converges,
    }
}

fn read_back(step: usize, planned: &MicroStep) -> Next {
    Next::ReadBack {
        step,
        may_repeat: repeat_of(planned) == Repeat::Converges,
    }
}

#[cfg(test)]
mod tests;
