//! A decision as it arrives, and why one may change nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{DeviceId, PlanDigest, UserId};

/// Somebody's word, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: Person,
    /// When.
    pub at: DateTime<Utc>,
}

/// Where a person spoke.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// A Slack user id.
    Slack(String),
    /// A user of the operating system, on the command line.
    Cli(String),
}

impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slack(id) => f.write_str(id),
            Self::Cli(name) => write!(f, "cli:{name}"),
        }
    }
}

/// Who a person is in Okta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// This user.
    User(UserId),
    /// Nobody: such a person owns no device.
    None,
    /// The look-up failed, so that nobody knows what they own.
    LookUpFailed(String),
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// Later.
    Snooze {
        /// Until when.
        until: DateTime<Utc>,
    },
}

/// A decision as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Who.
    pub by: Person,
    /// Who that is in Okta.
    pub identity: Identity,
    /// Names of `[approvals.groups]` that they are in.
    pub groups: BTreeSet<String>,
    /// The revision they saw.
    pub revision: u32,
    /// The digest they saw.
    pub digest: PlanDigest,
    /// Their reason.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a decision changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They are in none of the groups that may decide.
    #[error("{by} may not decide this; {} may", groups.join(", "))]
    NotAnApprover {
        /// Who.
        by: Person,
        /// Who may.
        groups: Vec<String>,
    },
    /// A device of theirs is in the affected set.
    #[error("device {device} is theirs, and it would be changed by this plan")]
    OwnDevice {
        /// Which.
        device: DeviceId,
    },
    /// Their devices could not be looked up.
    #[error("it could not be read whether a device of theirs is affected: {why}")]
    IdentityUnknown {
        /// What failed.
        why: String,
    },
    /// Somebody was faster.
    #[error("already {word} by {by}")]
    AlreadyDecided {
        /// How it stands.
        word: &'static str,
        /// By whom.
        by: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// They saw an earlier revision.
    #[error("this was revision {seen}, now it is {current}: {}", changed.join(", "))]
    StaleRevision {
        /// The one they saw.
        seen: u32,
        /// The one that counts.
        current: u32,
        /// What changed since.
        changed: Vec<String>,
    },
    /// The plan they saw is not the one that would be executed.
    #[error("the plan shown is not the plan that would be executed")]
    DigestDiffers,
    /// Too late.
    #[error("the time to decide was over at {at}")]
    Expired {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Somebody stopped it.
    #[error("stopped by {by}")]
    Stopped {
        /// Who.
        by: String,
    },
    /// They approved already, and another person is needed.
    #[error("{by} has approved already; another person is needed")]
    SamePersonAgain {
        /// Who.
        by: Person,
    },
    /// A decision on the command line needs a reason.
    #[error("a decision on the command line needs a reason")]
    ReasonMissing,
    /// The command line alone never meets a quorum.
    #[error("an approval in Slack is needed besides the command line")]
    CliQuorum,
    /// A time to snooze until that lies behind, or past the time to decide.
    #[error("it can be put off until {latest} at most")]
    SnoozeTooLong {
        /// The latest time.
        latest: DateTime<Utc>,
    },
}
