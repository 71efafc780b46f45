//! What happened before: for cool-down, attempt caps, the first batch of a playbook and the measured fix rate.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use unstuck_domain::{Cause, HardwareKey, MdmName, PlaybookName, RepairId, RepairState, RunId};

use super::rows::{from_word, parse};
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

impl Store {
    /// Repairs that began at or after `since`, newest first.
    pub async fn repairs_since(&self, since: DateTime<Utc>) -> Result<Vec<PastRepair>, StoreError> {
        let rows: Vec<(
            String,
            String,
            String,
            String,
            String,
            String,
            DateTime<Utc>,
            Option<DateTime<Utc>>,
        )> = fetch_all!(
            self,
            "SELECT repairs.id, run_id, hardware, playbook, cause, detail, repairs.started_at, repairs.finished_at \
             FROM repairs JOIN runs ON runs.id = repairs.run_id WHERE repairs.started_at >= $1 \
             ORDER BY repairs.started_at DESC, repairs.id",
            since,
        )?;
        rows.into_iter()
            .map(
                |(id, run, hardware, playbook, cause, detail, started_at, finished_at)| {
                    Ok(PastRepair {
                        repair: RepairId::from(id),
                        run: RunId::from(run),
                        hardware: HardwareKey::from(hardware),
                        playbook: PlaybookName::from(playbook),
                        cause: from_word(cause, "runs.cause")?,
                        state: parse(&detail, "repairs.detail")?,
                        started_at,
                        finished_at,
                    })
                },
            )
            .collect()
    }

    /// How often each playbook worked, from repairs that ended at or after `since`.
    pub async fn fix_rates(&self, since: DateTime<Utc>) -> Result<Vec<FixRate>, StoreError> {
        let rows: Vec<(
            String,
            String,
            Option<String>,
            String,
            DateTime<Utc>,
            DateTime<Utc>,
        )> = fetch_all!(
            self,
            "SELECT playbook, cause, mdm, repairs.state, repairs.started_at, repairs.finished_at \
             FROM repairs JOIN runs ON runs.id = repairs.run_id \
             WHERE repairs.state IN ('managed', 'not_fixed', 'undone', 'needs_human') \
             AND repairs.started_at IS NOT NULL AND repairs.finished_at >= $1",
            since,
        )?;
        let mut groups: BTreeMap<(String, String, Option<String>), (u64, Vec<u64>)> =
            BTreeMap::new();
        for (playbook, cause, mdm, state, started_at, finished_at) in rows {
            let (total, minutes) = groups.entry((playbook, cause, mdm)).or_default();
            *total += 1;
            if state == "managed" {
                minutes.push((finished_at - started_at).num_minutes().unsigned_abs());
            }
        }
        groups
            .into_iter()
            .map(|((playbook, cause, mdm), (total, mut minutes))| {
                minutes.sort_unstable();
                Ok(FixRate {
                    playbook: PlaybookName::from(playbook),
                    cause: from_word(cause, "runs.cause")?,
                    mdm: mdm.map(MdmName::from),
                    worked: minutes.len() as u64,
                    total,
                    median_minutes: minutes.get(minutes.len() / 2).copied(),
                })
            })
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
