//! This process as one node among others: the leases it holds, and the fence that stops it from acting without them.
//!
//! A node beats every 1.5 s while it holds anything. Its age counts from when its last successful beat was *sent*, on a
//! clock that goes on while the machine sleeps. Past 4 s it writes to no vendor. A contender that saw a lease unchanged
//! for 6 s takes it over. What still slips through is caught by read-backs and by the hold pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use crate::store::{LeaseProof, LeaseSeen, Store, StoreError, node_lease};

/// Time between beats.
const BEAT: Duration = Duration::from_millis(1_500);
/// Past this age of the last beat, nothing is sent.
const FENCE_MS: u64 = 4_000;
/// A lease unchanged for so long has lost its holder.
const SILENCE_MS: u64 = 6_000;

/// One process that may act.
pub struct Node {
    id: String,
    store: Store,
    /// When the last successful beat was sent, in milliseconds of `CLOCK_BOOTTIME`.
    beat_sent: AtomicU64,
    held: Mutex<BTreeMap<String, LeaseProof>>,
    /// Sweeps and log polls of this process share one lease; the first to end would give it back under the other.
    observer_turn: tokio::sync::Mutex<()>,
    /// Foreign leases as they were first seen unchanged.
    watched: Mutex<BTreeMap<String, (LeaseSeen, u64)>>,
}

impl Node {
    /// `id` is unique per process.
    pub fn new(store: Store, id: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            id: id.into(),
            store,
            beat_sent: AtomicU64::new(0),
            held: Mutex::default(),
            observer_turn: tokio::sync::Mutex::default(),
            watched: Mutex::default(),
        })
    }

    /// This node's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes a lease, also from a holder that fell silent. `None`: somebody holds it; ask again later.
    pub async fn take(&self, name: &str) -> Result<Option<LeaseProof>, StoreError> {
        if let Some(proof) = self.proof(name) {
            return Ok(Some(proof));
        }
        let sent = boottime_ms();
        let proof = match self.store.acquire_lease(name, &self.id).await? {
            Some(proof) => Some(proof),
            None => match self
                .store
                .observe_lease(name)
                .await?
                .filter(|seen| self.is_silent(seen))
            {
                Some(seen) => self.store.take_over_lease(&seen, &self.id).await?,
                None => None,
            },
        };
        if let Some(proof) = &proof {
            self.beat_sent.fetch_max(sent, Ordering::AcqRel);
            lock(&self.held).insert(name.to_owned(), proof.clone());
            lock(&self.watched).remove(name);
        }
        Ok(proof)
    }

    /// Takes a lease, waiting for its holder to give it back or to fall silent.
    pub async fn take_waiting(
        &self,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<Option<LeaseProof>, StoreError> {
        loop {
            if let Some(proof) = self.take(name).await? {
                return Ok(Some(proof));
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
        }
    }

    /// The turn of this process's sweeps and log polls; held around the observer lease.
    pub fn observer_turn(&self) -> &tokio::sync::Mutex<()> {
        &self.observer_turn
    }

    /// Gives a lease back.
    pub async fn give_back(&self, name: &str) -> Result<(), StoreError> {
        let proof = lock(&self.held).remove(name);
        if let Some(proof) = proof {
            self.store.release_lease(&proof).await?;
        }
        Ok(())
    }

    /// The lease that this node holds on itself; its runs rest on it.
    pub async fn own_lease(&self) -> Result<Option<LeaseProof>, StoreError> {
        self.take(&node_lease(&self.id)).await
    }

    /// Proof of a lease that is held now.
    pub fn proof(&self, name: &str) -> Option<LeaseProof> {
        lock(&self.held).get(name).cloned()
    }

    /// Whether this process may still write to a vendor.
    pub fn may_act(&self) -> bool {
        boottime_ms().saturating_sub(self.beat_sent.load(Ordering::Acquire)) <= FENCE_MS
    }

    /// The fence that a [`connectors::WritePermit`] asks just before the bytes go out.
    pub fn fence(self: &Arc<Self>) -> Arc<dyn Fn() -> bool + Send + Sync> {
        let node = Arc::clone(self);
        Arc::new(move || node.may_act())
    }

    /// Beats once; what was lost is forgotten.
    pub async fn beat(&self) -> Result<(), StoreError> {
        if lock(&self.held).is_empty() {
            return Ok(());
        }
        let sent = boottime_ms();
        let still: BTreeSet<String> = self.store.beat(&self.id).await?.into_iter().collect();
        let mut held = lock(&self.held);
        for name in held.keys().filter(|name| !still.contains(*name)) {
            tracing::warn!(lease = %name, "lost a lease to another node");
        }
        held.retain(|name, _| still.contains(name));
        if !held.is_empty() {
            self.beat_sent.fetch_max(sent, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Beats until `stop`, then gives everything back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(BEAT) => {}
            }
            if let Err(error) = self.beat().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot beat; acting stops in a moment"
                );
            }
        }
        let names: Vec<String> = lock(&self.held).keys().cloned().collect();
        for name in names {
            if let Err(error) = self.give_back(&name).await {
                tracing::warn!(lease = %name, error = &error as &dyn std::error::Error, "cannot give a lease back");
            }
        }
    }

    /// Ends the leases of nodes that fell silent, so that their runs can be claimed.
    pub async fn end_silent_nodes(&self) -> Result<(), StoreError> {
        let own = node_lease(&self.id);
        for seen in self.store.node_leases().await? {
            if seen.name != own && self.is_silent(&seen) && self.store.end_lease(&seen).await? {
                tracing::warn!(lease = %seen.name, "a node fell silent; its runs go on here");
            }
        }
        Ok(())
    }

    /// Whether a lease has been seen unchanged for long enough.
    fn is_silent(&self, seen: &LeaseSeen) -> bool {
        let now = boottime_ms();
        let mut watched = lock(&self.watched);
        match watched.get(&seen.name) {
            Some((before, since)) if before == seen => now.saturating_sub(*since) >= SILENCE_MS,
            _ => {
                watched.insert(seen.name.clone(), (seen.clone(), now));
                false
            }
        }
    }
}

/// Milliseconds of a clock that goes on while the machine sleeps.
fn boottime_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000
        + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000_000
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
