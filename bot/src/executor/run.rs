//! A run as a whole: its waves, what its repairs add up to, and the stops that hold for it.

use anyhow::Context;
use chrono::{DateTime, Utc};

use super::{Executor, Progress, earliest};
use crate::{
    approvals,
    chat::messages,
    domain::{
        Plan, PlanDigest, ProposalId, ProposalState, RepairId, RepairState, digest,
        repairs::{self, RepairEvent},
        waves::{self, WaveRepair, WaveStatus},
    },
    store::{RepairChange, RepairRecord, RunRecord, RunStateChange, StopScope, Together},
};

/// A run with the plan that was approved.
pub(super) struct Opened {
    pub(super) run: RunRecord,
    pub(super) proposal: ProposalId,
    pub(super) plan: Plan,
    /// Digest of the plan, computed again from the plan that is carried out.
    pub(super) digest: PlanDigest,
}

/// A stop that holds for a run.
pub(super) struct Halt {
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) frozen: bool,
    /// Whether it ends the run rather than pausing what has not begun.
    pub(super) is_final: bool,
}

impl Executor {
    /// Loads the plan of a run and checks that it is the one that was approved.
    pub(super) async fn open(
        &self,
        run: &RunRecord,
        _now: DateTime<Utc>,
    ) -> anyhow::Result<Opened> {
        let proposal = self
            .store
            .proposal(&run.proposal)
            .await?
            .context("the run has no proposal")?;
        let digest = digest::digest(&proposal.plan);
        anyhow::ensure!(
            digest == proposal.digest,
            "the plan of {} is not the one that was approved: digest {digest}, approved {}",
            proposal.id,
            proposal.digest
        );
        Ok(Opened {
            run: run.clone(),
            proposal: proposal.id,
            plan: proposal.plan,
            digest,
        })
    }

    /// Opens waves and sums up; returns when the run is to be looked at again.
    pub(super) async fn settle(
        &self,
        run: &RunRecord,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<DateTime<Utc>>> {
        let opened = self.open(run, now).await?;
        let mut records = self.store.repairs(&run.id).await?;
        let stop = self.stopped(&opened).await?;
        for record in records
            .iter()
            .filter(|record| record.state == RepairState::Queued)
        {
            if let Some(halt) = stop.as_ref().filter(|halt| halt.is_final && !halt.frozen) {
                let because = format!("stopped by {}: {}", halt.by, halt.reason);
                self.end_queued(&opened, record, RepairEvent::Stopped, &because)
                    .await?;
            } else if now > run.valid_until {
                let reason = "the approval was no longer valid when its turn came".to_owned();
                self.end_queued(&opened, record, RepairEvent::Dropped { reason }, "")
                    .await?;
            }
        }
        records = self.store.repairs(&run.id).await?;
        let mut next = None;
        if stop.is_none() {
            let standing: Vec<WaveRepair> = records.iter().map(wave_repair).collect();
            let decision = waves::open(&opened.plan.rollout, &standing, now);
            match &decision.status {
                WaveStatus::Open => {
                    let wave = u32::try_from(decision.wave).unwrap_or(u32::MAX) + 1;
                    if run.wave < wave {
                        self.open_wave(&opened, wave, &records, &decision.may_start, now)
                            .await?;
                        next = Some(now);
                    }
                }
                WaveStatus::AllBegun => {}
                WaveStatus::AtGate { until, .. } | WaveStatus::Pausing { until } => {
                    next = Some(*until)
                }
                WaveStatus::TooManyFailed { failed, allowed } => {
                    let reason = format!("halted: {failed} failed, {allowed} were allowed");
                    self.halt(&opened, &records, &reason).await?;
                }
                WaveStatus::GateMissed { passed, needed } => {
                    let hop = crate::wording::hop(opened.plan.rollout.gate);
                    let reason = format!(
                        "halted: {passed} of the wave reached \"{hop}\" in time, {needed} had to"
                    );
                    self.halt(&opened, &records, &reason).await?;
                }
            }
        } else {
            next = Some(now + super::LOOK_AGAIN);
        }
        records = self.store.repairs(&run.id).await?;
        self.sum_up(&opened, &records, now).await?;
        Ok(earliest(next, None))
    }

    async fn open_wave(
        &self,
        opened: &Opened,
        wave: u32,
        records: &[RepairRecord],
        may_start: &[usize],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let begin: Vec<RepairId> = may_start
            .iter()
            .filter_map(|index| Some(records.get(*index)?.id.clone()))
            .collect();
        let waves = opened.plan.rollout.waves.len();
        let line = format!(
            "wave {wave} of {waves}: {}",
            crate::words::count(begin.len(), "computer")
        );
        let letters = [
            messages::thread(&opened.proposal, &format!("wave:{wave}"), &line, now),
            messages::card(&opened.proposal, now),
        ];
        let together = Together {
            messages: &letters,
            audit: &[],
        };
        self.store
            .open_wave(&self.lease()?, &opened.run.id, wave, &begin, now, together)
            .await?;
        Ok(())
    }

    /// Leaves out every computer that has not begun.
    async fn halt(
        &self,
        opened: &Opened,
        records: &[RepairRecord],
        reason: &str,
    ) -> anyhow::Result<()> {
        for record in records
            .iter()
            .filter(|record| record.state == RepairState::Queued)
        {
            self.end_queued(
                opened,
                record,
                RepairEvent::Dropped {
                    reason: reason.to_owned(),
                },
                "",
            )
            .await?;
        }
        Ok(())
    }

    async fn end_queued(
        &self,
        opened: &Opened,
        record: &RepairRecord,
        event: RepairEvent,
        because: &str,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let state = repairs::apply(record.state.clone(), event)?;
        let progress = Progress {
            because: (!because.is_empty()).then(|| because.to_owned()),
            ..Progress::default()
        };
        let change = RepairChange::new(
            record.id.clone(),
            record.version,
            state,
            serde_json::to_value(&progress)?,
            now,
        );
        let letters = [messages::card(&opened.proposal, now)];
        self.store
            .change_repair(
                &self.lease()?,
                &change,
                Together {
                    messages: &letters,
                    audit: &[],
                },
            )
            .await?;
        Ok(())
    }

    /// Moves the run to what its repairs add up to.
    async fn sum_up(
        &self,
        opened: &Opened,
        records: &[RepairRecord],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let run = &opened.run;
        let state = repairs::fold(records.iter().map(|record| &record.state));
        let ended = records.iter().all(|record| record.state.is_end());
        let lease = self.lease()?;
        if state != run.state {
            let mut letters = vec![messages::card(&opened.proposal, now)];
            if ended {
                let line = format!(
                    "{}: {}",
                    crate::wording::proposal_state(state),
                    totals(records)
                );
                letters.push(messages::thread(&opened.proposal, "ended", &line, now));
            }
            let change = RunStateChange {
                run: run.id.clone(),
                expected: run.state,
                state,
                at: now,
            };
            self.store
                .set_run_state(
                    &lease,
                    &change,
                    Together {
                        messages: &letters,
                        audit: &[],
                    },
                )
                .await?;
        }
        if ended {
            let managed = records
                .iter()
                .any(|record| record.state == RepairState::Managed);
            if managed {
                self.store
                    .mark_batch_verified(&run.playbook, &run.id, now)
                    .await?;
            }
            if state == ProposalState::Stopped {
                self.store
                    .finish_run(&lease, &run.id, now, Together::default())
                    .await?;
            }
        }
        Ok(())
    }

    /// The stop that holds for a run, if any.
    pub(super) async fn stopped(&self, opened: &Opened) -> anyhow::Result<Option<Halt>> {
        let stops = approvals::in_force(&self.store, &self.stop_file).await?;
        let holds = |scope: &StopScope| match scope {
            StopScope::All => true,
            StopScope::Playbook(name) => *name == opened.plan.playbook,
            StopScope::Proposal(id) => *id == opened.proposal,
        };
        let mut active = stops
            .into_iter()
            .filter(|stop| holds(&stop.stop.scope))
            .map(|stop| stop.stop)
            .peekable();
        let Some(first) = active.peek().cloned() else {
            return Ok(None);
        };
        let all: Vec<_> = active.collect();
        Ok(Some(Halt {
            by: first.by,
            reason: first.reason,
            frozen: all.iter().any(|stop| stop.freeze),
            is_final: all
                .iter()
                .any(|stop| matches!(stop.scope, StopScope::Proposal(_))),
        }))
    }

    /// Looks at a repair again later, whatever it is doing.
    pub(super) async fn put_off(&self, id: &RepairId, until: DateTime<Utc>) {
        let put_off = async {
            let Some(record) = self.store.repair(id).await? else {
                return Ok(());
            };
            if record.state.is_end() {
                return Ok(());
            }
            let mut change = RepairChange::new(
                record.id,
                record.version,
                record.state,
                record.hops,
                self.clock.now(),
            );
            change.next_look_at = Some(until);
            self.store
                .change_repair(&self.lease()?, &change, Together::default())
                .await?;
            anyhow::Ok(())
        };
        if let Err(error) = put_off.await {
            tracing::warn!(repair.id = %id, error = %format!("{error:#}"), "cannot put a repair off");
        }
    }
}

fn wave_repair(record: &RepairRecord) -> WaveRepair {
    let progress: Progress = serde_json::from_value(record.hops.clone()).unwrap_or_default();
    WaveRepair {
        state: record.state.clone(),
        began_at: record.started_at,
        passed_at: progress.gate_passed_at,
    }
}

/// `3 managed again, 1 left out`
fn totals(records: &[RepairRecord]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for record in records {
        let word = match &record.state {
            RepairState::NotFixed { .. } => "not fixed".to_owned(),
            RepairState::NeedsHuman { .. } => "needs a person".to_owned(),
            RepairState::Dropped { .. } => "left out".to_owned(),
            state => crate::wording::repair_state(state),
        };
        match counts.iter_mut().find(|(kept, _)| *kept == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
}
