//! The calls among the steps: condition, intent, sending, reading back.

use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use serde_json::json;

use super::{
    Executor, LOOK_AGAIN, MOST_ATTEMPTS, REST, UNCLEAR_FOR,
    act::{Answer, ReadBack, is_in_plan, may_repeat, mdm_of},
    repair::Walk,
    seconds,
};
use crate::{
    chat::messages,
    domain::{
        LogFacts, MessagePurpose, MicroStep, MicroStepKind, StepId, StepState, VendorCall,
        playbook::condition::Truth, repairs::RepairEvent,
    },
    store::{NewHold, NewStep, StepOutcome},
};

impl Executor {
    /// Judges a step's condition, writes its intent and carries it out.
    pub(super) async fn begin_step(
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
    pub(super) async fn intend(
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

    pub(super) async fn note_answer(
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
    pub(super) async fn settle_call(
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
    pub(super) async fn message(
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
}

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

pub(super) fn outcome(
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
