//! What a proposal keeps beside its plan for its card; see [`crate::store::NewProposal::evidence`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::approval::Revision;

/// Shown on the card; no part of what is approved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CardEvidence {
    /// How many computers of the plan were confirmed by a read by id.
    pub confirmed: Option<u32>,
    /// When they were.
    pub checked_at: Option<DateTime<Utc>>,
    /// What the confirmation says: `certificate expired`; the audit keeps it.
    pub fact: Option<String>,
    /// A user of it is kept out right now: the card goes out at any hour.
    pub blocked: bool,
    /// `Mac` or `PC`, if all are one.
    pub noun: Option<String>,
    /// How often it helped before: `worked for 41 of 44, median 38 min`.
    pub fix_rate: Option<String>,
    /// Revisions before this one, oldest first.
    pub history: Vec<Revision>,
}

impl CardEvidence {
    /// As stored; what does not fit is left out, because the plan alone is binding.
    pub fn read(stored: &serde_json::Value) -> Self {
        serde_json::from_value(stored.clone()).unwrap_or_default()
    }
}
