//! What is known of one subject: finding, history with proposals and repairs, and what happens next.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Answer, Line, Proof, timeline};
use crate::{
    domain::{
        DeviceId, Finding, PlannedSubject, ProposalState, RepairState, UserId, WhyNot,
        correlate::normalise,
    },
    executor::Proved,
    store::{ProposalRecord, RepairRecord, Store, Verdict},
    wording,
};

/// The source of what unstuck itself did.
const OURS: &str = "unstuck";
/// How far back proposals are told.
const REMEMBERED: TimeDelta = TimeDelta::days(400);

/// Everything that the store knows of one subject.
pub(super) async fn answer(store: &Store, key: &str, now: DateTime<Utc>) -> anyhow::Result<Answer> {
    let record = store.finding(key).await?;
    let mut history: Vec<Line> = store
        .finding_history(key)
        .await?
        .into_iter()
        .map(|entry| {
            let what = match entry.change.as_str() {
                "opened" => format!("found: {}", entry.cause.title()),
                "closed" => "closed".to_owned(),
                other => other.replace('_', " "),
            };
            let text = entry
                .detail
                .map_or(what.clone(), |detail| format!("{what}: {detail}"));
            Line::new(entry.at, OURS, &entry.change, text)
        })
        .collect();
    let (device, user) = ids(key);
    let subject = match &device {
        Some(device) => store
            .find_subjects("", device.as_str(), "")
            .await?
            .into_iter()
            .find(|subject| subject.key == key),
        None => None,
    };
    let mut latest = None;
    if let (Some(device), Some(user)) = (&device, &user) {
        for proposal in store.proposals_since(now - REMEMBERED).await? {
            if !concerns(&proposal, device, user) {
                continue;
            }
            let repair = tell(store, &proposal, device, user, &mut history).await?;
            // Newest first: the first that is told is the latest.
            latest.get_or_insert((proposal, repair));
        }
    }
    if let (Some(device), Some(user)) = (&device, &user) {
        let known = |name: &str| {
            let text = subject.as_ref()?.document[name].as_str()?;
            normalise(text)
        };
        let serial = subject
            .as_ref()
            .and_then(|subject| normalise(subject.serial_number.as_deref()?));
        let ledger = store
            .ledger_of(device, user, serial.as_deref(), known("udid").as_deref())
            .await?;
        let finding = record.as_ref().map(|record| &record.finding);
        history.extend(timeline::observed(&ledger, finding));
    }
    history.sort_by_key(|line| line.at);
    let seen_at = record.as_ref().map(|record| record.last_seen_at);
    let closed = record
        .as_ref()
        .is_some_and(|record| record.closed_at.is_some());
    let proof = latest.as_ref().and_then(|(proposal, repair)| {
        let (device, user) = (device.as_ref()?, user.as_ref()?);
        let proved = Proved::newest(std::slice::from_ref(repair.as_ref()?), device, user)?;
        // A sweep that found something after the proof knows better.
        let outdated = !closed && seen_at.is_some_and(|seen| seen > proved.at);
        (!outdated).then(|| Proof {
            at: proved.at,
            by: proved.by,
            proposal: proposal.id.clone(),
            text: wording::proved(&proved, &proposal.id),
        })
    });
    let finding = record
        .filter(|_| !closed && proof.is_none())
        .map(|record| record.finding);
    let next = next(finding.as_ref(), latest.as_ref());
    Ok(Answer {
        subject,
        finding,
        proof,
        seen_at,
        history,
        next,
    })
}

/// `guo…/00u…`
fn ids(key: &str) -> (Option<DeviceId>, Option<UserId>) {
    match key.split_once('/') {
        Some((device, "")) => (Some(DeviceId::from(device)), None),
        Some((device, user)) => (Some(DeviceId::from(device)), Some(UserId::from(user))),
        None => (None, None),
    }
}

fn is(subject: &PlannedSubject, device: &DeviceId, user: &UserId) -> bool {
    subject.device_id == *device && subject.user_id == *user
}

fn concerns(proposal: &ProposalRecord, device: &DeviceId, user: &UserId) -> bool {
    proposal
        .plan
        .repairs
        .iter()
        .flat_map(|repair| &repair.subjects)
        .any(|subject| is(subject, device, user))
}

/// Adds what happened to one proposal to the history; returns the repair of the subject, if there is one.
async fn tell(
    store: &Store,
    proposal: &ProposalRecord,
    device: &DeviceId,
    user: &UserId,
    history: &mut Vec<Line>,
) -> anyhow::Result<Option<RepairRecord>> {
    let id = &proposal.id;
    let mut add = |at, change: &str, text: String| {
        history.push(Line::new(at, OURS, change, text));
    };
    add(
        proposal.created_at,
        "proposed",
        format!("{id} proposed: {}", proposal.plan.title),
    );
    if proposal.revision > 1 {
        add(
            proposal.revised_at,
            "revised",
            format!("{id} revised, revision {}", proposal.revision),
        );
    }
    for decision in store.decisions(id).await? {
        let (change, word) = match decision.verdict {
            Verdict::Approve => ("approved", "approved"),
            Verdict::Deny => ("denied", "denied"),
        };
        let reason = decision
            .reason
            .map_or(String::new(), |reason| format!(": {reason}"));
        add(
            decision.at,
            change,
            format!("{id} {word} by {}{reason}", decision.person),
        );
    }
    if let (Some(at), ProposalState::Expired | ProposalState::Superseded | ProposalState::Cured) =
        (proposal.decided_at, proposal.state)
    {
        add(
            at,
            proposal.state.word(),
            format!("{id} {}", wording::proposal_state(proposal.state)),
        );
    }
    let Some(run) = store.run_of_proposal(id).await? else {
        return Ok(None);
    };
    let repairs = store.repairs(&run.id).await?;
    let repair = repairs.into_iter().find(|repair| {
        repair
            .subjects
            .iter()
            .any(|subject| is(subject, device, user))
    });
    if let Some(repair) = &repair {
        if let Some(at) = repair.started_at {
            add(at, "repair_started", format!("repair of {id} began"));
        }
        if let Some(at) = repair.finished_at {
            add(
                at,
                "repair_ended",
                format!(
                    "repair of {id} ended: {}",
                    wording::repair_state(&repair.state)
                ),
            );
        }
    }
    Ok(repair)
}

fn next(
    finding: Option<&Finding>,
    latest: Option<&(ProposalRecord, Option<RepairRecord>)>,
) -> String {
    if let Some((proposal, repair)) = latest {
        let id = &proposal.id;
        if let Some(repair) = repair.as_ref().filter(|repair| !repair.state.is_end()) {
            let until = match &repair.state {
                RepairState::Waiting { deadline, .. } => format!(", until {}", stamp(*deadline)),
                _ => String::new(),
            };
            return format!("{id}: {}{until}", wording::repair_state(&repair.state));
        }
        if proposal.state.is_undecided() {
            let groups: Vec<String> = proposal
                .plan
                .approval
                .groups
                .iter()
                .map(|group| format!("@{group}"))
                .collect();
            return match proposal
                .snoozed_until
                .filter(|_| proposal.state == ProposalState::Snoozed)
            {
                Some(until) => format!("{id} is put off until {}", stamp(until)),
                None => format!(
                    "{id} waits for {} until {}; undecided, it expires, and the next sweep asks again",
                    groups.join(", "),
                    stamp(proposal.expires_at)
                ),
            };
        }
        if proposal.state == ProposalState::Approved {
            return format!("{id} is approved; its repair begins with the next wave");
        }
    }
    let Some(finding) = finding else {
        return "nothing has to be done".into();
    };
    let Some(why_not) = finding.why_not else {
        return "the next sweep looks again".into();
    };
    let detail = finding
        .why_not_detail
        .as_deref()
        .filter(|detail| !detail.is_empty());
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    let again = match (finding.retry_at, why_not) {
        (Some(at), _) => format!("; looked at again {}", stamp(at)),
        (None, WhyNot::NoPlaybook | WhyNot::Excluded) => String::new(),
        (None, _) => "; the next sweep looks again".into(),
    };
    format!("not proposed: {}{detail}{again}", wording::why_not(why_not))
}

/// A time that can be forwarded: with its zone.
fn stamp(at: DateTime<Utc>) -> String {
    at.format("%a %-d %b %H:%M UTC").to_string()
}
