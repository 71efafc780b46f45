//! Writing a repair's moves: state, journal, messages and audit in one transaction.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Executor, repair::Walk};
use crate::{
    chat::messages,
    domain::{RepairState, repairs, repairs::RepairEvent},
    store::{NewAuditEntry, NewStep, RepairChange, StepOutcome, StepRecord, Together},
};

impl Executor {
    /// Ends a repair, with a line in the card's thread and the card edited.
    pub(super) async fn end(&self, walk: &mut Walk<'_>, event: RepairEvent) -> anyhow::Result<()> {
        let state = repairs::apply(walk.record.state.clone(), event)?;
        let now = self.clock.now();
        let who = walk
            .planned
            .subjects
            .iter()
            .map(|subject| subject.login.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let because = walk
            .progress
            .because
            .as_deref()
            .map(|because| format!(" ({because})"))
            .unwrap_or_default();
        let line = format!(
            "{} · {who}: {}{because}",
            walk.planned.device_name,
            crate::wording::repair_state(&state)
        );
        walk.messages.push(messages::thread(
            &walk.opened.proposal,
            &format!("end:{}", walk.record.id),
            &line,
            now,
        ));
        self.write(walk, state, None, Vec::new()).await
    }

    /// Moves the repair by an event and writes what has gathered.
    pub(super) async fn change(
        &self,
        walk: &mut Walk<'_>,
        event: RepairEvent,
        next_look_at: Option<DateTime<Utc>>,
        steps: Vec<NewStep>,
    ) -> anyhow::Result<()> {
        let state = repairs::apply(walk.record.state.clone(), event)?;
        self.write(walk, state, next_look_at, steps).await
    }

    pub(super) async fn write(
        &self,
        walk: &mut Walk<'_>,
        state: RepairState,
        next_look_at: Option<DateTime<Utc>>,
        steps: Vec<NewStep>,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let lease = self.lease()?;
        let moved = state != walk.record.state;
        let change = RepairChange {
            repair: walk.record.id.clone(),
            expected_version: walk.record.version,
            state: state.clone(),
            hops: serde_json::to_value(&walk.progress)?,
            next_look_at,
            at: now,
            outcomes: std::mem::take(&mut walk.outcomes),
            steps,
            restored_holds: Vec::new(),
        };
        let mut letters = std::mem::take(&mut walk.messages);
        if moved {
            letters.push(messages::card(&walk.opened.proposal, now));
        }
        let mut audit = std::mem::take(&mut walk.audit);
        for step in &change.steps {
            audit.push(audited(walk, "step.intended", json!({ "step": step.step, "attempt": step.attempt, "inputs": step.inputs, "state": step.state.word() }), now));
        }
        for outcome in &change.outcomes {
            audit.push(audited(walk, "step.ended", json!({ "step": outcome.step, "attempt": outcome.attempt, "state": outcome.state.word(), "outputs": outcome.outputs }), now));
        }
        if state.is_end() {
            audit.push(audited(
                walk,
                "repair.ended",
                json!({ "state": state, "because": walk.progress.because }),
                now,
            ));
        }
        let version = self
            .store
            .change_repair(
                &lease,
                &change,
                Together {
                    messages: &letters,
                    audit: &audit,
                },
            )
            .await?
            .context("the repair is another node's, or moved on")?;
        walk.record.version = version;
        walk.record.state = state;
        walk.steps = self.store.steps(&walk.record.id).await?;
        Ok(())
    }

    /// Keeps an outcome for the next change, and in the journal at hand.
    pub(super) fn note_outcome(&self, walk: &mut Walk<'_>, outcome: StepOutcome) {
        let now = self.clock.now();
        let is_it = |record: &&mut StepRecord| {
            record.step == outcome.step && record.attempt == outcome.attempt
        };
        if let Some(record) = walk.steps.iter_mut().find(is_it) {
            record.state = outcome.state;
            record.outputs = Some(outcome.outputs.clone());
            record.finished_at = Some(now);
        }
        walk.outcomes.push(outcome);
    }

    pub(super) async fn note_source_times(&self, walk: &Walk<'_>) -> anyhow::Result<()> {
        if walk.opened.run.source_times.began.is_empty() {
            self.store
                .set_source_times(&self.lease()?, &walk.opened.run.id, &self.source_times())
                .await?;
        }
        Ok(())
    }

    pub(super) fn lease(&self) -> anyhow::Result<crate::store::LeaseProof> {
        self.node
            .proof(&crate::store::node_lease(self.node.id()))
            .context("this node has lost its lease")
    }
}

fn audited(
    walk: &Walk<'_>,
    kind: &str,
    payload: serde_json::Value,
    at: DateTime<Utc>,
) -> NewAuditEntry {
    NewAuditEntry {
        kind: kind.into(),
        about: walk.record.id.to_string(),
        at,
        payload: json!({ "run": walk.opened.run.id, "digest": walk.opened.digest, "device": walk.planned.device_name, "what": payload }),
    }
}
