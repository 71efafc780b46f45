//! The waits among the steps, and the reads that judge them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use connectors::{ChangeState, ProfileChange};
use serde_json::json;

use super::{Executor, LOOK_AGAIN, act::reference, poll_after, repair::Walk, seconds};
use crate::{
    domain::{
        LogFacts, MicroStepKind, StepState, Wait, WaitUntil,
        detect::DetectSettings,
        diagnose,
        playbook::{condition, condition::Truth, facts},
        repairs::RepairEvent,
    },
    fresh::Fresh,
    store::StepOutcome,
};

impl Executor {
    /// Looks whether a wait is over.
    pub(super) async fn wait(
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
        let since = match &wait.until {
            WaitUntil::ProfileRemoved { .. } | WaitUntil::ProfileInstalled { .. } => {
                walk.since_calls_before(step)
            }
            _ => walk.since_last_call(step),
        };
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

    pub(super) fn judge_condition(
        &self,
        walk: &Walk<'_>,
        fresh: &Fresh,
        source: &str,
    ) -> anyhow::Result<Truth> {
        let Ok(condition) = condition::Condition::compile(source) else {
            anyhow::bail!("the plan's condition does not compile: {source}");
        };
        let Some(subject) = fresh.subject(&walk.planned.subjects) else {
            return Ok(Truth::Unknown);
        };
        let diagnosis = diagnose::diagnose(&subject, &DetectSettings::default());
        Ok(condition::evaluate(
            &condition,
            &facts::facts(&subject, &diagnosis),
        ))
    }
}

/// What a look at something waited for shows.
enum Seen {
    Yes,
    Failed(String),
}
