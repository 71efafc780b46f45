//! What is no longer kept. Each statement removes at most 500 rows, so that nobody waits behind it.

use chrono::{DateTime, Utc};
use unstuck_domain::DeviceId;

use super::{Store, StoreError};

/// Runs carry their repairs and journals with them, so that fewer are removed at once.
const RUNS_AT_ONCE: i64 = 10;
const ROWS_AT_ONCE: i64 = 500;

/// What was last touched before these times goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Sweeps and their counts.
    pub sweeps_since: DateTime<Utc>,
    /// Closed findings, fleet-wide ones too, and the history of all.
    pub findings_since: DateTime<Utc>,
    /// Ended runs with repairs and journals, and decided proposals.
    pub runs_since: DateTime<Utc>,
    /// Inbox and outbox.
    pub messages_since: DateTime<Utc>,
    /// Payloads of audit entries; numbers and hashes stay for ever.
    pub audit_payloads_since: DateTime<Utc>,
}

/// How many rows went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Sweeps.
    pub sweeps: u64,
    /// Findings and lines of history.
    pub findings: u64,
    /// Runs.
    pub runs: u64,
    /// Proposals.
    pub proposals: u64,
    /// Messages in and out.
    pub messages: u64,
    /// Ticks, counters, answers and requests.
    pub marks: u64,
    /// Payloads of audit entries.
    pub audit_payloads: u64,
}

/// Repeats one statement, each time in a transaction of its own, until it has nothing left to do.
macro_rules! until_done {
    ($store:expr, $at_once:expr, $sql:literal $(, $value:expr)*) => {{
        let mut total = 0;
        loop {
            let mut tx = $store.begin().await?;
            let changed = execute!(tx, $sql $(, $value)*, $at_once)?;
            tx.commit().await?;
            total += changed;
            if changed < $at_once.unsigned_abs() {
                break total;
            }
        }
    }};
}

impl Store {
    /// Removes what is no longer kept. May be ended at any point and run again.
    pub async fn delete_old(&self, keep: &Keep) -> Result<Deleted, StoreError> {
        Ok(Deleted {
            sweeps: self.delete_sweeps(keep.sweeps_since).await?,
            findings: self.delete_findings(keep.findings_since).await?,
            runs: self.delete_runs(keep.runs_since).await?,
            proposals: self.delete_proposals(keep.runs_since).await?,
            messages: self.delete_messages(keep.messages_since).await?,
            marks: self.delete_marks(keep.messages_since).await?,
            audit_payloads: until_done!(
                self,
                ROWS_AT_ONCE,
                "UPDATE audit_entries SET payload = NULL WHERE id IN (SELECT id FROM audit_entries \
                 WHERE payload IS NOT NULL AND seq IS NOT NULL AND recorded_at < $1 ORDER BY id LIMIT $2)",
                keep.audit_payloads_since
            ),
        })
    }

    /// Forgets the ledger of devices that no longer exist. To whom a certificate was bound stays: it may turn up on
    /// another device.
    pub async fn forget_devices(&self, devices: &[DeviceId]) -> Result<(), StoreError> {
        for batch in devices.chunks(100) {
            let mut tx = self.begin().await?;
            for device in batch {
                let id = device.as_str();
                execute!(tx, "DELETE FROM log_fastpass WHERE device_id = $1", id)?;
                execute!(tx, "DELETE FROM log_binds WHERE device_id = $1", id)?;
                execute!(tx, "DELETE FROM log_browsers WHERE device_id = $1", id)?;
                execute!(
                    tx,
                    "DELETE FROM device_confirmations WHERE device_id = $1",
                    id
                )?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    async fn delete_sweeps(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM sweeps WHERE id IN (SELECT id FROM sweeps WHERE state <> 'running' AND document IS NULL \
             AND started_at < $1 LIMIT $2)",
            since
        ))
    }

    async fn delete_findings(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let closed = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM findings WHERE subject_key IN (SELECT subject_key FROM findings \
             WHERE closed_at < $1 LIMIT $2)",
            since
        );
        let fleet = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM fleet_findings WHERE id IN (SELECT id FROM fleet_findings WHERE closed_at < $1 LIMIT $2)",
            since
        );
        let usual = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM fleet_usual WHERE day_at IN (SELECT DISTINCT day_at FROM fleet_usual \
             WHERE day_at < $1 LIMIT $2)",
            since
        );
        let history = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM finding_changes WHERE id IN (SELECT id FROM finding_changes WHERE changed_at < $1 LIMIT $2)",
            since
        );
        Ok(closed + fleet + usual + history)
    }

    async fn delete_runs(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(until_done!(
            self,
            RUNS_AT_ONCE,
            "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE finished_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM repairs JOIN scope_holds ON scope_holds.repair_id = repairs.id \
             WHERE repairs.run_id = runs.id AND scope_holds.state <> 'restored') LIMIT $2)",
            since
        ))
    }

    async fn delete_proposals(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(until_done!(
            self,
            RUNS_AT_ONCE,
            "DELETE FROM proposals WHERE id IN (SELECT id FROM proposals WHERE decided_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM runs WHERE runs.proposal_id = proposals.id) AND state <> 'approved' LIMIT $2)",
            since
        ))
    }

    async fn delete_messages(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let read = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE done_at < $1 LIMIT $2)",
            since
        );
        let sent = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM outbox WHERE message_key IN (SELECT message_key FROM outbox \
             WHERE state IN ('sent', 'failed') AND finished_at < $1 LIMIT $2)",
            since
        );
        Ok(read + sent)
    }

    async fn delete_marks(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let counters = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM counters WHERE (name, period) IN (SELECT name, period FROM counters \
             WHERE counted_at < $1 LIMIT $2)",
            since
        );
        // The newest tick of each schedule stays: it says what was missed.
        let ticks = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM schedule_ticks WHERE (name, due_at) IN (SELECT name, due_at FROM schedule_ticks AS old \
             WHERE due_at < $1 AND EXISTS (SELECT 1 FROM schedule_ticks AS newer WHERE newer.name = old.name \
             AND newer.due_at > old.due_at) LIMIT $2)",
            since
        );
        let looks = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM looks WHERE (kind, subject) IN (SELECT kind, subject FROM looks WHERE read_at < $1 LIMIT $2)",
            since
        );
        let requests = until_done!(
            self,
            ROWS_AT_ONCE,
            "DELETE FROM sign_in_requests WHERE user_id IN (SELECT user_id FROM sign_in_requests \
             WHERE state IN ('done', 'not_mine') AND opened_at < $1 LIMIT $2)",
            since
        );
        Ok(counters + ticks + looks + requests)
    }
}
