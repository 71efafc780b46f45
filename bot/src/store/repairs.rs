//! Repairs: one computer in a run each.

use chrono::{DateTime, Utc};
use serde_json::Value;
use unstuck_domain::{HardwareKey, MdmName, PlannedSubject, RepairId, RepairState, RunId};

use super::rows::{all, json, parse};
use super::{LeaseProof, Store, StoreError, Tx};

/// A repair to be queued. Its place among the repairs of the run is its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRepair {
    /// Its id.
    pub id: RepairId,
    /// The computer.
    pub hardware: HardwareKey,
    /// MDM that it is repaired through.
    pub mdm: Option<MdmName>,
    /// Its device-users.
    pub subjects: Vec<PlannedSubject>,
}

/// A stored repair.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairRecord {
    /// Its id.
    pub id: RepairId,
    /// Its run.
    pub run: RunId,
    /// Index in the plan's repairs.
    pub position: usize,
    /// The computer.
    pub hardware: HardwareKey,
    /// MDM that it is repaired through.
    pub mdm: Option<MdmName>,
    /// Its device-users.
    pub subjects: Vec<PlannedSubject>,
    /// How it stands.
    pub state: RepairState,
    /// The executor's word on each hop.
    pub hops: Value,
    /// Raised with every change; a change names the version it was decided on.
    pub version: i64,
    /// When it is looked at again; `None`: its wave has not opened, or it has ended.
    pub next_look_at: Option<DateTime<Utc>>,
    /// When its preflight began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct RepairRow {
    id: String,
    run_id: String,
    position: i64,
    hardware: String,
    mdm: Option<String>,
    subjects: String,
    detail: String,
    hops: String,
    version: i64,
    next_look_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<RepairRow> for RepairRecord {
    type Error = StoreError;

    fn try_from(row: RepairRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: RepairId::from(row.id),
            run: RunId::from(row.run_id),
            position: usize::try_from(row.position).unwrap_or(usize::MAX),
            hardware: HardwareKey::from(row.hardware),
            mdm: row.mdm.map(MdmName::from),
            subjects: parse(&row.subjects, "repairs.subjects")?,
            state: parse(&row.detail, "repairs.detail")?,
            hops: parse(&row.hops, "repairs.hops")?,
            version: row.version,
            next_look_at: row.next_look_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

macro_rules! select_repairs {
    ($rest:literal) => {
        concat!(
            "SELECT repairs.id, run_id, position, hardware, mdm, subjects, detail, hops, version, next_look_at, \
             repairs.started_at, repairs.finished_at FROM repairs ",
            $rest
        )
    };
}

impl Store {
    /// The repairs of a run, in the order of its plan.
    pub async fn repairs(&self, run: &RunId) -> Result<Vec<RepairRecord>, StoreError> {
        let rows: Vec<RepairRow> = fetch_all!(
            self,
            select_repairs!("WHERE run_id = $1 ORDER BY position"),
            run.as_str()
        )?;
        all(rows)
    }

    /// One repair.
    pub async fn repair(&self, id: &RepairId) -> Result<Option<RepairRecord>, StoreError> {
        let row: Option<RepairRow> =
            fetch_optional!(self, select_repairs!("WHERE repairs.id = $1"), id.as_str())?;
        row.map(RepairRecord::try_from).transpose()
    }

    /// Every repair that has not ended, of all nodes.
    pub async fn open_repairs(&self) -> Result<Vec<RepairRecord>, StoreError> {
        let rows: Vec<RepairRow> = fetch_all!(
            self,
            select_repairs!("WHERE ended = $1 ORDER BY run_id, position"),
            false
        )?;
        all(rows)
    }

    /// Repairs that were proved after `since`, newest first.
    pub async fn repairs_proved_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<RepairRecord>, StoreError> {
        let rows: Vec<RepairRow> = fetch_all!(
            self,
            select_repairs!(
                "WHERE state = 'managed' AND repairs.finished_at > $1 ORDER BY repairs.finished_at DESC, repairs.id"
            ),
            since
        )?;
        all(rows)
    }

    /// Repairs of this node's runs that are to be looked at by `now`, longest due first.
    pub async fn due_repairs(
        &self,
        node: &LeaseProof,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<RepairRecord>, StoreError> {
        let rows: Vec<RepairRow> = fetch_all!(
            self,
            select_repairs!(
                "JOIN runs ON runs.id = repairs.run_id WHERE ended = $1 AND next_look_at <= $2 \
                 AND runs.owner = $3 AND runs.owner_token = $4 ORDER BY next_look_at, repairs.id LIMIT $5"
            ),
            false,
            now,
            node.owner(),
            node.token(),
            i64::from(limit),
        )?;
        all(rows)
    }

    /// When the next repair of this node is to be looked at.
    pub async fn next_repair_due(
        &self,
        node: &LeaseProof,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row: Option<(Option<DateTime<Utc>>,)> = fetch_optional!(
            self,
            "SELECT MIN(next_look_at) FROM repairs JOIN runs ON runs.id = repairs.run_id \
             WHERE ended = $1 AND runs.owner = $2 AND runs.owner_token = $3",
            false,
            node.owner(),
            node.token(),
        )?;
        Ok(row.and_then(|(due,)| due))
    }

    /// Asks that an open repair is looked at now, because the log or its user told something. One in a call is left
    /// alone; `false`: nothing was brought forward.
    pub async fn look_at_repair(
        &self,
        id: &RepairId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE repairs SET next_look_at = $1 WHERE id = $2 AND state = 'waiting' AND next_look_at > $3",
            now,
            id.as_str(),
            now,
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }
}

impl Tx {
    pub(super) async fn insert_repair(
        &mut self,
        run: &RunId,
        position: usize,
        repair: &NewRepair,
    ) -> Result<(), StoreError> {
        let queued = RepairState::Queued;
        execute!(
            self,
            "INSERT INTO repairs (id, run_id, position, hardware, mdm, subjects, state, detail, hops, version, ended) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '[]', 0, $9)",
            repair.id.as_str(),
            run.as_str(),
            i64::try_from(position).expect("a plan is far shorter than i64"),
            repair.hardware.as_str(),
            repair.mdm.as_ref().map(MdmName::as_str),
            json(&repair.subjects),
            queued.word(),
            json(&queued),
            false,
        )?;
        Ok(())
    }
}
