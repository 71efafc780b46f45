//! Scope holds: what was taken away from a device and must be given back, whatever happens to its run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use unstuck_domain::{MdmDeviceId, MdmName, RepairId};

use super::rows::{all, from_word, word};
use super::{Store, StoreError, Together, Tx};

/// What a hold changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Membership of a group.
    Group,
    /// The device category.
    Category,
}

/// How a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Taken away.
    Open,
    /// Being given back.
    Restoring,
    /// Given back.
    Restored,
    /// A person must give it back.
    NeedsHuman,
}

/// A hold to be written with the intent of the step that takes something away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// MDM.
    pub mdm: MdmName,
    /// Device.
    pub device: MdmDeviceId,
    /// The second key that groups use.
    pub management_id: Option<String>,
    /// What is changed.
    pub kind: HoldKind,
    /// The group, or the category that is set.
    pub target: String,
    /// The value before, to be given back; `None`: not a member, no category.
    pub prior: Option<String>,
    /// When.
    pub since: DateTime<Utc>,
    /// When it is given back without the repair.
    pub deadline: DateTime<Utc>,
}

/// A stored hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeHold {
    /// Its number.
    pub id: i64,
    /// The repair that it is of.
    pub repair: RepairId,
    /// What was taken away.
    pub hold: NewHold,
    /// How it stands.
    pub state: HoldState,
    /// The first of two reads that saw the device out.
    pub seen_out_at: Option<DateTime<Utc>>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// The node whose lease the repair's run rests on, while the repair is open. Whether that node lives is for
    /// the caller to watch.
    pub owner: Option<String>,
}

#[derive(sqlx::FromRow)]
struct HoldRow {
    id: i64,
    repair_id: String,
    mdm: String,
    device_id: String,
    management_id: Option<String>,
    kind: String,
    target: String,
    prior: Option<String>,
    state: String,
    since_at: DateTime<Utc>,
    deadline_at: DateTime<Utc>,
    seen_out_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    owner: Option<String>,
}

impl TryFrom<HoldRow> for ScopeHold {
    type Error = StoreError;

    fn try_from(row: HoldRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            repair: RepairId::from(row.repair_id),
            hold: NewHold {
                mdm: MdmName::from(row.mdm),
                device: MdmDeviceId::from(row.device_id),
                management_id: row.management_id,
                kind: from_word(row.kind, "scope_holds.kind")?,
                target: row.target,
                prior: row.prior,
                since: row.since_at,
                deadline: row.deadline_at,
            },
            state: from_word(row.state, "scope_holds.state")?,
            seen_out_at: row.seen_out_at,
            closed_at: row.closed_at,
            owner: row.owner,
        })
    }
}

macro_rules! select_holds {
    ($rest:literal) => {
        concat!(
            "SELECT scope_holds.id, scope_holds.repair_id, scope_holds.mdm, device_id, management_id, kind, target, \
             prior, scope_holds.state, since_at, deadline_at, seen_out_at, closed_at, \
             CASE WHEN leases.name IS NULL THEN NULL ELSE runs.owner END AS owner FROM scope_holds \
             LEFT JOIN repairs ON repairs.id = scope_holds.repair_id AND repairs.ended = $1 \
             LEFT JOIN runs ON runs.id = repairs.run_id \
             LEFT JOIN leases ON leases.name = 'node:' || runs.owner AND leases.owner = runs.owner \
             AND leases.token = runs.owner_token ",
            $rest
        )
    };
}

impl Store {
    /// Holds that are not given back, longest first.
    pub async fn open_holds(&self) -> Result<Vec<ScopeHold>, StoreError> {
        let rows: Vec<HoldRow> = fetch_all!(
            self,
            select_holds!(
                "WHERE scope_holds.state IN ('open', 'restoring') ORDER BY scope_holds.id"
            ),
            false,
        )?;
        all(rows)
    }

    /// Holds of one repair, closed ones too.
    pub async fn holds_of_repair(&self, repair: &RepairId) -> Result<Vec<ScopeHold>, StoreError> {
        let rows: Vec<HoldRow> = fetch_all!(
            self,
            select_holds!("WHERE scope_holds.repair_id = $2 ORDER BY scope_holds.id"),
            false,
            repair.as_str(),
        )?;
        all(rows)
    }

    /// Holds of one device in one MDM, closed ones too: whether it was us who put it there.
    pub async fn holds_of_device(
        &self,
        mdm: &MdmName,
        device: &MdmDeviceId,
    ) -> Result<Vec<ScopeHold>, StoreError> {
        let rows: Vec<HoldRow> = fetch_all!(
            self,
            select_holds!("WHERE scope_holds.mdm = $2 AND device_id = $3 ORDER BY scope_holds.id"),
            false,
            mdm.as_str(),
            device.as_str(),
        )?;
        all(rows)
    }

    /// Moves a hold from one state to another. `false`: it is in another state.
    pub async fn move_hold(
        &self,
        id: i64,
        expected: HoldState,
        state: HoldState,
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let closed = matches!(state, HoldState::Restored | HoldState::NeedsHuman);
        let changed = execute!(
            tx,
            "UPDATE scope_holds SET state = $1, closed_at = $2 WHERE id = $3 AND state = $4",
            word(&state),
            closed.then_some(at),
            id,
            word(&expected),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes the first read that saw the device out, or forgets it because a later one saw it in.
    pub async fn note_hold_out(
        &self,
        id: i64,
        at: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE scope_holds SET seen_out_at = $1 WHERE id = $2 AND state IN ('open', 'restoring')",
            at,
            id,
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }
}

impl Tx {
    /// Opens a hold; one that is already open for the same scope keeps its prior value, which alone is the
    /// device's own, and gets the new deadline.
    pub(super) async fn open_hold(
        &mut self,
        repair: &RepairId,
        hold: &NewHold,
    ) -> Result<(), StoreError> {
        execute!(
            self,
            "INSERT INTO scope_holds (mdm, device_id, management_id, kind, target, prior, repair_id, state, since_at, \
             deadline_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9) \
             ON CONFLICT (mdm, device_id, kind, target) WHERE state IN ('open', 'restoring') \
             DO UPDATE SET repair_id = excluded.repair_id, deadline_at = excluded.deadline_at, state = 'open', \
             seen_out_at = NULL",
            hold.mdm.as_str(),
            hold.device.as_str(),
            hold.management_id.as_deref(),
            word(&hold.kind),
            &hold.target,
            hold.prior.as_deref(),
            repair.as_str(),
            hold.since,
            hold.deadline,
        )?;
        Ok(())
    }

    pub(super) async fn restore_hold(
        &mut self,
        id: i64,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        execute!(
            self,
            "UPDATE scope_holds SET state = 'restored', closed_at = $1 WHERE id = $2 AND state IN ('open', 'restoring')",
            at,
            id,
        )?;
        Ok(())
    }
}
