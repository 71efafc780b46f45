//! What the store knows of fleet-wide causes, and what a sweep adds to it: numbers, members, phases and cards.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Sweeper;
use crate::{
    chat::messages,
    domain::{
        decide::Decided,
        fleet_gate::{FleetFinding, FleetState, Known, Phase},
    },
    observer::Observed,
    settings::Mode,
    store::{FleetChange, FleetRecord, LeaseProof, NewAuditEntry, Together},
};

/// A finding that ended longer ago says nothing about new faults.
const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// What is usual is counted over so many days.
const USUAL_DAYS: TimeDelta = TimeDelta::days(14);

impl Sweeper {
    /// What the fleet gate needs beside the observations.
    pub(super) async fn fleet_state(
        &self,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> anyhow::Result<FleetState> {
        let store = &self.store;
        // A person's "fixed" is told by our own clock; faults begin by the vendor's.
        let ahead = observed.observations.okta.now - self.clock.now();
        let mut known = Vec::new();
        for record in store.fleet_findings_since(now - REMEMBERED).await? {
            let over = record.phase == Phase::Closed;
            if over && record.marked.is_none() {
                continue;
            }
            let members = match over {
                true => BTreeMap::new(),
                false => store.fleet_members(&record.id).await?,
            };
            known.push(Known {
                id: record.id,
                cause: record.cause,
                attribute: record.attribute,
                value: record.value,
                since: record.since,
                change: record.change,
                phase: record.phase,
                marked_at: record.marked.map(|(_, at)| at + ahead),
                released: members
                    .iter()
                    .filter(|(_, released)| **released)
                    .map(|(member, _)| member.clone())
                    .collect(),
                members: members.into_keys().collect(),
            });
        }
        let last_look = store.last_complete_sweep().await?;
        let last_look = last_look.map(|sweep| sweep.started_at + ahead);
        let before = last_look
            .unwrap_or(now)
            .min(now - TimeDelta::days(1))
            .date_naive();
        let playbook_causes = self
            .playbooks
            .iter()
            .flat_map(|playbook| playbook.applies.causes.iter().copied());
        Ok(FleetState {
            history_since: store.first_complete_sweep_at().await?,
            last_look,
            usual: store.usual_faults(before - USUAL_DAYS, before).await?,
            playbook_causes: playbook_causes.collect(),
            known,
        })
    }

    /// Writes what the gate said, each finding with its card. What an incomplete sweep says is not kept: nobody is
    /// cured or affected by what was not read.
    pub(super) async fn save_fleet(
        &self,
        proof: &LeaseProof,
        observed: &Observed,
        decided: &Decided,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        if !observed.incomplete.is_empty() {
            return Ok(());
        }
        for finding in &decided.fleet.findings {
            let before = self.store.fleet_finding(&finding.id).await?;
            let record = record(finding, before.as_ref(), now);
            let changed = before
                .as_ref()
                .is_none_or(|before| shown(before) != shown(&record));
            let moved = before.as_ref().map(|before| before.phase) != Some(record.phase);
            let card = [messages::fleet_card(&finding.id, now)];
            let audit = [NewAuditEntry {
                kind: format!("fleet_finding.{}", word(finding, before.as_ref())),
                about: finding.id.to_string(),
                at: now,
                payload: json!({
                    "cause": finding.cause, "attribute": finding.attribute, "value": finding.value,
                    "affected": finding.members.len(), "held": finding.held(), "released": finding.released,
                    "evidence": finding.evidence,
                }),
            }];
            let tells = self.settings.safety.mode == Mode::Approve;
            let together = Together {
                messages: if changed && tells { &card } else { &[] },
                audit: if moved { &audit } else { &[] },
            };
            let change = FleetChange {
                before: before.as_ref().map(|before| before.phase),
                members: finding.members.clone(),
                released: finding.released.clone(),
                record,
            };
            self.store
                .save_fleet_finding(proof, &change, together)
                .await?;
        }
        self.store
            .save_usual_faults(proof, &decided.fleet.new_faults)
            .await?;
        Ok(())
    }
}

fn record(finding: &FleetFinding, before: Option<&FleetRecord>, now: DateTime<Utc>) -> FleetRecord {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    FleetRecord {
        id: finding.id.clone(),
        cause: finding.cause,
        confidence: finding.confidence,
        attribute: finding.attribute,
        value: finding.value.clone(),
        phase: finding.phase,
        since: finding.since,
        change: finding.change.clone(),
        evidence: finding.evidence.clone(),
        affected: number(finding.members.len()),
        computers: number(finding.computers),
        held: number(finding.held()),
        released: number(finding.released.len()),
        managed: number(finding.managed),
        opened_at: before.map_or(now, |before| before.opened_at),
        seen_at: now,
        reopened_at: match finding.reopened {
            true => Some(now),
            false => before.and_then(|before| before.reopened_at),
        },
        marked: before.and_then(|before| before.marked.clone()),
        closed_at: (finding.phase == Phase::Closed).then_some(now),
    }
}

/// What people see of it.
fn shown(record: &FleetRecord) -> (Phase, [u32; 5]) {
    let numbers = [
        record.affected,
        record.computers,
        record.held,
        record.released,
        record.managed,
    ];
    (record.phase, numbers)
}

fn word(finding: &FleetFinding, before: Option<&FleetRecord>) -> &'static str {
    match (finding.phase, before) {
        (_, None) => "opened",
        (Phase::Open, _) => "reopened",
        (Phase::MarkedFixed, _) => "marked_fixed",
        (Phase::Canary, _) => "canary",
        (Phase::Resumed, _) => "resumed",
        (Phase::Closed, _) => "closed",
    }
}
