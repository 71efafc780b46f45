//! Sweeps: the documents that `sweep --json` prints, and the counts that the next ones are compared with.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::rows::{all, json, parse};
use super::{LeaseProof, Store, StoreError};

/// One sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRecord {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None`: it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether every source was read whole.
    pub complete: bool,
    /// `sweep.incomplete`
    pub incomplete: Value,
    /// `counts`
    pub counts: Value,
    /// Findings per cause, for the jump guard.
    pub causes: BTreeMap<String, u64>,
    /// The whole document; kept for the last and the last complete sweep only.
    pub document: Option<Value>,
}

/// What a sweep leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedSweep {
    /// Its id.
    pub id: String,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Whether every source was read whole.
    pub complete: bool,
    /// `sweep.incomplete`
    pub incomplete: Value,
    /// `counts`
    pub counts: Value,
    /// Findings per cause.
    pub causes: BTreeMap<String, u64>,
    /// Records per source that was read whole.
    pub source_counts: BTreeMap<String, u64>,
    /// The whole document.
    pub document: Value,
}

/// How many records a source had when it was last read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCount {
    /// okta, log or `[[mdm]].name`.
    pub source: String,
    /// How many.
    pub count: u64,
    /// When.
    pub counted_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct SweepRow {
    id: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    complete: bool,
    incomplete: String,
    counts: String,
    causes: String,
    document: Option<String>,
}

impl TryFrom<SweepRow> for SweepRecord {
    type Error = StoreError;

    fn try_from(row: SweepRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            started_at: row.started_at,
            finished_at: row.finished_at,
            complete: row.complete,
            incomplete: parse(&row.incomplete, "sweeps.incomplete")?,
            counts: parse(&row.counts, "sweeps.counts")?,
            causes: parse(&row.causes, "sweeps.causes")?,
            document: row
                .document
                .map(|text| parse(&text, "sweeps.document"))
                .transpose()?,
        })
    }
}

impl Store {
    /// Notes that a sweep began. One that never ended, because its node died, is marked as abandoned.
    pub async fn begin_sweep(
        &self,
        proof: &LeaseProof,
        id: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        execute!(
            tx,
            "UPDATE sweeps SET state = 'abandoned', finished_at = $1 WHERE state = 'running'",
            at
        )?;
        execute!(
            tx,
            "INSERT INTO sweeps (id, state, started_at, complete, incomplete, counts, causes) \
             VALUES ($1, 'running', $2, $3, '[]', '{}', '{}')",
            id,
            at,
            false,
        )?;
        tx.commit().await
    }

    /// Stores what a sweep found. `false`: it was abandoned meanwhile.
    pub async fn finish_sweep(
        &self,
        proof: &LeaseProof,
        sweep: &FinishedSweep,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        let changed = execute!(
            tx,
            "UPDATE sweeps SET state = 'finished', finished_at = $1, complete = $2, incomplete = $3, counts = $4, \
             causes = $5, document = $6 WHERE id = $7 AND state = 'running'",
            sweep.finished_at,
            sweep.complete,
            json(&sweep.incomplete),
            json(&sweep.counts),
            json(&sweep.causes),
            json(&sweep.document),
            &sweep.id,
        )?;
        if changed == 0 {
            return Ok(false);
        }
        for (source, count) in &sweep.source_counts {
            execute!(
                tx,
                "INSERT INTO source_counts (source, complete_count, counted_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (source) DO UPDATE SET complete_count = excluded.complete_count, \
                 counted_at = excluded.counted_at",
                source,
                i64::try_from(*count).unwrap_or(i64::MAX),
                sweep.finished_at,
            )?;
            execute!(tx, "DELETE FROM accepted_shrinks WHERE source = $1", source)?;
        }
        execute!(
            tx,
            "UPDATE sweeps SET document = NULL WHERE document IS NOT NULL AND id <> $1 AND id NOT IN \
             (SELECT id FROM sweeps WHERE state = 'finished' AND complete = $2 ORDER BY started_at DESC LIMIT 1)",
            &sweep.id,
            true,
        )?;
        tx.commit().await?;
        Ok(true)
    }

    /// The newest sweep that ended.
    pub async fn last_sweep(&self) -> Result<Option<SweepRecord>, StoreError> {
        let row: Option<SweepRow> = fetch_optional!(
            self,
            "SELECT id, started_at, finished_at, complete, incomplete, counts, causes, document FROM sweeps \
             WHERE state = 'finished' ORDER BY started_at DESC LIMIT 1"
        )?;
        row.map(SweepRecord::try_from).transpose()
    }

    /// The newest sweep that read every source whole.
    pub async fn last_complete_sweep(&self) -> Result<Option<SweepRecord>, StoreError> {
        let row: Option<SweepRow> = fetch_optional!(
            self,
            "SELECT id, started_at, finished_at, complete, incomplete, counts, causes, document FROM sweeps \
             WHERE state = 'finished' AND complete = $1 ORDER BY started_at DESC LIMIT 1",
            true,
        )?;
        row.map(SweepRecord::try_from).transpose()
    }

    /// The sweep under way.
    pub async fn running_sweep(&self) -> Result<Option<SweepRecord>, StoreError> {
        let row: Option<SweepRow> = fetch_optional!(
            self,
            "SELECT id, started_at, finished_at, complete, incomplete, counts, causes, document FROM sweeps \
             WHERE state = 'running' ORDER BY started_at DESC LIMIT 1"
        )?;
        row.map(SweepRecord::try_from).transpose()
    }

    /// One sweep.
    pub async fn sweep(&self, id: &str) -> Result<Option<SweepRecord>, StoreError> {
        let row: Option<SweepRow> = fetch_optional!(
            self,
            "SELECT id, started_at, finished_at, complete, incomplete, counts, causes, document FROM sweeps \
             WHERE id = $1",
            id,
        )?;
        row.map(SweepRecord::try_from).transpose()
    }

    /// Complete sweeps that ended at or after `since`, oldest first, without their documents.
    pub async fn complete_sweeps_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<SweepRecord>, StoreError> {
        let rows: Vec<SweepRow> = fetch_all!(
            self,
            "SELECT id, started_at, finished_at, complete, incomplete, counts, causes, NULL AS document \
             FROM sweeps WHERE state = 'finished' AND complete = $1 AND finished_at >= $2 ORDER BY started_at",
            true,
            since,
        )?;
        all(rows)
    }

    /// How many sweeps that ended, newest first, were incomplete before the first complete one.
    pub async fn incomplete_in_a_row(&self) -> Result<u64, StoreError> {
        let row: Option<(i64,)> = fetch_optional!(
            self,
            "SELECT COUNT(*) FROM sweeps WHERE state = 'finished' AND complete = $1 AND NOT EXISTS \
             (SELECT 1 FROM sweeps AS newer WHERE newer.state = 'finished' AND newer.complete = $2 \
             AND newer.started_at > sweeps.started_at)",
            false,
            true,
        )?;
        Ok(row.map_or(0, |(count,)| count.unsigned_abs()))
    }

    /// What each source had when it was last read whole.
    pub async fn source_counts(&self) -> Result<Vec<SourceCount>, StoreError> {
        let rows: Vec<(String, i64, DateTime<Utc>)> = fetch_all!(
            self,
            "SELECT source, complete_count, counted_at FROM source_counts ORDER BY source"
        )?;
        Ok(rows
            .into_iter()
            .map(|(source, count, counted_at)| SourceCount {
                source,
                count: count.unsigned_abs(),
                counted_at,
            })
            .collect())
    }

    /// Lets one source be smaller the next time it is read whole.
    pub async fn accept_shrink(
        &self,
        source: &str,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            tx,
            "INSERT INTO accepted_shrinks (source, accepted_by, accepted_at) VALUES ($1, $2, $3) \
             ON CONFLICT (source) DO UPDATE SET accepted_by = excluded.accepted_by, accepted_at = excluded.accepted_at",
            source,
            by,
            at,
        )?;
        tx.commit().await
    }

    /// Sources that may be smaller the next time.
    pub async fn accepted_shrinks(&self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> =
            fetch_all!(self, "SELECT source FROM accepted_shrinks ORDER BY source")?;
        Ok(rows.into_iter().map(|(source,)| source).collect())
    }
}
