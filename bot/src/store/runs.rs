//! Runs: the execution of one approved plan. A run belongs to the node that claimed it, for as long as that node's
//! own lease has the token it was claimed under.

use chrono::{DateTime, Utc};
use unstuck_domain::{
    Cause, PlaybookName, ProposalId, ProposalState, RepairId, RunId, SourceTimes,
};

use super::rows::{all, count, from_word, json, parse, word};
use super::{LeaseProof, NewRepair, Store, StoreError, Together, Tx};

/// A run to be stored with its queued repairs.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The approved proposal.
    pub proposal: ProposalId,
    /// Its playbook.
    pub playbook: PlaybookName,
    /// The cause that it repairs.
    pub cause: Cause,
    /// One per computer, in the order of the plan.
    pub repairs: Vec<NewRepair>,
    /// When it was approved.
    pub at: DateTime<Utc>,
    /// Until when a repair may begin.
    pub valid_until: DateTime<Utc>,
}

/// A stored run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// The approved proposal.
    pub proposal: ProposalId,
    /// Its playbook.
    pub playbook: PlaybookName,
    /// The cause that it repairs.
    pub cause: Cause,
    /// Its state.
    pub state: ProposalState,
    /// Node that claimed it last.
    pub owner: Option<String>,
    /// Waves opened so far.
    pub wave: u32,
    /// When the last wave was opened.
    pub wave_opened_at: Option<DateTime<Utc>>,
    /// When the last wave passed its gate.
    pub wave_passed_at: Option<DateTime<Utc>>,
    /// Each source's time at the start.
    pub source_times: SourceTimes,
    /// When it was approved.
    pub started_at: DateTime<Utc>,
    /// Until when a repair may begin.
    pub valid_until: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A new state of a run and of its proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStateChange {
    /// Which run.
    pub run: RunId,
    /// The state it must be in.
    pub expected: ProposalState,
    /// The new one.
    pub state: ProposalState,
    /// When.
    pub at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    id: String,
    proposal_id: String,
    playbook: String,
    cause: String,
    state: String,
    owner: Option<String>,
    wave: i64,
    wave_opened_at: Option<DateTime<Utc>>,
    wave_passed_at: Option<DateTime<Utc>>,
    source_times: String,
    started_at: DateTime<Utc>,
    valid_until_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<RunRow> for RunRecord {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: RunId::from(row.id),
            proposal: ProposalId::from(row.proposal_id),
            playbook: PlaybookName::from(row.playbook),
            cause: from_word(row.cause, "runs.cause")?,
            state: from_word(row.state, "runs.state")?,
            owner: row.owner,
            wave: count(row.wave),
            wave_opened_at: row.wave_opened_at,
            wave_passed_at: row.wave_passed_at,
            source_times: parse(&row.source_times, "runs.source_times")?,
            started_at: row.started_at,
            valid_until: row.valid_until_at,
            finished_at: row.finished_at,
        })
    }
}

macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT id, proposal_id, playbook, cause, state, owner, wave, wave_opened_at, wave_passed_at, \
             source_times, started_at, valid_until_at, finished_at FROM runs ",
            $rest
        )
    };
}

impl Store {
    /// Makes the run of an approved proposal that has none. `false`: it is not approved, or has one.
    pub async fn create_run(
        &self,
        run: &NewRun,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let approved = execute!(
            tx,
            "UPDATE proposals SET decided_at = COALESCE(decided_at, $1) WHERE id = $2 AND state = 'approved' \
             AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.proposal_id = proposals.id)",
            run.at,
            run.proposal.as_str(),
        )?;
        if approved == 0 {
            return Ok(false);
        }
        tx.insert_run(run).await?;
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Claims open runs that no node owns, or whose owner's lease has ended. `node` proves the claimant's own
    /// lease ([`super::node_lease`]). Returns every open run that is the claimant's afterwards.
    pub async fn claim_runs(&self, node: &LeaseProof) -> Result<Vec<RunRecord>, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        execute!(
            tx,
            "UPDATE runs SET owner = $1, owner_token = $2 \
             WHERE state IN ('approved', 'running', 'waiting_for_sign_in', 'stopped') AND finished_at IS NULL \
             AND (owner IS NULL OR NOT EXISTS (SELECT 1 FROM leases WHERE leases.name = 'node:' || runs.owner \
             AND leases.owner = runs.owner AND leases.token = runs.owner_token))",
            node.owner(),
            node.token(),
        )?;
        let rows: Vec<RunRow> = fetch_all!(
            tx,
            select_runs!(
                "WHERE owner = $1 AND owner_token = $2 AND finished_at IS NULL ORDER BY started_at, id"
            ),
            node.owner(),
            node.token(),
        )?;
        tx.commit().await?;
        all(rows)
    }

    /// One run.
    pub async fn run(&self, id: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let row: Option<RunRow> =
            fetch_optional!(self, select_runs!("WHERE id = $1"), id.as_str())?;
        row.map(RunRecord::try_from).transpose()
    }

    /// The run of a proposal.
    pub async fn run_of_proposal(
        &self,
        proposal: &ProposalId,
    ) -> Result<Option<RunRecord>, StoreError> {
        let row: Option<RunRow> = fetch_optional!(
            self,
            select_runs!("WHERE proposal_id = $1"),
            proposal.as_str()
        )?;
        row.map(RunRecord::try_from).transpose()
    }

    /// Runs begun at or after `since`, newest first.
    pub async fn runs_since(&self, since: DateTime<Utc>) -> Result<Vec<RunRecord>, StoreError> {
        let rows: Vec<RunRow> = fetch_all!(
            self,
            select_runs!("WHERE started_at >= $1 ORDER BY started_at DESC, id"),
            since
        )?;
        all(rows)
    }

    /// Runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        let rows: Vec<RunRow> = fetch_all!(
            self,
            select_runs!("WHERE finished_at IS NULL ORDER BY started_at, id")
        )?;
        all(rows)
    }

    /// Moves a run and its proposal to a new state. `false`: it was in another state, or is not this node's. A
    /// stopped run has not ended before [`Store::finish_run`].
    pub async fn set_run_state(
        &self,
        node: &LeaseProof,
        change: &RunStateChange,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        let ended = !change.state.is_open() && change.state != ProposalState::Stopped;
        let changed = execute!(
            tx,
            "UPDATE runs SET state = $1, finished_at = $2 \
             WHERE id = $3 AND state = $4 AND finished_at IS NULL AND owner = $5 AND owner_token = $6",
            change.state.word(),
            ended.then_some(change.at),
            change.run.as_str(),
            change.expected.word(),
            node.owner(),
            node.token(),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        execute!(
            tx,
            "UPDATE proposals SET state = $1 WHERE id = (SELECT proposal_id FROM runs WHERE id = $2)",
            change.state.word(),
            change.run.as_str(),
        )?;
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends a stopped run once every repair of it has ended. `false`: one has not.
    pub async fn finish_run(
        &self,
        node: &LeaseProof,
        run: &RunId,
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        let changed = execute!(
            tx,
            "UPDATE runs SET finished_at = $1 WHERE id = $2 AND finished_at IS NULL AND owner = $3 \
             AND owner_token = $4 AND NOT EXISTS (SELECT 1 FROM repairs WHERE repairs.run_id = runs.id AND ended = $5)",
            at,
            run.as_str(),
            node.owner(),
            node.token(),
            false,
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Stores each source's time at the start, once: proof compares with it.
    pub async fn set_source_times(
        &self,
        node: &LeaseProof,
        run: &RunId,
        times: &SourceTimes,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        let changed = execute!(
            tx,
            "UPDATE runs SET source_times = $1 WHERE id = $2 AND owner = $3 AND owner_token = $4",
            json(times),
            run.as_str(),
            node.owner(),
            node.token(),
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Opens the next wave: its queued repairs become due now. `false`: another wave is open meanwhile.
    pub async fn open_wave(
        &self,
        node: &LeaseProof,
        run: &RunId,
        wave: u32,
        repairs: &[RepairId],
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        let changed = execute!(
            tx,
            "UPDATE runs SET wave = $1, wave_opened_at = $2, wave_passed_at = NULL \
             WHERE id = $3 AND wave = $4 AND owner = $5 AND owner_token = $6",
            i64::from(wave),
            at,
            run.as_str(),
            i64::from(wave) - 1,
            node.owner(),
            node.token(),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        for repair in repairs {
            execute!(
                tx,
                "UPDATE repairs SET next_look_at = $1 WHERE id = $2 AND run_id = $3 AND state = 'queued'",
                at,
                repair.as_str(),
                run.as_str(),
            )?;
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that the open wave passed its gate, once: its pause begins.
    pub async fn pass_wave(
        &self,
        node: &LeaseProof,
        run: &RunId,
        wave: u32,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(node).await?;
        let changed = execute!(
            tx,
            "UPDATE runs SET wave_passed_at = $1 WHERE id = $2 AND wave = $3 AND wave_passed_at IS NULL \
             AND owner = $4 AND owner_token = $5",
            at,
            run.as_str(),
            i64::from(wave),
            node.owner(),
            node.token(),
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }
}

impl Tx {
    pub(super) async fn insert_run(&mut self, run: &NewRun) -> Result<(), StoreError> {
        execute!(
            self,
            "INSERT INTO runs (id, proposal_id, playbook, cause, state, wave, source_times, started_at, \
             valid_until_at) VALUES ($1, $2, $3, $4, 'approved', 0, '{\"began\":{}}', $5, $6)",
            run.id.as_str(),
            run.proposal.as_str(),
            run.playbook.as_str(),
            word(&run.cause),
            run.at,
            run.valid_until,
        )?;
        for (position, repair) in run.repairs.iter().enumerate() {
            self.insert_repair(&run.id, position, repair).await?;
        }
        Ok(())
    }
}
