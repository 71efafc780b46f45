//! Slack: the Web API as the capability [`Chat`], Socket Mode and signed requests as [`Incoming`] events.
//!
//! Messages are JSON that the bot renders; the crate carries it and is not asked to model it. Every call ends within
//! 10 s. Nothing is paced or repeated here but reads, once: what a lost write means is for the sender to find out.

mod check;
mod checks;
mod event;
mod failure;
mod signature;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use slack_morphism::prelude::{
    SlackApiPostWebhookMessageRequest, SlackApiToken, SlackClient as Slack,
    SlackClientHyperConnector, SlackClientHyperHttpsConnector, SlackHyperClient,
    SlackMessageContent, SlackResponseUrl,
};
use tracing::Instrument;
use url::Url;

pub use event::{Click, Command, Incoming, Submission, Unreadable};
pub use failure::{ChatError, ChatErrorKind};
pub use signature::{SignatureError, verify_signature};
pub use socket::{Answer, EventSink, SlackSocket, SocketHealth};

use crate::{ApiUsage, Source};
use failure::{judge, timed_out};

/// Name of this source.
pub const SLACK: &str = "slack";

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Slack's time and ours may differ; the key decides, so that a wide look-up finds nothing wrong.
const LOOK_UP_MARGIN: TimeDelta = TimeDelta::minutes(5);
const LOOK_UP_PAGES: usize = 3;

/// How to reach a workspace.
#[derive(Debug, Clone)]
pub struct SlackConfig {
    /// `https://slack.com/api`, or a simulator on loopback.
    pub api_url: Url,
    /// `xoxb-…`
    pub bot_token: SecretString,
    /// `xapp-…`, for Socket Mode.
    pub app_token: Option<SecretString>,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SlackConfigError {
    /// Plain HTTP to a host that is not this one.
    #[error("slack: api_url {url} must be https")]
    PlainHttp {
        /// Which URL.
        url: Url,
    },
    /// The machine has no CA certificates.
    #[error("slack: no root certificates found; install ca-certificates or set SSL_CERT_FILE")]
    NoRoots(#[source] std::io::Error),
}

/// A message: the text of its notification and, where it has a layout, its blocks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatMessage {
    /// A full sentence: notifications and screen readers read it.
    pub text: String,
    /// Block Kit, empty for a plain text.
    pub blocks: Vec<Value>,
    /// Message that it answers.
    pub thread: Option<String>,
    /// Key by which it can be found again.
    pub key: String,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Channel id; of a direct message the `D…` id.
    pub channel: String,
    /// `ts`
    pub ts: String,
}

/// What an account is, as far as rights go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A full member.
    Member,
    /// Deactivated.
    Deactivated,
    /// A guest.
    Guest,
    /// A bot.
    Bot,
    /// From another workspace.
    Stranger,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatUser {
    /// `U0…`
    pub id: String,
    /// What it is.
    pub standing: Standing,
    /// E-mail, lower case: the key to the identity provider.
    pub email: Option<String>,
}

/// Who the bot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotIdentity {
    /// Workspace id.
    pub team: String,
    /// Workspace name.
    pub team_name: String,
    /// The bot's own user id.
    pub user: String,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatChannel {
    /// `C0…`
    pub id: String,
    /// Name.
    pub name: String,
    /// Whether it is private.
    pub is_private: bool,
    /// Whether it is archived.
    pub is_archived: bool,
    /// Whether the bot is in it.
    pub is_member: bool,
}

/// Result of a call.
pub type ChatResult<T> = std::result::Result<T, ChatError>;

/// Talks to people. Only the slack-sender posts; clicks are answered by whoever judges them.
#[async_trait]
pub trait Chat: Source {
    /// Posts to a channel, or to a direct conversation by its `D…` id.
    async fn post(&self, channel: &str, message: &ChatMessage) -> ChatResult<Posted>;
    /// Replaces the text and blocks of an own message.
    async fn update(&self, at: &Posted, message: &ChatMessage) -> ChatResult<()>;
    /// Opens the direct conversation with a user; its `D…` id.
    async fn open_im(&self, user: &str) -> ChatResult<String>;
    /// Shows a text to whoever clicked, by the click's `response_url`.
    async fn respond(&self, response_url: &str, text: &str) -> ChatResult<()>;
    /// Shows a text to one user in a channel; it may never arrive.
    async fn post_ephemeral(&self, channel: &str, user: &str, text: &str) -> ChatResult<()>;
    /// Opens a modal, within 3 s of the click that gave the trigger.
    async fn open_view(&self, trigger_id: &str, view: &Value) -> ChatResult<()>;
    /// An account by id.
    async fn user(&self, id: &str) -> ChatResult<Option<ChatUser>>;
    /// An account by exact e-mail; `None`: absent, deactivated or outside.
    async fn user_by_email(&self, email: &str) -> ChatResult<Option<ChatUser>>;
    /// User ids of a user group.
    async fn usergroup_members(&self, id: &str) -> ChatResult<Vec<String>>;
    /// An own message that carries `key` and was posted at or after `since`, in the channel or in one thread of it.
    async fn find_posted(
        &self,
        channel: &str,
        thread: Option<&str>,
        since: DateTime<Utc>,
        key: &str,
    ) -> ChatResult<Option<Posted>>;
    /// Who the token is.
    async fn auth_test(&self) -> ChatResult<BotIdentity>;
    /// A channel by id.
    async fn channel(&self, id: &str) -> ChatResult<ChatChannel>;
}

/// A client of one workspace.
pub struct SlackClient {
    slack: Arc<SlackHyperClient>,
    bot_token: SlackApiToken,
    app_token: Option<SlackApiToken>,
    usage: Usage,
}

#[derive(Default)]
struct Usage {
    requests: AtomicU64,
    throttled: AtomicU64,
}

impl std::fmt::Debug for SlackClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlackClient").finish_non_exhaustive()
    }
}

impl SlackClient {
    /// A client; nothing is sent yet. [`crate::http::install_crypto_provider`] comes first.
    pub fn new(config: &SlackConfig) -> Result<Self, SlackConfigError> {
        let url = &config.api_url;
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(SlackConfigError::PlainHttp { url: url.clone() });
        }
        let roots = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(SlackConfigError::NoRoots)?;
        let schemes = if url.scheme() == "https" {
            roots.https_only()
        } else {
            roots.https_or_http()
        };
        // Both versions: with HTTP/2 alone the client panics behind a proxy that speaks HTTP/1 only.
        let connector: SlackClientHyperHttpsConnector = SlackClientHyperConnector::with_connector(
            schemes.enable_http1().enable_http2().build(),
        )
        .with_slack_api_url(url.as_str().trim_end_matches('/'));
        let token = |secret: &SecretString| SlackApiToken::new(secret.expose_secret().into());
        Ok(Self {
            slack: Arc::new(Slack::new(connector)),
            bot_token: token(&config.bot_token),
            app_token: config.app_token.as_ref().map(token),
            usage: Usage::default(),
        })
    }

    /// A read: tried twice, because repeating it is harmless.
    async fn read<R: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        query: &[(&'static str, Option<String>)],
    ) -> ChatResult<R> {
        match self.get(method, query).await {
            Err(error) if error.is_worth_a_second_try() => self.get(method, query).await,
            result => result,
        }
    }

    async fn get<R: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        query: &[(&'static str, Option<String>)],
    ) -> ChatResult<R> {
        let session = self.slack.open_session(&self.bot_token);
        let query = query.to_vec();
        let call = session.http_session_api.http_get(method, &query, None);
        self.within_time(method, call).await
    }

    async fn write<R: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        body: &Value,
    ) -> ChatResult<R> {
        let session = self.slack.open_session(&self.bot_token);
        let call = session.http_session_api.http_post(method, body, None);
        self.within_time(method, call).await
    }

    async fn within_time<R>(
        &self,
        method: &'static str,
        call: impl Future<Output = slack_morphism::ClientResult<R>>,
    ) -> ChatResult<R> {
        self.usage.requests.fetch_add(1, Ordering::Relaxed);
        let span = tracing::debug_span!("slack.call", slack.method = method);
        let result = match tokio::time::timeout(CALL_TIMEOUT, call)
            .instrument(span)
            .await
        {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => judge(method, &error),
            Err(_) => timed_out(method),
        };
        if matches!(result.kind, ChatErrorKind::RateLimited { .. }) {
            self.usage.throttled.fetch_add(1, Ordering::Relaxed);
        }
        Err(result)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Source for SlackClient {
    fn name(&self) -> &str {
        SLACK
    }

    fn usage(&self) -> ApiUsage {
        ApiUsage {
            requests: self.usage.requests.load(Ordering::Relaxed),
            throttled: self.usage.throttled.load(Ordering::Relaxed),
        }
    }

    /// The crate shows no headers, and nothing of Slack's is compared with a time of ours.
    fn now(&self) -> Option<DateTime<Utc>> {
        None
    }
}

impl ChatMessage {
    fn body(&self, channel: &str) -> Value {
        let mut body = json!({
            "channel": channel, "text": self.text, "unfurl_links": false, "unfurl_media": false,
            // String values only: the crate reads nothing else back.
            "metadata": {"event_type": "unstuck_message", "event_payload": {"key": self.key}},
        });
        if !self.blocks.is_empty() {
            body["blocks"] = Value::from(self.blocks.clone());
        }
        if let Some(thread) = &self.thread {
            body["thread_ts"] = Value::from(thread.as_str());
        }
        body
    }
}

#[async_trait]
impl Chat for SlackClient {
    async fn post(&self, channel: &str, message: &ChatMessage) -> ChatResult<Posted> {
        let posted: wire::Posted = self
            .write("chat.postMessage", &message.body(channel))
            .await?;
        Ok(Posted {
            channel: posted.channel,
            ts: posted.ts,
        })
    }

    async fn update(&self, at: &Posted, message: &ChatMessage) -> ChatResult<()> {
        let mut body = message.body(&at.channel);
        body["ts"] = Value::from(at.ts.as_str());
        // Left out, blocks would be deleted; given empty, they are so on purpose.
        body["blocks"] = Value::from(message.blocks.clone());
        let wire::Done {} = self.write("chat.update", &body).await?;
        Ok(())
    }

    async fn open_im(&self, user: &str) -> ChatResult<String> {
        let opened: wire::Opened = self
            .write("conversations.open", &json!({"users": user}))
            .await?;
        Ok(opened.channel.id)
    }

    async fn respond(&self, response_url: &str, text: &str) -> ChatResult<()> {
        const METHOD: &str = "response_url";
        let url: Url = response_url
            .parse()
            .map_err(|_unparsable| ChatError::permanent(METHOD, "invalid_url"))?;
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err(ChatError::permanent(METHOD, "insecure_url"));
        }
        let content = SlackMessageContent::new().with_text(text.to_owned());
        let body = SlackApiPostWebhookMessageRequest::new(content).with_replace_original(false);
        // The URL itself is the credential; no token goes to it. An answer is ephemeral unless it says otherwise.
        let url = SlackResponseUrl(url);
        self.within_time(METHOD, self.slack.respond_to_event(&url, &body))
            .await?;
        Ok(())
    }

    async fn post_ephemeral(&self, channel: &str, user: &str, text: &str) -> ChatResult<()> {
        let body = json!({"channel": channel, "user": user, "text": text});
        let wire::Done {} = self.write("chat.postEphemeral", &body).await?;
        Ok(())
    }

    async fn open_view(&self, trigger_id: &str, view: &Value) -> ChatResult<()> {
        let body = json!({"trigger_id": trigger_id, "view": view});
        let wire::Done {} = self.write("views.open", &body).await?;
        Ok(())
    }

    async fn user(&self, id: &str) -> ChatResult<Option<ChatUser>> {
        let found = self
            .read("users.info", &[("user", Some(id.to_owned()))])
            .await;
        absent_if(found, "user_not_found")
            .map(|found: Option<wire::UserAnswer>| found.map(Into::into))
    }

    async fn user_by_email(&self, email: &str) -> ChatResult<Option<ChatUser>> {
        let found = self
            .read("users.lookupByEmail", &[("email", Some(email.to_owned()))])
            .await;
        absent_if(found, "users_not_found")
            .map(|found: Option<wire::UserAnswer>| found.map(Into::into))
    }

    async fn usergroup_members(&self, id: &str) -> ChatResult<Vec<String>> {
        let members: wire::Members = self
            .read(
                "usergroups.users.list",
                &[("usergroup", Some(id.to_owned()))],
            )
            .await?;
        Ok(members.users)
    }

    async fn find_posted(
        &self,
        channel: &str,
        thread: Option<&str>,
        since: DateTime<Utc>,
        key: &str,
    ) -> ChatResult<Option<Posted>> {
        let method = match thread {
            Some(_) => "conversations.replies",
            None => "conversations.history",
        };
        let oldest = (since - LOOK_UP_MARGIN).timestamp();
        let mut cursor = None;
        for _ in 0..LOOK_UP_PAGES {
            let page: wire::History = self
                .read(
                    method,
                    &[
                        ("channel", Some(channel.to_owned())),
                        ("ts", thread.map(str::to_owned)),
                        ("oldest", Some(format!("{oldest}.000000"))),
                        ("include_all_metadata", Some("true".to_owned())),
                        ("limit", Some("200".to_owned())),
                        ("cursor", cursor),
                    ],
                )
                .await?;
            if let Some(ts) = page.messages.iter().find_map(|message| message.ts_of(key)) {
                return Ok(Some(Posted {
                    channel: channel.to_owned(),
                    ts: ts.to_owned(),
                }));
            }
            cursor = page.next();
            if cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn auth_test(&self) -> ChatResult<BotIdentity> {
        let who: wire::AuthTest = self.read("auth.test", &[]).await?;
        Ok(BotIdentity {
            team: who.team_id,
            team_name: who.team.unwrap_or_default(),
            user: who.user_id,
        })
    }

    async fn channel(&self, id: &str) -> ChatResult<ChatChannel> {
        let answer: wire::ChannelAnswer = self
            .read("conversations.info", &[("channel", Some(id.to_owned()))])
            .await?;
        Ok(answer.channel.into())
    }
}

fn absent_if<T>(result: ChatResult<T>, code: &str) -> ChatResult<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some(code) => Ok(None),
        Err(error) => Err(error),
    }
}
