//! Proposals and decisions. A decision is a compare-and-set on state, revision and digest, so that a click on an
//! old card, a second click and a late click each change nothing and are told why.

use chrono::{DateTime, Utc};
use serde_json::Value;
use unstuck_domain::{Cause, Plan, PlanDigest, PlaybookName, ProposalId, ProposalState};

use super::rows::{all, from_word, json, parse, word};
use super::{NewRun, Store, StoreError, Together, Tx};

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

/// What a person says to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Do it.
    Approve,
    /// Do not do it.
    Deny,
}

/// One person's decision on one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// On which proposal.
    pub proposal: ProposalId,
    /// On which revision.
    pub revision: u32,
    /// The digest that the person saw.
    pub digest: PlanDigest,
    /// Who: `user:U0…`, `cli:ann`, `policy:<playbook>`.
    pub person: String,
    /// What they said.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// What is not asked again after a denial.
    pub denials: Vec<Denial>,
}

/// A stored decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// On which revision.
    pub revision: u32,
    /// Who.
    pub person: String,
    /// What they said.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What became of a decision. Only `Recorded` changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// It counts.
    Recorded {
        /// State after it.
        state: ProposalState,
    },
    /// There is no such proposal.
    NotFound,
    /// It was made on another revision or another digest.
    Stale {
        /// The revision as it is.
        revision: u32,
    },
    /// The proposal had been decided or closed.
    AlreadyDecided {
        /// Its state.
        state: ProposalState,
    },
    /// This person had decided on this revision.
    AlreadyCounted,
    /// The time to decide was over.
    Expired,
}

/// Something that was denied, and when it may be asked again.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Denial {
    /// The caller's key, for example subject and playbook.
    #[sqlx(rename = "denial_key")]
    pub key: String,
    /// By which proposal.
    pub proposal_id: String,
    /// By whom.
    pub denied_by: String,
    /// When.
    pub denied_at: DateTime<Utc>,
    /// Not before this time; `None` with no hash: never.
    #[sqlx(rename = "until_at")]
    pub until: Option<DateTime<Utc>>,
    /// Not while the evidence has this hash.
    pub evidence_hash: Option<String>,
    /// Why.
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

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[derive(sqlx::FromRow)]
struct DecisionRow {
    revision: i64,
    person: String,
    verdict: String,
    reason: Option<String>,
    decided_at: DateTime<Utc>,
}

impl TryFrom<DecisionRow> for DecisionRecord {
    type Error = StoreError;

    fn try_from(row: DecisionRow) -> Result<Self, StoreError> {
        Ok(Self {
            revision: count(row.revision),
            person: row.person,
            verdict: from_word(row.verdict, "decisions.verdict")?,
            reason: row.reason,
            at: row.decided_at,
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

    /// Counts one decision. `next` is asked, within the transaction, for the state that all decisions on this
    /// revision make, the new one included; if that is `Approved`, `run` is stored with its repairs.
    pub async fn record_decision<F>(
        &self,
        decision: &Decision,
        run: Option<&NewRun>,
        together: Together<'_>,
        next: F,
    ) -> Result<DecisionOutcome, StoreError>
    where
        F: FnOnce(&[DecisionRecord]) -> ProposalState + Send,
    {
        let mut tx = self.begin().await?;
        if let Some(refused) = tx.refuse_decision(decision).await? {
            return Ok(refused);
        }
        let id = decision.proposal.as_str();
        let inserted = execute!(
            tx,
            "INSERT INTO decisions (proposal_id, revision, digest, person, verdict, reason, decided_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (proposal_id, revision, person) DO NOTHING",
            id,
            i64::from(decision.revision),
            decision.digest.as_str(),
            &decision.person,
            word(&decision.verdict),
            decision.reason.as_deref(),
            decision.at,
        )?;
        if inserted == 0 {
            return Ok(DecisionOutcome::AlreadyCounted);
        }
        let rows: Vec<DecisionRow> = fetch_all!(
            tx,
            "SELECT revision, person, verdict, reason, decided_at FROM decisions \
             WHERE proposal_id = $1 AND revision = $2 ORDER BY id",
            id,
            i64::from(decision.revision),
        )?;
        let state = next(&all(rows)?);
        let decided_at = (!state.is_undecided()).then_some(decision.at);
        execute!(
            tx,
            "UPDATE proposals SET state = $1, decided_at = $2, reason = $3, snoozed_until_at = NULL WHERE id = $4",
            state.word(),
            decided_at,
            decision.reason.as_deref(),
            id,
        )?;
        for denial in &decision.denials {
            tx.put_denial(denial).await?;
        }
        if let (ProposalState::Approved, Some(run)) = (state, run) {
            tx.insert_run(run).await?;
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(DecisionOutcome::Recorded { state })
    }

    /// Every decision on a proposal, on old revisions too, oldest first.
    pub async fn decisions(&self, id: &ProposalId) -> Result<Vec<DecisionRecord>, StoreError> {
        let rows: Vec<DecisionRow> = fetch_all!(
            self,
            "SELECT revision, person, verdict, reason, decided_at FROM decisions WHERE proposal_id = $1 ORDER BY id",
            id.as_str(),
        )?;
        all(rows)
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

    /// Denials that still hold at `now`; those that hold while evidence is unchanged are for the caller to compare.
    pub async fn denials(&self, now: DateTime<Utc>) -> Result<Vec<Denial>, StoreError> {
        fetch_all!(
            self,
            "SELECT denial_key, proposal_id, denied_by, denied_at, until_at, evidence_hash, reason FROM denials \
             WHERE until_at IS NULL OR until_at > $1 ORDER BY denial_key",
            now,
        )
    }

    /// Lets something that was denied be asked again.
    pub async fn lift_denial(&self, key: &str, together: Together<'_>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let removed = execute!(tx, "DELETE FROM denials WHERE denial_key = $1", key)?;
        if removed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Tx {
    /// Locks the proposal and says why a decision on it does not count, if it does not.
    async fn refuse_decision(
        &mut self,
        decision: &Decision,
    ) -> Result<Option<DecisionOutcome>, StoreError> {
        const SQLITE: &str =
            "SELECT state, revision, digest, expires_at FROM proposals WHERE id = $1";
        const POSTGRES: &str =
            "SELECT state, revision, digest, expires_at FROM proposals WHERE id = $1 FOR UPDATE";
        let id = decision.proposal.as_str();
        let row: Option<(String, i64, String, DateTime<Utc>)> = match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE)
                    .bind(id)
                    .fetch_optional(&mut **tx)
                    .await?
            }
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES)
                    .bind(id)
                    .fetch_optional(&mut **tx)
                    .await?
            }
        };
        let Some((state, revision, digest, expires_at)) = row else {
            return Ok(Some(DecisionOutcome::NotFound));
        };
        let state: ProposalState = from_word(state, "proposals.state")?;
        let revision = count(revision);
        Ok(if !state.is_undecided() {
            Some(DecisionOutcome::AlreadyDecided { state })
        } else if revision != decision.revision || digest != decision.digest.as_str() {
            Some(DecisionOutcome::Stale { revision })
        } else if expires_at <= decision.at {
            Some(DecisionOutcome::Expired)
        } else {
            None
        })
    }

    async fn put_denial(&mut self, denial: &Denial) -> Result<(), StoreError> {
        execute!(
            self,
            "INSERT INTO denials (denial_key, proposal_id, denied_by, denied_at, until_at, evidence_hash, reason) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (denial_key) DO UPDATE SET \
             proposal_id = excluded.proposal_id, denied_by = excluded.denied_by, denied_at = excluded.denied_at, \
             until_at = excluded.until_at, evidence_hash = excluded.evidence_hash, reason = excluded.reason",
            &denial.key,
            &denial.proposal_id,
            &denial.denied_by,
            denial.denied_at,
            denial.until,
            denial.evidence_hash.as_deref(),
            denial.reason.as_deref(),
        )?;
        Ok(())
    }
}
