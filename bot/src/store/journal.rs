//! The journal of a repair: each micro-step is written down before its call, and its outcome after it.
//!
//! Expected flow: [`Store::change_repair`] with an intent, the call, [`Store::change_repair`] with the outcome and
//! the next intent, and so on. Guarantees: a change is whole or nothing; it needs the node's lease, its ownership
//! of the run and the version that it was decided on; an outcome needs a step that is intended or unclear; the hold
//! of a step that takes something away is stored with its intent; the end of a repair frees computer and users.

use chrono::{DateTime, Utc};
use serde_json::Value;
use unstuck_domain::{RepairId, RepairState, StepId, StepState};

use super::rows::{all, count, from_word, json, parse};
use super::{LeaseProof, NewHold, Store, StoreError, Together, Tx};

/// A change of one repair, decided on one version of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairChange {
    /// Which repair.
    pub repair: RepairId,
    /// The version that the change was decided on.
    pub expected_version: i64,
    /// Its new state.
    pub state: RepairState,
    /// The executor's word on each hop.
    pub hops: Value,
    /// When it is looked at again.
    pub next_look_at: Option<DateTime<Utc>>,
    /// When.
    pub at: DateTime<Utc>,
    /// What became of steps that were intended.
    pub outcomes: Vec<StepOutcome>,
    /// Steps that are skipped, and the one that is carried out next.
    pub steps: Vec<NewStep>,
    /// Holds that were given back.
    pub restored_holds: Vec<i64>,
}

/// A micro-step that begins, or that is skipped.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStep {
    /// Which.
    pub step: StepId,
    /// From 1; raised when an unclear step is carried out again.
    pub attempt: u32,
    /// The playbook's action.
    pub action: String,
    /// [`StepState::Intended`], or [`StepState::Skipped`].
    pub state: StepState,
    /// What is asked for.
    pub inputs: Value,
    /// What it takes away.
    pub hold: Option<NewHold>,
}

/// What became of an intended step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    /// Which.
    pub step: StepId,
    /// Which attempt.
    pub attempt: u32,
    /// Succeeded, failed or unclear.
    pub state: StepState,
    /// What it gave.
    pub outputs: Value,
    /// Requests sent and their answers, without secrets.
    pub requests: Value,
}

/// A step in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Of which repair.
    pub repair: RepairId,
    /// Which.
    pub step: StepId,
    /// Which attempt.
    pub attempt: u32,
    /// The playbook's action.
    pub action: String,
    /// How it stands.
    pub state: StepState,
    /// What was asked for.
    pub inputs: Value,
    /// What it gave.
    pub outputs: Option<Value>,
    /// Requests sent and their answers.
    pub requests: Option<Value>,
    /// When its intent was written.
    pub started_at: DateTime<Utc>,
    /// When its outcome was written.
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct StepRow {
    repair_id: String,
    step_id: String,
    attempt: i64,
    action: String,
    state: String,
    inputs: String,
    outputs: Option<String>,
    requests: Option<String>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<StepRow> for StepRecord {
    type Error = StoreError;

    fn try_from(row: StepRow) -> Result<Self, StoreError> {
        Ok(Self {
            repair: RepairId::from(row.repair_id),
            step: StepId::from(row.step_id),
            attempt: count(row.attempt),
            action: row.action,
            state: from_word(row.state, "steps.state")?,
            inputs: parse(&row.inputs, "steps.inputs")?,
            outputs: row
                .outputs
                .map(|text| parse(&text, "steps.outputs"))
                .transpose()?,
            requests: row
                .requests
                .map(|text| parse(&text, "steps.requests"))
                .transpose()?,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

impl RepairChange {
    /// A change of state only.
    pub fn new(
        repair: RepairId,
        expected_version: i64,
        state: RepairState,
        hops: Value,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            repair,
            expected_version,
            state,
            hops,
            next_look_at: None,
            at,
            outcomes: Vec::new(),
            steps: Vec::new(),
            restored_holds: Vec::new(),
        }
    }
}

impl Store {
    /// Makes one change of a repair, journal included, in one transaction. Returns the new version; `None`, and
    /// nothing is changed: the repair moved on or ended, its run is another node's, or an outcome is of a step
    /// that is not under way.
    pub async fn change_repair(
        &self,
        node: &LeaseProof,
        change: &RepairChange,
        together: Together<'_>,
    ) -> Result<Option<i64>, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        if !tx.move_repair(node, change).await? {
            return Ok(None);
        }
        for outcome in &change.outcomes {
            if !tx.finish_step(&change.repair, outcome, change.at).await? {
                return Ok(None);
            }
        }
        for step in &change.steps {
            if !tx.begin_step(&change.repair, step, change.at).await? {
                return Ok(None);
            }
        }
        for hold in &change.restored_holds {
            tx.restore_hold(*hold, change.at).await?;
        }
        if change.state.is_end() {
            tx.land(&change.repair).await?;
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(Some(change.expected_version + 1))
    }

    /// The journal of a repair, oldest first.
    pub async fn steps(&self, repair: &RepairId) -> Result<Vec<StepRecord>, StoreError> {
        let rows: Vec<StepRow> = fetch_all!(
            self,
            "SELECT repair_id, step_id, attempt, action, state, inputs, outputs, requests, started_at, finished_at \
             FROM steps WHERE repair_id = $1 ORDER BY id",
            repair.as_str(),
        )?;
        all(rows)
    }

    /// The journals of all repairs of a run, oldest step first.
    pub async fn steps_of_run(
        &self,
        run: &unstuck_domain::RunId,
    ) -> Result<Vec<StepRecord>, StoreError> {
        let rows: Vec<StepRow> = fetch_all!(
            self,
            "SELECT steps.repair_id, step_id, attempt, action, steps.state, inputs, outputs, requests, \
             steps.started_at, steps.finished_at FROM steps JOIN repairs ON repairs.id = steps.repair_id \
             WHERE repairs.run_id = $1 ORDER BY steps.id",
            run.as_str(),
        )?;
        all(rows)
    }

    /// Steps of this node's runs whose call was under way when their node died, or whose answer did not tell.
    pub async fn unsettled_steps(&self, node: &LeaseProof) -> Result<Vec<StepRecord>, StoreError> {
        let rows: Vec<StepRow> = fetch_all!(
            self,
            "SELECT steps.repair_id, step_id, attempt, action, steps.state, inputs, outputs, requests, \
             steps.started_at, steps.finished_at FROM steps JOIN repairs ON repairs.id = steps.repair_id \
             JOIN runs ON runs.id = repairs.run_id WHERE steps.state IN ('intended', 'unclear') \
             AND repairs.ended = $1 AND runs.owner = $2 AND runs.owner_token = $3 ORDER BY steps.id",
            false,
            node.owner(),
            node.token(),
        )?;
        all(rows)
    }
}

impl Tx {
    pub(super) async fn move_repair(
        &mut self,
        node: &LeaseProof,
        change: &RepairChange,
    ) -> Result<bool, StoreError> {
        let ended = change.state.is_end();
        let begins = matches!(change.state, RepairState::Preflight);
        let changed = execute!(
            self,
            "UPDATE repairs SET state = $1, detail = $2, hops = $3, version = version + 1, ended = $4, \
             next_look_at = $5, started_at = COALESCE(started_at, $6), finished_at = $7 \
             WHERE id = $8 AND version = $9 AND ended = $10 AND EXISTS (SELECT 1 FROM runs \
             WHERE runs.id = repairs.run_id AND runs.owner = $11 AND runs.owner_token = $12)",
            change.state.word(),
            json(&change.state),
            json(&change.hops),
            ended,
            change.next_look_at.filter(|_| !ended),
            begins.then_some(change.at),
            ended.then_some(change.at),
            change.repair.as_str(),
            change.expected_version,
            false,
            node.owner(),
            node.token(),
        )?;
        Ok(changed == 1)
    }

    async fn begin_step(
        &mut self,
        repair: &RepairId,
        step: &NewStep,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let skipped = step.state == StepState::Skipped;
        let inserted = execute!(
            self,
            "INSERT INTO steps (repair_id, step_id, attempt, action, state, inputs, started_at, finished_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (repair_id, step_id, attempt) DO NOTHING",
            repair.as_str(),
            step.step.as_str(),
            i64::from(step.attempt),
            &step.action,
            step.state.word(),
            json(&step.inputs),
            at,
            skipped.then_some(at),
        )?;
        if let Some(hold) = &step.hold {
            self.open_hold(repair, hold).await?;
        }
        Ok(inserted == 1)
    }

    async fn finish_step(
        &mut self,
        repair: &RepairId,
        outcome: &StepOutcome,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let changed = execute!(
            self,
            "UPDATE steps SET state = $1, outputs = $2, requests = $3, finished_at = $4 \
             WHERE repair_id = $5 AND step_id = $6 AND attempt = $7 AND state IN ('intended', 'unclear')",
            outcome.state.word(),
            json(&outcome.outputs),
            json(&outcome.requests),
            at,
            repair.as_str(),
            outcome.step.as_str(),
            i64::from(outcome.attempt),
        )?;
        Ok(changed == 1)
    }
}
