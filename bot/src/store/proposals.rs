//! Proposals: plans that wait for a decision, byte for byte as their digest has them. Every change names the
//! revision that it was decided on.

use chrono::{DateTime, Utc};
use serde_json::Value;
use unstuck_domain::{Cause, Plan, PlanDigest, PlaybookName, ProposalId, ProposalState};

use super::rows::{all, count, from_word, json, parse, word};
use super::{Store, StoreError, Together};

/// A proposal to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProposal {
    /// Its id.
    pub id: ProposalId,
    /// The plan.
    pub plan: Plan,
    /// The text that the digest is of, byte for byte.
    pub plan_text: String,
    /// Digest of that text.
    pub digest: PlanDigest,
    /// What the card shows beside the plan.
    pub evidence: Value,
    /// Which batch of a backlog it is, from 1.
    pub batch_number: u32,
    /// How many batches the backlog has.
    pub batch_count: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it can be decided.
    pub expires_at: DateTime<Utc>,
}

/// A new revision of an undecided proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRevision {
    /// Of which proposal.
    pub id: ProposalId,
    /// The revision that it replaces.
    pub replaces: u32,
    /// The text that the digest is of.
    pub plan_text: String,
    /// Digest of that text.
    pub digest: PlanDigest,
    /// What the card shows beside the plan.
    pub evidence: Value,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Until when it can be decided.
    pub expires_at: DateTime<Utc>,
}

/// A stored proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposalRecord {
    /// Its id.
    pub id: ProposalId,
    /// Its state.
    pub state: ProposalState,
    /// Its revision, from 1.
    pub revision: u32,
    /// Digest of its plan.
    pub digest: PlanDigest,
    /// Its playbook.
    pub playbook: PlaybookName,
    /// The cause that it repairs.
    pub cause: Cause,
    /// Its plan.
    pub plan: Plan,
    /// The text that the digest is of.
    pub plan_text: String,
    /// What the card shows beside the plan.
    pub evidence: Value,
    /// Which batch of a backlog it is.
    pub batch_number: u32,
    /// How many batches the backlog has.
    pub batch_count: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its newest revision was made.
    pub revised_at: DateTime<Utc>,
    /// Until when it can be decided.
    pub expires_at: DateTime<Utc>,
    /// Until when it is snoozed.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// Who snoozed it last.
    pub snoozed_by: Option<String>,
    /// When it was decided or closed.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why it was denied or closed.
    pub reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ProposalRow {
    id: String,
    state: String,
    revision: i64,
    digest: String,
    playbook: String,
    cause: String,
    plan: String,
    evidence: String,
    batch_number: i64,
    batch_count: i64,
    created_at: DateTime<Utc>,
    revised_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    snoozed_until_at: Option<DateTime<Utc>>,
    snoozed_by: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

impl TryFrom<ProposalRow> for ProposalRecord {
    type Error = StoreError;

    fn try_from(row: ProposalRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ProposalId::from(row.id),
            state: from_word(row.state, "proposals.state")?,
            revision: count(row.revision),
            digest: PlanDigest::from(row.digest),
            playbook: PlaybookName::from(row.playbook),
            cause: from_word(row.cause, "proposals.cause")?,
            plan: parse(&row.plan, "proposals.plan")?,
            plan_text: row.plan,
            evidence: parse(&row.evidence, "proposals.evidence")?,
            batch_number: count(row.batch_number),
            batch_count: count(row.batch_count),
            created_at: row.created_at,
            revised_at: row.revised_at,
            expires_at: row.expires_at,
            snoozed_until: row.snoozed_until_at,
            snoozed_by: row.snoozed_by,
            decided_at: row.decided_at,
            reason: row.reason,
        })
    }
}

macro_rules! select_proposals {
    ($rest:literal) => {
        concat!(
            "SELECT id, state, revision, digest, playbook, cause, plan, evidence, batch_number, batch_count, \
             created_at, revised_at, expires_at, snoozed_until_at, snoozed_by, decided_at, reason FROM proposals ",
            $rest
        )
    };
}

impl Store {
    /// Stores a proposal that waits for its decision, with its card. `false`: the id is taken.
    pub async fn insert_proposal(
        &self,
        new: &NewProposal,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let inserted = execute!(
            tx,
            "INSERT INTO proposals (id, state, revision, digest, playbook, cause, plan, evidence, batch_number, \
             batch_count, created_at, revised_at, expires_at) \
             VALUES ($1, 'awaiting_approval', 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (id) DO NOTHING",
            new.id.as_str(),
            new.digest.as_str(),
            new.plan.playbook.as_str(),
            word(&new.plan.cause),
            &new.plan_text,
            json(&new.evidence),
            i64::from(new.batch_number),
            i64::from(new.batch_count),
            new.created_at,
            new.created_at,
            new.expires_at,
        )?;
        if inserted == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Replaces the plan of an undecided proposal; approvals of the old revision no longer count. `false`: it was
    /// decided, closed or revised meanwhile.
    pub async fn revise_proposal(
        &self,
        new: &NewRevision,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE proposals SET revision = revision + 1, digest = $1, plan = $2, evidence = $3, revised_at = $4, \
             expires_at = $5, state = CASE WHEN state = 'snoozed' THEN 'snoozed' ELSE 'awaiting_approval' END \
             WHERE id = $6 AND revision = $7 AND state IN ('awaiting_approval', 'partly_approved', 'snoozed')",
            new.digest.as_str(),
            &new.plan_text,
            json(&new.evidence),
            new.at,
            new.expires_at,
            new.id.as_str(),
            i64::from(new.replaces),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// One proposal.
    pub async fn proposal(&self, id: &ProposalId) -> Result<Option<ProposalRecord>, StoreError> {
        let row: Option<ProposalRow> =
            fetch_optional!(self, select_proposals!("WHERE id = $1"), id.as_str())?;
        row.map(ProposalRecord::try_from).transpose()
    }

    /// Proposals that nobody has decided, oldest first.
    pub async fn undecided_proposals(&self) -> Result<Vec<ProposalRecord>, StoreError> {
        let rows: Vec<ProposalRow> = fetch_all!(
            self,
            select_proposals!(
                "WHERE state IN ('awaiting_approval', 'partly_approved', 'snoozed') ORDER BY created_at, id"
            )
        )?;
        all(rows)
    }

    /// Proposals whose run still moves, oldest first.
    pub async fn open_proposals(&self) -> Result<Vec<ProposalRecord>, StoreError> {
        let rows: Vec<ProposalRow> = fetch_all!(
            self,
            select_proposals!(
                "WHERE state IN ('approved', 'running', 'waiting_for_sign_in') ORDER BY created_at, id"
            )
        )?;
        all(rows)
    }

    /// Proposals of every state made at or after `since`, newest first.
    pub async fn proposals_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<ProposalRecord>, StoreError> {
        let rows: Vec<ProposalRow> = fetch_all!(
            self,
            select_proposals!("WHERE created_at >= $1 ORDER BY created_at DESC, id"),
            since
        )?;
        all(rows)
    }

    /// Undecided proposals whose time is over, and snoozed ones that wake.
    pub async fn proposals_due(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<ProposalRecord>, StoreError> {
        let rows: Vec<ProposalRow> = fetch_all!(
            self,
            select_proposals!(
                "WHERE (state IN ('awaiting_approval', 'partly_approved', 'snoozed') AND expires_at <= $1) \
                 OR (state = 'snoozed' AND snoozed_until_at <= $2) ORDER BY created_at, id"
            ),
            now,
            now,
        )?;
        all(rows)
    }

    /// When the next undecided proposal expires or wakes.
    pub async fn next_proposal_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row: Option<(Option<DateTime<Utc>>,)> = fetch_optional!(
            self,
            "SELECT MIN(CASE WHEN state = 'snoozed' AND snoozed_until_at < expires_at THEN snoozed_until_at \
             ELSE expires_at END) FROM proposals WHERE state IN ('awaiting_approval', 'partly_approved', 'snoozed')"
        )?;
        Ok(row.and_then(|(due,)| due))
    }

    /// Closes an undecided proposal without a decision: expired, superseded, cured or stopped. `false`: it was
    /// decided, closed or revised meanwhile.
    pub async fn close_proposal(
        &self,
        id: &ProposalId,
        revision: u32,
        state: ProposalState,
        reason: &str,
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE proposals SET state = $1, reason = $2, decided_at = $3 WHERE id = $4 AND revision = $5 \
             AND state IN ('awaiting_approval', 'partly_approved', 'snoozed')",
            state.word(),
            reason,
            at,
            id.as_str(),
            i64::from(revision),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts an undecided proposal off. `false`: it was decided, closed or revised meanwhile.
    pub async fn snooze_proposal(
        &self,
        id: &ProposalId,
        revision: u32,
        until: DateTime<Utc>,
        by: &str,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE proposals SET state = 'snoozed', snoozed_until_at = $1, snoozed_by = $2 \
             WHERE id = $3 AND revision = $4 AND state IN ('awaiting_approval', 'partly_approved', 'snoozed')",
            until,
            by,
            id.as_str(),
            i64::from(revision),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a snoozed proposal up again; it is partly approved if somebody had approved this revision.
    pub async fn wake_proposal(
        &self,
        id: &ProposalId,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE proposals SET snoozed_until_at = NULL, state = CASE WHEN EXISTS (SELECT 1 FROM decisions \
             WHERE decisions.proposal_id = proposals.id AND decisions.revision = proposals.revision) \
             THEN 'partly_approved' ELSE 'awaiting_approval' END WHERE id = $1 AND state = 'snoozed'",
            id.as_str(),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }
}
