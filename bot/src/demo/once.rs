//! `demo --once`: the whole loop without a page. Every card but the last is approved by a click in Slack, the last is
//! denied in its dialog; then the time is moved from one thing to do to the next until no repair moves any more.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::Progress;
use serde::Serialize;
use serde_json::{Value, json};
use simulator::slack::Message;

use super::{Demo, judge, picture::Picture, time::latest_look};
use crate::domain::{ProposalId, ProposalState, RepairState};

/// Real time for everything after the decisions.
const AT_MOST: Duration = Duration::from_secs(240);
/// Real time until a card is posted or a click has its effect.
const SLACK_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long nothing may be due before the time is moved.
const QUIET: Duration = Duration::from_millis(500);
/// Simulated time without any movement after which none is expected.
const STILL: TimeDelta = TimeDelta::days(3);

/// What `demo --once --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the keys are defined in the design, section 8")]
pub struct Verdict {
    pub devices: usize,
    pub subjects: usize,
    pub findings: usize,
    pub right: usize,
    pub wrong: usize,
    pub insufficient: usize,
    pub healthy_with_finding: usize,
    pub proposed: usize,
    pub approved: usize,
    pub denied: usize,
    pub managed_again: usize,
    pub waiting_for_sign_in: usize,
    pub needs_human: usize,
    pub unapproved_effects: usize,
    pub doubled_effects: usize,
}

impl Verdict {
    /// Whether nothing was unapproved or doubled.
    pub fn is_clean(&self) -> bool {
        self.unapproved_effects == 0 && self.doubled_effects == 0
    }
}

pub(super) async fn run(demo: &Arc<Demo>, progress: Arc<dyn Progress>) -> anyhow::Result<Verdict> {
    let before = judge::managed_before(demo.simulator.world());
    let document = demo.sweep(progress).await?;
    let diagnosed = judge::diagnosed(&demo.simulator, &before, &document);
    let cards: Vec<ProposalId> = picture(demo)
        .proposals
        .iter()
        .filter(|one| one.state.is_undecided())
        .map(|one| one.id.clone())
        .collect();
    if let Some((last, others)) = cards.split_last() {
        for id in others {
            approve(demo, id)
                .await
                .with_context(|| format!("cannot approve {id}"))?;
        }
        deny(demo, last)
            .await
            .with_context(|| format!("cannot deny {last}"))?;
    }
    let decided: HashSet<ProposalId> = cards.into_iter().collect();
    move_on(demo).await?;
    let end = picture(demo);
    let effects = judge::effects(&demo.simulator, &end);
    let asked = |which: &dyn Fn(ProposalState) -> bool| {
        end.computers(|one| decided.contains(&one.id) && which(one.state))
    };
    Ok(Verdict {
        devices: demo.devices,
        subjects: diagnosed.subjects,
        findings: diagnosed.findings,
        right: diagnosed.right,
        wrong: diagnosed.wrong,
        insufficient: diagnosed.insufficient,
        healthy_with_finding: diagnosed.healthy_with_finding,
        proposed: asked(&|_| true),
        approved: end.computers(|one| end.runs.iter().any(|run| run.proposal == one.id)),
        denied: asked(&|state| state == ProposalState::Denied),
        managed_again: end.count(|state| *state == RepairState::Managed),
        waiting_for_sign_in: end.count(RepairState::waits_for_sign_in),
        needs_human: end.count(|state| matches!(state, RepairState::NeedsHuman { .. })),
        unapproved_effects: effects.unapproved,
        doubled_effects: effects.doubled,
    })
}

fn picture(demo: &Demo) -> Arc<Picture> {
    demo.picture.borrow().clone()
}

/// Clicks Approve on a card, as an approver; a plan that needs two gets two.
async fn approve(demo: &Arc<Demo>, id: &ProposalId) -> anyhow::Result<()> {
    for person in demo.cast.people().iter().take(2) {
        let card = card(demo, id).await?;
        let button = element(&card, |element| element["style"] == "primary")
            .context("the card has no button to approve")?;
        let slack = demo.simulator.slack();
        slack
            .click(&person.id, &card.channel, &card.ts, button.as_str())
            .await?;
        let counted = until(demo, SLACK_WITHIN, |picture| {
            picture
                .decisions
                .get(id)
                .is_some_and(|decisions| !decisions.is_empty())
        })
        .await?;
        anyhow::ensure!(counted, "the click had no effect");
        let undecided = picture(demo)
            .proposal(id)
            .is_some_and(|one| one.state.is_undecided());
        if !undecided {
            return Ok(());
        }
    }
    anyhow::bail!("two approvals were not enough")
}

/// Opens the dialog of a card and denies with a reason.
async fn deny(demo: &Arc<Demo>, id: &ProposalId) -> anyhow::Result<()> {
    let approver = demo.cast.approver().context("nobody may decide")?;
    let card = card(demo, id).await?;
    let button = element(&card, |element| element["style"] == "danger")
        .context("the card has no button to deny")?;
    let slack = demo.simulator.slack();
    slack
        .click(&approver, &card.channel, &card.ts, button.as_str())
        .await?;
    let view = slack
        .wait_for(SLACK_WITHIN, |slack| slack.views(&approver).last().cloned())
        .await
        .context("no dialog was opened")?;
    let inputs = view
        .blocks()
        .iter()
        .filter(|block| block["type"] == "input")
        .filter_map(filled_in);
    slack.submit_view(&approver, &view.id, inputs).await?;
    let denied = until(demo, SLACK_WITHIN, |picture| {
        picture
            .proposal(id)
            .is_some_and(|one| one.state == ProposalState::Denied)
    })
    .await?;
    anyhow::ensure!(denied, "the dialog had no effect");
    Ok(())
}

/// The first option of a choice that has no initial one, a sentence for a text.
fn filled_in(block: &Value) -> Option<(&str, Value)> {
    let (id, element) = (block["block_id"].as_str()?, &block["element"]);
    let initial = element.get("initial_option").is_some();
    match element["type"].as_str()? {
        "plain_text_input" => Some((id, json!("denied by the demonstration"))),
        "static_select" | "radio_buttons" if !initial => {
            Some((id, element["options"][0]["value"].clone()))
        }
        _ => None,
    }
}

/// The card of a proposal, once it is posted.
async fn card(demo: &Demo, id: &ProposalId) -> anyhow::Result<Message> {
    let channel = demo.cast.channel.clone();
    let find = |slack: &simulator::slack::SlackWorkspace| {
        let named = |value: &Value| {
            value
                .as_str()
                .is_some_and(|value| value.contains(id.as_str()))
        };
        let mut messages = slack.messages(&channel).into_iter().rev();
        messages.find(|message| element(message, |element| named(&element["value"])).is_some())
    };
    demo.simulator
        .slack()
        .wait_for(SLACK_WITHIN, find)
        .await
        .context("its card was not posted")
}

/// The action id of the first element like this.
fn element(message: &Message, like: impl Fn(&Value) -> bool) -> Option<String> {
    let elements = message
        .blocks
        .iter()
        .filter_map(|block| block["elements"].as_array())
        .flatten();
    let buttons = elements.filter(|element| element["type"] == "button");
    buttons
        .filter(|element| like(element))
        .find_map(|element| element["action_id"].as_str().map(str::to_owned))
}

/// Looks until it is so.
async fn until(
    demo: &Arc<Demo>,
    within: Duration,
    so: impl Fn(&Picture) -> bool,
) -> anyhow::Result<bool> {
    let began = Instant::now();
    loop {
        demo.look().await?;
        if so(&demo.picture.borrow()) {
            return Ok(true);
        }
        if began.elapsed() > within {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Moves the time from one thing to do to the next.
async fn move_on(demo: &Arc<Demo>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut moved_at = demo.time.now();
    let mut versions = Vec::new();
    while began.elapsed() < AT_MOST {
        settle(demo, began).await?;
        let picture = picture(demo);
        if picture.repairs.iter().all(|repair| repair.state.is_end()) {
            return Ok(());
        }
        let now = demo.time.now();
        let seen: Vec<_> = picture
            .repairs
            .iter()
            .map(|repair| {
                (
                    repair.id.clone(),
                    repair.state.word(),
                    repair.state.waits_for_sign_in(),
                )
            })
            .collect();
        if seen != versions {
            (versions, moved_at) = (seen, now);
        } else if now - moved_at > STILL {
            return Ok(());
        }
        demo.simulator.advance(step(&picture, now)).await;
        demo.host.wake().await;
    }
    tracing::warn!("repairs still moved when the time was up");
    Ok(())
}

/// How far to move. Each look costs requests of Okta's budget, of every open repair: the time moves as far as it can
/// without changing how a repair ends, and by a day where only people are waited for.
fn step(picture: &Picture, now: DateTime<Utc>) -> TimeDelta {
    let open = || {
        picture
            .repairs
            .iter()
            .filter(|repair| !repair.state.is_end())
    };
    let latest = picture
        .all_planned()
        .filter_map(|planned| latest_look(&planned))
        .min();
    match latest {
        Some(latest) => (latest - now).clamp(TimeDelta::minutes(5), TimeDelta::hours(6)),
        None if open().any(|repair| !repair.state.waits_for_sign_in()) => TimeDelta::hours(1),
        None => TimeDelta::days(1),
    }
}

/// Waits until the bot has done everything that is due.
async fn settle(demo: &Arc<Demo>, began: Instant) -> anyhow::Result<()> {
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET && began.elapsed() < AT_MOST {
        demo.look().await?;
        let now = demo.time.now();
        let picture = picture(demo);
        let due = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
        let busy = picture.sweeping.is_some()
            || picture
                .repairs
                .iter()
                .any(|repair| !repair.state.is_end() && due(repair.next_look_at));
        if busy {
            quiet_since = Instant::now();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
