//! What is put into the outbox. A card's payload only names the proposal: it is rendered when it is sent.
//!
//! Recipients are named as the store knows them, not as Slack does: the channel of the cards, a person by Okta id. The
//! sender finds their place in Slack.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::mrkdwn;
use crate::{
    domain::{FleetFindingId, ProposalId, RepairId, StepId, UserId},
    store::NewMessage,
};

/// Recipient of what goes to the channel of the settings.
pub const CHANNEL: &str = "channel";

/// Which renderer a message is for.
pub mod kind {
    /// A proposal's card.
    pub const CARD: &str = "card";
    /// The card of a fleet-wide finding; it waits for no working hours.
    pub const FLEET: &str = "fleet";
    /// A line in a card's thread.
    pub const THREAD: &str = "thread";
    /// A line in the channel.
    pub const NOTICE: &str = "notice";
    /// A direct message: a repair begins.
    pub const ANNOUNCE: &str = "announce";
    /// A direct message: please sign in once.
    pub const SIGN_IN: &str = "sign_in";
    /// A direct message of plain text.
    pub const DIRECT: &str = "direct";
}

/// The card of a proposal, to be drawn anew.
pub fn card(proposal: &ProposalId, at: DateTime<Utc>) -> NewMessage {
    NewMessage {
        key: card_key(proposal),
        kind: kind::CARD.into(),
        recipient: CHANNEL.into(),
        thread: None,
        payload: json!({ "proposal": proposal }),
        revision: next_revision(),
        at,
        due_at: at,
    }
}

/// Key of a proposal's card.
pub fn card_key(proposal: &ProposalId) -> String {
    format!("card:{proposal}")
}

/// The card of a fleet-wide finding, to be drawn anew.
pub fn fleet_card(finding: &FleetFindingId, at: DateTime<Utc>) -> NewMessage {
    NewMessage {
        key: fleet_key(finding),
        kind: kind::FLEET.into(),
        recipient: CHANNEL.into(),
        thread: None,
        payload: json!({ "fleet_finding": finding }),
        revision: next_revision(),
        at,
        due_at: at,
    }
}

/// Key of a fleet-wide finding's card.
pub fn fleet_key(finding: &FleetFindingId) -> String {
    format!("fleet:{finding}")
}

/// A line in the thread of a fleet-wide finding's card; the text is Slack's markup already.
pub(crate) fn fleet_thread(
    finding: &FleetFindingId,
    key: &str,
    marked: &str,
    at: DateTime<Utc>,
) -> NewMessage {
    NewMessage {
        key: format!("thread:{finding}:{key}"),
        kind: kind::THREAD.into(),
        recipient: CHANNEL.into(),
        thread: Some(fleet_key(finding)),
        payload: json!({ "text": marked }),
        revision: next_revision(),
        at,
        due_at: at,
    }
}

/// A line in the thread of a proposal's card; `text` is plain and is escaped here.
pub fn thread(proposal: &ProposalId, key: &str, text: &str, at: DateTime<Utc>) -> NewMessage {
    thread_marked(proposal, key, &mrkdwn::escape(text), at)
}

/// The same with a text that is Slack's markup already.
pub(crate) fn thread_marked(
    proposal: &ProposalId,
    key: &str,
    marked: &str,
    at: DateTime<Utc>,
) -> NewMessage {
    NewMessage {
        key: format!("thread:{proposal}:{key}"),
        kind: kind::THREAD.into(),
        recipient: CHANNEL.into(),
        thread: Some(card_key(proposal)),
        payload: json!({ "text": marked }),
        revision: next_revision(),
        at,
        due_at: at,
    }
}

/// A line in the channel; `text` is plain and is escaped here. The key names it for ever.
pub fn notice(key: &str, text: &str, at: DateTime<Utc>) -> NewMessage {
    notice_marked(key, &mrkdwn::escape(text), at)
}

/// The same with a text that is Slack's markup already.
pub(crate) fn notice_marked(key: &str, marked: &str, at: DateTime<Utc>) -> NewMessage {
    NewMessage {
        key: format!("notice:{key}"),
        kind: kind::NOTICE.into(),
        recipient: CHANNEL.into(),
        thread: None,
        payload: json!({ "text": marked }),
        revision: next_revision(),
        at,
        due_at: at,
    }
}

/// Tells a person that the repair of their computer begins. The same step tells it once.
pub fn announce(
    repair: &RepairId,
    step: &StepId,
    user: &UserId,
    device_name: &str,
    proposal: &ProposalId,
    at: DateTime<Utc>,
) -> NewMessage {
    let payload = json!({ "device": device_name, "proposal": proposal });
    to_person(
        kind::ANNOUNCE,
        format!("announce:{repair}:{step}:{user}"),
        user,
        None,
        payload,
        at,
    )
}

/// A message to a person by Okta id; sent once per key.
pub(crate) fn to_person(
    kind: &str,
    key: String,
    user: &UserId,
    thread: Option<String>,
    payload: Value,
    at: DateTime<Utc>,
) -> NewMessage {
    NewMessage {
        key,
        kind: kind.into(),
        recipient: format!("okta:{user}"),
        thread,
        payload,
        revision: 1,
        at,
        due_at: at,
    }
}

/// A message to a Slack account; sent once per key.
pub(crate) fn to_account(
    key: String,
    account: &str,
    marked: &str,
    at: DateTime<Utc>,
) -> NewMessage {
    NewMessage {
        key,
        kind: kind::DIRECT.into(),
        recipient: format!("slack:{account}"),
        thread: None,
        payload: json!({ "text": marked }),
        revision: 1,
        at,
        due_at: at,
    }
}

/// Rises with every call, whatever our own clock does: microseconds of the system's time, pushed on where they repeat.
fn next_revision() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX - 1);
    let step = |last: i64| Some(now.max(last + 1));
    match LAST.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) {
        Ok(last) | Err(last) => now.max(last + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-11-24T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn revisions_rise_while_our_clock_stands_still() {
        let proposal = ProposalId::from("P-7F3K2Q");
        let revisions: Vec<i64> = (0..1_000).map(|_| card(&proposal, at()).revision).collect();
        assert!(revisions.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_card_names_its_proposal_and_nothing_that_could_be_out_of_date() {
        let card = card(&"P-7F3K2Q".into(), at());
        assert_eq!(card.payload, json!({ "proposal": "P-7F3K2Q" }));
        assert_eq!(card.key, "card:P-7F3K2Q");
    }

    #[test]
    fn device_supplied_text_is_escaped() {
        let line = thread(&"P-7F3K2Q".into(), "end:1", "<!channel> & co", at());
        assert_eq!(line.payload["text"], "&lt;!channel&gt; &amp; co");
        assert_eq!(line.thread.as_deref(), Some("card:P-7F3K2Q"));
    }
}
