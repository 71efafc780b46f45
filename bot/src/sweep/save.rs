//! Writes what a sweep found: subjects and findings with their history, proposals with their cards.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Sweeper;
use crate::{
    chat::{CardEvidence, messages},
    domain::{
        DeviceId, Finding, HardwareKey, ManagementStatus, Plan, PlannedRepair, Platform,
        ProposalState, WhyNot,
        approval::Revision,
        correlate::{self, normalise},
        decide::Decided,
        digest,
        guard::ProposalChange,
    },
    observer::Observed,
    report::SweepDocument,
    store::{
        FindingChange, FindingRecord, FinishedSweep, HistoryEntry, LeaseProof, NewAuditEntry,
        NewProposal, NewRevision, Quarantined, SubjectRecord, Together,
    },
};

/// Rows written in one call.
const CHUNK: usize = 500;

impl Sweeper {
    /// One current row per device-user, written only when it changed.
    pub(super) async fn save_subjects(
        &self,
        proof: &LeaseProof,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        if observed.lacks("okta") {
            return Ok(());
        }
        let before = self.store.subject_hashes().await?;
        // An MDM that was not read whole is no reason to forget whom it knew.
        let known = self.known_to_incomplete(observed).await?;
        let links = self.links().await?;
        let observations = &observed.observations;
        let changed = tokio::task::block_in_place(|| {
            let correlated = correlate::correlate(observations, &links);
            let mut changed = Vec::new();
            for device in observations
                .okta
                .devices
                .iter()
                .filter(|device| device.platform.is_desktop())
            {
                let matched = correlated
                    .matched(&device.id)
                    .map(|(mdm, record)| (mdm.name.clone(), Some(record.id.clone())));
                for link in device.users.iter().flatten() {
                    let managed = link.management_status == Some(ManagementStatus::Managed);
                    let key = format!("{}/{}", device.id, link.user_id);
                    let in_mdm = known.get(&key).or(matched.as_ref());
                    let mut hasher = DefaultHasher::new();
                    (
                        &device.display_name,
                        &device.serial_number,
                        &device.udid,
                        &device.os_version,
                        &link.login,
                        managed,
                    )
                        .hash(&mut hasher);
                    in_mdm.hash(&mut hasher);
                    let hash = format!("{:016x}", hasher.finish());
                    if before.get(&key) == Some(&hash) {
                        continue;
                    }
                    changed.push(SubjectRecord {
                        key,
                        device_id: Some(device.id.clone()),
                        user_id: Some(link.user_id.clone()),
                        login: Some(link.login.to_lowercase()),
                        serial_number: device.serial_number.as_deref().and_then(normalise),
                        mdm: in_mdm.map(|(mdm, _)| mdm.clone()),
                        mdm_device_id: in_mdm.and_then(|(_, record)| record.clone()),
                        hash,
                        document: json!({
                            "device_name": device.display_name, "platform": device.platform,
                            "os_version": device.os_version, "udid": device.udid, "login": link.login, "managed": managed,
                            "serial_number": device.serial_number,
                        }),
                        changed_at: now,
                    });
                }
            }
            changed
        });
        for chunk in changed.chunks(CHUNK) {
            self.store.save_subjects(proof, chunk).await?;
        }
        Ok(())
    }

    /// Opens, changes and closes findings. A subject that was not listed keeps its finding: absence is not recovery.
    pub(super) async fn save_findings(
        &self,
        proof: &LeaseProof,
        observed: &Observed,
        decided: &Decided,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let before = self.store.open_findings().await?;
        let complete = observed.incomplete.is_empty();
        let mut changes = Vec::new();
        let mut seen = HashSet::new();
        for finding in decided.findings.iter().chain(&decided.unlinked) {
            let key = key(finding);
            if let Some(change) = change(before.get(&key), &key, finding, complete, now) {
                changes.push(change);
            }
            seen.insert(key);
        }
        if !observed.lacks("okta") {
            let managed: HashMap<String, bool> = observed
                .observations
                .okta
                .devices
                .iter()
                .flat_map(|device| {
                    device
                        .users
                        .iter()
                        .flatten()
                        .map(move |link| (device, link))
                })
                .map(|(device, link)| {
                    let by_id = observed.observations.okta.confirmed.get(&device.id);
                    let by_id = by_id
                        .and_then(|read| read.users.as_ref())
                        .and_then(|users| {
                            let user = users
                                .iter()
                                .find(|user| user.link.user_id == link.user_id)?;
                            user.link.management_status
                        });
                    let status = by_id.or(link.management_status);
                    (
                        format!("{}/{}", device.id, link.user_id),
                        status == Some(ManagementStatus::Managed),
                    )
                })
                .collect();
            for (key, record) in before.iter().filter(|(key, _)| !seen.contains(*key)) {
                let reason = match managed.get(key) {
                    Some(true) => "managed",
                    Some(false) => "out of scope",
                    None => continue,
                };
                let mut record = record.clone();
                record.closed_at = Some(now);
                record.closed_reason = Some(reason.into());
                let cause = record.finding.cause;
                let history = HistoryEntry {
                    at: now,
                    change: "closed".into(),
                    cause,
                    detail: Some(reason.into()),
                };
                changes.push(FindingChange {
                    record,
                    history: Some(history),
                });
            }
        }
        for chunk in changes.chunks(CHUNK) {
            self.store.save_findings(proof, chunk).await?;
        }
        Ok(())
    }

    /// Opens, revises and closes proposals, each with its card in the same transaction.
    pub(super) async fn save_proposals(
        &self,
        observed: &Observed,
        decided: &Decided,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        for hardware in &decided.guard.quarantine {
            let quarantined = Quarantined {
                hardware: hardware.as_str().into(),
                reason: "repaired as often as allowed without success".into(),
                repair_id: None,
                since: now,
            };
            self.store
                .put_in_quarantine(&quarantined, Together::default())
                .await?;
        }
        let rates = self.store.fix_rates(now - TimeDelta::days(400)).await?;
        let rate = |plan: &Plan| {
            let mdms: HashSet<_> = plan
                .repairs
                .iter()
                .map(|repair| repair.mdm.clone())
                .collect();
            let rate = rates.iter().find(|rate| {
                rate.playbook == plan.playbook
                    && rate.cause == plan.cause
                    && mdms.len() == 1
                    && mdms.contains(&rate.mdm)
            })?;
            let median = rate
                .median_minutes
                .map(|minutes| format!(", median {minutes} min"))
                .unwrap_or_default();
            Some(format!(
                "worked for {} of {}{median}",
                rate.worked, rate.total
            ))
        };
        for change in &decided.guard.changes {
            match change {
                ProposalChange::Open { plan } => {
                    let evidence = evidence(plan, decided, rate(plan), Vec::new(), now);
                    self.open(plan, evidence, now).await?;
                }
                ProposalChange::Revise {
                    id, revision, plan, ..
                } => {
                    let (text, digest) = digested(plan)?;
                    let Some(before) = self.store.proposal(id).await? else {
                        continue;
                    };
                    let mut history = CardEvidence::read(&before.evidence).history;
                    history.push(Revision {
                        revision: before.revision,
                        digest: before.digest.clone(),
                        devices: devices(&before.plan),
                    });
                    let expires_at = now + super::state::seconds(plan.approval.expires_seconds);
                    let new = NewRevision {
                        id: id.clone(),
                        replaces: revision.saturating_sub(1),
                        plan_text: text,
                        digest: digest.clone(),
                        evidence: evidence(plan, decided, rate(plan), history, now),
                        at: now,
                        expires_at,
                    };
                    let letters = [messages::card(id, now)];
                    let audit = [NewAuditEntry {
                        kind: "proposal.revised".into(),
                        about: id.to_string(),
                        at: now,
                        payload: json!({ "revision": revision, "digest": digest, "plan": plan }),
                    }];
                    self.store
                        .revise_proposal(
                            &new,
                            Together {
                                messages: &letters,
                                audit: &audit,
                            },
                        )
                        .await?;
                }
                ProposalChange::Keep { id, dropped_out } => {
                    self.keep(id, dropped_out, observed, decided, now).await?
                }
            }
        }
        Ok(())
    }

    async fn open(
        &self,
        plan: &Plan,
        evidence: serde_json::Value,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let (text, digest) = digested(plan)?;
        loop {
            let id = self.ids.proposal();
            let new = NewProposal {
                id: id.clone(),
                plan: plan.clone(),
                plan_text: text.clone(),
                digest: digest.clone(),
                evidence: evidence.clone(),
                batch_number: 1,
                batch_count: 1,
                created_at: now,
                expires_at: now + super::state::seconds(plan.approval.expires_seconds),
            };
            let letters = [messages::card(&id, now)];
            let audit = [NewAuditEntry {
                kind: "proposal.opened".into(),
                about: id.to_string(),
                at: now,
                payload: json!({ "digest": digest, "plan": plan, "evidence": new.evidence }),
            }];
            // A taken id is a chance of one in a thousand million: another one follows.
            if self
                .store
                .insert_proposal(
                    &new,
                    Together {
                        messages: &letters,
                        audit: &audit,
                    },
                )
                .await?
            {
                return Ok(());
            }
        }
    }

    /// Drop-outs leave at execution; a proposal that has lost everybody is closed.
    async fn keep(
        &self,
        id: &crate::domain::ProposalId,
        dropped_out: &[HardwareKey],
        observed: &Observed,
        decided: &Decided,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        // What is missing from an incomplete sweep is neither cured nor gone.
        if dropped_out.is_empty() || !observed.incomplete.is_empty() {
            return Ok(());
        }
        let Some(proposal) = self.store.proposal(id).await? else {
            return Ok(());
        };
        if proposal
            .plan
            .repairs
            .iter()
            .any(|repair| !dropped_out.contains(&repair.hardware))
        {
            return Ok(());
        }
        let still_stuck = proposal
            .plan
            .repairs
            .iter()
            .flat_map(|repair| &repair.subjects)
            .any(|subject| {
                decided.findings.iter().any(|finding| {
                    finding.device_id.as_ref() == Some(&subject.device_id)
                        && finding.user_id.as_ref() == Some(&subject.user_id)
                })
            });
        let (state, reason) = match still_stuck {
            true => (
                ProposalState::Superseded,
                "the evidence changed; nothing of this plan fits any more",
            ),
            false => (ProposalState::Cured, "every computer is managed again"),
        };
        let letters = [messages::card(id, now)];
        let together = Together {
            messages: &letters,
            audit: &[],
        };
        self.store
            .close_proposal(id, proposal.revision, state, reason, now, together)
            .await?;
        Ok(())
    }

    pub(super) async fn finish(
        &self,
        proof: &LeaseProof,
        id: &str,
        observed: &Observed,
        document: &SweepDocument,
    ) -> anyhow::Result<()> {
        let mut causes: BTreeMap<String, u64> = BTreeMap::new();
        for finding in &document.findings {
            *causes.entry(finding.cause.name().into()).or_default() += 1;
        }
        self.store
            .finish_sweep(
                proof,
                &FinishedSweep {
                    id: id.into(),
                    finished_at: document.sweep.finished_at,
                    complete: document.sweep.complete,
                    incomplete: serde_json::to_value(&document.sweep.incomplete)?,
                    counts: serde_json::to_value(document.counts)?,
                    causes,
                    source_counts: observed.counts.clone(),
                    document: serde_json::to_value(document)?,
                },
            )
            .await?;
        Ok(())
    }
}

/// One key per device-user or lone record.
pub(crate) fn key(finding: &Finding) -> String {
    match (
        &finding.device_id,
        &finding.user_id,
        &finding.mdm,
        &finding.mdm_device_id,
    ) {
        (Some(device), Some(user), _, _) => format!("{device}/{user}"),
        (Some(device), None, _, _) => format!("{device}/"),
        (None, _, Some(mdm), Some(record)) => format!("{mdm}:{record}"),
        _ => "unknown".into(),
    }
}

fn change(
    before: Option<&FindingRecord>,
    key: &str,
    finding: &Finding,
    complete: bool,
    now: DateTime<Utc>,
) -> Option<FindingChange> {
    let entry = |change: &str, detail: Option<String>| HistoryEntry {
        at: now,
        change: change.into(),
        cause: finding.cause,
        detail,
    };
    let Some(before) = before else {
        let record = FindingRecord {
            key: key.into(),
            opened_at: now,
            first_cause: finding.cause,
            agreements: u32::from(complete),
            agreed_at: now,
            last_seen_at: now,
            closed_at: None,
            closed_reason: None,
            finding: finding.clone(),
        };
        return Some(FindingChange {
            record,
            history: Some(entry("opened", None)),
        });
    };
    let same_cause = before.finding.cause == finding.cause;
    let agrees = complete && same_cause && before.agrees_again(now);
    let history = match (same_cause, held(before.finding.why_not, finding.why_not)) {
        (false, _) => Some(entry(
            "cause_changed",
            Some(format!("{} → {}", before.finding.cause, finding.cause)),
        )),
        (true, Some(detail)) => Some(entry("held", Some(detail))),
        (true, None) => None,
    };
    let record = FindingRecord {
        agreements: match (same_cause, agrees) {
            (false, _) => u32::from(complete),
            (true, true) => before.agreements + 1,
            (true, false) => before.agreements,
        },
        agreed_at: if agrees || !same_cause {
            now
        } else {
            before.agreed_at
        },
        last_seen_at: now,
        finding: finding.clone(),
        ..before.clone()
    };
    Some(FindingChange { record, history })
}

/// What people would call a change of what holds a finding back.
fn held(before: Option<WhyNot>, now: Option<WhyNot>) -> Option<String> {
    (before != now).then(|| {
        now.map_or("in a proposal".to_owned(), |why| {
            crate::wording::why_not(why).to_owned()
        })
    })
}

/// Okta devices of a plan's subjects.
fn devices(plan: &Plan) -> BTreeSet<DeviceId> {
    let subjects = plan.repairs.iter().flat_map(|repair| &repair.subjects);
    subjects.map(|subject| subject.device_id.clone()).collect()
}

/// The plan's text and digest.
fn digested(plan: &Plan) -> anyhow::Result<(String, crate::domain::PlanDigest)> {
    let digest = digest::digest(plan);
    Ok((digest::canonical(plan), digest))
}

/// What the card shows beside the plan.
fn evidence(
    plan: &Plan,
    decided: &Decided,
    fix_rate: Option<String>,
    history: Vec<Revision>,
    now: DateTime<Utc>,
) -> serde_json::Value {
    let findings: HashMap<_, &Finding> = decided
        .findings
        .iter()
        .filter_map(|finding| {
            Some((
                (finding.device_id.as_ref()?, finding.user_id.as_ref()?),
                finding,
            ))
        })
        .collect();
    let of = |repair: &PlannedRepair| -> Vec<&Finding> {
        let subjects = repair.subjects.iter();
        subjects
            .filter_map(|subject| {
                findings
                    .get(&(&subject.device_id, &subject.user_id))
                    .copied()
            })
            .collect()
    };
    let all: Vec<Vec<&Finding>> = plan.repairs.iter().map(of).collect();
    let is_confirmed = |findings: &&Vec<&Finding>| {
        !findings.is_empty() && findings.iter().all(|one| one.confirmed)
    };
    let macs = all
        .iter()
        .filter(|findings| findings.iter().any(|one| one.platform == Platform::Macos))
        .count();
    let noun = match macs {
        0 => Some("PC"),
        macs if macs == plan.repairs.len() => Some("Mac"),
        _ => None,
    };
    let card = CardEvidence {
        confirmed: u32::try_from(all.iter().filter(is_confirmed).count()).ok(),
        checked_at: Some(now),
        fact: Some(plan.cause.title().to_owned()),
        blocked: all.iter().flatten().any(|finding| finding.blocked),
        noun: noun.map(str::to_owned),
        fix_rate,
        history,
    };
    serde_json::to_value(card).unwrap_or_default()
}
