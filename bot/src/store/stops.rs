//! Stops: rows, so that they survive a restart. Who may resume is for the caller to say.

use chrono::{DateTime, Utc};
use unstuck_domain::{PlaybookName, ProposalId};

use super::{Store, StoreError, Together};

/// What is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopScope {
    /// Everything.
    All,
    /// One playbook.
    Playbook(PlaybookName),
    /// One proposal and its run.
    Proposal(ProposalId),
}

/// A stop to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStop {
    /// What is stopped.
    pub scope: StopScope,
    /// Whether what was begun stays as it is, too.
    pub freeze: bool,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A stored stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Its number.
    pub id: i64,
    /// The stop.
    pub stop: NewStop,
    /// Who resumed, and when.
    pub resumed: Option<(String, DateTime<Utc>)>,
}

#[derive(sqlx::FromRow)]
struct StopRow {
    id: i64,
    scope: String,
    target: Option<String>,
    frozen: bool,
    reason: String,
    stopped_by: String,
    stopped_at: DateTime<Utc>,
    resumed_by: Option<String>,
    resumed_at: Option<DateTime<Utc>>,
}

impl From<StopRow> for Stop {
    fn from(row: StopRow) -> Self {
        let target = row.target.unwrap_or_default();
        let scope = match row.scope.as_str() {
            "playbook" => StopScope::Playbook(PlaybookName::from(target)),
            "proposal" => StopScope::Proposal(ProposalId::from(target)),
            // The table's check lets no fourth word in; the widest stop is the safe reading.
            _ => StopScope::All,
        };
        Self {
            id: row.id,
            stop: NewStop {
                scope,
                freeze: row.frozen,
                reason: row.reason,
                by: row.stopped_by,
                at: row.stopped_at,
            },
            resumed: row.resumed_by.zip(row.resumed_at),
        }
    }
}

impl StopScope {
    fn columns(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::All => ("all", None),
            Self::Playbook(name) => ("playbook", Some(name.as_str())),
            Self::Proposal(id) => ("proposal", Some(id.as_str())),
        }
    }
}

impl Store {
    /// Stores a stop; it holds from its commit on. Returns its number.
    pub async fn stop(&self, new: &NewStop, together: Together<'_>) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let (scope, target) = new.scope.columns();
        let row: Option<(i64,)> = fetch_optional!(
            tx,
            "INSERT INTO stops (scope, target, frozen, reason, stopped_by, stopped_at) \
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            scope,
            target,
            new.freeze,
            &new.reason,
            &new.by,
            new.at,
        )?;
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(row
            .map(|(id,)| id)
            .expect("an insert without a condition returns its row"))
    }

    /// Stops that hold, oldest first.
    pub async fn active_stops(&self) -> Result<Vec<Stop>, StoreError> {
        let rows: Vec<StopRow> = fetch_all!(
            self,
            "SELECT id, scope, target, frozen, reason, stopped_by, stopped_at, resumed_by, resumed_at FROM stops \
             WHERE resumed_at IS NULL ORDER BY id"
        )?;
        Ok(rows.into_iter().map(Stop::from).collect())
    }

    /// One stop, resumed or not.
    pub async fn stop_by_id(&self, id: i64) -> Result<Option<Stop>, StoreError> {
        let row: Option<StopRow> = fetch_optional!(
            self,
            "SELECT id, scope, target, frozen, reason, stopped_by, stopped_at, resumed_by, resumed_at FROM stops \
             WHERE id = $1",
            id,
        )?;
        Ok(row.map(Stop::from))
    }

    /// Ends a stop. `false`: it does not hold.
    pub async fn resume(
        &self,
        id: i64,
        by: &str,
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE stops SET resumed_by = $1, resumed_at = $2 WHERE id = $3 AND resumed_at IS NULL",
            by,
            at,
            id,
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }
}
