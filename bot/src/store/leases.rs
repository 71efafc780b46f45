//! Who may act. A lease is a row that a live node beats; a contender that saw it unbeaten takes over.
//!
//! Expected flow: `acquire_lease` at start; `beat` every 1.5 s for all leases of a node at once; `observe_lease`
//! and, after 6 s without a change on the contender's own monotonic clock, `take_over_lease`. Nothing here reads a
//! wall clock. Guarantee: a write that takes a [`LeaseProof`] compares its token in the same transaction, so that
//! whoever was taken over from changes nothing any more. Not promised: that an overtaken node has noticed; what it
//! sends to vendors must be harmless or found again.

use super::{Store, StoreError, Tx};

/// Lease of whoever reads the vendors; held for one sweep or one log poll.
pub const OBSERVER_LEASE: &str = "observer";
/// Lease of whoever posts to Slack.
pub const SENDER_LEASE: &str = "slack-sender";
/// Lease of whoever numbers and chains the audit.
pub const SEALER_LEASE: &str = "audit-sealer";

/// Name of the lease that a node holds on itself. Its runs rest on it.
pub fn node_lease(node: &str) -> String {
    format!("node:{node}")
}

/// Holder of a lease at the time it was taken. Only the store makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseProof {
    name: String,
    owner: String,
    token: i64,
}

impl LeaseProof {
    /// Which lease.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node that holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Raised each time the lease changes hands.
    pub fn token(&self) -> i64 {
        self.token
    }
}

/// What a contender sees of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Which lease.
    pub name: String,
    /// Who holds it; `None`: released.
    pub owner: Option<String>,
    /// Raised each time the lease changes hands.
    pub token: i64,
    /// Raised with each beat.
    pub beat: i64,
}

#[derive(sqlx::FromRow)]
struct LeaseRow {
    name: String,
    owner: Option<String>,
    token: i64,
    beat: i64,
}

impl From<LeaseRow> for LeaseSeen {
    fn from(row: LeaseRow) -> Self {
        Self {
            name: row.name,
            owner: row.owner,
            token: row.token,
            beat: row.beat,
        }
    }
}

impl Store {
    /// Takes a lease that nobody holds. `None`: somebody does.
    pub async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
    ) -> Result<Option<LeaseProof>, StoreError> {
        let mut tx = self.begin().await?;
        let row: Option<(i64,)> = fetch_optional!(
            tx,
            "INSERT INTO leases (name, owner, token, beat) VALUES ($1, $2, 1, 0) \
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = leases.token + 1, beat = 0 \
             WHERE leases.owner IS NULL RETURNING token",
            name,
            owner,
        )?;
        tx.commit().await?;
        Ok(row.map(|(token,)| LeaseProof {
            name: name.into(),
            owner: owner.into(),
            token,
        }))
    }

    /// Beats every lease of a node; returns the names that it still holds. What is missing was taken over.
    pub async fn beat(&self, owner: &str) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        let rows: Vec<(String,)> = fetch_all!(
            tx,
            "UPDATE leases SET beat = beat + 1 WHERE owner = $1 RETURNING name",
            owner
        )?;
        tx.commit().await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// How a lease stands.
    pub async fn observe_lease(&self, name: &str) -> Result<Option<LeaseSeen>, StoreError> {
        let row: Option<LeaseRow> = fetch_optional!(
            self,
            "SELECT name, owner, token, beat FROM leases WHERE name = $1",
            name
        )?;
        Ok(row.map(LeaseSeen::from))
    }

    /// The leases that nodes hold on themselves: whose silence a live node watches for.
    pub async fn node_leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        let rows: Vec<LeaseRow> = fetch_all!(
            self,
            "SELECT name, owner, token, beat FROM leases \
             WHERE name LIKE 'node:%' AND owner IS NOT NULL ORDER BY name"
        )?;
        Ok(rows.into_iter().map(LeaseSeen::from).collect())
    }

    /// Takes a lease whose holder fell silent: only if neither token nor beat changed since `seen`.
    pub async fn take_over_lease(
        &self,
        seen: &LeaseSeen,
        owner: &str,
    ) -> Result<Option<LeaseProof>, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_lease(&seen.name).await?;
        let row: Option<(i64,)> = fetch_optional!(
            tx,
            "UPDATE leases SET owner = $1, token = token + 1, beat = 0 \
             WHERE name = $2 AND token = $3 AND beat = $4 RETURNING token",
            owner,
            &seen.name,
            seen.token,
            seen.beat,
        )?;
        tx.commit().await?;
        Ok(row.map(|(token,)| LeaseProof {
            name: seen.name.clone(),
            owner: owner.into(),
            token,
        }))
    }

    /// Ends the lease of a node that fell silent without taking it: its runs may be claimed from now on.
    pub async fn end_lease(&self, seen: &LeaseSeen) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_lease(&seen.name).await?;
        let changed = execute!(
            tx,
            "UPDATE leases SET owner = NULL, token = token + 1 WHERE name = $1 AND token = $2 AND beat = $3",
            &seen.name,
            seen.token,
            seen.beat,
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Gives a lease back. `false`: it was lost before.
    pub async fn release_lease(&self, proof: &LeaseProof) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_lease(&proof.name).await?;
        let changed = execute!(
            tx,
            "UPDATE leases SET owner = NULL, token = token + 1 WHERE name = $1 AND owner = $2 AND token = $3",
            &proof.name,
            &proof.owner,
            proof.token,
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }
}

impl Tx {
    /// Ends the transaction unless the lease is still held. PostgreSQL keeps it from being taken over until the
    /// transaction ends, by a lock that beats do not wait for; SQLite has one writer anyway.
    pub(super) async fn prove(&mut self, proof: &LeaseProof) -> Result<(), StoreError> {
        const SQLITE: &str =
            "SELECT token FROM leases WHERE name = $1 AND owner = $2 AND token = $3";
        const POSTGRES: &str =
            "SELECT token FROM leases WHERE name = $1 AND owner = $2 AND token = $3 FOR KEY SHARE";
        let held: Option<(i64,)> = match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE)
                    .bind(&proof.name)
                    .bind(&proof.owner)
                    .bind(proof.token)
                    .fetch_optional(&mut **tx)
                    .await?
            }
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES)
                    .bind(&proof.name)
                    .bind(&proof.owner)
                    .bind(proof.token)
                    .fetch_optional(&mut **tx)
                    .await?
            }
        };
        match held {
            Some(_) => Ok(()),
            None => Err(StoreError::LeaseLost {
                name: proof.name.clone(),
                owner: proof.owner.clone(),
            }),
        }
    }

    /// Waits for the transactions that have proved this lease; an `UPDATE` alone would not.
    async fn lock_lease(&mut self, name: &str) -> Result<(), StoreError> {
        if let Self::Postgres(tx) = self {
            sqlx::query("SELECT token FROM leases WHERE name = $1 FOR UPDATE")
                .bind(name)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }
}
