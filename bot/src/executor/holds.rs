//! Compares the hold groups in the MDMs with the holds that we know of, every minute and at start.
//!
//! A device in a group whose repair nobody works on, or whose time is over, is taken out. A hold is closed once two
//! reads a minute apart saw the device out: Graph's reads are stale for minutes. A device in our group without any hold
//! of ours was put there by somebody else: a person is told, and nothing is changed.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{MdmActions, MdmDeviceRef, WritePermit};

use super::act::reference;
use crate::{
    chat::messages,
    clock::SharedClock,
    domain::{GroupId, MdmName, StepId, VendorCall, digest},
    fresh::FreshReader,
    node::Node,
    pass::Pass,
    store::{HoldKind, HoldState, ScopeHold, Store, Together},
};

/// Time between two reads that must agree before a hold is closed.
const AGREE: TimeDelta = TimeDelta::seconds(60);
/// Time between passes.
const EVERY: TimeDelta = TimeDelta::seconds(60);

/// Time between looks for devices that no hold explains, while there are no holds.
const STRANGERS_EVERY: TimeDelta = TimeDelta::minutes(15);

/// The pass over holds.
pub struct HoldPass {
    /// The record.
    pub store: Store,
    /// Our own clock.
    pub clock: SharedClock,
    /// This node.
    pub node: Arc<Node>,
    /// Readers.
    pub reader: FreshReader,
    /// Writers.
    pub mdms: HashMap<MdmName, Arc<dyn MdmActions>>,
    /// When the groups were last looked at.
    pub looked_at: tokio::sync::Mutex<Option<DateTime<Utc>>>,
}

#[async_trait]
impl Pass for HoldPass {
    fn name(&self) -> &'static str {
        "holds"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let holds = self.store.open_holds().await?;
        let mut members: HashMap<(MdmName, GroupId), Vec<MdmDeviceRef>> = HashMap::new();
        for hold in &holds {
            if hold.hold.kind == HoldKind::Group {
                let key = (
                    hold.hold.mdm.clone(),
                    GroupId::from(hold.hold.target.as_str()),
                );
                if !members.contains_key(&key)
                    && let Some(reader) = self.reader.mdm(&key.0)
                {
                    match reader.group_members(&key.1).await {
                        Ok(read) => drop(members.insert(key, read)),
                        Err(error) => {
                            tracing::warn!(mdm = %key.0, error = %error, "cannot read a hold group")
                        }
                    }
                }
            }
            if let Err(error) = self.look_at(hold, &members, now).await {
                tracing::error!(hold.id = hold.id, error = %format!("{error:#}"), "cannot settle a hold");
            }
        }
        if !holds.is_empty()
            || self
                .looked_at
                .lock()
                .await
                .is_none_or(|last| now - last >= STRANGERS_EVERY)
        {
            self.look_for_strangers(&holds, now).await?;
            *self.looked_at.lock().await = Some(now);
        }
        Ok(Some(
            now + if holds.is_empty() {
                STRANGERS_EVERY
            } else {
                EVERY
            },
        ))
    }
}

impl HoldPass {
    async fn look_at(
        &self,
        hold: &ScopeHold,
        members: &HashMap<(MdmName, GroupId), Vec<MdmDeviceRef>>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let inside = match hold.hold.kind {
            HoldKind::Group => {
                let key = (
                    hold.hold.mdm.clone(),
                    GroupId::from(hold.hold.target.as_str()),
                );
                let Some(read) = members.get(&key) else {
                    return Ok(());
                };
                read.iter().any(|member| {
                    member.id == hold.hold.device
                        || (hold.hold.management_id.is_some()
                            && member.management_id == hold.hold.management_id)
                })
            }
            HoldKind::Category => {
                let reader = self.reader.mdm(&hold.hold.mdm).context("no such MDM")?;
                let record = reader.device(&hold.hold.device).await?;
                record.is_some_and(|record| {
                    record.category.as_deref() == Some(hold.hold.target.as_str())
                })
            }
        };
        // The store names an owner only while that node's own lease has the token that the run rests on.
        let worked_on = hold.owner.is_some();
        match inside {
            true => {
                if hold.seen_out_at.is_some() {
                    self.store.note_hold_out(hold.id, None).await?;
                }
                if (worked_on && now < hold.hold.deadline) || self.frozen().await? {
                    return Ok(());
                }
                self.give_back(hold, now).await
            }
            // While its repair is in the middle of it, "out" may be a stale read or not have happened yet.
            false if worked_on && now < hold.hold.since + AGREE => Ok(()),
            false => match hold.seen_out_at {
                Some(first) if now - first >= AGREE => {
                    self.store
                        .move_hold(
                            hold.id,
                            hold.state,
                            HoldState::Restored,
                            now,
                            Together::default(),
                        )
                        .await?;
                    Ok(())
                }
                Some(_) => Ok(()),
                None => {
                    self.store.note_hold_out(hold.id, Some(now)).await?;
                    Ok(())
                }
            },
        }
    }

    /// Takes the device out under the decision that put it in.
    async fn give_back(&self, hold: &ScopeHold, now: DateTime<Utc>) -> anyhow::Result<()> {
        // Only a node that beats may write.
        if self.node.own_lease().await?.is_none() {
            return Ok(());
        }
        let repair = self
            .store
            .repair(&hold.repair)
            .await?
            .context("the hold has no repair")?;
        let run = self
            .store
            .run(&repair.run)
            .await?
            .context("the repair has no run")?;
        let proposal = self
            .store
            .proposal(&run.proposal)
            .await?
            .context("the run has no proposal")?;
        let permit = WritePermit::new(
            digest::digest(&proposal.plan),
            StepId::from("hold.restore"),
            self.node.fence(),
        );
        let actions = self.mdms.get(&hold.hold.mdm).context("no such MDM")?;
        let device = reference(&hold.hold.device, hold.hold.management_id.as_deref());
        if hold.state == HoldState::Open {
            self.store
                .move_hold(
                    hold.id,
                    HoldState::Open,
                    HoldState::Restoring,
                    now,
                    Together::default(),
                )
                .await?;
        }
        let result = match hold.hold.kind {
            HoldKind::Group => {
                let group = GroupId::from(hold.hold.target.as_str());
                actions.set_group(&permit, &device, &group, false).await
            }
            HoldKind::Category => {
                // The category before stands in the plan too; the hold's own word is what was read at its intent.
                let prior = hold.hold.prior.clone().or_else(|| {
                    let steps = proposal
                        .plan
                        .repairs
                        .get(repair.position)
                        .map(|planned| planned.steps.as_slice());
                    steps
                        .unwrap_or_default()
                        .iter()
                        .rev()
                        .find_map(|step| match &step.kind {
                            crate::domain::MicroStepKind::Call(VendorCall::SetDeviceCategory {
                                hold: false,
                                category,
                                ..
                            }) => category.clone(),
                            _ => None,
                        })
                });
                actions
                    .set_category(&permit, &device, prior.as_deref())
                    .await
            }
        };
        match result {
            Ok(()) => tracing::info!(hold.id = hold.id, "gave back what a repair had taken away"),
            Err(error) if now > hold.hold.deadline + TimeDelta::hours(24) => {
                let line = format!(
                    "{} {} is still held in {} {}: {error}. Take it out by hand.",
                    hold.hold.mdm, hold.hold.device, hold.hold.mdm, hold.hold.target
                );
                let letters = [messages::thread(
                    &proposal.id,
                    &format!("hold:{}", hold.id),
                    &line,
                    now,
                )];
                let together = Together {
                    messages: &letters,
                    audit: &[],
                };
                self.store
                    .move_hold(
                        hold.id,
                        HoldState::Restoring,
                        HoldState::NeedsHuman,
                        now,
                        together,
                    )
                    .await?;
            }
            Err(error) => tracing::warn!(hold.id = hold.id, error = %error, "cannot give back yet"),
        }
        Ok(())
    }

    /// Devices in a configured hold group without an open hold. One that we had put there before was put there again
    /// by a late effect, and is taken out; any other is a stranger, and a person is told.
    async fn look_for_strangers(
        &self,
        open: &[ScopeHold],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        for (reader, targets) in &self.reader.mdms {
            let Some(group) = &targets.hold_group else {
                continue;
            };
            let members = match reader.group_members(group).await {
                Ok(members) => members,
                Err(error) => {
                    tracing::warn!(mdm = %reader.mdm(), error = %error, "cannot read a hold group");
                    continue;
                }
            };
            let explained = |member: &MdmDeviceRef| {
                open.iter()
                    .any(|hold| hold.hold.mdm == *reader.mdm() && hold.hold.device == member.id)
            };
            for member in members.iter().filter(|member| !explained(member)) {
                match self
                    .store
                    .holds_of_device(reader.mdm(), &member.id)
                    .await?
                    .pop()
                {
                    Some(hold) => self.give_back(&hold, now).await?,
                    None => tracing::error!(
                        mdm = %reader.mdm(), device.id = %member.id,
                        "a device is in the hold group and no repair put it there: take it out by hand"
                    ),
                }
            }
        }
        Ok(())
    }

    async fn frozen(&self) -> anyhow::Result<bool> {
        Ok(self
            .store
            .active_stops()
            .await?
            .iter()
            .any(|stop| stop.stop.freeze))
    }
}
