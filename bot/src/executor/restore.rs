//! Giving back what was taken away, however a repair ends.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    Executor, LOOK_AGAIN, REST,
    act::{Answer, ReadBack, mdm_of},
    repair::Walk,
    steps::outcome,
};
use crate::{
    chat::messages,
    domain::{StepId, StepState, VendorCall, repairs::RepairEvent},
    store::{HoldKind, NewHold, NewStep, StepRecord},
};

/// Holds are given back without the repair after so long.
const JAMF_HOLD: TimeDelta = TimeDelta::hours(2);
const INTUNE_HOLD: TimeDelta = TimeDelta::hours(24);

/// Action of the steps that give back.
const RESTORE: &str = "restore";

impl Executor {
    /// Gives back what was taken away, then ends the repair.
    pub(super) async fn restore_then(
        &self,
        walk: &mut Walk<'_>,
        end: RepairEvent,
        because: Option<String>,
    ) -> anyhow::Result<bool> {
        let calls = walk.journal()?.to_restore();
        self.take_back(walk, calls, end, because).await
    }

    /// Takes back everything that can be taken back, then ends the repair.
    pub(super) async fn undo_then(
        &self,
        walk: &mut Walk<'_>,
        end: RepairEvent,
        because: Option<String>,
    ) -> anyhow::Result<bool> {
        let calls = walk.journal()?.to_undo();
        self.take_back(walk, calls, end, because).await
    }

    pub(super) async fn take_back(
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
    pub(super) async fn give_back(
        &self,
        walk: &mut Walk<'_>,
        call: &VendorCall,
    ) -> anyhow::Result<bool> {
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
    pub(super) async fn hold_of(
        &self,
        walk: &Walk<'_>,
        call: &VendorCall,
    ) -> anyhow::Result<Option<NewHold>> {
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

    /// What keeps a computer from being repaired now: another repair's hold, or a fleet-wide finding.
    pub(super) async fn held_by_another(&self, walk: &Walk<'_>) -> anyhow::Result<Option<String>> {
        let holds = self.store.open_holds().await?;
        let other = holds.iter().find(|hold| {
            hold.repair != walk.record.id
                && Some(&hold.hold.mdm) == walk.planned.mdm.as_ref()
                && Some(&hold.hold.device) == walk.planned.mdm_device_id.as_ref()
        });
        if let Some(hold) = other {
            return Ok(Some(format!(
                "repair {} has not given it back yet",
                hold.repair
            )));
        }
        for subject in &walk.planned.subjects {
            let (device, user) = (&subject.device_id, &subject.user_id);
            if let Some(fleet) = self.store.held_by_fleet_finding(device, user).await? {
                return Ok(Some(format!(
                    "the fleet-wide finding {fleet} is not marked as fixed"
                )));
            }
        }
        Ok(None)
    }
}
