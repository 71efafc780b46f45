//! One pass over the fleet: observe → decide → save → ask. Returns the document that every surface shows.

mod document;
mod fleet;
mod save;
mod state;

pub(crate) use save::key as subject_key;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::Context;
use chrono::{DateTime, Days, TimeDelta, Utc};
use connectors::{OktaReader, Progress};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::SharedClock,
    doctor::{self, tenant::ProbeAnswer},
    domain::{
        Assumption, Cause, GroupId, PlannedRepair, Platform, PlaybookName, UserId,
        certificate::Issuers,
        correlate::ManualLink,
        decide::{DecideInput, Decided, decide},
        detect::{DetectSettings, Exclusions},
        findings,
        guard::{Mode, SafetySettings},
        playbook::Playbook,
    },
    ids::SharedIds,
    node::Node,
    observer::{Observed, Observer},
    report::SweepDocument,
    settings::{self, Settings},
    store::{LeaseProof, OBSERVER_LEASE, Store, StoredBelief},
};

/// Most users in one sweep for whom sign-ins are simulated: as many as one proposal may hold, and some to spare.
const MOST_SIMULATED: usize = 50;

/// Sweeps the fleet.
pub struct Sweeper {
    /// Reads the vendors.
    pub observer: Observer,
    /// The record.
    pub store: Store,
    /// Our own clock.
    pub clock: SharedClock,
    /// This node.
    pub node: Arc<Node>,
    /// Settings.
    pub settings: Arc<Settings>,
    /// Playbooks, in their order.
    pub playbooks: Arc<Vec<Playbook>>,
    /// New ids.
    pub ids: SharedIds,
    /// How often `serve` sweeps; says when what is left out is looked at again.
    pub every: Option<TimeDelta>,
}

impl Sweeper {
    /// Sweeps under the observer lease. If another sweep runs already, waits for it and returns its document.
    pub async fn sweep(
        &self,
        progress: &dyn Progress,
        stop: &CancellationToken,
    ) -> anyhow::Result<SweepDocument> {
        let joined = self.store.running_sweep().await?;
        let _turn = self.node.observer_turn().lock().await;
        let proof = self
            .node
            .take_waiting(OBSERVER_LEASE, stop)
            .await?
            .context("stopped while waiting for another sweep")?;
        let document = async {
            if let Some(running) = joined
                && let Some(finished) = self.store.sweep(&running.id).await?
                && let Some(document) = finished.document
            {
                return Ok(serde_json::from_value(document)?);
            }
            self.sweep_under(&proof, progress).await
        }
        .await;
        self.node.give_back(OBSERVER_LEASE).await?;
        document
    }

    /// Looks at everything and writes nothing anywhere.
    pub async fn dry_run(&self, progress: &dyn Progress) -> anyhow::Result<SweepDocument> {
        let started_at = self.clock.now();
        let (observed, decided) = self.look(started_at, None, progress).await?;
        self.document(&self.ids.unique(), started_at, true, &observed, decided)
            .await
    }

    async fn sweep_under(
        &self,
        proof: &LeaseProof,
        progress: &dyn Progress,
    ) -> anyhow::Result<SweepDocument> {
        let started_at = self.clock.now();
        let id = self.ids.unique();
        self.store.begin_sweep(proof, &id, started_at).await?;
        let (observed, decided) = self.look(started_at, Some(proof), progress).await?;
        self.store
            .save_confirmations(proof, &observed.confirmed)
            .await?;
        self.store
            .save_looks(proof, &observed.looked, &observed.told)
            .await?;
        self.save_subjects(proof, &observed, started_at).await?;
        self.save_beliefs(proof, &observed, started_at).await?;
        self.save_findings(proof, &observed, &decided, started_at)
            .await?;
        self.save_fleet(proof, &observed, &decided, started_at)
            .await?;
        self.save_proposals(&observed, &decided).await?;
        let document = self
            .document(&id, started_at, false, &observed, decided)
            .await?;
        self.finish(proof, &id, &observed, &document).await?;
        Ok(document)
    }

    /// Observes and decides; candidates are read by id, and what diagnoses ask for is read.
    async fn look(
        &self,
        now: DateTime<Utc>,
        proof: Option<&LeaseProof>,
        progress: &dyn Progress,
    ) -> anyhow::Result<(Observed, Decided)> {
        let mut observed = self.observer.observe(now, proof, progress).await?;
        let links = self.links().await?;
        let detect = self.detect_settings(now).await?;
        if !observed.lacks("okta") {
            let first = tokio::task::block_in_place(|| {
                findings::findings(&observed.observations, &links, &detect).confirm
            });
            let limit = self.settings.okta.confirm_per_sweep;
            let candidates: Vec<_> = first.into_iter().take(limit).collect();
            self.observer
                .confirm(&mut observed, &candidates, progress)
                .await;
            let mut joining = Vec::new();
            // The answer to one question may raise another: groups, then factors, then the user's own log.
            for _ in 0..3 {
                let wants;
                (wants, joining) = tokio::task::block_in_place(|| {
                    let found = findings::findings(&observed.observations, &links, &detect);
                    (found.wants, joining_fastpass(&found.findings))
                });
                if wants.is_empty() {
                    break;
                }
                // Groups that exclude people are asked of each candidate, also where the by-id reads still hold.
                let most = match detect.exclusions.name_groups() {
                    true => limit,
                    false => candidates.len().max(20),
                };
                let sharpened = self.observer.sharpen(&mut observed, &wants, most, progress);
                if !sharpened.await {
                    break;
                }
            }
            self.simulate_access(&mut observed, joining).await;
        }
        let incomplete: BTreeMap<String, String> = observed
            .incomplete
            .iter()
            .map(|one| (one.source.clone(), one.reason.clone()))
            .collect();
        let state = self.guard_state(&observed, now).await?;
        let safety = self.safety(proof.is_none()).await?;
        let history = self.store.open_findings().await?;
        let stuck_since = state::stuck_since(&history);
        let agreed = self.agreed(&history, &observed, now);
        let denials = self.store.denials(now).await?;
        let denied = |repair: &PlannedRepair, playbook: &PlaybookName, cause: Cause| {
            crate::approvals::denied_until(&denials, repair, playbook, cause, now)
        };
        let fastpass_group = self
            .settings
            .okta
            .fastpass_group
            .as_deref()
            .map(GroupId::from);
        let fleet = self.fleet_state(&observed, now).await?;
        let decided = tokio::task::block_in_place(|| {
            decide(&DecideInput {
                now,
                next_look: now + self.every.unwrap_or(TimeDelta::days(1)),
                tomorrow: tomorrow(now),
                observations: &observed.observations,
                links: &links,
                detect: &detect,
                playbooks: &self.playbooks,
                fastpass_group: fastpass_group.as_ref(),
                sign_in_app: self.settings.okta.sign_in_app.as_deref(),
                safety: &safety,
                state: &state,
                incomplete: &incomplete,
                stuck_since: &stuck_since,
                agreed: agreed.as_ref(),
                denied: &denied,
                fleet: &fleet,
            })
        });
        Ok((observed, decided))
    }

    /// Asks whether those whom a rule does not cover would keep every app in the FastPass group.
    async fn simulate_access(&self, observed: &mut Observed, joining: Vec<(UserId, Platform)>) {
        let Some(group) = self.settings.okta.fastpass_group.as_deref() else {
            return;
        };
        let group = GroupId::from(group);
        let okta = &mut observed.observations.okta;
        for (user, platform) in joining.into_iter().take(MOST_SIMULATED) {
            let groups = okta.users.get(&user).and_then(|user| user.groups.clone());
            // Without their groups the diagnosis itself is open.
            let Some(groups) = groups else { continue };
            let reader = self.observer.okta.as_ref();
            let check =
                crate::access::check(reader, &okta.policies, &groups, &group, platform).await;
            okta.fastpass_access.insert(user, check);
        }
    }

    /// The matches that people made.
    async fn links(&self) -> anyhow::Result<Vec<ManualLink>> {
        let links = self.store.links().await?.into_iter();
        Ok(links
            .map(|link| ManualLink {
                device_id: link.device,
                mdm: link.mdm,
                mdm_device_id: link.mdm_device,
            })
            .collect())
    }

    async fn detect_settings(&self, now: DateTime<Utc>) -> anyhow::Result<DetectSettings> {
        let settings = &self.settings;
        let exclusions = &settings.exclusions;
        let grace = TimeDelta::from_std(settings.detect.grace).unwrap_or(TimeDelta::hours(24));
        let mut last_repairs = std::collections::HashMap::new();
        for repair in self.store.repairs_since(now - TimeDelta::days(30)).await? {
            let acted = !matches!(
                repair.state,
                crate::domain::RepairState::Dropped { .. }
                    | crate::domain::RepairState::CuredByItself
            );
            if let Some(ended) = repair.finished_at.filter(|_| acted) {
                last_repairs
                    .entry(repair.hardware)
                    .and_modify(|at: &mut DateTime<Utc>| *at = (*at).max(ended))
                    .or_insert(ended);
            }
        }
        let playbook_causes: std::collections::BTreeSet<Cause> = self
            .playbooks
            .iter()
            .flat_map(|playbook| playbook.applies.causes.iter().copied())
            .collect();
        Ok(DetectSettings {
            grace,
            exclusions: Exclusions::new(&exclusions.users, &exclusions.groups, &exclusions.devices),
            issuers: Issuers {
                names: settings.attestation.issuers.clone(),
                org_id: settings.okta.org_id.clone(),
            },
            last_repairs,
            playbook_causes,
            okta_verify_minimum: settings.detect.okta_verify_minimum.clone(),
            os_minimum: settings.detect.os_minimum.clone(),
            org_hosts: org_host(&settings.okta.org_url).into_iter().collect(),
            scep_url: settings.attestation.scep_url.clone(),
            scep_probes: self.scep_probes().await?,
            contradicted: self.contradicted().await?,
            ..DetectSettings::default()
        })
    }

    /// What SCEP servers last answered to `doctor`.
    async fn scep_probes(&self) -> anyhow::Result<Vec<crate::domain::ScepProbe>> {
        let stored = self.store.probes().await?.into_iter();
        Ok(stored
            .filter_map(|probe| {
                let answer = serde_json::from_value::<ProbeAnswer>(probe.answer).ok()?;
                Some(answer.told(probe.url, probe.asked_at))
            })
            .collect())
    }

    /// Beliefs about the vendors that this org's own data refutes, as the last sweep counted.
    async fn contradicted(&self) -> anyhow::Result<BTreeSet<Assumption>> {
        let beliefs = self.store.beliefs().await?.into_iter();
        Ok(beliefs
            .filter(|one| doctor::tenant::Tally::from(*one).refutes())
            .map(|one| one.belief)
            .collect())
    }

    /// Counts what this look says about the beliefs.
    async fn save_beliefs(
        &self,
        proof: &LeaseProof,
        observed: &Observed,
        at: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let counted = tokio::task::block_in_place(|| doctor::tally(&observed.observations));
        let beliefs: Vec<StoredBelief> = counted
            .into_iter()
            .map(|(belief, tally)| tally.stored(belief))
            .collect();
        Ok(self.store.save_beliefs(proof, &beliefs, at).await?)
    }

    async fn safety(&self, dry_run: bool) -> anyhow::Result<SafetySettings> {
        let settings = &self.settings;
        // A dry run shows what would be proposed, in observe mode too.
        let mode = match settings.safety.mode {
            settings::Mode::Observe if !dry_run => Mode::Observe,
            _ => Mode::Approve,
        };
        Ok(SafetySettings {
            mode,
            first_day_cap: settings.safety.first_day_cap,
            exclusions: exclusions(settings),
        })
    }
}

/// Users whom the rule does not cover, with the platform of the computer.
fn joining_fastpass(cases: &[findings::Case<'_>]) -> Vec<(UserId, Platform)> {
    let uncovered = cases
        .iter()
        .filter(|case| case.diagnosis.cause == Cause::PolicyUserOutOfScope);
    uncovered
        .filter_map(|case| Some((case.finding.user_id.clone()?, case.finding.platform)))
        .collect()
}

/// Whom the settings leave alone, as guards and preflights ask.
pub fn exclusions(settings: &Settings) -> crate::domain::guard::Exclusions {
    crate::domain::guard::Exclusions {
        users: settings.exclusions.users.iter().cloned().collect(),
        groups: settings
            .exclusions
            .groups
            .iter()
            .map(|group| GroupId::from(group.as_str()))
            .collect(),
        devices: settings.exclusions.devices.iter().cloned().collect(),
    }
}

/// Start of the next day, UTC.
fn tomorrow(now: DateTime<Utc>) -> DateTime<Utc> {
    let next = now
        .date_naive()
        .checked_add_days(Days::new(1))
        .unwrap_or_else(|| now.date_naive());
    next.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Requests per source since this process began.
pub(crate) fn usage(observer: &Observer) -> BTreeMap<String, crate::report::Api> {
    let okta: &Arc<dyn OktaReader> = &observer.okta;
    let one = |name: &str, usage: connectors::ApiUsage| {
        (
            name.to_owned(),
            crate::report::Api {
                requests: usage.requests,
                throttled: usage.throttled,
            },
        )
    };
    let mdms = observer.mdms.iter().map(|mdm| one(mdm.name(), mdm.usage()));
    std::iter::once(one("okta", okta.usage()))
        .chain(mdms)
        .collect()
}

/// `acme.okta.com`
fn org_host(url: &str) -> Option<String> {
    let url = url.parse::<url::Url>().ok()?;
    url.host_str().map(str::to_lowercase)
}
