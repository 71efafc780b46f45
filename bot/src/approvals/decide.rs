//! One decision, from Slack or the command line, on the same path.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use connectors::OktaReader;
use serde_json::json;

use super::{
    denials::{self, AskAgain},
    record::{proposal_of, state_after, stored, valid_until},
};
use crate::{
    chat::{messages, mrkdwn},
    domain::{
        PlanDigest, ProposalId, ProposalState, RunId,
        approval::{Decision, Identity, Person, Refusal, Verdict},
    },
    ids::SharedIds,
    settings::Settings,
    store::{
        self, DecisionOutcome, NewAuditEntry, NewMessage, NewRepair, NewRun, ProposalRecord,
        StopScope, Store, StoreError, Together,
    },
};

/// What a decision needs; Slack itself is not part of it.
#[derive(Clone)]
pub struct Decider {
    /// The record.
    pub store: Store,
    /// Who a person is in Okta.
    pub okta: Arc<dyn OktaReader>,
    /// Who may decide.
    pub settings: Arc<Settings>,
    /// Ids of runs and repairs.
    pub ids: SharedIds,
}

/// Which plan the person saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The plan as it is now, read just before the decision.
    Current,
    /// A button's value.
    Shown {
        /// Revision on the card.
        revision: u32,
        /// First letters of the digest on the card.
        digest: String,
    },
}

/// A decision with everything that was looked up about the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// On which proposal.
    pub proposal: ProposalId,
    /// What they saw.
    pub seen: Seen,
    /// What they said.
    pub verdict: Verdict,
    /// Who.
    pub by: Person,
    /// E-mail, to know them among the affected where their login is another.
    pub email: Option<String>,
    /// Who that is in Okta.
    pub identity: Identity,
    /// Names of `[approvals.groups]` that they are in.
    pub groups: BTreeSet<String>,
    /// Why.
    pub reason: Option<String>,
    /// After a "no".
    pub again: AskAgain,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a decision that counts has brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// State after it.
    pub state: ProposalState,
    /// The run that it made.
    pub run: Option<RunId>,
    /// Approvals that count so far.
    pub approvals: usize,
    /// Approvals that are needed.
    pub required: usize,
}

/// Why a decision counts for nothing. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The domain says no.
    #[error(transparent)]
    Because(#[from] Refusal),
    /// There is no such proposal.
    #[error("there is no proposal {0}")]
    NotFound(ProposalId),
    /// They said their word on this revision before.
    #[error("{0} has decided on this revision already")]
    SaidAlready(Person),
    /// Nothing new is begun while a stop holds.
    #[error("stopped by {by}: {reason}")]
    Held {
        /// Who stopped.
        by: String,
        /// Why.
        reason: String,
    },
    /// The database did not answer; nobody knows yet.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Decider {
    /// Counts a decision, or says why not.
    pub async fn decide(&self, ballot: &Ballot) -> Result<Outcome, Refused> {
        let record = self.record(&ballot.proposal).await?;
        let decisions = self.store.decisions(&record.id).await?;
        let proposal = proposal_of(&record, &decisions);
        let (revision, digest) = shown(&ballot.seen, &record);
        let identity = self.identity_of(ballot, &record);
        let decision = Decision {
            verdict: ballot.verdict.clone(),
            by: ballot.by.clone(),
            identity,
            groups: ballot.groups.clone(),
            revision,
            digest: digest.clone(),
            reason: ballot.reason.clone(),
            at: ballot.at,
        };
        let next = proposal.decide(&decision)?;
        if ballot.verdict == Verdict::Approve {
            self.nothing_holds(&record).await?;
        }
        if let Verdict::Snooze { until } = ballot.verdict {
            return self.snooze(ballot, &record, until).await;
        }
        let person = stored(&ballot.by);
        let mut counted = store::Decision {
            proposal: record.id.clone(),
            revision,
            digest,
            person: person.clone(),
            verdict: store::Verdict::Approve,
            reason: ballot.reason.clone(),
            at: ballot.at,
            denials: Vec::new(),
        };
        let run = if ballot.verdict == Verdict::Deny {
            counted.verdict = store::Verdict::Deny;
            counted.denials = denials::of_plan(
                &record.plan,
                &record.id,
                &person,
                ballot.reason.as_deref(),
                ballot.again,
                ballot.at,
            );
            None
        } else {
            Some(self.run_of(&record, ballot.at))
        };
        let letters = letters(ballot, &record, &person);
        let audit = [audit_entry(ballot, &record, &person)];
        let rule = record.plan.approval.clone();
        let outcome = self
            .store
            .record_decision(
                &counted,
                run.as_ref(),
                Together {
                    messages: &letters,
                    audit: &audit,
                },
                |all| state_after(&rule, all),
            )
            .await?;
        match outcome {
            DecisionOutcome::Recorded { state } => Ok(Outcome {
                state,
                run: run
                    .filter(|_| state == ProposalState::Approved)
                    .map(|run| run.id),
                approvals: next.approvals().len(),
                required: usize::from(record.plan.approval.required.max(1)),
            }),
            DecisionOutcome::NotFound => Err(Refused::NotFound(record.id)),
            DecisionOutcome::AlreadyCounted => Err(Refused::SaidAlready(ballot.by.clone())),
            // Somebody was faster since the proposal was read: judged anew, the domain says how.
            DecisionOutcome::Stale { .. }
            | DecisionOutcome::AlreadyDecided { .. }
            | DecisionOutcome::Expired => Err(self.judged_anew(ballot, decision).await),
        }
    }

    async fn record(&self, id: &ProposalId) -> Result<ProposalRecord, Refused> {
        self.store
            .proposal(id)
            .await?
            .ok_or_else(|| Refused::NotFound(id.clone()))
    }

    async fn judged_anew(&self, ballot: &Ballot, decision: Decision) -> Refused {
        let again = async {
            let record = self.record(&ballot.proposal).await?;
            let decisions = self.store.decisions(&record.id).await?;
            Ok::<_, Refused>(proposal_of(&record, &decisions))
        };
        match again.await {
            Ok(proposal) => match proposal.decide(&decision) {
                Err(refusal) => refusal.into(),
                Ok(_) => Refused::SaidAlready(ballot.by.clone()),
            },
            Err(refused) => refused,
        }
    }

    /// Puts an undecided proposal off.
    async fn snooze(
        &self,
        ballot: &Ballot,
        record: &ProposalRecord,
        until: DateTime<Utc>,
    ) -> Result<Outcome, Refused> {
        let person = stored(&ballot.by);
        let letters = letters(ballot, record, &person);
        let audit = [audit_entry(ballot, record, &person)];
        let together = Together {
            messages: &letters,
            audit: &audit,
        };
        if self
            .store
            .snooze_proposal(&record.id, record.revision, until, &person, together)
            .await?
        {
            Ok(Outcome {
                state: ProposalState::Snoozed,
                run: None,
                approvals: 0,
                required: usize::from(record.plan.approval.required.max(1)),
            })
        } else {
            let at = ballot.at;
            Err(Refusal::AlreadyDecided {
                word: "decided or revised",
                by: "somebody else".into(),
                at,
            }
            .into())
        }
    }

    /// Who they are; an address that is among the affected counts as well as the look-up.
    fn identity_of(&self, ballot: &Ballot, record: &ProposalRecord) -> Identity {
        let Some(email) = &ballot.email else {
            return ballot.identity.clone();
        };
        if matches!(ballot.identity, Identity::User(_)) {
            return ballot.identity.clone();
        }
        let repairs = || record.plan.repairs.iter();
        let by_login = repairs()
            .flat_map(|repair| &repair.affected)
            .find(|one| one.login.eq_ignore_ascii_case(email));
        let by_address = repairs().flat_map(|repair| &repair.subjects).find(|one| {
            one.login.eq_ignore_ascii_case(email)
                || one
                    .email
                    .as_ref()
                    .is_some_and(|address| address.eq_ignore_ascii_case(email))
        });
        by_login
            .map(|one| one.user_id.clone())
            .or_else(|| by_address.map(|one| one.user_id.clone()))
            .map_or_else(|| ballot.identity.clone(), Identity::User)
    }

    async fn nothing_holds(&self, record: &ProposalRecord) -> Result<(), Refused> {
        let holds = |scope: &StopScope| match scope {
            StopScope::All => true,
            StopScope::Playbook(name) => *name == record.playbook,
            StopScope::Proposal(id) => *id == record.id,
        };
        match super::in_force(&self.store, &self.settings.stop_file())
            .await?
            .into_iter()
            .find(|stop| holds(&stop.stop.scope))
        {
            Some(stop) => Err(Refused::Held {
                by: stop.stop.by,
                reason: stop.stop.reason,
            }),
            None => Ok(()),
        }
    }

    fn run_of(&self, record: &ProposalRecord, at: DateTime<Utc>) -> NewRun {
        let plan = &record.plan;
        let repairs = plan.repairs.iter().map(|repair| NewRepair {
            id: self.ids.repair(),
            hardware: repair.hardware.clone(),
            mdm: repair.mdm.clone(),
            subjects: repair.subjects.clone(),
        });
        NewRun {
            id: self.ids.run(),
            proposal: record.id.clone(),
            playbook: plan.playbook.clone(),
            cause: plan.cause,
            repairs: repairs.collect(),
            at,
            valid_until: valid_until(&plan.approval, at),
        }
    }
}

/// A decision on the command line: posted to the channel, counted as one person.
pub async fn decide_from_cli(
    decider: &Decider,
    proposal: &ProposalId,
    verdict: Verdict,
    os_user: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Outcome, Refused> {
    let name = format!("cli:{os_user}");
    let approvals = &decider.settings.approvals;
    let names = approvals
        .groups
        .keys()
        .map(String::as_str)
        .chain(["oncall"]);
    let groups = names
        .filter(|group| {
            approvals
                .group(group)
                .is_some_and(|members| members.contains(&name))
        })
        .map(str::to_owned)
        .collect();
    let identity = match decider.okta.user(os_user).await {
        Ok(Some(account)) => Identity::User(account.id),
        Ok(None) => Identity::None,
        Err(error) => Identity::LookUpFailed(error.to_string()),
    };
    let ballot = Ballot {
        proposal: proposal.clone(),
        seen: Seen::Current,
        verdict,
        by: Person::Cli(os_user.to_owned()),
        email: None,
        identity,
        groups,
        reason: Some(reason.to_owned()),
        again: AskAgain::Evidence,
        at: now,
    };
    decider.decide(&ballot).await
}

/// Revision and digest that the person saw. A prefix that does not fit is no digest of anything.
fn shown(seen: &Seen, record: &ProposalRecord) -> (u32, PlanDigest) {
    match seen {
        Seen::Current => (record.revision, record.digest.clone()),
        Seen::Shown { revision, digest } => {
            let fits = digest.len() >= 8 && record.digest.as_str().starts_with(digest.as_str());
            let digest = if fits {
                record.digest.clone()
            } else {
                PlanDigest::new(digest.as_str())
            };
            (*revision, digest)
        }
    }
}

/// The card, and a line in its thread.
fn letters(ballot: &Ballot, record: &ProposalRecord, person: &str) -> Vec<NewMessage> {
    let who = mrkdwn::person(person);
    let digest: String = record.digest.as_str().chars().take(8).collect();
    let because = match ballot.reason.as_deref().map(str::trim) {
        Some(reason) if !reason.is_empty() => format!(": {}", mrkdwn::escape(reason)),
        _ => String::new(),
    };
    let line = match &ballot.verdict {
        Verdict::Approve => format!(
            "{who} approved revision {} (plan `{digest}`){because}",
            record.revision
        ),
        Verdict::Deny => {
            let again = match ballot.again {
                AskAgain::Evidence => "asked again when the evidence changes",
                AskAgain::Day => "asked again tomorrow",
                AskAgain::Never => "never asked again about these computers",
            };
            format!(
                "{who} denied revision {}{because} ({again})",
                record.revision
            )
        }
        Verdict::Snooze { until } => {
            format!(
                "{who} put it off until {}{because}",
                mrkdwn::date_time(*until)
            )
        }
    };
    let word = word(&ballot.verdict);
    let key = format!(
        "{word}:{}:{person}:{}",
        record.revision,
        ballot.at.timestamp_millis()
    );
    vec![
        messages::card(&record.id, ballot.at),
        messages::thread_marked(&record.id, &key, &line, ballot.at),
    ]
}

fn audit_entry(ballot: &Ballot, record: &ProposalRecord, person: &str) -> NewAuditEntry {
    NewAuditEntry {
        kind: format!("proposal.{}", word(&ballot.verdict)),
        about: record.id.to_string(),
        at: ballot.at,
        payload: json!({
            "by": person,
            "revision": record.revision,
            "digest": record.digest,
            "groups": ballot.groups,
            "reason": ballot.reason,
            "ask_again": (ballot.verdict == Verdict::Deny).then_some(ballot.again),
        }),
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::Deny => "denied",
        Verdict::Snooze { .. } => "snoozed",
    }
}
