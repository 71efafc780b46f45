//! One vendor call: carried out, judged, read back. The only place that makes a permit to write.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{ConnectorError, MdmActions, MdmDeviceRef, WritePermit, error::ErrorKind};

use super::Executor;
use crate::domain::{MdmName, Plan, PlanDigest, ProfileState, Repeat, StepId, VendorCall};

/// What the answer to a call says about its effect.
#[derive(Debug)]
pub(super) enum Answer {
    /// Accepted.
    Done,
    /// It does not tell; read back at the earliest after this time.
    Unclear { reason: String, after: TimeDelta },
    /// Refused: the effect is not there, unless it was there before.
    Refused(String),
}

/// What the vendor shows of a call's effect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadBack {
    /// The effect is there.
    Reached,
    /// It is not.
    NotReached,
    /// Nothing shows it: a call that converges may be sent again.
    Invisible,
}

impl Executor {
    /// Sends one call. `digest` is that of the plan that people approved.
    pub(super) async fn perform(
        &self,
        digest: &PlanDigest,
        step: &StepId,
        call: &VendorCall,
    ) -> Answer {
        let permit = WritePermit::new(digest.clone(), step.clone(), self.node.fence());
        let result = match call {
            VendorCall::SetUserGroup {
                group,
                user,
                present,
            } => {
                self.okta
                    .set_group_membership(&permit, group, user, *present)
                    .await
            }
            VendorCall::DirectMessage { .. } => {
                unreachable!("messages go through the outbox, not through a vendor call")
            }
            VendorCall::Sync {
                mdm,
                device,
                management_id,
            } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .sync(&permit, &reference(device, management_id.as_deref()))
                        .await
                }
                Err(error) => Err(error),
            },
            VendorCall::RefreshInventory {
                mdm,
                device,
                management_id,
            } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .refresh_inventory(&permit, &reference(device, management_id.as_deref()))
                        .await
                }
                Err(error) => Err(error),
            },
            VendorCall::FlushFailedCommands { mdm, device } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .flush_failed_commands(&permit, &reference(device, None))
                        .await
                }
                Err(error) => Err(error),
            },
            VendorCall::EnablePush {
                mdm,
                device,
                management_id,
            } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .enable_push(&permit, &reference(device, Some(management_id)))
                        .await
                }
                Err(error) => Err(error),
            },
            VendorCall::SetDeviceGroup {
                mdm,
                group,
                device,
                management_id,
                present,
                ..
            } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .set_group(
                            &permit,
                            &reference(device, management_id.as_deref()),
                            group,
                            *present,
                        )
                        .await
                }
                Err(error) => Err(error),
            },
            VendorCall::SetDeviceCategory {
                mdm,
                device,
                category,
                ..
            } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .set_category(&permit, &reference(device, None), category.as_deref())
                        .await
                }
                Err(error) => Err(error),
            },
            VendorCall::RunCleanupScript {
                mdm,
                device,
                script,
            } => match self.actions(mdm) {
                Ok(actions) => {
                    actions
                        .run_script(&permit, &reference(device, None), script)
                        .await
                }
                Err(error) => Err(error),
            },
        };
        match result {
            Ok(()) => Answer::Done,
            Err(error) => judge(&error),
        }
    }

    /// Reads what a call should have brought about. `since` is the source's time at its intent.
    pub(super) async fn read_back(
        &self,
        call: &VendorCall,
        since: DateTime<Utc>,
    ) -> Result<ReadBack, ConnectorError> {
        let reached = |reached: bool| {
            if reached {
                ReadBack::Reached
            } else {
                ReadBack::NotReached
            }
        };
        Ok(match call {
            VendorCall::SetUserGroup {
                group,
                user,
                present,
            } => {
                let groups = self.reader.okta.user_groups(user).await?;
                reached(groups.contains(group) == *present)
            }
            VendorCall::SetDeviceGroup {
                mdm,
                group,
                device,
                management_id,
                present,
                ..
            } => {
                let members = self.mdm_reader(mdm)?.group_members(group).await?;
                let is_member = members.iter().any(|member| {
                    member.id == *device
                        || (management_id.is_some() && member.management_id == *management_id)
                });
                reached(is_member == *present)
            }
            VendorCall::SetDeviceCategory {
                mdm,
                device,
                category,
                ..
            } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                record.map_or(ReadBack::NotReached, |record| {
                    reached(record.category == *category)
                })
            }
            VendorCall::EnablePush { mdm, device, .. } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                record.map_or(ReadBack::NotReached, |record| {
                    reached(record.push_enabled == Some(true))
                })
            }
            VendorCall::FlushFailedCommands { mdm, device } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                let failed = |record: &crate::domain::MdmDevice| {
                    record
                        .profiles
                        .iter()
                        .flatten()
                        .any(|profile| matches!(profile.state, ProfileState::Failed { .. }))
                };
                record.map_or(ReadBack::NotReached, |record| reached(!failed(&record)))
            }
            VendorCall::Sync { mdm, device, .. } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                let contacted = record
                    .and_then(|record| record.last_check_in)
                    .is_some_and(|at| at > since);
                if contacted {
                    ReadBack::Reached
                } else {
                    ReadBack::Invisible
                }
            }
            VendorCall::RefreshInventory { mdm, device, .. } => {
                let record = self.mdm_reader(mdm)?.device(device).await?;
                let renewed = record
                    .and_then(|record| record.inventory_at)
                    .is_some_and(|at| at > since);
                if renewed {
                    ReadBack::Reached
                } else {
                    ReadBack::Invisible
                }
            }
            VendorCall::RunCleanupScript {
                mdm,
                device,
                script,
            } => {
                let state = self
                    .mdm_reader(mdm)?
                    .script_finished(&reference(device, None), script, since)
                    .await?;
                match state {
                    connectors::ChangeState::Acknowledged { .. }
                    | connectors::ChangeState::Failed { .. } => ReadBack::Reached,
                    connectors::ChangeState::NotSeen | connectors::ChangeState::Pending => {
                        ReadBack::NotReached
                    }
                }
            }
            // The message and its outcome are one transaction: no outcome, no message.
            VendorCall::DirectMessage { .. } => ReadBack::NotReached,
        })
    }

    fn actions(&self, mdm: &MdmName) -> Result<&Arc<dyn MdmActions>, ConnectorError> {
        self.mdms.get(mdm).ok_or_else(|| not_configured(mdm))
    }

    pub(super) fn mdm_reader(
        &self,
        mdm: &MdmName,
    ) -> Result<&Arc<dyn connectors::MdmReader>, ConnectorError> {
        self.reader.mdm(mdm).ok_or_else(|| not_configured(mdm))
    }
}

/// A device as the calls of its MDM address it.
pub(super) fn reference(
    device: &crate::domain::MdmDeviceId,
    management_id: Option<&str>,
) -> MdmDeviceRef {
    MdmDeviceRef {
        id: device.clone(),
        management_id: management_id.map(str::to_owned),
    }
}

/// The MDM that a call goes to; `None`: Okta or Slack.
pub(super) fn mdm_of(call: &VendorCall) -> Option<&MdmName> {
    match call {
        VendorCall::Sync { mdm, .. }
        | VendorCall::FlushFailedCommands { mdm, .. }
        | VendorCall::EnablePush { mdm, .. }
        | VendorCall::RefreshInventory { mdm, .. }
        | VendorCall::SetDeviceGroup { mdm, .. }
        | VendorCall::SetDeviceCategory { mdm, .. }
        | VendorCall::RunCleanupScript { mdm, .. } => Some(mdm),
        VendorCall::SetUserGroup { .. } | VendorCall::DirectMessage { .. } => None,
    }
}

/// Whether a call of the plan may be repeated after a read-back.
pub(super) fn may_repeat(call: &VendorCall) -> bool {
    call.repeat() == Repeat::Converges
}

/// Whether the plan holds a call; nothing outside it is ever sent.
pub(super) fn is_in_plan(plan: &Plan, call: &VendorCall) -> bool {
    let is_it = |step: &crate::domain::MicroStep| matches!(&step.kind, crate::domain::MicroStepKind::Call(planned) if planned == call);
    plan.repairs
        .iter()
        .flat_map(|repair| &repair.steps)
        .any(is_it)
}

fn not_configured(mdm: &MdmName) -> ConnectorError {
    ConnectorError::new(
        mdm.as_str(),
        ErrorKind::NotSent {
            reason: "the settings have no such [[mdm]] any more".into(),
        },
    )
}

fn judge(error: &ConnectorError) -> Answer {
    let reason = error.to_string();
    match &error.kind {
        ErrorKind::RateLimited { retry_after } => Answer::Unclear {
            reason,
            after: TimeDelta::from_std(*retry_after).unwrap_or(super::LOOK_AGAIN),
        },
        // A busy token endpoint, a lost connection, a lost lease: whatever happened is read back.
        ErrorKind::Transient { .. } | ErrorKind::Unreadable { .. } | ErrorKind::NotSent { .. } => {
            Answer::Unclear {
                reason,
                after: super::REST,
            }
        }
        ErrorKind::Unauthorized { .. }
        | ErrorKind::Forbidden { .. }
        | ErrorKind::NotFound
        | ErrorKind::Rejected { .. }
        | ErrorKind::Unsupported { .. } => Answer::Refused(reason),
    }
}
