//! Walks approved plans, journal first, and proves their success.
//!
//! Expected flow: a run is claimed under this node's lease; its waves open; each due repair is advanced by one decision
//! at a time. The intent of a call is durable before the call; its outcome and the next intent share a transaction.
//! Guarantees: no call without an approved plan (a [`connectors::WritePermit`] is made from one, nowhere else); nothing
//! that may be sent once is sent twice; what was taken away from a computer is given back, however the repair ends.
//! Assumptions: calls are read back by what the vendor shows; a vendor's late effects come within 30 s.

mod act;
mod holds;
mod prove;
mod record;
mod repair;
mod restore;
mod run;
mod steps;
mod waits;
mod watch;

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{MdmActions, OktaActions};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

pub use holds::HoldPass;
pub use watch::ByIdRead;

use crate::{
    clock::SharedClock,
    domain::{
        DeviceId, Hop, LogFacts, MdmName, RepairState, RunId, UserId, VendorCall,
        guard::Exclusions, verify::ProvedBy,
    },
    fresh::FreshReader,
    node::Node,
    pass::Pass,
    store::{RepairRecord, RunRecord, Store},
};

/// How many repairs are advanced side by side.
const CONCURRENT_REPAIRS: usize = 8;
/// Most repairs looked at in one pass.
const REPAIRS_PER_PASS: u32 = 200;
/// Rest before an intent without outcome is read back: late effects.
const REST: TimeDelta = TimeDelta::seconds(30);
/// Time between looks after a failed read.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(60);
/// Most attempts of one call.
const MOST_ATTEMPTS: u32 = 5;
/// How long an unclear call may stay unread before a person is asked.
const UNCLEAR_FOR: TimeDelta = TimeDelta::hours(24);

/// Carries out approved plans.
pub struct Executor {
    /// The record.
    pub store: Store,
    /// Our own clock.
    pub clock: SharedClock,
    /// This node.
    pub node: Arc<Node>,
    /// Reads one computer.
    pub reader: FreshReader,
    /// Writes to Okta.
    pub okta: Arc<dyn OktaActions>,
    /// Writes to each MDM.
    pub mdms: HashMap<MdmName, Arc<dyn MdmActions>>,
    /// Whom to leave alone.
    pub exclusions: Exclusions,
    /// While this file exists, everything is stopped.
    pub stop_file: PathBuf,
    /// Where a test may end the process.
    pub faults: Arc<dyn Faults>,
}

/// Moments in the life of a call at which a test may end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// The intent is durable; nothing has been sent.
    BeforeSend,
    /// The answer is there; nothing has been recorded.
    AfterAnswer,
}

/// Lets a test end the process at a [`CrashPoint`].
pub trait Faults: Send + Sync {
    /// Called at each point of each call.
    fn at(&self, point: CrashPoint, call: &VendorCall);
}

/// Production: nothing happens.
pub struct NoFaults;

impl Faults for NoFaults {
    fn at(&self, _: CrashPoint, _: &VendorCall) {}
}

/// The executor's word on the proof of one repair; stored with it, shown by `runs show`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Hops of the proof, in order.
    pub hops: Vec<HopRecord>,
    /// When a by-id read said `NOT_MANAGED`, per subject, in Okta's time.
    pub not_managed_by_id_at: Vec<Option<DateTime<Utc>>>,
    /// When the gate of the wave was passed, on our own clock.
    pub gate_passed_at: Option<DateTime<Utc>>,
    /// The last by-id read while the proof is waited for.
    pub read_by_id: Option<ByIdRead>,
    /// When the steps ended and the proof began, on our own clock.
    pub proof_began_at: Option<DateTime<Utc>>,
    /// What proved that it is managed.
    pub proved_by: Option<ProvedBy>,
    /// Why it ended as it did.
    pub because: Option<String>,
}

/// One hop of the proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HopRecord {
    /// Which.
    pub hop: Hop,
    /// How it stands.
    #[serde(flatten)]
    pub state: crate::domain::verify::HopState,
}

/// That a repair made a device-user managed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// When, on our own clock.
    pub at: DateTime<Utc>,
    /// By what; `None` in records that do not say it.
    pub by: Option<ProvedBy>,
    /// The run it belongs to.
    pub run: RunId,
}

impl Proved {
    /// The newest proof about a device-user among `repairs`, which are newest first.
    pub fn newest(repairs: &[RepairRecord], device: &DeviceId, user: &UserId) -> Option<Self> {
        let repair = repairs.iter().find(|repair| {
            let mut subjects = repair.subjects.iter();
            repair.state == RepairState::Managed
                && subjects.any(|one| one.device_id == *device && one.user_id == *user)
        })?;
        let progress: Progress = serde_json::from_value(repair.hops.clone()).unwrap_or_default();
        Some(Self {
            at: repair.finished_at?,
            by: progress.proved_by,
            run: repair.run.clone(),
        })
    }
}

#[async_trait]
impl Pass for Executor {
    fn name(&self) -> &'static str {
        "executor"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let Some(lease) = self.node.own_lease().await? else {
            return Ok(Some(now + TimeDelta::seconds(5)));
        };
        self.node.end_silent_nodes().await?;
        let runs = self
            .store
            .claim_runs(&lease)
            .await
            .context("cannot claim runs")?;
        if runs.is_empty() {
            return Ok(None);
        }
        let mut plans = HashMap::new();
        for run in &runs {
            match self.open(run, now).await {
                Ok(opened) => drop(plans.insert(run.id.clone(), opened)),
                Err(error) => {
                    tracing::error!(run.id = %run.id, error = %format!("{error:#}"), "cannot work on a run")
                }
            }
        }
        let due = self
            .store
            .due_repairs(&lease, now, REPAIRS_PER_PASS)
            .await?;
        if !due.is_empty() {
            let log: Arc<LogFacts> = Arc::new(self.store.load_log_facts().await?);
            stream::iter(due)
                .for_each_concurrent(CONCURRENT_REPAIRS, |repair| {
                    let (opened, log) = (plans.get(&repair.run), Arc::clone(&log));
                    async move {
                        let Some(opened) = opened else { return };
                        let id = repair.id.clone();
                        if let Err(error) = self.advance(opened, repair, log).await {
                            tracing::error!(repair.id = %id, error = %format!("{error:#}"), "cannot advance a repair");
                            self.put_off(&id, now + LOOK_AGAIN).await;
                        }
                    }
                })
                .await;
        }
        let mut next = self.store.next_repair_due(&lease).await?;
        for run in runs {
            match self.settle(&run, now).await {
                Ok(due) => next = earliest(next, due),
                Err(error) => {
                    tracing::error!(run.id = %run.id, error = %format!("{error:#}"), "cannot settle a run")
                }
            }
        }
        Ok(next)
    }
}

impl Executor {
    /// The time of a source now, else our own.
    fn source_time(&self, mdm: Option<&MdmName>) -> DateTime<Utc> {
        let time = match mdm {
            Some(name) => self.reader.mdm(name).and_then(|mdm| mdm.now()),
            None => self.reader.okta.now(),
        };
        time.unwrap_or_else(|| self.clock.now())
    }

    /// Each source's time now, for the start of a run.
    fn source_times(&self) -> crate::domain::SourceTimes {
        let okta = [("okta".to_owned(), self.reader.okta.now())];
        let mdms = self
            .reader
            .mdms
            .iter()
            .map(|(mdm, _)| (mdm.name().to_owned(), mdm.now()));
        let began = okta
            .into_iter()
            .chain(mdms)
            .filter_map(|(name, at)| Some((name, at?)))
            .collect();
        crate::domain::SourceTimes { began }
    }

    /// When a run began in the time of a source.
    fn began(&self, run: &RunRecord, source: &str) -> DateTime<Utc> {
        run.source_times
            .began
            .get(source)
            .copied()
            .unwrap_or(run.started_at)
    }
}

fn earliest(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// When to look again at something that is waited for.
fn poll_after(waited: TimeDelta, in_hold: bool) -> TimeDelta {
    match (in_hold, waited) {
        (true, waited) if waited < TimeDelta::minutes(5) => TimeDelta::seconds(10),
        (true, _) => TimeDelta::minutes(1),
        (false, waited) if waited < TimeDelta::minutes(15) => TimeDelta::minutes(1),
        (false, _) => TimeDelta::minutes(15),
    }
}

/// A duration of a plan.
fn seconds(seconds: u64) -> TimeDelta {
    TimeDelta::from_std(Duration::from_secs(seconds)).unwrap_or(TimeDelta::days(365))
}
