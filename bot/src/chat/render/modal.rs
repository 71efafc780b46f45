//! The dialogue in which somebody says why not.

use serde_json::{Value, json};

use crate::{
    chat::mrkdwn::{escape, shorten, shorten_marked},
    store::ProposalRecord,
};

/// Reasons to choose from: value and words.
pub(crate) const REASONS: [(&str, &str); 4] = [
    ("wrong", "Wrong diagnosis"),
    ("moment", "Bad moment"),
    ("handled", "Handled by hand"),
    ("risky", "Too risky"),
];

const AGAIN: [(&str, &str); 3] = [
    ("evidence", "When the evidence changes"),
    ("day", "Tomorrow"),
    ("never", "Never for these computers"),
];

/// The dialogue; `metadata` comes back with its submission.
pub fn deny(record: &ProposalRecord, metadata: &str) -> Value {
    let option = |(value, text): &(&str, &str)| json!({ "text": { "type": "plain_text", "text": text }, "value": value });
    let reasons: Vec<Value> = REASONS.iter().map(option).collect();
    let again: Vec<Value> = AGAIN.iter().map(option).collect();
    let plan = &record.plan;
    let head = format!(
        "*{}*: {}",
        escape(&plan.title),
        crate::words::count(plan.repairs.len(), "computer")
    );
    json!({
        "type": "modal", "callback_id": "p.deny", "private_metadata": metadata,
        "title": { "type": "plain_text", "text": shorten(&format!("Deny {}", record.id), 24) },
        "submit": { "type": "plain_text", "text": "Deny" },
        "close": { "type": "plain_text", "text": "Back" },
        "blocks": [
            { "type": "section", "block_id": "what", "text": { "type": "mrkdwn", "text": shorten_marked(&head, super::SECTION) } },
            { "type": "input", "block_id": "why", "label": { "type": "plain_text", "text": "Why?" },
              "element": { "type": "static_select", "action_id": "v", "options": reasons } },
            { "type": "input", "block_id": "note", "optional": true,
              "label": { "type": "plain_text", "text": "Note (thread and audit)" },
              "element": { "type": "plain_text_input", "action_id": "v", "multiline": true, "max_length": 500 } },
            { "type": "input", "block_id": "again", "label": { "type": "plain_text", "text": "Ask again" },
              "element": { "type": "radio_buttons", "action_id": "v", "initial_option": again[0], "options": again } },
        ],
    })
}
