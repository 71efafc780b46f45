//! A proposal's card in every state. The first line says what, how many and how risky.

mod open;
mod run;

use super::{CardValues, Rendered, context, section};
use crate::{
    chat::mrkdwn::{date_time, escape, person},
    domain::{MdmKind, Plan, ProposalState, Risk},
    store::{DecisionRecord, Verdict},
    wording,
    words::count,
};

/// Most computers that a card names.
const MOST_NAMED: usize = 8;

/// Draws the card.
pub fn card(values: &CardValues) -> Rendered {
    let state = values.proposal.state;
    if state.is_undecided() {
        open::undecided(values)
    } else if values.run.is_some() {
        run::decided(values)
    } else {
        closed(values)
    }
}

/// `Re-push the SCEP profile: 6 Macs`
fn what(values: &CardValues) -> String {
    format!(
        "{}: {}",
        escape(&values.proposal.plan.title),
        how_many(values)
    )
}

fn how_many(values: &CardValues) -> String {
    count(values.proposal.plan.repairs.len(), noun(values))
}

fn noun(values: &CardValues) -> &str {
    match &values.evidence.noun {
        Some(noun) => noun,
        None if values
            .proposal
            .plan
            .repairs
            .iter()
            .all(|repair| repair.mdm_kind == Some(MdmKind::Jamf)) =>
        {
            "Mac"
        }
        None => "computer",
    }
}

fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "low risk",
        Risk::Medium => "medium risk",
        Risk::High => "high risk",
    }
}

fn block_id(values: &CardValues, part: &str) -> String {
    format!("{}:{}:{part}", values.proposal.id, values.proposal.revision)
}

/// `proposal|revision|digest8`, the only thing that is trusted from a click.
fn value(values: &CardValues) -> String {
    let digest: String = values.proposal.digest.as_str().chars().take(8).collect();
    format!(
        "{}|{}|{digest}",
        values.proposal.id, values.proposal.revision
    )
}

fn approvals(values: &CardValues) -> impl Iterator<Item = &DecisionRecord> {
    let revision = values.proposal.revision;
    values.decisions.iter().filter(move |decision| {
        decision.revision == revision && decision.verdict == Verdict::Approve
    })
}

/// Cumulative sizes that differ; the last takes in everybody.
fn wave_sizes(plan: &Plan) -> Vec<usize> {
    let total = plan.repairs.len();
    let mut sizes: Vec<usize> = Vec::new();
    let given = plan.rollout.waves.iter().map(|wave| wave.of(total));
    for size in given.chain([total]) {
        if sizes.last().is_none_or(|last| size > *last) {
            sizes.push(size);
        }
    }
    sizes
}

fn small_print(values: &CardValues) -> String {
    let record = &values.proposal;
    let mut parts = Vec::new();
    if record.revision > 1 {
        parts.push(format!("revision {}: {}", record.revision, revised(values)));
    }
    if record.batch_count > 1 {
        parts.push(format!(
            "batch {} of {}",
            record.batch_number, record.batch_count
        ));
    }
    if let Some(rate) = &values.evidence.fix_rate {
        parts.push(escape(rate));
    }
    parts.push(format!("playbook {}", escape(record.playbook.as_str())));
    parts.push(format!("open since {}", date_time(record.created_at)));
    parts.join(" · ")
}

/// What the newest revision changed.
fn revised(values: &CardValues) -> String {
    let Some(before) = values.evidence.history.last() else {
        return "earlier approvals no longer count".into();
    };
    let subjects = values
        .proposal
        .plan
        .repairs
        .iter()
        .flat_map(|repair| &repair.subjects);
    let now: std::collections::BTreeSet<_> = subjects.map(|subject| &subject.device_id).collect();
    let added = now
        .iter()
        .filter(|device| !before.devices.contains(**device))
        .count();
    let left = before
        .devices
        .iter()
        .filter(|device| !now.contains(device))
        .count();
    format!("+{added} −{left} since revision {}", before.revision)
}

/// Ended without a run: denied, expired, superseded, cured, stopped.
fn closed(values: &CardValues) -> Rendered {
    let record = &values.proposal;
    let reason = record
        .reason
        .as_deref()
        .filter(|reason| !reason.trim().is_empty());
    let denied_by = values
        .decisions
        .iter()
        .rfind(|decision| decision.verdict == Verdict::Deny)
        .map(|decision| {
            format!(
                "denied by {} {}",
                person(&decision.person),
                date_time(decision.at)
            )
        });
    let (sign, line) = match record.state {
        ProposalState::Denied => (
            ":no_entry_sign:",
            denied_by.unwrap_or_else(|| "denied".into()),
        ),
        ProposalState::Expired => (":hourglass:", "expired: nobody decided in time".into()),
        ProposalState::Superseded => (":fast_forward:", "superseded by a newer proposal".into()),
        ProposalState::Cured => (
            ":white_check_mark:",
            "every computer is managed by now; nothing to do".into(),
        ),
        ProposalState::Stopped => (
            ":octagonal_sign:",
            format!(
                "stopped by {}",
                reason.map(person).unwrap_or_else(|| "a person".into())
            ),
        ),
        other => (":grey_question:", wording::proposal_state(other).to_owned()),
    };
    let because = match (record.state, reason) {
        (ProposalState::Denied, Some(reason)) => format!("\n“{}”", escape(reason)),
        _ => String::new(),
    };
    let head = format!(
        "{sign} ~{}~ · `{}`\n{line}{because}",
        what(values),
        record.id
    );
    Rendered {
        text: format!(
            "{}: {} – {}.",
            record.id,
            what(values),
            wording::proposal_state(record.state)
        ),
        blocks: vec![
            section(&block_id(values, "t"), &head),
            context(&block_id(values, "c"), &small_print(values)),
        ],
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
