//! One repair in flight per computer and per user, and computers that are left alone.

use chrono::{DateTime, Utc};
use unstuck_domain::{HardwareKey, RepairId, RepairState};

use super::{LeaseProof, RepairChange, Store, StoreError, Together, Tx};

/// What became of the beginning of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginOutcome {
    /// Its preflight has begun; computer and users are taken.
    Begun {
        /// Its new version.
        version: i64,
    },
    /// Another repair has the computer or one of its users.
    InFlight {
        /// Which.
        by: RepairId,
    },
    /// It moved on, or its run is another node's.
    Changed,
}

/// A computer that is left alone until a person lifts it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Quarantined {
    /// Which computer.
    pub hardware: String,
    /// Why.
    pub reason: String,
    /// The repair that led to it.
    pub repair_id: Option<String>,
    /// Since when.
    #[sqlx(rename = "since_at")]
    pub since: DateTime<Utc>,
}

impl Store {
    /// Begins the preflight of a queued repair, if neither its computer nor one of its users is in flight.
    pub async fn begin_repair(
        &self,
        node: &LeaseProof,
        repair: &super::RepairRecord,
        next_look_at: DateTime<Utc>,
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<BeginOutcome, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        let mut change = RepairChange::new(
            repair.id.clone(),
            repair.version,
            RepairState::Preflight,
            repair.hops.clone(),
            at,
        );
        change.next_look_at = Some(next_look_at);
        if repair.state != RepairState::Queued || !tx.move_repair(node, &change).await? {
            return Ok(BeginOutcome::Changed);
        }
        let mut users: Vec<&str> = repair
            .subjects
            .iter()
            .map(|subject| subject.user_id.as_str())
            .collect();
        // Everybody takes the rows in one order, so that two nodes cannot wait for each other.
        users.sort_unstable();
        users.dedup();
        if let Some(refused) = tx.take_off(&repair.id, &repair.hardware, &users).await? {
            return Ok(refused);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(BeginOutcome::Begun {
            version: repair.version + 1,
        })
    }

    /// Computers in flight, and the repairs that have them.
    pub async fn in_flight(&self) -> Result<Vec<(HardwareKey, RepairId)>, StoreError> {
        let rows: Vec<(String, String)> = fetch_all!(
            self,
            "SELECT hardware, repair_id FROM in_flight ORDER BY hardware"
        )?;
        Ok(rows
            .into_iter()
            .map(|(hardware, repair)| (HardwareKey::from(hardware), RepairId::from(repair)))
            .collect())
    }

    /// Leaves a computer alone until a person lifts it.
    pub async fn put_in_quarantine(
        &self,
        quarantined: &Quarantined,
        together: Together<'_>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            tx,
            "INSERT INTO quarantine (hardware, reason, repair_id, since_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (hardware) DO UPDATE SET reason = excluded.reason, repair_id = excluded.repair_id",
            &quarantined.hardware,
            &quarantined.reason,
            quarantined.repair_id.as_deref(),
            quarantined.since,
        )?;
        tx.write_together(together).await?;
        tx.commit().await
    }

    /// Ends the quarantine of a computer. `false`: it is in none.
    pub async fn lift_quarantine(
        &self,
        hardware: &HardwareKey,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let removed = execute!(
            tx,
            "DELETE FROM quarantine WHERE hardware = $1",
            hardware.as_str()
        )?;
        if removed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Computers that are left alone.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        fetch_all!(
            self,
            "SELECT hardware, reason, repair_id, since_at FROM quarantine ORDER BY hardware"
        )
    }
}

/// A holder that is gone again landed this very moment; the next look will find its place free.
fn held_by(holder: Option<(String,)>) -> BeginOutcome {
    holder.map_or(BeginOutcome::Changed, |(by,)| BeginOutcome::InFlight {
        by: RepairId::from(by),
    })
}

impl Tx {
    /// Takes computer and users; `Some`: why one of them cannot be had.
    async fn take_off(
        &mut self,
        repair: &RepairId,
        hardware: &HardwareKey,
        users: &[&str],
    ) -> Result<Option<BeginOutcome>, StoreError> {
        let inserted = execute!(
            self,
            "INSERT INTO in_flight (hardware, repair_id) VALUES ($1, $2) ON CONFLICT (hardware) DO NOTHING",
            hardware.as_str(),
            repair.as_str(),
        )?;
        if inserted == 0 {
            let holder: Option<(String,)> = fetch_optional!(
                self,
                "SELECT repair_id FROM in_flight WHERE hardware = $1",
                hardware.as_str()
            )?;
            return Ok(Some(held_by(holder)));
        }
        for user in users {
            let inserted = execute!(
                self,
                "INSERT INTO in_flight_users (user_id, repair_id) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING",
                *user,
                repair.as_str(),
            )?;
            if inserted == 0 {
                let holder: Option<(String,)> = fetch_optional!(
                    self,
                    "SELECT repair_id FROM in_flight_users WHERE user_id = $1",
                    *user
                )?;
                return Ok(Some(held_by(holder)));
            }
        }
        Ok(None)
    }

    /// Frees computer and users of a repair that has ended.
    pub(super) async fn land(&mut self, repair: &RepairId) -> Result<(), StoreError> {
        execute!(
            self,
            "DELETE FROM in_flight WHERE repair_id = $1",
            repair.as_str()
        )?;
        execute!(
            self,
            "DELETE FROM in_flight_users WHERE repair_id = $1",
            repair.as_str()
        )?;
        Ok(())
    }
}
