//! Socket Mode: events over an outgoing connection, acknowledged after the sink has taken them.
//!
//! The crate reads one event at a time per connection and acknowledges after the callback, so that the sink must be
//! quick. It reconnects by itself and tells nobody; health is told from the hellos. A payload that does not parse is
//! acknowledged by the crate and lost: it is counted, and whoever watches alarms.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use slack_morphism::listener::SlackClientEventsUserState;
use slack_morphism::prelude::{
    HttpStatusCode, SlackClientEventsListenerEnvironment, SlackClientHyperHttpsConnector,
    SlackClientSocketModeConfig, SlackClientSocketModeListener, SlackCommandEvent,
    SlackCommandEventResponse, SlackHyperClient, SlackInteractionEvent, SlackInteractionResponse,
    SlackMessageContent, SlackMessageResponseType, SlackPushEventCallback,
    SlackSocketModeListenerCallbacks, SlackViewSubmissionErrorsResponse,
    SlackViewSubmissionResponse,
};
use tokio::sync::watch;

use super::{ChatError, Incoming, SlackClient, failure::judge};

const CONNECTIONS: u32 = 2;
const RECONNECT_SECONDS: u64 = 5;

/// What is sent back with the acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Taken,
    /// A text that only the person sees; of commands only.
    Reply(String),
    /// What is wrong with a modal, by block id; it stays open.
    Errors(BTreeMap<String, String>),
    /// It could not be written down: no acknowledgement, so that Slack delivers it again.
    NotTaken,
}

/// Takes events. What changes anything is committed before the call returns.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Takes one event.
    async fn take(&self, event: Incoming) -> Answer;
}

/// How the connections are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketHealth {
    /// When Slack last said hello; `None`: never.
    pub last_hello: Option<Instant>,
    /// Connections of the app at that time, as Slack counts them.
    pub connections: u32,
    /// Events that did not parse, and are lost.
    pub unreadable: u64,
}

struct Shared {
    hello: watch::Sender<Option<(Instant, u32)>>,
    unreadable: AtomicU64,
}

/// Open connections.
pub struct SlackSocket {
    listener: SlackClientSocketModeListener<SlackClientHyperHttpsConnector>,
    shared: Arc<Shared>,
}

/// The sink could not write an event down.
#[derive(Debug, thiserror::Error)]
#[error("the event was not written down")]
struct NotTaken;

/// Acknowledges without a payload; the crate knows no other way to answer a command with nothing.
#[derive(Debug, thiserror::Error)]
#[error("nothing to say")]
struct Silent;

impl SlackSocket {
    /// Opens two connections and goes on opening them until [`SlackSocket::shutdown`].
    pub async fn start(client: &SlackClient, sink: Arc<dyn EventSink>) -> Result<Self, ChatError> {
        const METHOD: &str = "apps.connections.open";
        let Some(token) = &client.app_token else {
            return Err(ChatError::permanent(METHOD, "no_app_token"));
        };
        let shared = Arc::new(Shared {
            hello: watch::Sender::new(None),
            unreadable: AtomicU64::new(0),
        });
        let environment = SlackClientEventsListenerEnvironment::new(Arc::clone(&client.slack))
            .with_error_handler(on_error)
            .with_user_state(Arc::clone(&shared));
        let config = SlackClientSocketModeConfig::new()
            .with_max_connections_count(CONNECTIONS)
            .with_reconnect_timeout_in_seconds(RECONNECT_SECONDS);
        let listener = SlackClientSocketModeListener::new(
            &config,
            Arc::new(environment),
            callbacks(&sink, &shared),
        );
        listener
            .listen_for(token)
            .await
            .map_err(|error| judge(METHOD, &error))?;
        listener.start().await;
        Ok(Self { listener, shared })
    }

    /// How the connections are.
    pub fn health(&self) -> SocketHealth {
        let hello = *self.shared.hello.borrow();
        SocketHealth {
            last_hello: hello.map(|(at, _)| at),
            connections: hello.map_or(0, |(_, connections)| connections),
            unreadable: self.shared.unreadable.load(Ordering::Relaxed),
        }
    }

    /// Told at every hello.
    pub fn hellos(&self) -> watch::Receiver<Option<(Instant, u32)>> {
        self.shared.hello.subscribe()
    }

    /// Closes the connections. Callbacks under way go on.
    pub async fn shutdown(&self) {
        self.listener.shutdown().await;
    }
}

fn callbacks(
    sink: &Arc<dyn EventSink>,
    shared: &Arc<Shared>,
) -> SlackSocketModeListenerCallbacks<SlackClientHyperHttpsConnector> {
    let mut callbacks =
        SlackSocketModeListenerCallbacks::new().with_hello_events(|hello, _, state| async move {
            if let Some(shared) = state.read().await.get_user_state::<Arc<Shared>>() {
                tracing::info!(connections = hello.num_connections, "Slack said hello");
                shared
                    .hello
                    .send_replace(Some((Instant::now(), hello.num_connections)));
            }
        });
    let interactions = (Arc::clone(sink), Arc::clone(shared));
    callbacks.interaction_callback = Box::new(
        move |event: SlackInteractionEvent,
              _: Arc<SlackHyperClient>,
              _: SlackClientEventsUserState| {
            let (sink, shared) = interactions.clone();
            async move {
                let parsed = serde_json::to_value(&event).map(Incoming::interaction);
                let Ok(Ok(incoming)) = parsed else {
                    return Ok(count_unreadable(&shared));
                };
                match sink.take(incoming).await {
                    Answer::Taken | Answer::Reply(_) => Ok(SlackInteractionResponse::Empty),
                    Answer::Errors(errors) => {
                        let errors: HashMap<String, String> = errors.into_iter().collect();
                        Ok(SlackViewSubmissionResponse::Errors(
                            SlackViewSubmissionErrorsResponse::new(errors),
                        )
                        .into())
                    }
                    Answer::NotTaken => Err(NotTaken.into()),
                }
            }
        },
    );
    let commands = (Arc::clone(sink), Arc::clone(shared));
    callbacks.command_callback = Box::new(
        move |event: SlackCommandEvent, _: Arc<SlackHyperClient>, _: SlackClientEventsUserState| {
            let (sink, shared) = commands.clone();
            async move {
                let parsed = serde_json::to_value(&event).map(Incoming::command);
                let Ok(Ok(incoming)) = parsed else {
                    count_unreadable(&shared);
                    return Err(Silent.into());
                };
                match sink.take(incoming).await {
                    Answer::Reply(text) => {
                        let content = SlackMessageContent::new().with_text(text);
                        let reply = SlackCommandEventResponse::new(content)
                            .with_response_type(SlackMessageResponseType::Ephemeral);
                        Ok(reply)
                    }
                    Answer::Taken | Answer::Errors(_) => Err(Silent.into()),
                    Answer::NotTaken => Err(NotTaken.into()),
                }
            }
        },
    );
    // Mentions and the like are subscribed to by nobody; an acknowledgement ends them.
    callbacks.with_push_events(|_: SlackPushEventCallback, _, _| async { Ok(()) })
}

fn count_unreadable(shared: &Shared) -> SlackInteractionResponse {
    shared.unreadable.fetch_add(1, Ordering::Relaxed);
    tracing::error!("an event from Slack lacks what is needed; it is lost");
    SlackInteractionResponse::Empty
}

/// A success status acknowledges, any other makes Slack deliver again.
fn on_error(
    error: Box<dyn std::error::Error + Send + Sync>,
    _: Arc<SlackHyperClient>,
    state: SlackClientEventsUserState,
) -> HttpStatusCode {
    if error.is::<Silent>() {
        return HttpStatusCode::OK;
    }
    if error.is::<NotTaken>() {
        tracing::warn!(
            "an event from Slack could not be written down; Slack will deliver it again"
        );
        return HttpStatusCode::SERVICE_UNAVAILABLE;
    }
    let parsing = error
        .downcast_ref::<slack_morphism::errors::SlackClientError>()
        .is_some_and(|error| {
            matches!(
                error,
                slack_morphism::errors::SlackClientError::ProtocolError(_)
            )
        })
        || error.is::<slack_morphism::errors::SlackClientProtocolError>();
    if parsing {
        if let Ok(state) = state.try_read()
            && let Some(shared) = state.get_user_state::<Arc<Shared>>()
        {
            shared.unreadable.fetch_add(1, Ordering::Relaxed);
        }
        // The error quotes the payload, which names people: it is not logged.
        tracing::error!("an event from Slack did not parse; it is lost");
    } else {
        tracing::warn!("a connection to Slack had an error");
    }
    HttpStatusCode::BAD_REQUEST
}
