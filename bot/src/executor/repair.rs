//! One computer in a run: preflight, steps, waits, restoring, proof. Each call of [`Executor::advance`] goes on until
//! something has to be waited for.

use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{ChangeState, ProfileChange};
use serde_json::json;

use super::{
    Executor, LOOK_AGAIN, MOST_ATTEMPTS, Progress, REST, UNCLEAR_FOR,
    act::{Answer, ReadBack, is_in_plan, may_repeat, mdm_of, reference},
    poll_after,
    run::Opened,
    seconds,
};
use crate::{
    chat::messages,
    domain::{
        Hop, LogFacts, MessagePurpose, MicroStep, MicroStepKind, OnTimeout, PlannedRepair,
        RepairState, StepId, StepState, VendorCall, Wait, WaitUntil,
        detect::DetectSettings,
        diagnose,
        journal::{Journal, Next, StepEvent, StepEventKind},
        playbook::{condition, condition::Truth, facts},
        preconditions::{self, Preflight},
        repairs::{self, RepairEvent},
    },
    fresh::Fresh,
    store::{
        BeginOutcome, HoldKind, NewAuditEntry, NewHold, NewMessage, NewStep, RepairChange,
        RepairRecord, StepOutcome, StepRecord, Together,
    },
};

/// Holds are given back without the repair after so long.
const JAMF_HOLD: TimeDelta = TimeDelta::hours(2);
const INTUNE_HOLD: TimeDelta = TimeDelta::hours(24);

/// A repair being advanced: its record, its journal as stored, and what is to be written with the next change.
pub(super) struct Walk<'r> {
    pub(super) opened: &'r Opened,
    pub(super) record: RepairRecord,
    pub(super) planned: &'r PlannedRepair,
    pub(super) steps: Vec<StepRecord>,
    pub(super) progress: Progress,
    outcomes: Vec<StepOutcome>,
    messages: Vec<NewMessage>,
    audit: Vec<NewAuditEntry>,
}

impl Walk<'_> {
    fn journal(&self) -> anyhow::Result<Journal<'_>> {
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
    fn latest(&self, step: usize) -> Option<&StepRecord> {
        let id = &self.planned.steps[step].id;
        self.steps
            .iter()
            .filter(|record| record.step == *id)
            .max_by_key(|record| record.attempt)
    }

    /// The source's time at the intent of a step.
    fn source_time_of(&self, record: &StepRecord) -> DateTime<Utc> {
        let noted = record
            .inputs
            .get("source_time")
            .and_then(|at| at.as_str())
            .and_then(|at| at.parse().ok());
        noted.unwrap_or(record.started_at)
    }

    /// The source's time at the last call before a wait; what the wait waits for must be later.
    fn since_last_call(&self, wait: usize) -> Option<DateTime<Utc>> {
        (0..wait).rev().find_map(|step| {
            let called = matches!(self.planned.steps[step].kind, MicroStepKind::Call(_));
            let record = self
                .latest(step)
                .filter(|record| called && record.state == StepState::Succeeded)?;
            Some(self.source_time_of(record))
        })
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
        if matches!(walk.record.state, RepairState::Queued) {
            if !self.begin(&mut walk).await? {
                return Ok(());
            }
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
        let excluded = self.exclusions.of_repair(walk.planned);
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
            Preflight::Go => Ok(true),
        }
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

    /// Judges a step's condition, writes its intent and carries it out.
    async fn begin_step(
        &self,
        walk: &mut Walk<'_>,
        step: usize,
        log: &Arc<LogFacts>,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let planned: &MicroStep = &walk.planned.steps[step];
        if let Some(source) = &planned.condition {
            let Some(fresh) = self.read_again(walk, log).await? else {
                return Ok(false);
            };
            match self.judge_condition(walk, &fresh, source)? {
                Truth::True => {}
                Truth::False => {
                    let skipped = new_step(
                        planned,
                        1,
                        StepState::Skipped,
                        json!({ "condition": source }),
                        None,
                    );
                    self.change(
                        walk,
                        RepairEvent::StepBegan { step },
                        Some(now),
                        vec![skipped],
                    )
                    .await?;
                    return Ok(true);
                }
                Truth::Unknown => {
                    let reason = format!("condition_unknown: {source}");
                    return self
                        .restore_then(walk, RepairEvent::Dropped { reason }, None)
                        .await;
                }
            }
        }
        match &planned.kind {
            MicroStepKind::Wait(wait) => {
                let deadline = now + seconds(wait.within_seconds);
                let inputs = json!({ "source_time": self.source_time(walk.planned.mdm.as_ref()) });
                let intent = new_step(planned, 1, StepState::Intended, inputs, None);
                self.change(
                    walk,
                    RepairEvent::WaitBegan { step, deadline },
                    Some(now),
                    vec![intent],
                )
                .await?;
                Ok(true)
            }
            MicroStepKind::Call(call) => self.intend(walk, step, 1, call).await,
        }
    }

    /// Writes the intent of a call, sends it and notes its outcome for the next change.
    async fn intend(
        &self,
        walk: &mut Walk<'_>,
        step: usize,
        attempt: u32,
        call: &VendorCall,
    ) -> anyhow::Result<bool> {
        let planned = &walk.planned.steps[step];
        let inputs = json!({ "call": call, "source_time": self.source_time(mdm_of(call)) });
        let hold = self.hold_of(walk, call).await?;
        let intent = new_step(planned, attempt, StepState::Intended, inputs, hold);
        let now = self.clock.now();
        self.change(
            walk,
            RepairEvent::StepBegan { step },
            Some(now + REST),
            vec![intent],
        )
        .await?;
        if let VendorCall::DirectMessage { purpose, .. } = call {
            return self.message(walk, step, attempt, *purpose).await;
        }
        debug_assert!(
            is_in_plan(&walk.opened.plan, call),
            "only what was approved is sent"
        );
        self.faults.at(super::CrashPoint::BeforeSend, call);
        let answer = self.perform(&walk.opened.digest, &planned.id, call).await;
        self.faults.at(super::CrashPoint::AfterAnswer, call);
        self.note_answer(walk, step, attempt, call, answer).await
    }

    async fn note_answer(
        &self,
        walk: &mut Walk<'_>,
        step: usize,
        attempt: u32,
        call: &VendorCall,
        answer: Answer,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let id = walk.planned.steps[step].id.clone();
        match answer {
            Answer::Done => {
                self.note_outcome(
                    walk,
                    outcome(
                        id,
                        attempt,
                        StepState::Succeeded,
                        json!({}),
                        call,
                        "accepted",
                    ),
                );
                Ok(true)
            }
            Answer::Refused(reason) => {
                // Refused may mean "is so already": what is there decides.
                let reached = may_repeat(call)
                    && self
                        .read_back(call, now)
                        .await
                        .is_ok_and(|read| read == ReadBack::Reached);
                let state = if reached {
                    StepState::Succeeded
                } else {
                    StepState::Failed
                };
                self.note_outcome(
                    walk,
                    outcome(
                        id,
                        attempt,
                        state,
                        json!({ "reason": reason }),
                        call,
                        &reason,
                    ),
                );
                Ok(true)
            }
            Answer::Unclear { reason, after } => {
                self.note_outcome(
                    walk,
                    outcome(
                        id,
                        attempt,
                        StepState::Unclear,
                        json!({ "reason": reason }),
                        call,
                        &reason,
                    ),
                );
                self.change(
                    walk,
                    RepairEvent::StepBegan { step },
                    Some(now + after),
                    Vec::new(),
                )
                .await?;
                Ok(false)
            }
        }
    }

    /// Reads a call back whose outcome is not known.
    async fn settle_call(
        &self,
        walk: &mut Walk<'_>,
        step: usize,
        may_repeat: bool,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let MicroStepKind::Call(call) = &walk.planned.steps[step].kind else {
            anyhow::bail!("step {step} is no call");
        };
        let record = walk
            .latest(step)
            .context("a call to be read back has a record")?
            .clone();
        let unclear_since = record.finished_at.unwrap_or(record.started_at);
        if record.state == StepState::Intended
            && now < record.started_at + REST
            && !matches!(call, VendorCall::DirectMessage { .. })
        {
            self.put_off(&walk.record.id, record.started_at + REST)
                .await;
            return Ok(false);
        }
        if let VendorCall::DirectMessage { purpose, .. } = call {
            return self.message(walk, step, record.attempt, *purpose).await;
        }
        let id = record.step.clone();
        let read = self.read_back(call, walk.source_time_of(&record)).await;
        match read {
            Ok(ReadBack::Reached) => {
                let seen = json!({ "read_back": "the effect is there" });
                self.note_outcome(
                    walk,
                    outcome(
                        id,
                        record.attempt,
                        StepState::Succeeded,
                        seen,
                        call,
                        "read back",
                    ),
                );
                Ok(true)
            }
            Ok(ReadBack::NotReached | ReadBack::Invisible)
                if may_repeat && record.attempt < MOST_ATTEMPTS =>
            {
                if record.state == StepState::Intended {
                    let why = json!({ "reason": "no answer was recorded", "read_back": "the effect is not there" });
                    self.note_outcome(
                        walk,
                        outcome(
                            id,
                            record.attempt,
                            StepState::Unclear,
                            why,
                            call,
                            "read back",
                        ),
                    );
                }
                self.intend(walk, step, record.attempt + 1, call).await
            }
            Ok(_) if may_repeat => {
                let why = json!({ "reason": format!("sent {MOST_ATTEMPTS} times without effect") });
                self.note_outcome(
                    walk,
                    outcome(
                        id,
                        record.attempt,
                        StepState::Failed,
                        why,
                        call,
                        "read back",
                    ),
                );
                Ok(true)
            }
            // Sent at most once, and no sign of it: it may still come.
            Ok(_) if now < unclear_since + TimeDelta::minutes(30) => {
                self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                Ok(false)
            }
            Ok(_) => {
                let reason = format!(
                    "it is not known whether {} was carried out",
                    walk.planned.steps[step].id
                );
                self.restore_then(walk, RepairEvent::NeedsHuman { reason }, None)
                    .await
            }
            Err(error) if now < unclear_since + UNCLEAR_FOR => {
                tracing::warn!(repair.id = %walk.record.id, error = %error, "cannot read a call back");
                self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                Ok(false)
            }
            Err(error) => {
                let reason = format!(
                    "{} could not be read back for a day: {error}",
                    walk.planned.steps[step].id
                );
                self.end(walk, RepairEvent::NeedsHuman { reason }).await?;
                Ok(false)
            }
        }
    }

    /// A message and its outcome are one transaction, so that it is neither lost nor sent twice.
    async fn message(
        &self,
        walk: &mut Walk<'_>,
        step: usize,
        attempt: u32,
        purpose: MessagePurpose,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let MicroStepKind::Call(call @ VendorCall::DirectMessage { user, device, .. }) =
            &walk.planned.steps[step].kind
        else {
            anyhow::bail!("step {step} is no message");
        };
        match purpose {
            MessagePurpose::AnnounceRepair => walk.messages.push(messages::announce(
                &walk.record.id,
                &walk.planned.steps[step].id,
                user,
                &walk.planned.device_name,
                &walk.opened.proposal,
                now,
            )),
            // Opening the request twice opens it once; its own pass sends the message and the reminders.
            MessagePurpose::RequestFastpassSignIn => {
                crate::sign_in::request(
                    &self.store,
                    user,
                    device,
                    &walk.record.id,
                    &walk.planned.device_name,
                    now,
                )
                .await?;
            }
        }
        let id = walk.planned.steps[step].id.clone();
        self.note_outcome(
            walk,
            outcome(
                id,
                attempt,
                StepState::Succeeded,
                json!({}),
                call,
                "handed to Slack's outbox",
            ),
        );
        self.change(walk, RepairEvent::StepBegan { step }, Some(now), Vec::new())
            .await?;
        Ok(true)
    }

    /// Looks whether a wait is over.
    async fn wait(
        &self,
        walk: &mut Walk<'_>,
        step: usize,
        since: DateTime<Utc>,
        log: &Arc<LogFacts>,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let planned = &walk.planned.steps[step];
        let MicroStepKind::Wait(wait) = &planned.kind else {
            anyhow::bail!("step {step} is no wait")
        };
        let deadline = since + seconds(wait.within_seconds);
        let seen = match self.look(walk, step, wait, log).await {
            Ok(seen) => seen,
            Err(error) => {
                tracing::warn!(repair.id = %walk.record.id, error = %format!("{error:#}"), "cannot look at what is waited for");
                None
            }
        };
        let elapsed = matches!(wait.until, WaitUntil::Elapsed);
        let ended = match seen {
            Some(Seen::Yes) => Some((StepState::Succeeded, json!({}))),
            Some(Seen::Failed(reason)) => Some((StepState::Failed, json!({ "reason": reason }))),
            None if now >= deadline && elapsed => Some((StepState::Succeeded, json!({}))),
            None if now >= deadline => Some((
                StepState::Failed,
                json!({ "timed_out": true, "reason": "its time was over" }),
            )),
            None => None,
        };
        match ended {
            Some((state, outputs)) => {
                let attempt = walk.latest(step).map_or(1, |record| record.attempt);
                let outcome = StepOutcome {
                    step: planned.id.clone(),
                    attempt,
                    state,
                    outputs,
                    requests: json!([]),
                };
                self.note_outcome(walk, outcome);
                Ok(true)
            }
            None => {
                let in_hold = !walk.journal()?.to_restore().is_empty();
                let next = if elapsed {
                    deadline
                } else {
                    (now + poll_after(now - since, in_hold)).min(deadline)
                };
                let keep = RepairEvent::WaitBegan { step, deadline };
                self.change(walk, keep, Some(next), Vec::new()).await?;
                Ok(false)
            }
        }
    }

    async fn look(
        &self,
        walk: &Walk<'_>,
        step: usize,
        wait: &Wait,
        log: &Arc<LogFacts>,
    ) -> anyhow::Result<Option<Seen>> {
        let since = walk.since_last_call(step);
        let since = since.unwrap_or_else(|| {
            walk.latest(step)
                .map_or(walk.opened.run.started_at, |record| {
                    walk.source_time_of(record)
                })
        });
        let changed = |state: ChangeState| match state {
            ChangeState::Acknowledged { .. } => Some(Seen::Yes),
            ChangeState::Failed { error } => Some(Seen::Failed(error)),
            ChangeState::NotSeen | ChangeState::Pending => None,
        };
        let key = walk.planned.management_id.as_deref();
        Ok(match &wait.until {
            WaitUntil::Expression { cel } => {
                let fresh = self
                    .reader
                    .read(walk.planned, LogFacts::clone(log), self.clock.now())
                    .await?;
                match self.judge_condition(walk, &fresh, cel)? {
                    Truth::True => Some(Seen::Yes),
                    Truth::False | Truth::Unknown => None,
                }
            }
            WaitUntil::ProfileRemoved {
                mdm,
                device,
                profile,
            } => changed(
                self.mdm_reader(mdm)?
                    .profile_change(
                        &reference(device, key),
                        profile,
                        ProfileChange::Remove,
                        since,
                    )
                    .await?,
            ),
            WaitUntil::ProfileInstalled {
                mdm,
                device,
                profile,
            } => changed(
                self.mdm_reader(mdm)?
                    .profile_change(
                        &reference(device, key),
                        profile,
                        ProfileChange::Install,
                        since,
                    )
                    .await?,
            ),
            WaitUntil::ScriptFinished {
                mdm,
                device,
                script,
            } => changed(
                self.mdm_reader(mdm)?
                    .script_finished(&reference(device, key), script, since)
                    .await?,
            ),
            WaitUntil::CheckedIn { mdm, device } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                record
                    .and_then(|record| record.last_check_in)
                    .filter(|at| *at > since)
                    .map(|_| Seen::Yes)
            }
            WaitUntil::Elapsed => None,
        })
    }

    /// Gives back what was taken away, then ends the repair.
    async fn restore_then(
        &self,
        walk: &mut Walk<'_>,
        end: RepairEvent,
        because: Option<String>,
    ) -> anyhow::Result<bool> {
        let calls = walk.journal()?.to_restore();
        self.take_back(walk, calls, end, because).await
    }

    /// Takes back everything that can be taken back, then ends the repair.
    async fn undo_then(
        &self,
        walk: &mut Walk<'_>,
        end: RepairEvent,
        because: Option<String>,
    ) -> anyhow::Result<bool> {
        let calls = walk.journal()?.to_undo();
        self.take_back(walk, calls, end, because).await
    }

    async fn take_back(
        &self,
        walk: &mut Walk<'_>,
        restore: Vec<VendorCall>,
        end: RepairEvent,
        because: Option<String>,
    ) -> anyhow::Result<bool> {
        if because.is_some() {
            walk.progress.because = because;
        }
        let mut restored = Vec::new();
        for call in &restore {
            if !self.give_back(walk, call).await? {
                return Ok(false);
            }
            restored.push(call);
        }
        if !restored.is_empty() {
            let restored = format!(
                "what was taken away for the repair was given back ({})",
                walk.planned.device_name
            );
            walk.messages.push(messages::thread(
                &walk.opened.proposal,
                &format!("restored:{}", walk.record.id),
                &restored,
                self.clock.now(),
            ));
        }
        self.end(walk, end).await?;
        Ok(false)
    }

    /// One restoring call, journalled under a name of its own. `false`: not given back yet.
    async fn give_back(&self, walk: &mut Walk<'_>, call: &VendorCall) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let wanted = json!(call);
        let is_it = |record: &&StepRecord| {
            record.action == RESTORE && record.inputs.get("call") == Some(&wanted)
        };
        let last = walk
            .steps
            .iter()
            .filter(is_it)
            .max_by_key(|record| record.attempt)
            .cloned();
        if let Some(record) = &last {
            match record.state {
                StepState::Succeeded => return Ok(true),
                StepState::Intended if now < record.started_at + REST => {
                    self.put_off(&walk.record.id, record.started_at + REST)
                        .await;
                    return Ok(false);
                }
                _ if self
                    .read_back(call, walk.source_time_of(record))
                    .await
                    .is_ok_and(|read| read == ReadBack::Reached)
                    && matches!(record.state, StepState::Intended | StepState::Unclear) =>
                {
                    let seen = json!({ "read_back": "the effect is there" });
                    self.note_outcome(
                        walk,
                        outcome(
                            record.step.clone(),
                            record.attempt,
                            StepState::Succeeded,
                            seen,
                            call,
                            "read back",
                        ),
                    );
                    return Ok(true);
                }
                StepState::Intended => {
                    let why = json!({ "reason": "no answer was recorded" });
                    self.note_outcome(
                        walk,
                        outcome(
                            record.step.clone(),
                            record.attempt,
                            StepState::Unclear,
                            why,
                            call,
                            "read back",
                        ),
                    );
                }
                _ => {}
            }
        }
        let (id, attempt) = match last {
            Some(record) => (record.step, record.attempt + 1),
            None => {
                let before = walk
                    .steps
                    .iter()
                    .filter(|record| record.action == RESTORE && record.attempt == 1)
                    .count();
                (StepId::from(format!("{RESTORE}.{}", before + 1)), 1)
            }
        };
        let intent = NewStep {
            step: id.clone(),
            attempt,
            action: RESTORE.into(),
            state: StepState::Intended,
            inputs: json!({ "call": call, "source_time": self.source_time(mdm_of(call)) }),
            hold: None,
        };
        let current = walk.record.state.clone();
        self.write(walk, current, Some(now + REST), vec![intent])
            .await?;
        self.faults.at(super::CrashPoint::BeforeSend, call);
        let answer = self.perform(&walk.opened.digest, &id, call).await;
        self.faults.at(super::CrashPoint::AfterAnswer, call);
        let (state, outputs) = match answer {
            Answer::Done => (StepState::Succeeded, json!({})),
            Answer::Refused(reason) | Answer::Unclear { reason, .. } => {
                let gone = self
                    .read_back(call, now)
                    .await
                    .is_ok_and(|read| read == ReadBack::Reached);
                let state = if gone {
                    StepState::Succeeded
                } else {
                    StepState::Unclear
                };
                (state, json!({ "reason": reason }))
            }
        };
        self.note_outcome(walk, outcome(id, attempt, state, outputs, call, "restored"));
        if state == StepState::Succeeded {
            return Ok(true);
        }
        let current = walk.record.state.clone();
        self.write(walk, current, Some(now + LOOK_AGAIN), Vec::new())
            .await?;
        Ok(false)
    }

    /// What a call takes away, to be written with its intent.
    async fn hold_of(&self, walk: &Walk<'_>, call: &VendorCall) -> anyhow::Result<Option<NewHold>> {
        if !call.begins_hold() {
            return Ok(None);
        }
        let now = self.clock.now();
        let kind = walk.planned.mdm_kind;
        let lasts = if kind == Some(crate::domain::MdmKind::Jamf) {
            JAMF_HOLD
        } else {
            INTUNE_HOLD
        };
        let (mdm, device, management_id, kind, target, prior) = match call {
            VendorCall::SetDeviceGroup {
                mdm,
                group,
                device,
                management_id,
                ..
            } => (
                mdm,
                device,
                management_id.clone(),
                HoldKind::Group,
                group.as_str().to_owned(),
                None,
            ),
            VendorCall::SetDeviceCategory {
                mdm,
                device,
                category,
                ..
            } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                let prior = record.and_then(|record| record.category);
                (
                    mdm,
                    device,
                    None,
                    HoldKind::Category,
                    category.clone().unwrap_or_default(),
                    prior,
                )
            }
            _ => return Ok(None),
        };
        Ok(Some(NewHold {
            mdm: mdm.clone(),
            device: device.clone(),
            management_id,
            kind,
            target,
            prior,
            since: now,
            deadline: now + lasts,
        }))
    }

    async fn held_by_another(&self, walk: &Walk<'_>) -> anyhow::Result<Option<String>> {
        let holds = self.store.open_holds().await?;
        let other = holds.iter().find(|hold| {
            hold.repair != walk.record.id
                && Some(&hold.hold.mdm) == walk.planned.mdm.as_ref()
                && Some(&hold.hold.device) == walk.planned.mdm_device_id.as_ref()
        });
        Ok(other.map(|hold| format!("repair {} has not given it back yet", hold.repair)))
    }

    /// Reads the computer again; `None`: later.
    pub(super) async fn read_again(
        &self,
        walk: &Walk<'_>,
        log: &Arc<LogFacts>,
    ) -> anyhow::Result<Option<Fresh>> {
        let now = self.clock.now();
        match self
            .reader
            .read(walk.planned, LogFacts::clone(log), now)
            .await
        {
            Ok(fresh) => Ok(Some(fresh)),
            Err(error) => {
                tracing::warn!(repair.id = %walk.record.id, error = %format!("{error:#}"), "cannot read a computer");
                self.put_off(&walk.record.id, now + LOOK_AGAIN).await;
                Ok(None)
            }
        }
    }

    fn judge_condition(
        &self,
        walk: &Walk<'_>,
        fresh: &Fresh,
        source: &str,
    ) -> anyhow::Result<Truth> {
        let condition = condition::Condition::compile(source)
            .map_err(|_| anyhow::anyhow!("the plan's condition does not compile: {source}"))?;
        let Some(subject) = fresh.subject(&walk.planned.subjects) else {
            return Ok(Truth::Unknown);
        };
        let diagnosis = diagnose::diagnose(&subject, &DetectSettings::default());
        Ok(condition::evaluate(
            &condition,
            &facts::facts(&subject, &diagnosis),
        ))
    }

    /// Ends a repair, with a line in the card's thread and the card edited.
    pub(super) async fn end(&self, walk: &mut Walk<'_>, event: RepairEvent) -> anyhow::Result<()> {
        let state = repairs::apply(walk.record.state.clone(), event)?;
        let now = self.clock.now();
        let who = walk
            .planned
            .subjects
            .iter()
            .map(|subject| subject.login.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let because = walk
            .progress
            .because
            .as_deref()
            .map(|because| format!(" ({because})"))
            .unwrap_or_default();
        let line = format!(
            "{} · {who}: {}{because}",
            walk.planned.device_name,
            crate::wording::repair_state(&state)
        );
        walk.messages.push(messages::thread(
            &walk.opened.proposal,
            &format!("end:{}", walk.record.id),
            &line,
            now,
        ));
        self.write(walk, state, None, Vec::new()).await
    }

    /// Moves the repair by an event and writes what has gathered.
    pub(super) async fn change(
        &self,
        walk: &mut Walk<'_>,
        event: RepairEvent,
        next_look_at: Option<DateTime<Utc>>,
        steps: Vec<NewStep>,
    ) -> anyhow::Result<()> {
        let state = repairs::apply(walk.record.state.clone(), event)?;
        self.write(walk, state, next_look_at, steps).await
    }

    pub(super) async fn write(
        &self,
        walk: &mut Walk<'_>,
        state: RepairState,
        next_look_at: Option<DateTime<Utc>>,
        steps: Vec<NewStep>,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let lease = self.lease()?;
        let moved = state != walk.record.state;
        let change = RepairChange {
            repair: walk.record.id.clone(),
            expected_version: walk.record.version,
            state: state.clone(),
            hops: serde_json::to_value(&walk.progress)?,
            next_look_at,
            at: now,
            outcomes: std::mem::take(&mut walk.outcomes),
            steps,
            restored_holds: Vec::new(),
        };
        let mut letters = std::mem::take(&mut walk.messages);
        if moved {
            letters.push(messages::card(&walk.opened.proposal, now));
        }
        let mut audit = std::mem::take(&mut walk.audit);
        for step in &change.steps {
            audit.push(audited(walk, "step.intended", json!({ "step": step.step, "attempt": step.attempt, "inputs": step.inputs, "state": step.state.word() }), now));
        }
        for outcome in &change.outcomes {
            audit.push(audited(walk, "step.ended", json!({ "step": outcome.step, "attempt": outcome.attempt, "state": outcome.state.word(), "outputs": outcome.outputs }), now));
        }
        if state.is_end() {
            audit.push(audited(
                walk,
                "repair.ended",
                json!({ "state": state, "because": walk.progress.because }),
                now,
            ));
        }
        let version = self
            .store
            .change_repair(
                &lease,
                &change,
                Together {
                    messages: &letters,
                    audit: &audit,
                },
            )
            .await?
            .context("the repair is another node's, or moved on")?;
        walk.record.version = version;
        walk.record.state = state;
        walk.steps = self.store.steps(&walk.record.id).await?;
        Ok(())
    }

    /// Keeps an outcome for the next change, and in the journal at hand.
    fn note_outcome(&self, walk: &mut Walk<'_>, outcome: StepOutcome) {
        let now = self.clock.now();
        let is_it = |record: &&mut StepRecord| {
            record.step == outcome.step && record.attempt == outcome.attempt
        };
        if let Some(record) = walk.steps.iter_mut().find(is_it) {
            record.state = outcome.state;
            record.outputs = Some(outcome.outputs.clone());
            record.finished_at = Some(now);
        }
        walk.outcomes.push(outcome);
    }

    async fn note_source_times(&self, walk: &Walk<'_>) -> anyhow::Result<()> {
        if walk.opened.run.source_times.began.is_empty() {
            self.store
                .set_source_times(&self.lease()?, &walk.opened.run.id, &self.source_times())
                .await?;
        }
        Ok(())
    }

    pub(super) fn lease(&self) -> anyhow::Result<crate::store::LeaseProof> {
        self.node
            .proof(&crate::store::node_lease(self.node.id()))
            .context("this node has lost its lease")
    }
}

/// What a look at something waited for shows.
enum Seen {
    Yes,
    Failed(String),
}

/// Action of the steps that give back.
const RESTORE: &str = "restore";

fn new_step(
    planned: &MicroStep,
    attempt: u32,
    state: StepState,
    inputs: serde_json::Value,
    hold: Option<NewHold>,
) -> NewStep {
    NewStep {
        step: planned.id.clone(),
        attempt,
        action: planned.action.clone(),
        state,
        inputs,
        hold,
    }
}

fn outcome(
    step: StepId,
    attempt: u32,
    state: StepState,
    outputs: serde_json::Value,
    call: &VendorCall,
    answer: &str,
) -> StepOutcome {
    let requests = json!([{ "to": mdm_of(call).map_or("okta", |mdm| mdm.as_str()), "asked": crate::wording::call(call), "answer": answer }]);
    StepOutcome {
        step,
        attempt,
        state,
        outputs,
        requests,
    }
}

fn audited(
    walk: &Walk<'_>,
    kind: &str,
    payload: serde_json::Value,
    at: DateTime<Utc>,
) -> NewAuditEntry {
    NewAuditEntry {
        kind: kind.into(),
        about: walk.record.id.to_string(),
        at,
        payload: json!({ "run": walk.opened.run.id, "digest": walk.opened.digest, "device": walk.planned.device_name, "what": payload }),
    }
}
