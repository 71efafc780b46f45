//! Posts what the outbox holds, under the slack-sender's lease, at the pace that Slack allows.
//!
//! Expected flow: the newest revision of a message is marked as being sent; it is rendered from the store; what became
//! of it is written down. A post whose answer was lost is looked up by its key from the time of its intent on, and
//! posted again only if it is not found, or if nobody can look: then not before 10 minutes have passed. An update is
//! harmless to repeat. The pass never sleeps: what has to wait is due later.

mod pace;
mod values;

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::slack::{ChatError, ChatErrorKind, ChatMessage, Posted};
use tokio::sync::Mutex;

use super::{
    Deps,
    messages::{self, CHANNEL, kind},
};
use crate::{
    domain::UserId,
    hours::Hours,
    pass::Pass,
    store::{LeaseProof, OutboxMessage, PostedMessage, SENDER_LEASE, SendResult},
};
use pace::Pace;

/// Messages in one pass.
const MESSAGES_PER_PASS: u32 = 200;
/// How often one pass looks for what has become due meanwhile.
const ROUNDS: usize = 5;
/// Wait before a lost post is looked up, and before something is tried again.
const LOOK_UP_AFTER: TimeDelta = TimeDelta::seconds(10);
/// A lost post that cannot be looked up is not repeated for so long.
const NOT_REPEATED_FOR: TimeDelta = TimeDelta::minutes(10);
/// Wait until a person has put token, scopes or channel right.
const TRY_AGAIN_AFTER_DENIAL: TimeDelta = TimeDelta::minutes(5);

/// The slack-sender.
pub struct SenderPass {
    deps: Deps,
    hours: Hours,
    state: Mutex<Sending>,
}

/// What the sender remembers between passes; all of it can be lost.
#[derive(Default)]
struct Sending {
    pace: Pace,
    /// Token of the lease under which unfinished sends were last recovered.
    recovered: Option<i64>,
    /// Direct conversations by recipient.
    conversations: HashMap<String, String>,
}

/// Where a message goes.
enum Place {
    /// This channel.
    Channel(String),
    /// Nowhere, ever.
    Nobody(String),
    /// Not now.
    Later(SendResult),
}

impl SenderPass {
    /// Fails if `[approvals] hours` does not parse.
    pub fn new(deps: Deps) -> anyhow::Result<Self> {
        let approvals = &deps.settings.approvals;
        let hours =
            Hours::parse(&approvals.hours, &approvals.timezone).map_err(anyhow::Error::msg)?;
        Ok(Self {
            deps,
            hours,
            state: Mutex::default(),
        })
    }
}

#[async_trait]
impl Pass for SenderPass {
    fn name(&self) -> &'static str {
        "slack-sender"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let Some(lease) = self.deps.node.take(SENDER_LEASE).await? else {
            return Ok(None);
        };
        let mut sending = self.state.lock().await;
        let store = &self.deps.store;
        if sending.recovered != Some(lease.token()) {
            store.recover_sending(&lease, now).await?;
            sending.recovered = Some(lease.token());
        }
        let mut next: Option<DateTime<Utc>> = None;
        let mut waiting = HashSet::new();
        // What is written while others are sent goes out in the same pass; what has to wait is seen once.
        for _ in 0..ROUNDS {
            let mut due = store.due_messages(now, MESSAGES_PER_PASS).await?;
            due.retain(|message| !waiting.contains(&message.key));
            if due.is_empty() {
                break;
            }
            due.sort_by_key(|message| urgency(&message.kind));
            for message in due {
                let key = message.key.clone();
                if let Some(wait) = self.send(&mut sending, &lease, message, now).await? {
                    next = Some(next.map_or(wait, |next| next.min(wait)));
                    waiting.insert(key);
                }
            }
        }
        let stored = store.next_message_due().await?.filter(|due| *due > now);
        Ok(match (next, stored) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        })
    }
}

/// Stop notices first, then cards, then what is asked of people, then threads.
fn urgency(kind: &str) -> u8 {
    match kind {
        kind::NOTICE => 0,
        kind::CARD | kind::FLEET => 1,
        kind::DIRECT => 2,
        kind::SIGN_IN | kind::ANNOUNCE => 3,
        _ => 4,
    }
}

impl SenderPass {
    /// Sends or looks up one message; `Some`: it has to wait until then.
    async fn send(
        &self,
        sending: &mut Sending,
        lease: &LeaseProof,
        message: OutboxMessage,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<DateTime<Utc>>> {
        let speed = self.deps.clock.speed();
        if let Some(until) = sending.pace.paused_until(now) {
            return Ok(Some(until));
        }
        if message.state == "unclear" {
            let revision = message.sending_revision.unwrap_or(message.revision);
            let result = self.look_up(sending, &message, now).await?;
            self.deps
                .store
                .finish_sending(lease, &message.key, revision, &result, now)
                .await?;
            return Ok(None);
        }
        let update = message.posted.is_some();
        let wait = if update {
            sending.pace.update_after(now, speed)
        } else {
            sending.pace.post_after(&message.recipient, now, speed)
        };
        if wait.is_some() {
            return Ok(wait);
        }
        let Some(message) = self
            .deps
            .store
            .begin_sending(lease, &message.key, now)
            .await?
        else {
            return Ok(None);
        };
        let revision = message.sending_revision.unwrap_or(message.revision);
        let result = self.carry_out(sending, &message, now).await;
        let result = match result {
            Ok(result) => result,
            // The store did not answer while rendering: nothing was sent.
            Err(error) => SendResult::Retry {
                due_at: now + LOOK_UP_AFTER,
                error: format!("{error:#}"),
            },
        };
        if let SendResult::Failed { error } = &result {
            tracing::error!(message.kind = %message.kind, error, "a message to Slack cannot be sent");
            self.tell_undelivered(&message, now).await?;
        }
        self.deps
            .store
            .finish_sending(lease, &message.key, revision, &result, now)
            .await?;
        Ok(None)
    }

    async fn carry_out(
        &self,
        sending: &mut Sending,
        message: &OutboxMessage,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SendResult> {
        let Some(rendered) = values::render(&self.deps, message, now).await? else {
            return Ok(SendResult::Failed {
                error: "what it tells of is gone".into(),
            });
        };
        if let Some(until) = self.outside_hours(message, rendered.at_any_hour, now) {
            return Ok(SendResult::Retry {
                due_at: until,
                error: "outside [approvals] hours".into(),
            });
        }
        let thread = match &message.thread {
            None => None,
            Some(parent) => match self.parent(parent, now).await? {
                Ok(ts) => ts,
                Err(later) => return Ok(later),
            },
        };
        let speed = self.deps.clock.speed();
        if let Some(posted) = &message.posted {
            sending.pace.updated(now);
            let at = Posted {
                channel: posted.channel.clone(),
                ts: posted.ts.clone(),
            };
            let content = rendered.content.clone().into_message(&message.key, None);
            match self.deps.chat.update(&at, &content).await {
                Ok(()) => {
                    return Ok(SendResult::Sent {
                        posted: posted.clone(),
                    });
                }
                Err(error) if is_gone(&error) => {
                    tracing::warn!(%error, "a message in Slack cannot be edited any more; it is posted anew");
                }
                // To say the same twice in the same place is harmless.
                Err(error) => return Ok(sending.judge(&error, false, speed, now)),
            }
        }
        let channel = match self.place(sending, message, now).await {
            Place::Channel(channel) => channel,
            Place::Nobody(error) => return Ok(SendResult::Failed { error }),
            Place::Later(result) => return Ok(result),
        };
        let content: ChatMessage = rendered.content.into_message(&message.key, thread);
        sending.pace.posted(&message.recipient, now);
        match self.deps.chat.post(&channel, &content).await {
            Ok(posted) => Ok(SendResult::Sent {
                posted: PostedMessage {
                    channel: posted.channel,
                    ts: posted.ts,
                },
            }),
            Err(error) => Ok(sending.judge(&error, true, speed, now)),
        }
    }

    /// Cards are posted in working hours; what stands already is kept up to date at any hour.
    fn outside_hours(
        &self,
        message: &OutboxMessage,
        at_any_hour: bool,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        if message.kind != kind::CARD || message.posted.is_some() || at_any_hour {
            return None;
        }
        let opens = self.hours.next_open(now);
        (opens > now).then_some(opens)
    }

    /// `ts` of the message that is answered. `Err`: it has to be posted first.
    async fn parent(
        &self,
        key: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Result<Option<String>, SendResult>> {
        let Some(parent) = self.deps.store.message(key).await? else {
            return Ok(Ok(None));
        };
        Ok(match parent.posted {
            Some(posted) => Ok(Some(posted.ts)),
            // Without its thread the line still says which proposal it is about.
            None if parent.state == "failed" => Ok(None),
            None => Err(SendResult::Retry {
                due_at: parent.due_at.max(now) + TimeDelta::seconds(2),
                error: "the message it answers is not posted yet".into(),
            }),
        })
    }

    async fn place(
        &self,
        sending: &mut Sending,
        message: &OutboxMessage,
        now: DateTime<Utc>,
    ) -> Place {
        let recipient = message.recipient.as_str();
        if recipient == CHANNEL {
            return Place::Channel(self.deps.channel().to_owned());
        }
        if let Some(known) = sending.conversations.get(recipient) {
            return Place::Channel(known.clone());
        }
        let account = match recipient.split_once(':') {
            Some(("slack", account)) => account.to_owned(),
            Some(("okta", user)) => match self.account_of(&UserId::from(user)).await {
                Ok(Some(account)) => account,
                Ok(None) => return Place::Nobody("the person has no account in Slack".into()),
                Err(error) => {
                    return Place::Later(SendResult::Retry {
                        due_at: now + TimeDelta::minutes(1),
                        error,
                    });
                }
            },
            _ => return Place::Nobody("the recipient is nobody".into()),
        };
        match self.deps.chat.open_im(&account).await {
            Ok(conversation) => {
                sending
                    .conversations
                    .insert(recipient.to_owned(), conversation.clone());
                Place::Channel(conversation)
            }
            // Opening a conversation twice opens it once.
            Err(error) => {
                let speed = self.deps.clock.speed();
                Place::Later(sending.judge(&error, false, speed, now))
            }
        }
    }

    /// The Slack account of an Okta user, by exact e-mail.
    async fn account_of(&self, user: &UserId) -> Result<Option<String>, String> {
        let account = self
            .deps
            .okta
            .user(user.as_str())
            .await
            .map_err(|error| error.to_string())?;
        let Some(email) = account.and_then(|account| account.email) else {
            return Ok(None);
        };
        let found = self
            .deps
            .chat
            .user_by_email(&email.to_lowercase())
            .await
            .map_err(|error| error.to_string())?;
        Ok(found.map(|found| found.id))
    }

    /// Looks a lost post up. What is found was sent; what is not is sent again.
    async fn look_up(
        &self,
        sending: &mut Sending,
        message: &OutboxMessage,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SendResult> {
        let again = |error: &str| SendResult::Retry {
            due_at: now,
            error: error.to_owned(),
        };
        if message.posted.is_some() {
            return Ok(again("an update is sent again"));
        }
        let since = message.intent_at.unwrap_or(now);
        let thread = match &message.thread {
            Some(parent) => self
                .deps
                .store
                .posted_message(parent)
                .await?
                .map(|posted| posted.ts),
            None => None,
        };
        let found = match self.place(sending, message, now).await {
            Place::Channel(channel) => {
                self.deps
                    .chat
                    .find_posted(&channel, thread.as_deref(), since, &message.key)
                    .await
            }
            Place::Nobody(error) => return Ok(SendResult::Failed { error }),
            Place::Later(_) => {
                return Ok(not_looked_up(
                    since,
                    now,
                    "the recipient could not be found".into(),
                ));
            }
        };
        Ok(match found {
            Ok(Some(posted)) => SendResult::Sent {
                posted: PostedMessage {
                    channel: posted.channel,
                    ts: posted.ts,
                },
            },
            Ok(None) => again("looked up and not found"),
            Err(error) => not_looked_up(since, now, error.to_string()),
        })
    }

    /// A request to a person that reached nobody is told in its card's thread.
    async fn tell_undelivered(
        &self,
        message: &OutboxMessage,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let Some(proposal) = message.payload["proposal"].as_str() else {
            return Ok(());
        };
        if !matches!(message.kind.as_str(), kind::ANNOUNCE | kind::SIGN_IN) {
            return Ok(());
        }
        let device = message.payload["device"]
            .as_str()
            .or(message.payload["devices"][0].as_str());
        let line = format!(
            "the owner of {} could not be reached in Slack; please tell them to sign in once with FastPass",
            device.unwrap_or("a computer")
        );
        let letter = messages::thread(
            &proposal.into(),
            &format!("undelivered:{}", message.key),
            &line,
            now,
        );
        self.deps.store.put_messages(&[letter]).await?;
        Ok(())
    }
}

impl Sending {
    /// What a failed call means for the message. `is_post`: repeating it would say it twice.
    fn judge(
        &mut self,
        error: &ChatError,
        is_post: bool,
        speed: f64,
        now: DateTime<Utc>,
    ) -> SendResult {
        let text = error.to_string();
        match &error.kind {
            ChatErrorKind::Permanent { .. } => SendResult::Failed { error: text },
            ChatErrorKind::Denied { .. } => {
                tracing::error!(%error, "Slack does not let the bot speak");
                SendResult::Retry {
                    due_at: now + TRY_AGAIN_AFTER_DENIAL,
                    error: text,
                }
            }
            ChatErrorKind::Transient { .. } => SendResult::Retry {
                due_at: now + LOOK_UP_AFTER,
                error: text,
            },
            ChatErrorKind::RateLimited { retry_after } => {
                // Slack's seconds are real ones.
                let milliseconds = retry_after.as_secs_f64() * 1_000.0 * speed;
                let until = now + TimeDelta::milliseconds(milliseconds as i64);
                self.pace.pause(until);
                SendResult::Retry {
                    due_at: until,
                    error: text,
                }
            }
            ChatErrorKind::Unclear { .. } if is_post => SendResult::Unclear {
                due_at: now + LOOK_UP_AFTER,
                error: text,
            },
            ChatErrorKind::Unclear { .. } => SendResult::Retry {
                due_at: now + LOOK_UP_AFTER,
                error: text,
            },
        }
    }
}

fn not_looked_up(since: DateTime<Utc>, now: DateTime<Utc>, error: String) -> SendResult {
    let until = since + NOT_REPEATED_FOR;
    if now >= until {
        SendResult::Retry { due_at: now, error }
    } else {
        SendResult::Unclear {
            due_at: until,
            error,
        }
    }
}

/// The message cannot be edited any more, so that it has to be posted anew.
fn is_gone(error: &ChatError) -> bool {
    matches!(
        error.code(),
        Some("message_not_found" | "cant_update_message" | "edit_window_closed" | "is_inactive")
    )
}

#[cfg(test)]
mod tests;
