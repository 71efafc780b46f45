//! One computer in a run: preflight, steps, waits, restoring, proof. Each call of [`Executor::advance`] goes on until
//! something has to be waited for.

use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{Executor, LOOK_AGAIN, Progress, run::Opened, seconds};
use crate::{
    domain::{
        Hop, LogFacts, MdmKind, MicroStepKind, OnTimeout, PlannedRepair, Platform, RepairState,
        StepState, VendorCall,
        journal::{Journal, Next, StepEvent, StepEventKind},
        planning::access,
        preconditions::{self, Preflight},
        repairs::RepairEvent,
    },
    store::{
        BeginOutcome, NewAuditEntry, NewMessage, RepairRecord, StepOutcome, StepRecord, Together,
    },
};

/// A repair being advanced: its record, its journal as stored, and what is to be written with the next change.
pub(super) struct Walk<'r> {
    pub(super) opened: &'r Opened,
    pub(super) record: RepairRecord,
    pub(super) planned: &'r PlannedRepair,
    pub(super) steps: Vec<StepRecord>,
    pub(super) progress: Progress,
    pub(super) outcomes: Vec<StepOutcome>,
    pub(super) messages: Vec<NewMessage>,
    pub(super) audit: Vec<NewAuditEntry>,
}

impl Walk<'_> {
    pub(super) fn journal(&self) -> anyhow::Result<Journal<'_>> {
        let mut events = Vec::new();
        for record in &self.steps {
            let Some(step) = self
                .planned
                .steps
                .iter()
                .position(|step| step.id == record.step)
            else {
                // A step that restores: it is no step of the plan.
                continue;
            };
            push_events(&mut events, step, record);
        }
        Journal::replay(self.planned, &events).context("the journal of the repair does not add up")
    }

    /// The newest record of a planned step.
    pub(super) fn latest(&self, step: usize) -> Option<&StepRecord> {
        let id = &self.planned.steps[step].id;
        self.steps
            .iter()
            .filter(|record| record.step == *id)
            .max_by_key(|record| record.attempt)
    }

    /// The source's time at the intent of a step.
    pub(super) fn source_time_of(&self, record: &StepRecord) -> DateTime<Utc> {
        let noted = record
            .inputs
            .get("source_time")
            .and_then(|at| at.as_str())
            .and_then(|at| at.parse().ok());
        noted.unwrap_or(record.started_at)
    }

    /// The source's time at the last call before a wait; what the wait waits for must be later.
    pub(super) fn since_last_call(&self, wait: usize) -> Option<DateTime<Utc>> {
        (0..wait).rev().find_map(|step| {
            let called = matches!(self.planned.steps[step].kind, MicroStepKind::Call(_));
            let record = self
                .latest(step)
                .filter(|record| called && record.state == StepState::Succeeded)?;
            Some(self.source_time_of(record))
        })
    }

    /// The source's time at the first of the calls that stand together before a wait. Any of them may already bring
    /// what is waited for, also while the process is down between two of them.
    pub(super) fn since_calls_before(&self, wait: usize) -> Option<DateTime<Utc>> {
        let together = (0..wait).rev().map_while(|step| {
            let MicroStepKind::Call(call) = &self.planned.steps[step].kind else {
                return None;
            };
            Some((step, !matches!(call, VendorCall::DirectMessage { .. })))
        });
        let times = together
            .filter(|(_, to_vendor)| *to_vendor)
            .filter_map(|(step, _)| self.latest(step))
            .filter(|record| record.state == StepState::Succeeded)
            .map(|record| self.source_time_of(record));
        times.min()
    }
}

fn push_events(events: &mut Vec<StepEvent>, step: usize, record: &StepRecord) {
    let ended = record.finished_at.unwrap_or(record.started_at);
    let reason = || {
        let outputs = record.outputs.as_ref();
        outputs
            .and_then(|outputs| outputs.get("reason"))
            .and_then(|reason| reason.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let timed_out = record
        .outputs
        .as_ref()
        .is_some_and(|outputs| outputs.get("timed_out") == Some(&json!(true)));
    if record.state == StepState::Skipped {
        events.push(StepEvent {
            step,
            kind: StepEventKind::Skipped,
            at: ended,
        });
        return;
    }
    events.push(StepEvent {
        step,
        kind: StepEventKind::Intended,
        at: record.started_at,
    });
    let kind = match record.state {
        StepState::Succeeded => StepEventKind::Succeeded,
        StepState::Failed if timed_out => StepEventKind::TimedOut,
        StepState::Failed => StepEventKind::Failed { reason: reason() },
        StepState::Unclear => StepEventKind::Unclear { reason: reason() },
        StepState::Planned | StepState::Intended | StepState::Skipped => return,
    };
    events.push(StepEvent {
        step,
        kind,
        at: ended,
    });
}

impl Executor {
    /// Advances one repair until it has to wait or has ended.
    pub(super) async fn advance(
        &self,
        opened: &Opened,
        record: RepairRecord,
        log: Arc<LogFacts>,
    ) -> anyhow::Result<()> {
        let planned = opened
            .plan
            .repairs
            .get(record.position)
            .context("the plan has no such repair")?;
        let steps = self.store.steps(&record.id).await?;
        let progress = serde_json::from_value(record.hops.clone()).unwrap_or_default();
        let mut walk = Walk {
            opened,
            record,
            planned,
            steps,
            progress,
            outcomes: Vec::new(),
            messages: Vec::new(),
            audit: Vec::new(),
        };
        if matches!(walk.record.state, RepairState::Queued) && !self.begin(&mut walk).await? {
            return Ok(());
        }
        if matches!(walk.record.state, RepairState::Preflight)
            && !self.preflight(&mut walk, &log).await?
        {
            return Ok(());
        }
        while !walk.record.state.is_end() {
            let going_on = if walk.record.state.waits_for_hop() {
                self.verify(&mut walk, &log).await?
            } else {
                self.step(&mut walk, &log).await?
            };
            if !going_on {
                break;
            }
        }
        Ok(())
    }

    /// Takes computer and users; `false`: not now, or not ever.
    async fn begin(&self, walk: &mut Walk<'_>) -> anyhow::Result<bool> {
        let now = self.clock.now();
        if self.stopped(walk.opened).await?.is_some() {
            self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
            return Ok(false);
        }
        if now > walk.opened.run.valid_until {
            let reason = format!(
                "the approval was valid until {} only",
                walk.opened.run.valid_until.format("%-d %b %H:%M UTC")
            );
            self.end(walk, RepairEvent::Dropped { reason }).await?;
            return Ok(false);
        }
        let lease = self.lease()?;
        match self
            .store
            .begin_repair(
                &lease,
                &walk.record,
                now + LOOK_AGAIN,
                now,
                Together::default(),
            )
            .await?
        {
            BeginOutcome::Begun { version } => {
                walk.record.version = version;
                walk.record.state = RepairState::Preflight;
                walk.record.started_at = Some(now);
                Ok(true)
            }
            BeginOutcome::InFlight { by } => {
                tracing::info!(repair.id = %walk.record.id, other = %by, "waits: another repair has the computer or its user");
                self.put_off(&walk.record.id, now + TimeDelta::minutes(15))
                    .await;
                Ok(false)
            }
            BeginOutcome::Changed => Ok(false),
        }
    }

    /// Reads everything again; `true`: the first step may follow.
    async fn preflight(&self, walk: &mut Walk<'_>, log: &Arc<LogFacts>) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let fresh = match self
            .reader
            .read(walk.planned, LogFacts::clone(log), now)
            .await
        {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::warn!(repair.id = %walk.record.id, error = %format!("{error:#}"), "cannot read a computer before its repair");
                self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                return Ok(false);
            }
        };
        self.note_source_times(walk).await?;
        let excluded = match self.excluded(walk.planned).await {
            Ok(excluded) => excluded,
            Err(error) => {
                // Not knowing whether somebody is to be left alone is no leave to act.
                tracing::warn!(repair.id = %walk.record.id, error = %error, "cannot read whether a person is excluded");
                self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                return Ok(false);
            }
        };
        let quarantined = self
            .store
            .quarantined()
            .await?
            .iter()
            .any(|one| one.hardware == walk.planned.hardware.as_str());
        let held = self.held_by_another(walk).await?;
        self.note_not_managed(walk, &fresh);
        match preconditions::check(
            walk.planned,
            &fresh.for_preflight(excluded, quarantined, held),
        ) {
            Preflight::CuredByItself => {
                self.end(walk, RepairEvent::Cured).await?;
                Ok(false)
            }
            Preflight::Dropped(reason) => {
                self.end(walk, RepairEvent::Dropped { reason }).await?;
                Ok(false)
            }
            Preflight::Go => match self.access_refused(walk).await {
                Ok(None) => Ok(true),
                Ok(Some(reason)) => {
                    self.end(walk, RepairEvent::Dropped { reason }).await?;
                    Ok(false)
                }
                Err(error) => {
                    tracing::warn!(repair.id = %walk.record.id, error = %error, "cannot read what a person keeps");
                    self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                    Ok(false)
                }
            },
        }
    }

    /// Why a user may not be put into the FastPass group: an app would be lost, or that none is cannot be shown.
    async fn access_refused(&self, walk: &Walk<'_>) -> connectors::Result<Option<String>> {
        let mut policies = None;
        for step in &walk.planned.steps {
            let MicroStepKind::Call(VendorCall::SetUserGroup {
                group,
                user,
                present: true,
            }) = &step.kind
            else {
                continue;
            };
            let okta = self.reader.okta.as_ref();
            let policies = match &mut policies {
                Some(policies) => policies,
                unread => unread.insert(okta.policies().await?),
            };
            let groups = okta.user_groups(user).await?;
            let platform = match walk.planned.mdm_kind {
                Some(MdmKind::Jamf) => Platform::Macos,
                _ => Platform::Windows,
            };
            let check = crate::access::check(okta, policies, &groups, group, platform).await;
            if let Some(reason) = access::why_not(&check) {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Why the settings leave this computer or one of its people alone; groups are read now, because people join them.
    async fn excluded(&self, planned: &PlannedRepair) -> connectors::Result<Option<String>> {
        if let Some(reason) = self.exclusions.of_repair(planned) {
            return Ok(Some(reason));
        }
        if self.exclusions.groups.is_empty() {
            return Ok(None);
        }
        for subject in &planned.subjects {
            let groups = self.reader.okta.user_groups(&subject.user_id).await?;
            if groups
                .iter()
                .any(|group| self.exclusions.groups.contains(group))
            {
                return Ok(Some(format!(
                    "user {} is in an excluded group",
                    subject.login
                )));
            }
        }
        Ok(None)
    }

    /// One move among the steps; `false`: wait, or ended.
    async fn step(&self, walk: &mut Walk<'_>, log: &Arc<LogFacts>) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let next = walk.journal()?.next();
        // What is under way is settled first, also under a stop: only then is it known what is to be given back.
        if !matches!(next, Next::ReadBack { .. })
            && let Some(stop) = self.stopped(walk.opened).await?
        {
            if stop.frozen {
                self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                return Ok(false);
            }
            return self
                .restore_then(
                    walk,
                    RepairEvent::Stopped,
                    Some(format!("stopped by {}: {}", stop.by, stop.reason)),
                )
                .await;
        }
        match next {
            Next::Begin { step } => self.begin_step(walk, step, log).await,
            Next::ReadBack { step, may_repeat } => self.settle_call(walk, step, may_repeat).await,
            Next::Wait { step, since } => self.wait(walk, step, since, log).await,
            Next::Verify => {
                walk.progress.proof_began_at = Some(now);
                let hop = walk
                    .opened
                    .plan
                    .verify
                    .hops
                    .first()
                    .copied()
                    .unwrap_or(Hop::Managed);
                let deadline = now + seconds(walk.opened.plan.verify.within_seconds);
                self.change(
                    walk,
                    RepairEvent::HopAwaited { hop, deadline },
                    Some(now),
                    Vec::new(),
                )
                .await?;
                Ok(true)
            }
            Next::End { step, reason } => {
                let hop = walk
                    .opened
                    .plan
                    .verify
                    .hops
                    .first()
                    .copied()
                    .unwrap_or(Hop::Managed);
                let because = format!("{}: {reason}", walk.planned.steps[step].id);
                let journal = walk.journal()?;
                let everything = matches!(&walk.planned.steps[step].kind, MicroStepKind::Wait(wait) if wait.on_timeout == OnTimeout::Restore)
                    && journal.to_undo().len() > journal.to_restore().len();
                match everything {
                    true => {
                        self.undo_then(walk, RepairEvent::Undone, Some(because))
                            .await
                    }
                    false => {
                        self.restore_then(walk, RepairEvent::NotFixed { hop }, Some(because))
                            .await
                    }
                }
            }
        }
    }
}
