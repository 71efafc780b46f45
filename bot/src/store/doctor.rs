//! What `doctor` remembers: answers of SCEP servers, how its checks came out, and what became of beliefs about vendors.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use unstuck_domain::Assumption;

use super::rows::parse;
use super::{LeaseProof, NewMessage, Store, StoreError};

/// An answer of a SCEP server.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredProbe {
    /// The URL that was asked.
    pub url: String,
    /// When, on our own clock.
    pub asked_at: DateTime<Utc>,
    /// What came back.
    pub answer: Value,
}

/// How often the org's data agreed with a belief, and how often not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBelief {
    /// Which.
    pub belief: Assumption,
    /// Times that it agreed.
    pub confirmed: u64,
    /// Times that it did not.
    pub contradicted: u64,
}

impl Store {
    /// Remembers an answer; a newer one replaces an older one.
    pub async fn save_probe(&self, probe: &StoredProbe) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            tx,
            "INSERT INTO scep_probes (url, asked_at, answer) VALUES ($1, $2, $3) \
             ON CONFLICT (url) DO UPDATE SET asked_at = excluded.asked_at, answer = excluded.answer",
            probe.url.as_str(),
            probe.asked_at,
            probe.answer.to_string(),
        )?;
        tx.commit().await
    }

    /// The last answers of all SCEP servers.
    pub async fn probes(&self) -> Result<Vec<StoredProbe>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>, String)> = fetch_all!(
            self,
            "SELECT url, asked_at, answer FROM scep_probes ORDER BY url"
        )?;
        rows.into_iter()
            .map(|(url, asked_at, answer)| {
                Ok(StoredProbe {
                    url,
                    asked_at,
                    answer: parse(&answer, "scep_probes.answer")?,
                })
            })
            .collect()
    }

    /// How each check came out last, as a word.
    pub async fn check_statuses(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows: Vec<(String, String)> =
            fetch_all!(self, "SELECT id, status FROM doctor_checks ORDER BY id")?;
        Ok(rows.into_iter().collect())
    }

    /// Remembers how checks came out, and tells of changes in the same transaction.
    pub async fn save_checks(
        &self,
        statuses: &BTreeMap<String, String>,
        messages: &[NewMessage],
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (id, status) in statuses {
            execute!(
                tx,
                "INSERT INTO doctor_checks (id, status, checked_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (id) DO UPDATE SET status = excluded.status, checked_at = excluded.checked_at",
                id.as_str(),
                status.as_str(),
                at,
            )?;
        }
        for message in messages {
            tx.put_message(message).await?;
        }
        tx.commit().await
    }

    /// What became of each belief, as of the last sweep that counted.
    pub async fn beliefs(&self) -> Result<Vec<StoredBelief>, StoreError> {
        let rows: Vec<(String, i64, i64)> = fetch_all!(
            self,
            "SELECT name, confirmed, contradicted FROM beliefs ORDER BY name"
        )?;
        // A name that an older or newer release knows is left out.
        let known = rows
            .into_iter()
            .filter_map(|(name, confirmed, contradicted)| {
                Some(StoredBelief {
                    belief: Assumption::from_name(&name)?,
                    confirmed: confirmed.unsigned_abs(),
                    contradicted: contradicted.unsigned_abs(),
                })
            });
        Ok(known.collect())
    }

    /// Replaces the counts of these beliefs.
    pub async fn save_beliefs(
        &self,
        proof: &LeaseProof,
        beliefs: &[StoredBelief],
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        for one in beliefs {
            execute!(
                tx,
                "INSERT INTO beliefs (name, confirmed, contradicted, counted_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (name) DO UPDATE SET confirmed = excluded.confirmed, \
                 contradicted = excluded.contradicted, counted_at = excluded.counted_at",
                one.belief.name(),
                i64::try_from(one.confirmed).unwrap_or(i64::MAX),
                i64::try_from(one.contradicted).unwrap_or(i64::MAX),
                at,
            )?;
        }
        tx.commit().await
    }
}
