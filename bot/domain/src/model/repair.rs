//! States of proposals, runs, repairs and micro-steps. The bare words are fixed; detail is beside them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Hop;

/// State of a proposal, and of the run that an approval makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the words are defined in the design, section 6"
)]
pub enum ProposalState {
    DryRun,
    AwaitingApproval,
    PartlyApproved,
    Snoozed,
    Approved,
    Running,
    WaitingForSignIn,
    Done,
    DoneWithFailures,
    Denied,
    Expired,
    Superseded,
    Stopped,
    Cured,
    Undone,
    NeedsHuman,
}

impl ProposalState {
    /// Whether nobody has decided yet.
    pub fn is_undecided(self) -> bool {
        matches!(
            self,
            Self::AwaitingApproval | Self::PartlyApproved | Self::Snoozed
        )
    }

    /// Whether its run still moves.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Approved | Self::Running | Self::WaitingForSignIn
        )
    }

    /// The word as JSON and SQL have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::DryRun => "dry_run",
            Self::AwaitingApproval => "awaiting_approval",
            Self::PartlyApproved => "partly_approved",
            Self::Snoozed => "snoozed",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::WaitingForSignIn => "waiting_for_sign_in",
            Self::Done => "done",
            Self::DoneWithFailures => "done_with_failures",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Stopped => "stopped",
            Self::Cured => "cured",
            Self::Undone => "undone",
            Self::NeedsHuman => "needs_human",
        }
    }
}

/// State of one repair: one computer in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RepairState {
    /// Its wave has not opened.
    Queued,
    /// Preconditions are being read again.
    Preflight,
    /// A call or its read-back is under way.
    Acting {
        /// Index of the micro-step.
        step: usize,
    },
    /// Waits for a device, a person or a hop.
    Waiting {
        /// For what.
        on: WaitingOn,
        /// Until when, on our own clock.
        deadline: DateTime<Utc>,
    },
    /// Proved.
    Managed,
    /// The proof stopped here.
    NotFixed {
        /// The hop that is missing.
        hop: Hop,
    },
    /// What was done was undone.
    Undone,
    /// A person must look.
    NeedsHuman {
        /// Why.
        reason: String,
    },
    /// Left out before its first step.
    Dropped {
        /// Why.
        reason: String,
    },
    /// Managed before the first step.
    CuredByItself,
    /// Stopped by a person; what was begun is restored.
    Stopped,
}

/// What a waiting repair waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum WaitingOn {
    /// A micro-step that is a wait.
    Step {
        /// Its index.
        step: usize,
    },
    /// The next hop of the proof; [`Hop::CertBound`] and [`Hop::Managed`] need the user's sign-in.
    Hop {
        /// Which.
        hop: Hop,
    },
}

impl RepairState {
    /// The bare word, as JSON and SQL have it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Preflight => "preflight",
            Self::Acting { .. } => "acting",
            Self::Waiting { .. } => "waiting",
            Self::Managed => "managed",
            Self::NotFixed { .. } => "not_fixed",
            Self::Undone => "undone",
            Self::NeedsHuman { .. } => "needs_human",
            Self::Dropped { .. } => "dropped",
            Self::CuredByItself => "cured_by_itself",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it has ended.
    pub fn is_end(&self) -> bool {
        !matches!(
            self,
            Self::Queued | Self::Preflight | Self::Acting { .. } | Self::Waiting { .. }
        )
    }

    /// Whether every step is done and the proof is waited for.
    pub fn waits_for_hop(&self) -> bool {
        matches!(
            self,
            Self::Waiting {
                on: WaitingOn::Hop { .. },
                ..
            }
        )
    }

    /// Whether all that is missing is the user's sign-in.
    pub fn waits_for_sign_in(&self) -> bool {
        matches!(
            self,
            Self::Waiting {
                on: WaitingOn::Hop {
                    hop: Hop::CertBound | Hop::Managed
                },
                ..
            }
        )
    }
}

/// State of a micro-step in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Planned,
    /// The intent is written; the call may be under way.
    Intended,
    /// Its effect was seen.
    Succeeded,
    /// It was refused, or its effect did not come.
    Failed,
    /// The answer does not tell; read back before anything else.
    Unclear,
    /// Its condition was false.
    Skipped,
}

impl StepState {
    /// The word as JSON and SQL have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Intended => "intended",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
            Self::Skipped => "skipped",
        }
    }
}
