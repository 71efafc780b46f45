//! Findings: one current row per subject, and the changes that `why` shows as history.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use unstuck_domain::{Cause, Finding};

use super::bulk::{BATCH, rows, stamp};
use super::rows::{all, count, from_word, json, parse, word};
use super::{LeaseProof, Store, StoreError};

/// Sweeps that agree are at least so far apart.
const AGREEMENTS_APART: TimeDelta = TimeDelta::hours(1);

/// The finding of one subject as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingRecord {
    /// Key of the subject.
    pub key: String,
    /// When it was first found.
    pub opened_at: DateTime<Utc>,
    /// The cause it was first found with.
    pub first_cause: Cause,
    /// How many complete sweeps agreed on the cause, as the caller counts them.
    pub agreements: u32,
    /// The last sweep that counted as an agreement.
    pub agreed_at: DateTime<Utc>,
    /// When it was last found.
    pub last_seen_at: DateTime<Utc>,
    /// When it was closed; `None`: open.
    pub closed_at: Option<DateTime<Utc>>,
    /// Why it was closed.
    pub closed_reason: Option<String>,
    /// The finding.
    pub finding: Finding,
}

impl FindingRecord {
    /// Whether a complete sweep now that finds the same counts as another agreement: one of two that are 1 h apart, or
    /// the first after sweeps that were not complete.
    pub fn agrees_again(&self, now: DateTime<Utc>) -> bool {
        self.agreements == 0 || now - self.agreed_at >= AGREEMENTS_APART
    }
}

/// A finding to be written, and what its history says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingChange {
    /// The new current row.
    pub record: FindingRecord,
    /// `None`: nothing that people would call a change.
    pub history: Option<HistoryEntry>,
}

/// One line of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// A word: opened, reopened, changed, closed.
    pub change: String,
    /// The cause after it.
    pub cause: Cause,
    /// For people.
    pub detail: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FindingRow {
    subject_key: String,
    opened_at: DateTime<Utc>,
    first_cause: String,
    agreements: i64,
    agreed_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    closed_reason: Option<String>,
    finding: String,
}

impl TryFrom<FindingRow> for FindingRecord {
    type Error = StoreError;

    fn try_from(row: FindingRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: row.subject_key,
            opened_at: row.opened_at,
            first_cause: from_word(row.first_cause, "findings.first_cause")?,
            agreements: count(row.agreements),
            agreed_at: row.agreed_at,
            last_seen_at: row.last_seen_at,
            closed_at: row.closed_at,
            closed_reason: row.closed_reason,
            finding: parse(&row.finding, "findings.finding")?,
        })
    }
}

#[derive(Serialize)]
struct NewFindingRow<'a> {
    subject_key: &'a str,
    opened_at: String,
    first_cause: String,
    cause: String,
    agreements: u32,
    agreed_at: String,
    last_seen_at: String,
    closed_at: Option<String>,
    closed_reason: Option<&'a str>,
    finding: String,
}

impl<'a> From<&'a FindingRecord> for NewFindingRow<'a> {
    fn from(record: &'a FindingRecord) -> Self {
        Self {
            subject_key: &record.key,
            opened_at: stamp(record.opened_at),
            first_cause: word(&record.first_cause),
            cause: word(&record.finding.cause),
            agreements: record.agreements,
            agreed_at: stamp(record.agreed_at),
            last_seen_at: stamp(record.last_seen_at),
            closed_at: record.closed_at.map(stamp),
            closed_reason: record.closed_reason.as_deref(),
            finding: json(&record.finding),
        }
    }
}

#[derive(Serialize)]
struct NewHistoryRow<'a> {
    subject_key: &'a str,
    changed_at: String,
    change: &'a str,
    cause: String,
    detail: Option<&'a str>,
}

impl Store {
    /// Writes findings and their history, at most 500 in one transaction.
    pub async fn save_findings(
        &self,
        proof: &LeaseProof,
        changes: &[FindingChange],
    ) -> Result<(), StoreError> {
        for batch in changes.chunks(BATCH) {
            let mut tx = self.begin().await?;
            tx.prove(proof).await?;
            if let Some(rows) = rows(
                batch
                    .iter()
                    .map(|change| NewFindingRow::from(&change.record)),
            ) {
                bulk!(
                    tx,
                    rows,
                    "findings",
                    [subject_key TEXT, opened_at TIMESTAMPTZ, first_cause TEXT, cause TEXT, agreements BIGINT,
                     agreed_at TIMESTAMPTZ, last_seen_at TIMESTAMPTZ, closed_at TIMESTAMPTZ, closed_reason TEXT,
                     finding TEXT],
                    "ON CONFLICT (subject_key) DO UPDATE SET opened_at = excluded.opened_at, \
                     first_cause = excluded.first_cause, cause = excluded.cause, agreements = excluded.agreements, \
                     agreed_at = excluded.agreed_at, last_seen_at = excluded.last_seen_at, \
                     closed_at = excluded.closed_at, closed_reason = excluded.closed_reason, \
                     finding = excluded.finding"
                )?;
            }
            let history = batch.iter().filter_map(|change| {
                change.history.as_ref().map(|entry| NewHistoryRow {
                    subject_key: &change.record.key,
                    changed_at: stamp(entry.at),
                    change: &entry.change,
                    cause: word(&entry.cause),
                    detail: entry.detail.as_deref(),
                })
            });
            if let Some(rows) = rows(history) {
                bulk!(
                    tx,
                    rows,
                    "finding_changes",
                    [subject_key TEXT, changed_at TIMESTAMPTZ, change TEXT, cause TEXT, detail TEXT],
                    ""
                )?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Notes that findings were seen again unchanged. Returns how many of them are open.
    pub async fn touch_findings(
        &self,
        proof: &LeaseProof,
        keys: &[String],
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        const SQLITE: &str = "UPDATE findings SET last_seen_at = $1 WHERE closed_at IS NULL \
            AND subject_key IN (SELECT value FROM json_each($2))";
        const POSTGRES: &str = "UPDATE findings SET last_seen_at = $1 WHERE closed_at IS NULL \
            AND subject_key IN (SELECT value FROM json_array_elements_text($2::json) AS keys(value))";
        let mut touched = 0;
        for batch in keys.chunks(BATCH) {
            let mut tx = self.begin().await?;
            tx.prove(proof).await?;
            touched += match tx.engine() {
                super::engine::Engine::Sqlite(executor) => sqlx::query(SQLITE)
                    .bind(at)
                    .bind(json(&batch))
                    .execute(executor)
                    .await?
                    .rows_affected(),
                super::engine::Engine::Postgres(executor) => sqlx::query(POSTGRES)
                    .bind(at)
                    .bind(json(&batch))
                    .execute(executor)
                    .await?
                    .rows_affected(),
            };
            tx.commit().await?;
        }
        Ok(touched)
    }

    /// Every open finding, by subject.
    pub async fn open_findings(&self) -> Result<HashMap<String, FindingRecord>, StoreError> {
        let rows: Vec<FindingRow> = fetch_all!(
            self,
            "SELECT subject_key, opened_at, first_cause, agreements, agreed_at, last_seen_at, closed_at, \
             closed_reason, finding FROM findings WHERE closed_at IS NULL"
        )?;
        let records: Vec<FindingRecord> = all(rows)?;
        Ok(records
            .into_iter()
            .map(|record| (record.key.clone(), record))
            .collect())
    }

    /// The finding of one subject, open or closed.
    pub async fn finding(&self, key: &str) -> Result<Option<FindingRecord>, StoreError> {
        let row: Option<FindingRow> = fetch_optional!(
            self,
            "SELECT subject_key, opened_at, first_cause, agreements, agreed_at, last_seen_at, closed_at, \
             closed_reason, finding FROM findings WHERE subject_key = $1",
            key,
        )?;
        row.map(FindingRecord::try_from).transpose()
    }

    /// What happened to the finding of one subject, oldest first.
    pub async fn finding_history(&self, key: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows: Vec<(DateTime<Utc>, String, String, Option<String>)> = fetch_all!(
            self,
            "SELECT changed_at, change, cause, detail FROM finding_changes WHERE subject_key = $1 ORDER BY id",
            key,
        )?;
        rows.into_iter()
            .map(|(at, change, cause, detail)| {
                Ok(HistoryEntry {
                    at,
                    change,
                    cause: from_word(cause, "finding_changes.cause")?,
                    detail,
                })
            })
            .collect()
    }
}
