//! Ticks of the schedules: each is inserted before it runs, so that it runs once on one node.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// A tick that was due.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Tick {
    /// Name of the schedule.
    pub name: String,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// What became of it; `None`: under way, or its node died.
    pub outcome: Option<String>,
}

impl Store {
    /// Claims a tick. `false`: another node has it.
    pub async fn insert_tick(&self, name: &str, due_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let inserted = execute!(
            tx,
            "INSERT INTO schedule_ticks (name, due_at) VALUES ($1, $2) ON CONFLICT (name, due_at) DO NOTHING",
            name,
            due_at,
        )?;
        tx.commit().await?;
        Ok(inserted == 1)
    }

    /// Notes what became of a tick.
    pub async fn finish_tick(
        &self,
        name: &str,
        due_at: DateTime<Utc>,
        outcome: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE schedule_ticks SET outcome = $1 WHERE name = $2 AND due_at = $3",
            outcome,
            name,
            due_at,
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// The newest tick of a schedule.
    pub async fn last_tick(&self, name: &str) -> Result<Option<Tick>, StoreError> {
        fetch_optional!(
            self,
            "SELECT name, due_at, outcome FROM schedule_ticks WHERE name = $1 ORDER BY due_at DESC LIMIT 1",
            name,
        )
    }
}
