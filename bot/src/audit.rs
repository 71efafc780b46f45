//! Keeps the audit checkable by somebody who does not trust this machine: sealed, signed, verified offline.
//!
//! The store numbers and chains; the key signs and the signatures are judged here. Whoever can write to the database
//! can chain a changed record anew, but not sign it. Whoever has the key too is found out by a head that was kept
//! elsewhere.

mod export;
mod key;
mod sealer;

use serde::{Deserialize, Serialize};

use crate::store::{AuditSeal, Store, StoreError};

pub use export::export;
pub use key::AuditKey;
pub use sealer::Sealer;

/// What a verification found; the document of `audit verify --json`, and what a kept head is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether the record is whole.
    pub ok: bool,
    /// Sealed entries whose chain is whole, counted from the first.
    pub entries: u64,
    /// Chain hash of the last of them; absent: there is none.
    pub head: Option<String>,
    /// Number of the first entry that is changed, missing, out of order or not signed with our key.
    pub first_bad: Option<i64>,
}

/// The end of the record at an earlier time, kept where nobody can change it together with the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHead {
    /// Number of the last entry.
    pub entries: i64,
    /// Its chain hash.
    pub head: String,
}

impl KeptHead {
    /// Reads what `audit verify --json` printed. `None`: it is something else, or told of a record that was not whole.
    pub fn parse(text: &str) -> Option<Self> {
        let kept: Verification = serde_json::from_str(text).ok()?;
        Some(Self {
            entries: i64::try_from(kept.entries).ok().filter(|_| kept.ok)?,
            head: kept.head?,
        })
    }
}

/// Reads the whole record: chain, payloads, signatures, and that it still holds what a kept head told of.
/// Without a key no seal is ours.
pub async fn verify(
    store: &Store,
    key: Option<&AuditKey>,
    kept: Option<&KeptHead>,
) -> Result<Verification, StoreError> {
    // The signatures first: what is sealed meanwhile is then only looked at by the chain.
    let forged = first_forged(&store.audit_seals().await?, key);
    let chain = store.verify_audit().await?;
    let gone = match kept {
        Some(kept) => lost_since(store, kept, chain.entries).await?,
        None => None,
    };
    let first_bad = [chain.first_bad, forged, gone].into_iter().flatten().min();
    Ok(Verification {
        ok: first_bad.is_none(),
        entries: chain.entries,
        head: chain.head,
        first_bad,
    })
}

/// Number of the first entry under a seal that our key did not sign.
fn first_forged(seals: &[AuditSeal], key: Option<&AuditKey>) -> Option<i64> {
    let forged = seals
        .iter()
        .position(|seal| !key.is_some_and(|key| key.has_signed(seal)))?;
    let before = forged
        .checked_sub(1)
        .map_or(0, |index| seals[index].last_seq);
    Some(before + 1)
}

/// Number of the first entry that shows that the record is not the one that the head was kept of.
async fn lost_since(
    store: &Store,
    kept: &KeptHead,
    entries: u64,
) -> Result<Option<i64>, StoreError> {
    let now = store.audit_hash(kept.entries).await?;
    Ok(match now {
        Some(hash) if hash == kept.head => None,
        // Somewhere up to here; the chain alone cannot tell where.
        Some(_) => Some(kept.entries),
        None => Some(i64::try_from(entries).unwrap_or(i64::MAX).saturating_add(1)),
    })
}

#[cfg(test)]
mod tests;
