//! Values to Slack's JSON. Pure: what is shown is what is given, and the same values give the same blocks.

mod card;
mod direct;
mod fleet;
mod modal;
mod refusal;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use connectors::slack::ChatMessage;
use serde_json::{Value, json};

pub use card::card;
pub use direct::{Ask, SignInValues, announce, plain, sign_in};
pub use fleet::{fleet_card, fleet_value};
pub(crate) use modal::REASONS;
pub use modal::deny;
pub use refusal::refused;

use crate::{
    chat::CardEvidence,
    store::{DecisionRecord, ProposalRecord, RepairRecord, RunRecord, Stop},
};

/// Most characters of a section's text.
pub(crate) const SECTION: usize = 3_000;
/// Most characters of a field.
pub(crate) const FIELD: usize = 2_000;

/// Everything that a card shows, as the store has it.
#[derive(Debug, Clone)]
pub struct CardValues {
    /// The proposal.
    pub proposal: ProposalRecord,
    /// What it keeps beside its plan.
    pub evidence: CardEvidence,
    /// Decisions, on old revisions too.
    pub decisions: Vec<DecisionRecord>,
    /// Its run, once approved.
    pub run: Option<RunRecord>,
    /// The run's repairs.
    pub repairs: Vec<RepairRecord>,
    /// What was taken away and is not given back yet.
    pub open_holds: usize,
    /// The stop that holds for it.
    pub stop: Option<Stop>,
    /// Per group that may approve: its members as the settings have them.
    pub approvers: Vec<(String, Vec<String>)>,
    /// Now, on our own clock.
    pub now: DateTime<Utc>,
}

/// A text and its layout.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rendered {
    /// A full sentence for notifications and screen readers.
    pub text: String,
    /// Blocks; none for plain text.
    pub blocks: Vec<Value>,
}

impl Rendered {
    /// With a key, to be sent.
    pub fn into_message(self, key: &str, thread: Option<String>) -> ChatMessage {
        ChatMessage {
            text: self.text,
            blocks: self.blocks,
            thread,
            key: key.to_owned(),
        }
    }
}

/// A section of markup.
pub(crate) fn section(block_id: &str, text: &str) -> Value {
    json!({
        "type": "section", "block_id": block_id,
        "text": { "type": "mrkdwn", "text": super::mrkdwn::shorten_marked(text, SECTION) },
    })
}

/// A line of small print.
pub(crate) fn context(block_id: &str, text: &str) -> Value {
    json!({
        "type": "context", "block_id": block_id,
        "elements": [{ "type": "mrkdwn", "text": super::mrkdwn::shorten_marked(text, SECTION) }],
    })
}

/// A button; `label` is plain text.
pub(crate) fn button(action: &str, label: &str, value: &str) -> Value {
    json!({
        "type": "button", "action_id": action, "value": value,
        "text": { "type": "plain_text", "text": super::mrkdwn::shorten(label, 75) },
    })
}
