//! Messages to people: one row per message says what it shall say and what was said last.
//!
//! A writer raises the revision; the slack-sender alone posts or updates until the sent revision is the newest. So
//! updates of one card coalesce to the newest. A send that did not tell is `unclear`: it keeps its intent time, by
//! which the message is looked up before it is sent again.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::rows::{all, count, json, parse};
use super::{LeaseProof, Store, StoreError, Tx};

/// What a message shall say.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Names the message for ever: `proposal:P-7F3K2Q`.
    pub key: String,
    /// Which renderer or method it is for, as the chat names it.
    pub kind: String,
    /// Channel or user, as the chat names it.
    pub recipient: String,
    /// Message that it answers.
    pub thread: Option<String>,
    /// What to say.
    pub payload: Value,
    /// From 1; a message with a revision that is not newer changes nothing.
    pub revision: i64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Not before this time.
    pub due_at: DateTime<Utc>,
}

/// Where a message stands in Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedMessage {
    /// Channel.
    pub channel: String,
    /// `ts`
    pub ts: String,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    /// Its key.
    pub key: String,
    /// Which renderer or method it is for.
    pub kind: String,
    /// Channel or user.
    pub recipient: String,
    /// Message that it answers.
    pub thread: Option<String>,
    /// What to say.
    pub payload: Value,
    /// Revision of the payload.
    pub revision: i64,
    /// Revision that was or is being sent.
    pub sending_revision: Option<i64>,
    /// Newest revision that people see.
    pub sent_revision: Option<i64>,
    /// pending, sending, sent, unclear or failed.
    pub state: String,
    /// Not before this time.
    pub due_at: DateTime<Utc>,
    /// When the last send was intended; a look-up begins here.
    pub intent_at: Option<DateTime<Utc>>,
    /// Sends so far.
    pub attempts: u32,
    /// What went wrong last.
    pub error: Option<String>,
    /// Where it stands; `Some`: update it, do not post again.
    pub posted: Option<PostedMessage>,
}

/// What became of a send, or of the look-up after an unclear one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// People see it.
    Sent {
        /// Where.
        posted: PostedMessage,
    },
    /// It was not sent; send it again.
    Retry {
        /// Not before this time.
        due_at: DateTime<Utc>,
        /// Why.
        error: String,
    },
    /// Perhaps it was sent; look it up before it is sent again.
    Unclear {
        /// Not before this time.
        due_at: DateTime<Utc>,
        /// Why.
        error: String,
    },
    /// It cannot be sent.
    Failed {
        /// Why.
        error: String,
    },
}

#[derive(sqlx::FromRow)]
struct OutboxRow {
    message_key: String,
    kind: String,
    recipient: String,
    thread: Option<String>,
    payload: String,
    revision: i64,
    sending_revision: Option<i64>,
    sent_revision: Option<i64>,
    state: String,
    due_at: DateTime<Utc>,
    intent_at: Option<DateTime<Utc>>,
    attempts: i64,
    error: Option<String>,
    posted_channel: Option<String>,
    posted_ts: Option<String>,
}

impl TryFrom<OutboxRow> for OutboxMessage {
    type Error = StoreError;

    fn try_from(row: OutboxRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: row.message_key,
            kind: row.kind,
            recipient: row.recipient,
            thread: row.thread,
            payload: parse(&row.payload, "outbox.payload")?,
            revision: row.revision,
            sending_revision: row.sending_revision,
            sent_revision: row.sent_revision,
            state: row.state,
            due_at: row.due_at,
            intent_at: row.intent_at,
            attempts: count(row.attempts),
            error: row.error,
            posted: row
                .posted_channel
                .zip(row.posted_ts)
                .map(|(channel, ts)| PostedMessage { channel, ts }),
        })
    }
}

macro_rules! select_messages {
    ($rest:literal) => {
        concat!(
            "SELECT message_key, kind, recipient, thread, payload, revision, sending_revision, sent_revision, state, \
             due_at, intent_at, attempts, error, posted_channel, posted_ts FROM outbox ",
            $rest
        )
    };
}

impl Store {
    /// Stores messages that belong to no other change.
    pub async fn put_messages(&self, messages: &[NewMessage]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for message in messages {
            tx.put_message(message).await?;
        }
        tx.commit().await
    }

    /// Messages to be sent or looked up by `now`, longest due first.
    pub async fn due_messages(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let rows: Vec<OutboxRow> = fetch_all!(
            self,
            select_messages!(
                "WHERE state IN ('pending', 'unclear') AND due_at <= $1 ORDER BY due_at, message_key LIMIT $2"
            ),
            now,
            i64::from(limit),
        )?;
        all(rows)
    }

    /// When the next message is due.
    pub async fn next_message_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row: Option<(Option<DateTime<Utc>>,)> = fetch_optional!(
            self,
            "SELECT MIN(due_at) FROM outbox WHERE state IN ('pending', 'unclear')"
        )?;
        Ok(row.and_then(|(due,)| due))
    }

    /// One message.
    pub async fn message(&self, key: &str) -> Result<Option<OutboxMessage>, StoreError> {
        let row: Option<OutboxRow> =
            fetch_optional!(self, select_messages!("WHERE message_key = $1"), key)?;
        row.map(OutboxMessage::try_from).transpose()
    }

    /// Where a message stands in Slack.
    pub async fn posted_message(&self, key: &str) -> Result<Option<PostedMessage>, StoreError> {
        Ok(self.message(key).await?.and_then(|message| message.posted))
    }

    /// The message that stands at a place in Slack.
    pub async fn message_at(
        &self,
        channel: &str,
        ts: &str,
    ) -> Result<Option<OutboxMessage>, StoreError> {
        let row: Option<OutboxRow> = fetch_optional!(
            self,
            select_messages!("WHERE posted_channel = $1 AND posted_ts = $2"),
            channel,
            ts
        )?;
        row.map(OutboxMessage::try_from).transpose()
    }

    /// Writes down that the newest revision is about to be sent. `None`: nothing of this message is to be sent.
    pub async fn begin_sending(
        &self,
        sender: &LeaseProof,
        key: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<OutboxMessage>, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(sender).await?;
        let row: Option<OutboxRow> = fetch_optional!(
            tx,
            "UPDATE outbox SET state = 'sending', sending_revision = revision, intent_at = $1, \
             attempts = attempts + 1 WHERE message_key = $2 AND state = 'pending' \
             RETURNING message_key, kind, recipient, thread, payload, revision, sending_revision, sent_revision, \
             state, due_at, intent_at, attempts, error, posted_channel, posted_ts",
            at,
            key,
        )?;
        tx.commit().await?;
        row.map(OutboxMessage::try_from).transpose()
    }

    /// Writes down what became of a send of one revision. `false`: it is not under way.
    pub async fn finish_sending(
        &self,
        sender: &LeaseProof,
        key: &str,
        revision: i64,
        result: &SendResult,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(sender).await?;
        let changed = match result {
            SendResult::Sent { posted } => execute!(
                tx,
                "UPDATE outbox SET sent_revision = sending_revision, posted_channel = $1, posted_ts = $2, error = NULL, \
                 attempts = 0, finished_at = $3, \
                 state = CASE WHEN revision > sending_revision THEN 'pending' ELSE 'sent' END \
                 WHERE message_key = $4 AND sending_revision = $5 AND state IN ('sending', 'unclear')",
                &posted.channel,
                &posted.ts,
                at,
                key,
                revision,
            )?,
            SendResult::Retry { due_at, error } => execute!(
                tx,
                "UPDATE outbox SET state = 'pending', due_at = $1, error = $2 \
                 WHERE message_key = $3 AND sending_revision = $4 AND state IN ('sending', 'unclear')",
                *due_at,
                error,
                key,
                revision,
            )?,
            SendResult::Unclear { due_at, error } => execute!(
                tx,
                "UPDATE outbox SET state = 'unclear', due_at = $1, error = $2 \
                 WHERE message_key = $3 AND sending_revision = $4 AND state IN ('sending', 'unclear')",
                *due_at,
                error,
                key,
                revision,
            )?,
            SendResult::Failed { error } => execute!(
                tx,
                "UPDATE outbox SET error = $1, finished_at = $2, \
                 state = CASE WHEN revision > sending_revision THEN 'pending' ELSE 'failed' END \
                 WHERE message_key = $3 AND sending_revision = $4 AND state IN ('sending', 'unclear')",
                error,
                at,
                key,
                revision,
            )?,
        };
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Makes the sends of a sender that is gone unclear, so that they are looked up. Returns how many there were.
    pub async fn recover_sending(
        &self,
        sender: &LeaseProof,
        due_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(sender).await?;
        let changed = execute!(
            tx,
            "UPDATE outbox SET state = 'unclear', due_at = $1, error = 'the sender ended in the middle of it' \
             WHERE state = 'sending'",
            due_at,
        )?;
        tx.commit().await?;
        Ok(changed)
    }
}

impl Tx {
    /// A send under way, or an unclear one, is finished first: only then the newer revision is pending.
    pub(super) async fn put_message(&mut self, new: &NewMessage) -> Result<(), StoreError> {
        execute!(
            self,
            "INSERT INTO outbox (message_key, kind, recipient, thread, payload, revision, state, created_at, due_at, \
             attempts) VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, 0) \
             ON CONFLICT (message_key) DO UPDATE SET kind = excluded.kind, recipient = excluded.recipient, \
             thread = excluded.thread, payload = excluded.payload, revision = excluded.revision, \
             due_at = CASE WHEN outbox.state = 'unclear' THEN outbox.due_at ELSE excluded.due_at END, \
             state = CASE WHEN outbox.state IN ('sending', 'unclear') THEN outbox.state ELSE 'pending' END \
             WHERE outbox.revision < excluded.revision",
            &new.key,
            &new.kind,
            &new.recipient,
            new.thread.as_deref(),
            json(&new.payload),
            new.revision,
            new.at,
            new.due_at,
        )?;
        Ok(())
    }
}
