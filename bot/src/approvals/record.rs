//! From stored rows to the domain's proposal and back.

use chrono::{DateTime, Utc};

use crate::{
    chat::CardEvidence,
    domain::{
        ApprovalRule, ProposalState,
        approval::{Person, Proposal, Status, Vote},
    },
    store::{DecisionRecord, ProposalRecord, Verdict},
};

/// A person as stored.
pub(super) fn stored(person: &Person) -> String {
    match person {
        Person::Slack(id) => format!("user:{id}"),
        Person::Cli(name) => format!("cli:{name}"),
    }
}

fn read_person(stored: &str) -> Person {
    match stored.strip_prefix("user:") {
        Some(id) => Person::Slack(id.to_owned()),
        None => Person::Cli(stored.strip_prefix("cli:").unwrap_or(stored).to_owned()),
    }
}

/// The stored proposal as the domain judges it.
pub fn proposal_of(record: &ProposalRecord, decisions: &[DecisionRecord]) -> Proposal {
    let current = || {
        decisions
            .iter()
            .filter(|decision| decision.revision == record.revision)
    };
    let vote = |decision: &DecisionRecord| Vote {
        by: read_person(&decision.person),
        at: decision.at,
    };
    let approvals = || -> Vec<Vote> {
        current()
            .filter(|decision| decision.verdict == Verdict::Approve)
            .map(vote)
            .collect()
    };
    let decided_at = record.decided_at.unwrap_or(record.revised_at);
    let status = match record.state {
        ProposalState::AwaitingApproval | ProposalState::PartlyApproved | ProposalState::DryRun => {
            Status::Waiting {
                approvals: approvals(),
            }
        }
        ProposalState::Snoozed => Status::Snoozed {
            until: record.snoozed_until.unwrap_or(record.expires_at),
            by: read_person(record.snoozed_by.as_deref().unwrap_or("cli:unknown")),
            approvals: approvals(),
        },
        ProposalState::Denied => {
            let denied = current()
                .rfind(|decision| decision.verdict == Verdict::Deny)
                .map(vote);
            Status::Denied {
                by: denied.unwrap_or_else(|| Vote {
                    by: Person::Cli("unknown".into()),
                    at: decided_at,
                }),
                reason: record.reason.clone(),
            }
        }
        ProposalState::Expired => Status::Expired {
            at: record.expires_at,
        },
        ProposalState::Superseded => Status::Superseded { at: decided_at },
        // A run that ended so was approved; one that nobody decided has no approval.
        ProposalState::Cured if approvals().is_empty() => Status::Cured { at: decided_at },
        ProposalState::Stopped if approvals().is_empty() => Status::Stopped {
            at: decided_at,
            by: record.reason.clone().unwrap_or_else(|| "a person".into()),
        },
        ProposalState::Approved
        | ProposalState::Running
        | ProposalState::WaitingForSignIn
        | ProposalState::Done
        | ProposalState::DoneWithFailures
        | ProposalState::Cured
        | ProposalState::Stopped
        | ProposalState::Undone
        | ProposalState::NeedsHuman => Status::Approved {
            approvals: approvals(),
            at: decided_at,
            valid_until: decided_at,
        },
    };
    Proposal {
        id: record.id.clone(),
        plan: record.plan.clone(),
        digest: record.digest.clone(),
        revision: record.revision,
        history: CardEvidence::read(&record.evidence).history,
        expires_at: record.expires_at,
        status,
    }
}

/// What all decisions on one revision add up to; asked inside the transaction that counts the newest.
pub(super) fn state_after(rule: &ApprovalRule, decisions: &[DecisionRecord]) -> ProposalState {
    if decisions
        .iter()
        .any(|decision| decision.verdict == Verdict::Deny)
    {
        return ProposalState::Denied;
    }
    let required = usize::from(rule.required.max(1));
    let outside_cli = decisions
        .iter()
        .any(|decision| !decision.person.starts_with("cli:"));
    if decisions.len() < required || (required > 1 && !outside_cli) {
        return if decisions.is_empty() {
            ProposalState::AwaitingApproval
        } else {
            ProposalState::PartlyApproved
        };
    }
    ProposalState::Approved
}

/// Until when an approved plan may be begun.
pub(super) fn valid_until(rule: &ApprovalRule, at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = i64::try_from(rule.valid_for_seconds).unwrap_or(i64::MAX / 1_000);
    at + chrono::TimeDelta::seconds(seconds)
}
