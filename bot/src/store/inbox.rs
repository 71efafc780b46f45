//! Clicks, commands and forms: committed before they are acknowledged, each once.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::rows::{all, json, parse};
use super::{Store, StoreError};

/// Something that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewInboxMessage {
    /// What a second delivery of the same thing has too.
    pub dedupe_key: String,
    /// click, command, form, hook.
    pub kind: String,
    /// What the reader needs of it, without tokens.
    pub payload: Value,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// Something that came in and is not done.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxMessage {
    /// Its number; messages are read in this order.
    pub id: i64,
    /// What came in.
    pub message: NewInboxMessage,
}

#[derive(sqlx::FromRow)]
struct InboxRow {
    id: i64,
    dedupe_key: String,
    kind: String,
    payload: String,
    received_at: DateTime<Utc>,
}

impl TryFrom<InboxRow> for InboxMessage {
    type Error = StoreError;

    fn try_from(row: InboxRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            message: NewInboxMessage {
                dedupe_key: row.dedupe_key,
                kind: row.kind,
                payload: parse(&row.payload, "inbox.payload")?,
                received_at: row.received_at,
            },
        })
    }
}

impl Store {
    /// Stores what came in. `false`: it came before.
    pub async fn receive(&self, new: &NewInboxMessage) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let inserted = execute!(
            tx,
            "INSERT INTO inbox (dedupe_key, kind, payload, received_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (dedupe_key) DO NOTHING",
            &new.dedupe_key,
            &new.kind,
            json(&new.payload),
            new.received_at,
        )?;
        tx.commit().await?;
        Ok(inserted == 1)
    }

    /// What is not done, oldest first.
    pub async fn unread(&self, limit: u32) -> Result<Vec<InboxMessage>, StoreError> {
        let rows: Vec<InboxRow> = fetch_all!(
            self,
            "SELECT id, dedupe_key, kind, payload, received_at FROM inbox WHERE done_at IS NULL ORDER BY id LIMIT $1",
            i64::from(limit),
        )?;
        all(rows)
    }

    /// Notes what became of a message. `false`: another node was faster.
    pub async fn mark_read(
        &self,
        id: i64,
        outcome: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE inbox SET done_at = $1, outcome = $2 WHERE id = $3 AND done_at IS NULL",
            at,
            outcome,
            id,
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }
}
