//! How a repair moves from state to state, and what the repairs of a run add up to.

use chrono::{DateTime, Utc};

use crate::{Hop, ProposalState, RepairState, WaitingOn};

/// Something that happened to a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairEvent {
    /// Its wave opened, or a preflight that a crash cut off is done again.
    PreflightBegan,
    /// A condition or a precondition did not hold.
    Dropped {
        /// Why.
        reason: String,
    },
    /// It was managed before the first step.
    Cured,
    /// A call or its read-back is under way.
    StepBegan {
        /// Index of the micro-step.
        step: usize,
    },
    /// A micro-step that is a wait began.
    WaitBegan {
        /// Its index.
        step: usize,
        /// Until when.
        deadline: DateTime<Utc>,
    },
    /// Every step is done; a hop of the proof is waited for.
    HopAwaited {
        /// Which.
        hop: Hop,
        /// Until when.
        deadline: DateTime<Utc>,
    },
    /// Okta says so, proved.
    Proved,
    /// A step failed, or the time for the proof is over; what was begun is restored.
    NotFixed {
        /// The hop that is missing.
        hop: Hop,
    },
    /// What was done was taken back.
    Undone,
    /// A person must look.
    NeedsHuman {
        /// Why.
        reason: String,
    },
    /// Somebody stopped it; what was begun is restored.
    Stopped,
}

/// An event that cannot follow on a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a repair that is {state} cannot take {event}")]
pub struct IllegalTransition {
    /// State before.
    pub state: &'static str,
    /// What was to follow.
    pub event: &'static str,
}

/// Moves a repair; consumes the old state.
pub fn apply(state: RepairState, event: RepairEvent) -> Result<RepairState, IllegalTransition> {
    use RepairState::{Acting, Preflight, Queued, Waiting};
    let illegal = Err(IllegalTransition {
        state: state.word(),
        event: event.word(),
    });
    // A repair that ended without proof can still be taken back by a person.
    if state.is_end() {
        return match (&state, event) {
            (
                RepairState::NotFixed { .. }
                | RepairState::NeedsHuman { .. }
                | RepairState::Stopped,
                RepairEvent::Undone,
            ) => Ok(RepairState::Undone),
            (
                RepairState::NotFixed { .. } | RepairState::Stopped,
                RepairEvent::NeedsHuman { reason },
            ) => Ok(RepairState::NeedsHuman { reason }),
            _ => illegal,
        };
    }
    match (&state, event) {
        (Queued | Preflight, RepairEvent::PreflightBegan) => Ok(Preflight),
        (Queued | Preflight, RepairEvent::Cured) => Ok(RepairState::CuredByItself),
        // A step's own condition may turn out unknown after others have run; once all have, there is nothing to drop.
        (
            Waiting {
                on: WaitingOn::Hop { .. },
                ..
            },
            RepairEvent::Dropped { .. },
        ) => illegal,
        (_, RepairEvent::Dropped { reason }) => Ok(RepairState::Dropped { reason }),
        (Preflight | Acting { .. } | Waiting { .. }, RepairEvent::StepBegan { step })
            if follows(&state, step) =>
        {
            Ok(Acting { step })
        }
        (Preflight | Acting { .. } | Waiting { .. }, RepairEvent::WaitBegan { step, deadline })
            if follows(&state, step) =>
        {
            Ok(Waiting {
                on: WaitingOn::Step { step },
                deadline,
            })
        }
        (Preflight | Acting { .. } | Waiting { .. }, RepairEvent::HopAwaited { hop, deadline }) => {
            Ok(Waiting {
                on: WaitingOn::Hop { hop },
                deadline,
            })
        }
        (Acting { .. } | Waiting { .. }, RepairEvent::Proved) => Ok(RepairState::Managed),
        (Acting { .. } | Waiting { .. }, RepairEvent::NotFixed { hop }) => {
            Ok(RepairState::NotFixed { hop })
        }
        (Acting { .. } | Waiting { .. }, RepairEvent::Undone) => Ok(RepairState::Undone),
        (_, RepairEvent::NeedsHuman { reason }) => Ok(RepairState::NeedsHuman { reason }),
        (_, RepairEvent::Stopped) => Ok(RepairState::Stopped),
        _ => illegal,
    }
}

/// Steps only move forward; a read-back stays where it is.
fn follows(state: &RepairState, step: usize) -> bool {
    match state {
        RepairState::Acting { step: current } => step >= *current,
        RepairState::Waiting {
            on: WaitingOn::Step { step: current },
            ..
        } => step >= *current,
        RepairState::Waiting {
            on: WaitingOn::Hop { .. },
            ..
        } => false,
        _ => true,
    }
}

impl RepairEvent {
    fn word(&self) -> &'static str {
        match self {
            Self::PreflightBegan => "the begin of its preflight",
            Self::Dropped { .. } => "being dropped",
            Self::Cured => "being cured by itself",
            Self::StepBegan { .. } => "the begin of a step",
            Self::WaitBegan { .. } => "the begin of a wait",
            Self::HopAwaited { .. } => "waiting for a hop",
            Self::Proved => "its proof",
            Self::NotFixed { .. } => "ending as not fixed",
            Self::Undone => "its undo",
            Self::NeedsHuman { .. } => "asking for a person",
            Self::Stopped => "a stop",
        }
    }
}

/// What the repairs of an approved proposal add up to. The worst end wins, once all have ended.
pub fn fold<'r>(repairs: impl IntoIterator<Item = &'r RepairState>) -> ProposalState {
    let mut count = Counts::default();
    for state in repairs {
        count.add(state);
    }
    count.state()
}

#[derive(Default)]
struct Counts {
    all: usize,
    queued: usize,
    moving: usize,
    sign_in: usize,
    managed: usize,
    cured: usize,
    dropped: usize,
    not_fixed: usize,
    undone: usize,
    needs_human: usize,
    stopped: usize,
}

impl Counts {
    fn add(&mut self, state: &RepairState) {
        self.all += 1;
        let counter = match state {
            RepairState::Queued => &mut self.queued,
            state if state.waits_for_sign_in() => &mut self.sign_in,
            RepairState::Preflight | RepairState::Acting { .. } | RepairState::Waiting { .. } => {
                &mut self.moving
            }
            RepairState::Managed => &mut self.managed,
            RepairState::CuredByItself => &mut self.cured,
            RepairState::Dropped { .. } => &mut self.dropped,
            RepairState::NotFixed { .. } => &mut self.not_fixed,
            RepairState::Undone => &mut self.undone,
            RepairState::NeedsHuman { .. } => &mut self.needs_human,
            RepairState::Stopped => &mut self.stopped,
        };
        *counter += 1;
    }

    fn state(&self) -> ProposalState {
        if self.queued == self.all {
            return ProposalState::Approved;
        }
        if self.moving > 0 || self.queued > 0 {
            return ProposalState::Running;
        }
        if self.sign_in > 0 {
            return ProposalState::WaitingForSignIn;
        }
        if self.needs_human > 0 {
            ProposalState::NeedsHuman
        } else if self.stopped > 0 {
            ProposalState::Stopped
        } else if self.undone > 0 {
            ProposalState::Undone
        } else if self.not_fixed > 0 || (self.dropped > 0 && self.managed + self.cured == 0) {
            ProposalState::DoneWithFailures
        } else if self.managed == 0 && self.cured > 0 {
            ProposalState::Cured
        } else {
            ProposalState::Done
        }
    }
}

#[cfg(test)]
mod tests;
