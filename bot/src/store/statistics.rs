//! What happened before: for cool-down, attempt caps, the first batch of a playbook and the measured fix rate.

use chrono::{DateTime, Utc};
use unstuck_domain::{Cause, HardwareKey, MdmName, PlaybookName, RepairId, RepairState, RunId};

use super::rows::{all, from_word, parse};
use super::{Store, StoreError};

/// A repair that touched a computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRepair {
    /// Which.
    pub repair: RepairId,
    /// Of which run.
    pub run: RunId,
    /// The computer.
    pub hardware: HardwareKey,
    /// With which playbook.
    pub playbook: PlaybookName,
    /// For which cause.
    pub cause: Cause,
    /// How it stands or ended.
    pub state: RepairState,
    /// When its preflight began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How often a playbook worked for a cause in an MDM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixRate {
    /// Playbook.
    pub playbook: PlaybookName,
    /// Cause.
    pub cause: Cause,
    /// MDM.
    pub mdm: Option<MdmName>,
    /// Repairs that ended managed.
    pub worked: u64,
    /// Repairs that were tried to their end: managed, not fixed, undone or handed to a person.
    pub total: u64,
    /// Median time from preflight to managed.
    pub median_minutes: Option<u64>,
}

#[derive(sqlx::FromRow)]
struct PastRepairRow {
    id: String,
    run_id: String,
    hardware: String,
    playbook: String,
    cause: String,
    detail: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<PastRepairRow> for PastRepair {
    type Error = StoreError;

    fn try_from(row: PastRepairRow) -> Result<Self, StoreError> {
        Ok(Self {
            repair: RepairId::from(row.id),
            run: RunId::from(row.run_id),
            hardware: HardwareKey::from(row.hardware),
            playbook: PlaybookName::from(row.playbook),
            cause: from_word(row.cause, "runs.cause")?,
            state: parse(&row.detail, "repairs.detail")?,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

#[derive(sqlx::FromRow)]
struct TriedRow {
    playbook: String,
    cause: String,
    mdm: Option<String>,
    state: String,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
}

impl TriedRow {
    fn group(&self) -> (&str, &str, Option<&str>) {
        (&self.playbook, &self.cause, self.mdm.as_deref())
    }
}

/// The rate of one group; `tried` is never empty.
fn fix_rate(tried: &[TriedRow]) -> Result<FixRate, StoreError> {
    let (playbook, cause, mdm) = tried[0].group();
    let mut minutes: Vec<u64> = tried
        .iter()
        .filter(|row| row.state == "managed")
        .map(|row| {
            (row.finished_at - row.started_at)
                .num_minutes()
                .unsigned_abs()
        })
        .collect();
    minutes.sort_unstable();
    Ok(FixRate {
        playbook: PlaybookName::from(playbook),
        cause: from_word(cause.to_owned(), "runs.cause")?,
        mdm: mdm.map(MdmName::from),
        worked: minutes.len() as u64,
        total: tried.len() as u64,
        median_minutes: minutes.get(minutes.len() / 2).copied(),
    })
}

impl Store {
    /// Repairs that began at or after `since`, newest first.
    pub async fn repairs_since(&self, since: DateTime<Utc>) -> Result<Vec<PastRepair>, StoreError> {
        let rows: Vec<PastRepairRow> = fetch_all!(
            self,
            "SELECT repairs.id, run_id, hardware, playbook, cause, detail, repairs.started_at, \
             repairs.finished_at FROM repairs JOIN runs ON runs.id = repairs.run_id \
             WHERE repairs.started_at >= $1 ORDER BY repairs.started_at DESC, repairs.id",
            since,
        )?;
        all(rows)
    }

    /// How often each playbook worked, from repairs that ended at or after `since`.
    pub async fn fix_rates(&self, since: DateTime<Utc>) -> Result<Vec<FixRate>, StoreError> {
        let mut tried: Vec<TriedRow> = fetch_all!(
            self,
            "SELECT playbook, cause, mdm, repairs.state, repairs.started_at, repairs.finished_at \
             FROM repairs JOIN runs ON runs.id = repairs.run_id \
             WHERE repairs.state IN ('managed', 'not_fixed', 'undone', 'needs_human') \
             AND repairs.started_at IS NOT NULL AND repairs.finished_at >= $1",
            since,
        )?;
        tried.sort_by(|one, two| one.group().cmp(&two.group()));
        tried
            .chunk_by(|one, two| one.group() == two.group())
            .map(fix_rate)
            .collect()
    }

    /// Notes that a playbook had a batch that passed its gate; the first one counts.
    pub async fn mark_batch_verified(
        &self,
        playbook: &PlaybookName,
        run: &RunId,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let inserted = execute!(
            tx,
            "INSERT INTO verified_batches (playbook, run_id, verified_at) VALUES ($1, $2, $3) \
             ON CONFLICT (playbook) DO NOTHING",
            playbook.as_str(),
            run.as_str(),
            at,
        )?;
        tx.commit().await?;
        Ok(inserted == 1)
    }

    /// Playbooks with a verified batch.
    pub async fn verified_playbooks(&self) -> Result<Vec<PlaybookName>, StoreError> {
        let rows: Vec<(String,)> = fetch_all!(
            self,
            "SELECT playbook FROM verified_batches ORDER BY playbook"
        )?;
        Ok(rows
            .into_iter()
            .map(|(playbook,)| PlaybookName::from(playbook))
            .collect())
    }
}
