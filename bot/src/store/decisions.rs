//! Decisions: each a compare-and-set on state, revision and digest, so that a click on an old card, a second
//! click and a late click each change nothing and are told why. What was denied is remembered here.

use chrono::{DateTime, Utc};
use unstuck_domain::{PlanDigest, ProposalId, ProposalState};

use super::rows::{all, count, from_word, word};
use super::{NewRun, Store, StoreError, Together, Tx};

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

impl Store {
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
