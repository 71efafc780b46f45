//! The proof: MDM delivered → certificate seen → bound → managed. Each read moves it as far as it shows.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{ChangeState, ProfileChange};

use super::{ByIdRead, Executor, HopRecord, LOOK_AGAIN, poll_after, repair::Walk, seconds};
use crate::{
    domain::{
        Hop, LogFacts, ManagementStatus, MdmCertificate, MessagePurpose, MicroStepKind,
        RepairState, StepState, VendorCall, WaitingOn,
        repairs::RepairEvent,
        verify::{self, HopEvidence, HopState, ManagedEvidence, NextHop, Proof, ProvedBy},
        waves,
    },
    fresh::Fresh,
    store::SignInRequestState,
};

impl Executor {
    /// Reads what the proof needs; `false`: wait, or ended.
    pub(super) async fn verify(
        &self,
        walk: &mut Walk<'_>,
        log: &Arc<LogFacts>,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let RepairState::Waiting {
            on: WaitingOn::Hop { hop: waited_for },
            deadline,
        } = walk.record.state.clone()
        else {
            anyhow::bail!("the repair waits for no hop");
        };
        if let Some(login) = self.disowned_by(walk).await? {
            let reason = format!("{login} says that it is not theirs; check who uses it");
            self.end(walk, RepairEvent::NeedsHuman { reason }).await?;
            return Ok(false);
        }
        if let Some(later) = self.log_suffices_until(walk, log, deadline).await? {
            self.put_off(&walk.record.id, later).await;
            return Ok(false);
        }
        let Some(fresh) = self.read_again(walk, log).await? else {
            return Ok(false);
        };
        walk.progress.read_by_id = Some(ByIdRead::now(now, &walk.planned.subjects, log));
        self.note_not_managed(walk, &fresh);
        let (hops, proved_by) = self.judge_hops(walk, &fresh, log).await?;
        walk.progress.proved_by = proved_by;
        let gate = self.gate(walk);
        let passed = hops
            .iter()
            .any(|(hop, state)| *hop >= gate && matches!(state, HopState::Proved { .. }));
        if passed && walk.progress.gate_passed_at.is_none() {
            walk.progress.gate_passed_at = Some(now);
        }
        walk.progress.hops = hops
            .iter()
            .map(|(hop, state)| HopRecord {
                hop: *hop,
                state: state.clone(),
            })
            .collect();
        match verify::next_hop(&hops) {
            NextHop::Proved => {
                self.end(walk, RepairEvent::Proved).await?;
                Ok(false)
            }
            NextHop::WaitFor(hop) if now >= deadline => {
                walk.progress.because.get_or_insert_with(|| {
                    format!(
                        "no {} within {}",
                        crate::wording::hop(hop),
                        crate::wording::span(seconds(walk.opened.plan.verify.within_seconds))
                    )
                });
                self.end(walk, RepairEvent::NotFixed { hop }).await?;
                Ok(false)
            }
            NextHop::WaitFor(hop) => {
                let began = walk.progress.proof_began_at.unwrap_or(now);
                let next = (now + poll_after(now - began, false)).min(deadline);
                let event = RepairEvent::HopAwaited { hop, deadline };
                self.change(walk, event, Some(next), Vec::new()).await?;
                let _ = waited_for;
                Ok(false)
            }
        }
    }

    /// Who answered to this repair's request that the computer is not theirs. A request that ended before it was asked
    /// again by this repair, so an ended one is an answer to it.
    async fn disowned_by(&self, walk: &Walk<'_>) -> anyhow::Result<Option<String>> {
        for (index, step) in walk.planned.steps.iter().enumerate() {
            let MicroStepKind::Call(VendorCall::DirectMessage {
                user,
                device,
                purpose: MessagePurpose::RequestFastpassSignIn,
            }) = &step.kind
            else {
                continue;
            };
            let asked = walk
                .latest(index)
                .is_some_and(|record| record.state == StepState::Succeeded);
            if !asked {
                continue;
            }
            let request = self.store.sign_in_request(user).await?;
            let denied = request.is_some_and(|request| {
                request.state == SignInRequestState::NotMine && request.devices.contains(device)
            });
            if denied {
                let subjects = walk.planned.subjects.iter();
                let login = subjects
                    .filter(|subject| subject.user_id == *user)
                    .map(|subject| subject.login.clone())
                    .next();
                return Ok(Some(login.unwrap_or_else(|| user.to_string())));
            }
        }
        Ok(None)
    }

    /// The hop that opens the next wave: the plan's, or the nearest that this MDM can prove.
    fn gate(&self, walk: &Walk<'_>) -> Hop {
        let shows = walk
            .planned
            .mdm
            .as_ref()
            .and_then(|mdm| self.reader.mdm(mdm))
            .map(|mdm| mdm.shows());
        waves::gate_of(&walk.opened.plan.rollout, |hop| {
            verify::provable(shows.as_ref(), hop)
        })
    }

    /// Remembers that Okta said `NOT_MANAGED` by id since the run began: a flip from then on is proof.
    pub(super) fn note_not_managed(&self, walk: &mut Walk<'_>, fresh: &Fresh) {
        walk.progress
            .not_managed_by_id_at
            .resize(walk.planned.subjects.len(), None);
        for (seen, subject) in walk
            .progress
            .not_managed_by_id_at
            .iter_mut()
            .zip(&fresh.subjects)
        {
            if subject.management_status == Some(ManagementStatus::NotManaged) {
                seen.get_or_insert(fresh.observations.okta.now);
            }
        }
    }

    /// Every hop of the plan's proof, and what proves MANAGED; a hop is proved for a computer when it is proved for each
    /// of its subjects.
    async fn judge_hops(
        &self,
        walk: &Walk<'_>,
        fresh: &Fresh,
        log: &LogFacts,
    ) -> anyhow::Result<(Vec<(Hop, HopState)>, Option<ProvedBy>)> {
        let shows = fresh.mdm().map(|mdm| mdm.shows);
        let began = walk
            .planned
            .mdm
            .as_ref()
            .map(|mdm| self.began(&walk.opened.run, mdm.as_str()));
        let certificate = began.and_then(|began| new_certificate(walk, fresh, began));
        let mut evidence = HopEvidence {
            checked_in_at: fresh
                .record()
                .and_then(|record| record.last_check_in)
                .filter(|at| Some(*at) > began),
            delivered_at: self.delivered_at(walk, fresh, began).await?,
            certificate_at: certificate,
            managed: ManagedEvidence::default(),
        };
        let mut all: Option<Vec<(Hop, HopState)>> = None;
        let mut proved_by = None;
        for (index, subject) in fresh.subjects.iter().enumerate() {
            let seen = log
                .fastpass
                .get(&(subject.device_id.clone(), subject.user_id.clone()));
            evidence.managed = ManagedEvidence {
                by_id: subject
                    .management_status
                    .map(|status| (status, fresh.observations.okta.now)),
                not_managed_by_id_at: walk
                    .progress
                    .not_managed_by_id_at
                    .get(index)
                    .copied()
                    .flatten(),
                run_began_at: Some(self.began(&walk.opened.run, "okta")),
                fastpass_managed_at: seen.and_then(|seen| seen.last_managed),
                bound_at: log.binds.get(&subject.device_id).map(|seen| seen.last),
                certificate_at: certificate,
            };
            proved_by = match verify::proof(&evidence.managed) {
                Proof::Managed { by, .. } => Some(by),
                _ => None,
            };
            let hops = verify::hops(&walk.opened.plan.verify, shows.as_ref(), &evidence);
            all = Some(match all {
                None => hops,
                Some(before) => before
                    .into_iter()
                    .zip(hops)
                    .map(|(a, b)| (a.0, weaker(a.1, b.1)))
                    .collect(),
            });
        }
        Ok((all.unwrap_or_default(), proved_by))
    }

    /// When the MDM delivered the profile since the run began.
    async fn delivered_at(
        &self,
        walk: &Walk<'_>,
        fresh: &Fresh,
        began: Option<DateTime<Utc>>,
    ) -> anyhow::Result<Option<DateTime<Utc>>> {
        let wanted = walk
            .opened
            .plan
            .verify
            .hops
            .contains(&Hop::ProfileDelivered);
        let (Some(began), Some(mdm), Some(device), true) = (
            began,
            &walk.planned.mdm,
            &walk.planned.mdm_device_id,
            wanted,
        ) else {
            return Ok(None);
        };
        let profile = pushed_profile(walk).or_else(|| walk.planned.preconditions.profile.clone());
        let Some(profile) = profile else {
            return Ok(None);
        };
        let device = super::act::reference(device, walk.planned.management_id.as_deref());
        let change = self
            .mdm_reader(mdm)?
            .profile_change(&device, &profile, ProfileChange::Install, began)
            .await;
        Ok(match change {
            Ok(ChangeState::Acknowledged { at }) => Some(at),
            Ok(ChangeState::NotSeen | ChangeState::Pending | ChangeState::Failed { .. }) => None,
            Err(error) => {
                tracing::debug!(error = %error, wait_s = LOOK_AGAIN.num_seconds(), "cannot read a delivery");
                fresh.record().and_then(|record| {
                    let delivery = record
                        .profiles
                        .iter()
                        .flatten()
                        .find(|delivery| delivery.profile_id == profile)?;
                    delivery.since.filter(|at| {
                        *at > began && delivery.state == crate::domain::ProfileState::Installed
                    })
                })
            }
        })
    }
}

/// The profile that the plan's own waits name.
fn pushed_profile(walk: &Walk<'_>) -> Option<crate::domain::ProfileId> {
    walk.planned
        .steps
        .iter()
        .rev()
        .find_map(|step| match &step.kind {
            MicroStepKind::Wait(wait) => match &wait.until {
                crate::domain::WaitUntil::ProfileInstalled { profile, .. } => Some(profile.clone()),
                _ => None,
            },
            MicroStepKind::Call(_) => None,
        })
}

/// When the certificate was issued that is there now and was not when the plan was made.
fn new_certificate(walk: &Walk<'_>, fresh: &Fresh, began: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let touches_certificate = walk.planned.steps.iter().any(|step| {
        matches!(
            &step.kind,
            MicroStepKind::Call(
                VendorCall::Sync { .. }
                    | VendorCall::SetDeviceGroup { .. }
                    | VendorCall::SetDeviceCategory { .. }
                    | VendorCall::RunCleanupScript { .. }
                    | VendorCall::FlushFailedCommands { .. }
            )
        )
    });
    if !touches_certificate {
        return None;
    }
    let mdm_now = fresh.mdm()?.now;
    let is_new = |certificate: &&MdmCertificate| {
        let id = certificate
            .serial_number
            .as_deref()
            .or(certificate.thumbprint.as_deref());
        let differs = id.is_some() && id != walk.planned.preconditions.certificate.as_deref();
        // A CA may date a certificate back a little, so another certificate counts as well as a later one.
        let later = certificate
            .issued_at
            .is_some_and(|at| at >= began || (differs && at >= began - TimeDelta::hours(1)));
        later
            && certificate.expires_at.is_none_or(|at| at > mdm_now)
            && certificate.has_private_key != Some(false)
    };
    fresh
        .record()?
        .certificates
        .iter()
        .flatten()
        .filter(is_new)
        .filter_map(|certificate| certificate.issued_at)
        .max()
}

/// What holds for both of two subjects.
fn weaker(a: HopState, b: HopState) -> HopState {
    match (a, b) {
        (HopState::Proved { at: a }, HopState::Proved { at: b }) => {
            HopState::Proved { at: a.max(b) }
        }
        (HopState::NotProvableHere, HopState::NotProvableHere) => HopState::NotProvableHere,
        (HopState::Proved { .. }, other) | (other, HopState::Proved { .. }) => other,
        _ => HopState::Open,
    }
}
