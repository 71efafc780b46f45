//! The audit. Entries are written with the change they tell of; the sealer numbers and chains them.
//!
//! The chain covers number, time, kind, subject matter and the hash of the payload, not the payload itself: a
//! payload that retention or the erasure of a person removed leaves the chain verifiable. Each seal names the last
//! number and its hash and carries the caller's signature, so that a cut-off end is found as well.

use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::rows::{all, json, parse};
use super::{LeaseProof, Store, StoreError, Together, Tx};

/// Entries that one seal covers at most, and that one read of the verification holds.
const SEAL_BATCH: i64 = 500;

/// An entry to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuditEntry {
    /// What happened: `proposal.approved`, `step.intended`.
    pub kind: String,
    /// Id of what it happened to; no personal data, it is kept for ever.
    pub about: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, on which evidence, with which answer.
    pub payload: Value,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its number; `None`: not sealed yet.
    pub seq: Option<i64>,
    /// What happened.
    pub kind: String,
    /// Id of what it happened to.
    pub about: String,
    /// When.
    pub at: DateTime<Utc>,
    /// `None`: removed by retention or erasure.
    pub payload: Option<Value>,
    /// SHA-256 of the payload, hex.
    pub payload_hash: String,
    /// SHA-256 over the entry and the hash before it, hex; `None`: not sealed yet.
    pub chain_hash: Option<String>,
}

/// A seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSeal {
    /// Number of the last entry that it covers.
    pub last_seq: i64,
    /// Hash of that entry.
    pub head: String,
    /// The caller's signature of [`AuditSeal::signed_text`].
    pub signature: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Whether the record is whole.
    pub ok: bool,
    /// Sealed entries read.
    pub entries: u64,
    /// Hash of the last one.
    pub head: Option<String>,
    /// Number of the first entry that is changed, missing or out of order.
    pub first_bad: Option<i64>,
}

impl AuditSeal {
    /// The text that a seal's signature is of.
    pub fn signed_text(last_seq: i64, head: &str) -> String {
        format!("unstuck audit {last_seq} {head}")
    }
}

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: i64,
    seq: Option<i64>,
    kind: String,
    about: String,
    recorded_at: DateTime<Utc>,
    payload: Option<String>,
    payload_hash: String,
    chain_hash: Option<String>,
}

impl AuditRow {
    /// Hash of this entry as number `seq` after an entry with the hash `before`.
    fn chained(&self, seq: i64, before: &str) -> String {
        let fields = (
            before,
            seq,
            self.recorded_at.timestamp_millis(),
            &self.kind,
            &self.about,
            &self.payload_hash,
        );
        sha256(&json(&fields))
    }

    fn payload_is_unchanged(&self) -> bool {
        self.payload
            .as_ref()
            .is_none_or(|payload| sha256(payload) == self.payload_hash)
    }
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.seq,
            kind: row.kind,
            about: row.about,
            at: row.recorded_at,
            payload: row
                .payload
                .map(|text| parse(&text, "audit_entries.payload"))
                .transpose()?,
            payload_hash: row.payload_hash,
            chain_hash: row.chain_hash,
        })
    }
}

type SealRow = (i64, String, String, DateTime<Utc>);

impl From<SealRow> for AuditSeal {
    fn from((last_seq, head, signature, at): SealRow) -> Self {
        Self {
            last_seq,
            head,
            signature,
            at,
        }
    }
}

fn sha256(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT id, seq, kind, about, recorded_at, payload, payload_hash, chain_hash FROM audit_entries ",
            $rest
        )
    };
}

impl Store {
    /// Writes entries and messages that belong to no other change.
    pub async fn record(&self, together: Together<'_>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.write_together(together).await?;
        tx.commit().await
    }

    /// Numbers and chains at most 500 entries that wait for it, and signs the new head. `None`: none waits.
    pub async fn seal_audit<F>(
        &self,
        sealer: &LeaseProof,
        at: DateTime<Utc>,
        sign: F,
    ) -> Result<Option<AuditSeal>, StoreError>
    where
        F: FnOnce(&str) -> String + Send,
    {
        let mut tx = self.begin().await?;
        tx.prove(sealer).await?;
        let waiting: Vec<AuditRow> = fetch_all!(
            tx,
            select_entries!("WHERE seq IS NULL ORDER BY id LIMIT $1"),
            SEAL_BATCH
        )?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let last: Option<(i64, Option<String>)> = fetch_optional!(
            tx,
            "SELECT seq, chain_hash FROM audit_entries WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1"
        )?;
        let (mut seq, mut head) = last.map_or((0, String::new()), |(seq, hash)| {
            (seq, hash.unwrap_or_default())
        });
        for entry in &waiting {
            seq += 1;
            head = entry.chained(seq, &head);
            execute!(
                tx,
                "UPDATE audit_entries SET seq = $1, chain_hash = $2 WHERE id = $3 AND seq IS NULL",
                seq,
                &head,
                entry.id,
            )?;
        }
        let signature = sign(&AuditSeal::signed_text(seq, &head));
        execute!(
            tx,
            "INSERT INTO audit_seals (last_seq, head, signature, sealed_at) VALUES ($1, $2, $3, $4)",
            seq,
            &head,
            &signature,
            at,
        )?;
        tx.commit().await?;
        Ok(Some(AuditSeal {
            last_seq: seq,
            head,
            signature,
            at,
        }))
    }

    /// Reads the whole record again: numbers without a gap, hashes that follow from each other, payloads that
    /// have their hash, heads that the seals name, nothing numbered after the last seal. The signatures are for the
    /// caller to check.
    pub async fn verify_audit(&self) -> Result<AuditReport, StoreError> {
        let seals = self.audit_seals().await?;
        // What is sealed while we read has a seal that we have not read.
        let last_sealed = seals.last().map_or(0, |seal| seal.last_seq);
        let mut seals = seals.into_iter().peekable();
        let mut entries = 0;
        let mut head = String::new();
        let mut first_bad = None;
        'record: loop {
            let page: Vec<AuditRow> = fetch_all!(
                self,
                select_entries!("WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3"),
                entries,
                last_sealed,
                SEAL_BATCH
            )?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                let seq = entries + 1;
                let chained = entry.chained(seq, &head);
                let sealed = seals.next_if(|seal| seal.last_seq == seq);
                if entry.seq != Some(seq)
                    || entry.chain_hash.as_ref() != Some(&chained)
                    || sealed.is_some_and(|seal| seal.head != chained)
                    || !entry.payload_is_unchanged()
                {
                    first_bad = Some(seq);
                    break 'record;
                }
                entries = seq;
                head = chained;
            }
        }
        if first_bad.is_none() && (seals.peek().is_some() || self.is_numbered_unsealed().await?) {
            first_bad = Some(entries + 1);
        }
        Ok(AuditReport {
            ok: first_bad.is_none(),
            entries: entries.unsigned_abs(),
            head: (entries > 0).then_some(head),
            first_bad,
        })
    }

    /// Whether a number lies after the last seal or before the first; numbers come with their seal in one transaction.
    async fn is_numbered_unsealed(&self) -> Result<bool, StoreError> {
        let outside: Option<(i64,)> = fetch_optional!(
            self,
            "SELECT seq FROM audit_entries \
             WHERE seq < 1 OR seq > (SELECT COALESCE(MAX(last_seq), 0) FROM audit_seals) LIMIT 1"
        )?;
        Ok(outside.is_some())
    }

    /// How many entries wait for the sealer.
    pub async fn audit_waiting(&self) -> Result<u64, StoreError> {
        let row: Option<(i64,)> =
            fetch_optional!(self, "SELECT COUNT(*) FROM audit_entries WHERE seq IS NULL")?;
        Ok(row.map_or(0, |(count,)| count.unsigned_abs()))
    }

    /// The last seal.
    pub async fn last_audit_seal(&self) -> Result<Option<AuditSeal>, StoreError> {
        let row: Option<SealRow> = fetch_optional!(
            self,
            "SELECT last_seq, head, signature, sealed_at FROM audit_seals ORDER BY last_seq DESC LIMIT 1"
        )?;
        Ok(row.map(AuditSeal::from))
    }

    /// Every seal, oldest first.
    pub async fn audit_seals(&self) -> Result<Vec<AuditSeal>, StoreError> {
        let rows: Vec<SealRow> = fetch_all!(
            self,
            "SELECT last_seq, head, signature, sealed_at FROM audit_seals ORDER BY last_seq"
        )?;
        Ok(rows.into_iter().map(AuditSeal::from).collect())
    }

    /// The hash of one sealed entry, to be compared with a head that was posted or exported.
    pub async fn audit_hash(&self, seq: i64) -> Result<Option<String>, StoreError> {
        let row: Option<(Option<String>,)> = fetch_optional!(
            self,
            "SELECT chain_hash FROM audit_entries WHERE seq = $1",
            seq
        )?;
        Ok(row.and_then(|(hash,)| hash))
    }

    /// Sealed entries after a number, for the export.
    pub async fn audit_entries_after(
        &self,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let rows: Vec<AuditRow> = fetch_all!(
            self,
            select_entries!("WHERE seq > $1 ORDER BY seq LIMIT $2"),
            seq,
            i64::from(limit),
        )?;
        all(rows)
    }

    /// Entries about one thing, sealed or not, oldest first.
    pub async fn audit_about(&self, about: &str) -> Result<Vec<AuditEntry>, StoreError> {
        let rows: Vec<AuditRow> =
            fetch_all!(self, select_entries!("WHERE about = $1 ORDER BY id"), about)?;
        all(rows)
    }
}

impl Tx {
    pub(super) async fn add_audit_entry(&mut self, new: &NewAuditEntry) -> Result<(), StoreError> {
        let payload = json(&new.payload);
        let payload_hash = sha256(&payload);
        execute!(
            self,
            "INSERT INTO audit_entries (kind, about, recorded_at, payload, payload_hash) VALUES ($1, $2, $3, $4, $5)",
            &new.kind,
            &new.about,
            new.at,
            payload,
            payload_hash,
        )?;
        Ok(())
    }
}
