//! The pass that seals what the others wrote into the audit, under a lease: one chain has one end.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::AuditKey;
use crate::{
    node::Node,
    pass::Pass,
    store::{SEALER_LEASE, Store},
};

/// Longest real time between two looks, so that an entry is sealed within a second.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// Numbers, chains and signs new entries.
pub struct Sealer {
    store: Store,
    node: Arc<Node>,
    key: AuditKey,
}

impl Sealer {
    /// Seals as this node, with this key.
    pub fn new(store: Store, node: Arc<Node>, key: AuditKey) -> Self {
        Self { store, node, key }
    }
}

#[async_trait]
impl Pass for Sealer {
    fn name(&self) -> &'static str {
        "audit-sealer"
    }

    fn looks_every(&self) -> Duration {
        LOOKS_EVERY
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        if self.store.audit_waiting().await? == 0 {
            return Ok(None);
        }
        let Some(lease) = self.node.take(SEALER_LEASE).await? else {
            return Ok(None);
        };
        // Two machines that started at once made two keys; the record bears one only.
        if let Some(last) = self.store.last_audit_seal().await? {
            ensure!(
                self.key.has_signed(&last),
                "the last seal of the audit was signed with another key than [audit] key; nothing is sealed"
            );
        }
        while let Some(seal) = self
            .store
            .seal_audit(&lease, now, |text| self.key.sign(text))
            .await?
        {
            tracing::debug!(audit.last_seq = seal.last_seq, "sealed the audit");
        }
        Ok(None)
    }
}
