//! Judges what came in, one message at a time, and answers every refusal.
//!
//! Who somebody is and what they may do is read at this moment. A message is marked as read after its effect; a crash in
//! between judges it again, and the compare-and-set of the store lets it count once. Of several nodes the one that
//! received a message judges it; the others take what was left lying.

mod commands;
mod fleet;
mod replies;

use std::{collections::HashMap, sync::Arc};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::slack::ChatUser;
use serde::Deserialize;
use serde_json::json;

use super::{AskAgain, Ballot, Decider, Outcome, People, Refused, Seen, people::NoSay};
use commands::Typed;
pub use replies::ReplyPaths;

use crate::{
    chat::{Deps, listen::Reference, messages, render},
    domain::{
        ProposalState, Risk, UserId,
        approval::{Identity, OPERATORS, Person, Refusal, Verdict},
    },
    pass::Pass,
    sign_in,
    store::{InboxMessage, NewAuditEntry, Together},
};

/// Messages in one pass.
const MESSAGES_PER_PASS: u32 = 50;
/// What another node received is left to it for so long.
const LEFT_TO_OTHERS: TimeDelta = TimeDelta::seconds(5);
/// A message that cannot be judged for so long is given up.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::minutes(10);
/// `Later` on a card.
const SNOOZE: TimeDelta = TimeDelta::hours(4);

/// The inbox pass.
pub struct InboxPass {
    deps: Deps,
    decider: Decider,
    people: People,
    replies: Arc<ReplyPaths>,
    /// One message at a time.
    turn: tokio::sync::Mutex<()>,
}

/// A button that was pressed, as the listener wrote it down.
#[derive(Deserialize)]
struct Pressed {
    user: String,
    channel: Option<String>,
    action: String,
    value: String,
}

/// A form that was sent.
#[derive(Deserialize)]
struct Form {
    user: String,
    callback: String,
    metadata: String,
    inputs: HashMap<String, String>,
}

/// What became of a message, and what its author is told.
struct Judged {
    outcome: &'static str,
    user: String,
    channel: Option<String>,
    answer: Option<String>,
}

impl InboxPass {
    /// Shares the ways to answer with the listener of this process.
    pub fn new(deps: Deps, replies: Arc<ReplyPaths>) -> Self {
        let people = People::new(
            Arc::clone(&deps.chat),
            Arc::clone(&deps.okta),
            Arc::clone(&deps.settings),
        );
        Self {
            decider: deps.decider(),
            people,
            replies,
            deps,
            turn: tokio::sync::Mutex::new(()),
        }
    }
}

#[async_trait]
impl Pass for InboxPass {
    fn name(&self) -> &'static str {
        "inbox"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let _turn = self.turn.lock().await;
        let mut judged = false;
        for message in self.deps.store.unread(MESSAGES_PER_PASS).await? {
            let key = &message.message.dedupe_key;
            let is_chat = matches!(message.message.kind.as_str(), "click" | "form" | "command");
            let age = now - message.message.received_at;
            // A form has no way to answer of its own; whoever comes first may judge it.
            let is_ours =
                self.replies.holds(key) || message.message.kind == "form" || age >= LEFT_TO_OTHERS;
            if !is_chat || !is_ours {
                continue;
            }
            match self.judge(&message, now).await {
                Ok(outcome) => {
                    judged = true;
                    // Another node that was faster has answered, too.
                    if self
                        .deps
                        .store
                        .mark_read(message.id, outcome.outcome, now)
                        .await?
                    {
                        self.answer(key, &outcome, now).await?;
                    }
                }
                Err(error) => {
                    tracing::error!(inbox.id = message.id, error = %format!("{error:#}"), "cannot judge a message");
                    if age >= GIVEN_UP_AFTER {
                        self.deps
                            .store
                            .mark_read(message.id, "given up", now)
                            .await?;
                    }
                }
            }
        }
        if judged {
            (self.deps.wake)();
        }
        Ok(None)
    }
}

impl InboxPass {
    async fn judge(&self, message: &InboxMessage, now: DateTime<Utc>) -> anyhow::Result<Judged> {
        let payload = message.message.payload.clone();
        match message.message.kind.as_str() {
            "click" => {
                let pressed: Pressed =
                    serde_json::from_value(payload).context("a click is unreadable")?;
                self.pressed(pressed, now).await
            }
            "form" => {
                let form: Form = serde_json::from_value(payload).context("a form is unreadable")?;
                self.form(form, now).await
            }
            _ => {
                let typed: Typed =
                    serde_json::from_value(payload).context("a command is unreadable")?;
                self.typed(typed, now).await
            }
        }
    }

    async fn pressed(&self, pressed: Pressed, now: DateTime<Utc>) -> anyhow::Result<Judged> {
        let Pressed {
            user,
            channel,
            action,
            value,
        } = pressed;
        let judged = |outcome, answer| Judged {
            outcome,
            user: user.clone(),
            channel: channel.clone(),
            answer,
        };
        Ok(match action.as_str() {
            "p.approve" | "p.snooze" | "p.deny" => {
                let Some(reference) = Reference::parse(&value) else {
                    return Ok(judged(
                        "unreadable",
                        Some("This button is not readable any more.".into()),
                    ));
                };
                let verdict = match action.as_str() {
                    "p.approve" => Verdict::Approve,
                    "p.snooze" => Verdict::Snooze {
                        until: now + SNOOZE,
                    },
                    // The dialogue is open or opening; only a card that is outdated has to be answered.
                    _ => return self.denial_pressed(&reference, judged, now).await,
                };
                let (outcome, answer) = self
                    .decide(&user, &reference, verdict, None, AskAgain::default(), now)
                    .await?;
                judged(outcome, answer)
            }
            "s.later" | "s.not_mine" => {
                let (outcome, answer) = self.owner(&user, &action, &value, now).await?;
                judged(outcome, answer)
            }
            "f.fixed" => {
                let (outcome, answer) = self.marked_fixed(&user, &value, now).await?;
                judged(outcome, answer)
            }
            // Links open by themselves.
            _ => judged("nothing to do", None),
        })
    }

    /// "Deny…" on a card that is outdated gets the same refusal as a decision would.
    async fn denial_pressed(
        &self,
        reference: &Reference,
        judged: impl Fn(&'static str, Option<String>) -> Judged,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Judged> {
        let store = &self.deps.store;
        let Some(record) = store.proposal(&reference.proposal).await? else {
            let gone = Refused::NotFound(reference.proposal.clone());
            return Ok(judged(
                "not found",
                Some(render::refused(&gone, &self.deps.settings)),
            ));
        };
        let decisions = store.decisions(&record.id).await?;
        // A question of the plan alone: everybody may look at the dialogue, its submission is judged.
        let probe = crate::domain::approval::Decision {
            verdict: Verdict::Deny,
            by: Person::Slack(String::new()),
            identity: Identity::None,
            groups: [OPERATORS.to_owned()].into(),
            revision: reference.revision,
            digest: record.digest.clone(),
            reason: None,
            at: now,
        };
        match super::proposal_of(&record, &decisions).decide(&probe) {
            Ok(_) => Ok(judged("dialogue", None)),
            Err(refusal) => {
                store
                    .put_messages(&[messages::card(&record.id, now)])
                    .await?;
                Ok(judged(
                    "refused",
                    Some(render::refused(&refusal.into(), &self.deps.settings)),
                ))
            }
        }
    }

    async fn form(&self, form: Form, now: DateTime<Utc>) -> anyhow::Result<Judged> {
        let reference = Reference::parse(&form.metadata);
        let channel = reference
            .as_ref()
            .and_then(|reference| reference.channel.clone());
        let judged = |outcome, answer| Judged {
            outcome,
            user: form.user.clone(),
            channel: channel.clone(),
            answer,
        };
        let (Some(reference), "p.deny") = (&reference, form.callback.as_str()) else {
            return Ok(judged("unreadable", None));
        };
        let chosen = form.inputs.get("why").map_or("", String::as_str);
        let words = render::REASONS
            .iter()
            .find(|(value, _)| *value == chosen)
            .map_or("No reason given", |(_, words)| words);
        let note = form
            .inputs
            .get("note")
            .map(|note| note.trim())
            .filter(|note| !note.is_empty());
        let reason = note.map_or_else(|| words.to_owned(), |note| format!("{words}: {note}"));
        let again = match form.inputs.get("again").map(String::as_str) {
            Some("day") => AskAgain::Day,
            Some("never") => AskAgain::Never,
            _ => AskAgain::Evidence,
        };
        let (outcome, answer) = self
            .decide(
                &form.user,
                reference,
                Verdict::Deny,
                Some(reason),
                again,
                now,
            )
            .await?;
        Ok(judged(outcome, answer))
    }

    /// One decision from Slack: the person is looked up now, the store counts it or not.
    async fn decide(
        &self,
        user: &str,
        reference: &Reference,
        verdict: Verdict,
        reason: Option<String>,
        again: AskAgain,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(&'static str, Option<String>)> {
        let account = match self.people.member(user).await {
            Ok(account) => account,
            Err(no_say) => {
                return self
                    .no_say(user, &no_say, reference.proposal.as_str(), now)
                    .await;
            }
        };
        let risk = self
            .deps
            .store
            .proposal(&reference.proposal)
            .await?
            .map(|record| record.plan.risk);
        let groups = self.people.groups(user, risk == Some(Risk::High)).await;
        let identity = match verdict {
            Verdict::Approve => self.people.identity(&account).await,
            // To say no, nothing has to be owned or not owned.
            Verdict::Deny | Verdict::Snooze { .. } => Identity::None,
        };
        let ballot = Ballot {
            proposal: reference.proposal.clone(),
            seen: Seen::Shown {
                revision: reference.revision,
                digest: reference.digest.clone(),
            },
            verdict,
            by: Person::Slack(user.to_owned()),
            email: account.email,
            identity,
            groups: groups.names,
            reason,
            again,
            at: now,
        };
        match self.decider.decide(&ballot).await {
            Ok(outcome) => Ok(("counted", counted(&outcome))),
            // Nobody knows yet: the message stays unread and is judged again.
            Err(Refused::Store(error)) => Err(error.into()),
            Err(refused) => {
                self.note_refusal(user, reference.proposal.as_str(), &refused.to_string(), now)
                    .await?;
                if is_outdated(&refused) {
                    self.deps
                        .store
                        .put_messages(&[messages::card(&reference.proposal, now)])
                        .await?;
                }
                let unread = groups.unread
                    && matches!(refused, Refused::Because(Refusal::NotAnApprover { .. }));
                let text = if unread {
                    "Nothing was changed: I could not check your rights in Slack. Please try again in a moment.".into()
                } else {
                    render::refused(&refused, &self.deps.settings)
                };
                Ok(("refused", Some(text)))
            }
        }
    }

    /// Buttons of the request to sign in; only its addressee may press them.
    async fn owner(
        &self,
        user: &str,
        action: &str,
        value: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(&'static str, Option<String>)> {
        let account: ChatUser = match self.people.member(user).await {
            Ok(account) => account,
            Err(no_say) => return self.no_say(user, &no_say, "sign_in", now).await,
        };
        let asked = UserId::from(value);
        match self.people.identity(&account).await {
            Identity::User(own) if own == asked => {
                if action == "s.later" {
                    sign_in::later(&self.deps.store, &asked, now).await?;
                } else {
                    sign_in::not_mine(&self.deps.store, &asked, user, now).await?;
                }
                Ok(("counted", None))
            }
            Identity::LookUpFailed(_) => Ok((
                "refused",
                Some("I could not check in Okta who you are. Please try again in a moment.".into()),
            )),
            _ => Ok(("refused", Some("This was asked of somebody else.".into()))),
        }
    }

    async fn no_say(
        &self,
        user: &str,
        no_say: &NoSay,
        about: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(&'static str, Option<String>)> {
        let text = match no_say {
            NoSay::NotAMember(what) => {
                self.note_refusal(user, about, &format!("the account is {what}"), now).await?;
                format!("Nothing was changed: your account is {what}, and only full members of this workspace decide.")
            }
            NoSay::Unread => {
                "Nothing was changed: I could not read your account in Slack. Please try again in a moment.".into()
            }
        };
        Ok(("refused", Some(text)))
    }

    /// Refusals are part of the record.
    async fn note_refusal(
        &self,
        user: &str,
        about: &str,
        why: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let audit = [NewAuditEntry {
            kind: "decision.refused".into(),
            about: about.to_owned(),
            at: now,
            payload: json!({ "by": format!("user:{user}"), "why": why }),
        }];
        self.deps
            .store
            .record(Together {
                messages: &[],
                audit: &audit,
            })
            .await?;
        Ok(())
    }

    /// By the click's own way, else in the channel, else by a direct message.
    async fn answer(&self, key: &str, judged: &Judged, now: DateTime<Utc>) -> anyhow::Result<()> {
        let path = self.replies.take(key);
        let Some(text) = &judged.answer else {
            return Ok(());
        };
        if let Some(url) = path {
            match self.deps.chat.respond(&url, text).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "cannot answer a click by its own way"),
            }
        }
        if let Some(channel) = judged
            .channel
            .as_deref()
            .filter(|channel| channel.starts_with(['C', 'G']))
        {
            match self
                .deps
                .chat
                .post_ephemeral(channel, &judged.user, text)
                .await
            {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "cannot answer a person in the channel"),
            }
        }
        let letter = messages::to_account(format!("answer:{key}"), &judged.user, text, now);
        self.deps.store.put_messages(&[letter]).await?;
        Ok(())
    }
}

/// What somebody is told after their word counted; the card says the rest.
fn counted(outcome: &Outcome) -> Option<String> {
    (outcome.state == ProposalState::PartlyApproved).then(|| {
        format!(
            "Noted: {} of {}. A second person has to approve it too.",
            outcome.approvals, outcome.required
        )
    })
}

/// The card shows something that is not so any more.
fn is_outdated(refused: &Refused) -> bool {
    matches!(
        refused,
        Refused::Because(
            Refusal::StaleRevision { .. }
                | Refusal::DigestDiffers
                | Refusal::AlreadyDecided { .. }
                | Refusal::Expired { .. }
                | Refusal::Stopped { .. }
        ) | Refused::Held { .. }
    )
}
