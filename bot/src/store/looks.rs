//! Answers to questions about one user or computer. A sweep that finds a fresh one does not ask again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use unstuck_domain::LogFacts;

use super::bulk::{BATCH, rows, stamp};
use super::rows::{from_word, word};
use super::{LeaseProof, Store, StoreError};

/// What was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookKind {
    /// Groups of a user.
    UserGroups,
    /// Whether a user has FastPass among the factors.
    UserFactors,
    /// A user's own log; the facts themselves are in the ledger.
    UserLog,
    /// A record of an MDM by id.
    MdmRecord,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What was asked about.
    pub kind: LookKind,
    /// About whom: a user id, or `mdm/record`.
    pub subject: String,
    /// When, on our own clock.
    pub read_at: DateTime<Utc>,
    /// How far back a log was asked.
    pub since: Option<DateTime<Utc>>,
    /// The answer's JSON.
    pub answer: String,
}

#[derive(Serialize)]
struct NewLookRow<'a> {
    kind: String,
    subject: &'a str,
    read_at: String,
    since_at: Option<String>,
    answer: &'a str,
}

#[derive(sqlx::FromRow)]
struct LookRow {
    kind: String,
    subject: String,
    read_at: DateTime<Utc>,
    since_at: Option<DateTime<Utc>>,
    answer: String,
}

impl Store {
    /// Stores answers, and what users' own logs told. A later answer takes the place of an earlier one; of two looks into
    /// a log the longer one counts, for the ledger covers what came after either.
    pub async fn save_looks(
        &self,
        proof: &LeaseProof,
        looks: &[Look],
        told: &LogFacts,
    ) -> Result<(), StoreError> {
        if looks.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        tx.add_people(told).await?;
        tx.add_certificates(told).await?;
        for batch in looks.chunks(BATCH) {
            // One row per question: a statement may not change a row twice.
            let mut longest: HashMap<(LookKind, &str), &Look> = HashMap::new();
            for look in batch {
                let kept = longest.entry((look.kind, &look.subject)).or_insert(look);
                if look.since < kept.since {
                    *kept = look;
                }
            }
            let new = longest.into_values().map(|look| NewLookRow {
                kind: word(&look.kind),
                subject: &look.subject,
                read_at: stamp(look.read_at),
                since_at: look.since.map(stamp),
                answer: &look.answer,
            });
            let Some(rows) = rows(new) else { continue };
            bulk!(
                tx,
                rows,
                "looks",
                [kind TEXT, subject TEXT, read_at TIMESTAMPTZ, since_at TIMESTAMPTZ, answer TEXT],
                "ON CONFLICT (kind, subject) DO UPDATE SET read_at = excluded.read_at, answer = excluded.answer, \
                 since_at = CASE WHEN looks.since_at < excluded.since_at THEN looks.since_at \
                 ELSE excluded.since_at END WHERE looks.read_at <= excluded.read_at"
            )?;
        }
        tx.commit().await
    }

    /// Answers read at or after `since`, and looks into logs of any age.
    pub async fn looks_since(&self, since: DateTime<Utc>) -> Result<Vec<Look>, StoreError> {
        let rows: Vec<LookRow> = fetch_all!(
            self,
            "SELECT kind, subject, read_at, since_at, answer FROM looks WHERE read_at >= $1 OR kind = $2",
            since,
            word(&LookKind::UserLog),
        )?;
        rows.into_iter().map(LookRow::into_look).collect()
    }
}

impl LookRow {
    fn into_look(self) -> Result<Look, StoreError> {
        Ok(Look {
            kind: from_word(self.kind, "looks.kind")?,
            subject: self.subject,
            read_at: self.read_at,
            since: self.since_at,
            answer: self.answer,
        })
    }
}
