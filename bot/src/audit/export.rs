//! The record as lines of JSON, for whoever checks it without this program.
//!
//! First `{"format","public_key"}`, then `{"entry":…}` in order, each `{"seal":…}` after the last entry that it covers.
//! `deploy/README.md` says how the hashes are made.

use serde_json::json;

use super::AuditKey;
use crate::store::{AuditEntry, AuditSeal, Store, StoreError};

/// Entries that are held at once.
const PAGE: u32 = 500;

/// Hands out every sealed entry and every seal, line by line.
pub async fn export(
    store: &Store,
    key: Option<&AuditKey>,
    mut line: impl FnMut(&str),
) -> Result<(), StoreError> {
    let public = key.map(AuditKey::public);
    line(&json!({ "format": "unstuck-audit-1", "public_key": public }).to_string());
    let mut seals = store.audit_seals().await?.into_iter().peekable();
    let mut last = 0;
    // What is sealed meanwhile has no seal here, and is left for the next export.
    'record: while seals.peek().is_some() {
        let page = store.audit_entries_after(last, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in &page {
            last = entry.seq.unwrap_or(last);
            line(&entry_line(entry));
            while let Some(seal) = seals.next_if(|seal| seal.last_seq <= last) {
                line(&seal_line(&seal));
            }
            if seals.peek().is_none() {
                break 'record;
            }
        }
    }
    // Seals of entries that are gone: whoever checks the export shall see them.
    for seal in seals {
        line(&seal_line(&seal));
    }
    Ok(())
}

fn entry_line(entry: &AuditEntry) -> String {
    json!({ "entry": {
        "seq": entry.seq,
        "kind": entry.kind,
        "about": entry.about,
        "at": entry.at.timestamp_millis(),
        "payload": entry.payload,
        "payload_hash": entry.payload_hash,
        "chain_hash": entry.chain_hash,
    } })
    .to_string()
}

fn seal_line(seal: &AuditSeal) -> String {
    json!({ "seal": {
        "last_seq": seal.last_seq,
        "head": seal.head,
        "signature": seal.signature,
        "at": seal.at.timestamp_millis(),
    } })
    .to_string()
}
