//! Counters with a cap, shared by all nodes: messages a day, requests a minute, devices a day.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

impl Store {
    /// Takes `amount` of a period's cap, all or nothing. The cap in force is the one of this call. `false`: it
    /// would go over.
    pub async fn take(
        &self,
        name: &str,
        period: &str,
        amount: u32,
        cap: u32,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            tx,
            "INSERT INTO counters (name, period, used, cap, counted_at) VALUES ($1, $2, 0, $3, $4) \
             ON CONFLICT (name, period) DO UPDATE SET cap = excluded.cap",
            name,
            period,
            i64::from(cap),
            at,
        )?;
        let changed = execute!(
            tx,
            "UPDATE counters SET used = used + $1, counted_at = $2 \
             WHERE name = $3 AND period = $4 AND used + $5 <= cap",
            i64::from(amount),
            at,
            name,
            period,
            i64::from(amount),
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Gives back what was taken and not used.
    pub async fn give_back(
        &self,
        name: &str,
        period: &str,
        amount: u32,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE counters SET used = used - $1 WHERE name = $2 AND period = $3 AND used >= $4",
            i64::from(amount),
            name,
            period,
            i64::from(amount),
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// How much of a period's cap is taken.
    pub async fn used(&self, name: &str, period: &str) -> Result<u32, StoreError> {
        let row: Option<(i64,)> = fetch_optional!(
            self,
            "SELECT used FROM counters WHERE name = $1 AND period = $2",
            name,
            period,
        )?;
        Ok(row.map_or(0, |(used,)| u32::try_from(used).unwrap_or(u32::MAX)))
    }
}
