//! What the store knows that limits a proposal.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Sweeper;
use crate::{
    approvals,
    domain::{
        Cause, DeviceId, MdmDeviceId, MdmName, RepairState, UserId,
        detect::Counts,
        guard::{GuardState, InFlight, OpenProposal, Stop, Stops},
    },
    observer::Observed,
    store::{FindingRecord, StopScope},
};

/// How far back repairs count for cool-down and attempts.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

impl Sweeper {
    pub(super) async fn guard_state(
        &self,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> anyhow::Result<GuardState> {
        let mut state = GuardState::default();
        let proposals: HashMap<_, _> = self
            .store
            .open_proposals()
            .await?
            .into_iter()
            .map(|proposal| (proposal.id.clone(), proposal))
            .collect();
        let runs: HashMap<_, _> = self
            .store
            .open_runs()
            .await?
            .into_iter()
            .map(|run| (run.id.clone(), run))
            .collect();
        for repair in self.store.open_repairs().await? {
            let Some(run) = runs.get(&repair.run) else {
                continue;
            };
            for subject in &repair.subjects {
                state
                    .users_in_flight
                    .insert(subject.user_id.clone(), repair.hardware.clone());
            }
            let in_flight = InFlight {
                proposal: run.proposal.clone(),
                playbook: run.playbook.clone(),
                cause: run.cause,
            };
            state.in_flight.insert(repair.hardware, in_flight);
        }
        // Approved a moment ago, its run not made yet: in flight all the same.
        for proposal in proposals
            .values()
            .filter(|proposal| !runs.values().any(|run| run.proposal == proposal.id))
        {
            for repair in &proposal.plan.repairs {
                let in_flight = InFlight {
                    proposal: proposal.id.clone(),
                    playbook: proposal.playbook.clone(),
                    cause: proposal.cause,
                };
                state
                    .in_flight
                    .entry(repair.hardware.clone())
                    .or_insert(in_flight);
            }
        }
        let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        for repair in self.store.repairs_since(now - REMEMBERED).await? {
            let key = (repair.hardware.clone(), repair.playbook.clone());
            if repair.started_at >= midnight {
                *state
                    .executed_today
                    .entry(repair.playbook.clone())
                    .or_default() += 1;
            }
            let Some(ended) = repair.finished_at else {
                continue;
            };
            match repair.state {
                RepairState::Dropped { .. } | RepairState::CuredByItself | RepairState::Stopped => {
                    continue;
                }
                RepairState::Managed => {}
                _ => *state.attempts.entry(key.clone()).or_default() += 1,
            }
            state
                .last_repair
                .entry(key)
                .and_modify(|at| *at = (*at).max(ended))
                .or_insert(ended);
        }
        for one in self.store.quarantined().await? {
            state.quarantined.insert(one.hardware.into(), one.reason);
        }
        for (key, (mdm, _)) in self.known_to_incomplete(observed).await? {
            if let Some((device, _)) = key.split_once('/') {
                state.last_known_mdm.insert(DeviceId::from(device), mdm);
            }
        }
        state.stops = self.stops().await?;
        state.verified = self.store.verified_playbooks().await?.into_iter().collect();
        state.in_scope = self.in_scope(observed).await?;
        state.open = self
            .store
            .undecided_proposals()
            .await?
            .into_iter()
            .map(|proposal| OpenProposal {
                id: proposal.id,
                revision: proposal.revision,
                plan: proposal.plan,
                revised_at: proposal.revised_at,
                modal_open: false,
            })
            .collect();
        Ok(state)
    }

    /// Subjects that an MDM knew which was not read whole in this sweep, by key, with its record.
    pub(super) async fn known_to_incomplete(
        &self,
        observed: &Observed,
    ) -> anyhow::Result<HashMap<String, (MdmName, Option<MdmDeviceId>)>> {
        let mut known = HashMap::new();
        for mdm in &self.observer.mdms {
            if observed.lacks(mdm.name()) {
                let mdm = mdm.mdm();
                let subjects = self.store.subjects_known_to(mdm).await?.into_iter();
                known.extend(subjects.map(|(key, record)| (key, (mdm.clone(), record))));
            }
        }
        Ok(known)
    }

    async fn stops(&self) -> anyhow::Result<Stops> {
        let mut stops = Stops::default();
        for stop in approvals::in_force(&self.store, &self.settings.stop_file()).await? {
            let one = Stop {
                by: stop.stop.by,
                at: stop.stop.at,
                reason: stop.stop.reason,
            };
            match stop.stop.scope {
                StopScope::All => drop(stops.all.get_or_insert(one)),
                StopScope::Playbook(name) => drop(stops.playbooks.insert(name, one)),
                StopScope::Proposal(_) => {}
            }
        }
        Ok(stops)
    }

    /// In-scope desktop device-users of the last complete sweep; of this one if it is the first.
    async fn in_scope(&self, observed: &Observed) -> anyhow::Result<usize> {
        if let Some(last) = self.store.last_complete_sweep().await?
            && let Ok(counts) = serde_json::from_value::<Counts>(last.counts)
        {
            return Ok(counts.device_users.saturating_sub(counts.out_of_scope));
        }
        let devices = observed
            .observations
            .okta
            .devices
            .iter()
            .filter(|device| device.platform.is_desktop());
        Ok(devices
            .map(|device| device.users.as_ref().map_or(0, Vec::len))
            .sum())
    }

    /// The causes on which enough complete sweeps agree, this one included; `None`: one sweep is enough.
    pub(super) fn agreed(
        &self,
        history: &HashMap<String, FindingRecord>,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> Option<HashMap<(DeviceId, UserId), Cause>> {
        let needed = u32::from(self.settings.detect.confirmations);
        if needed <= 1 {
            return None;
        }
        let complete = observed.incomplete.is_empty();
        let agreed = |record: &&FindingRecord| {
            let now_too = complete && record.agrees_again(now);
            record.agreements + u32::from(now_too) >= needed
        };
        let by_subject = history.values().filter(agreed).filter_map(|record| {
            let finding = &record.finding;
            Some((
                (finding.device_id.clone()?, finding.user_id.clone()?),
                finding.cause,
            ))
        });
        Some(by_subject.collect())
    }
}

/// Since when each device-user is known to be stuck.
pub(super) fn stuck_since(
    history: &HashMap<String, FindingRecord>,
) -> HashMap<(DeviceId, UserId), DateTime<Utc>> {
    history
        .values()
        .filter_map(|record| {
            let key = (
                record.finding.device_id.clone()?,
                record.finding.user_id.clone()?,
            );
            Some((key, record.opened_at))
        })
        .collect()
}

/// A duration of a playbook.
pub(super) fn seconds(seconds: u64) -> TimeDelta {
    i64::try_from(seconds)
        .ok()
        .and_then(TimeDelta::try_seconds)
        .unwrap_or(TimeDelta::days(365))
}
