//! A Slack workspace with one installed app, on the wire as the platform speaks it: Web API,
//! Socket Mode, signed requests and response URLs over one remembered state. People are played by
//! tests and by the demo page through [`SlackWorkspace`]; drawing is left to the page.

mod api;
mod block_limits;
mod blocks;
mod config;
mod deliver;
mod directory;
mod events;
mod faults;
mod http_mode;
mod interact;
mod interaction;
mod limits;
mod model;
mod observe;
mod pick;
mod response_url;
mod socket;
mod state;
#[cfg(test)]
mod tests;
mod view_state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::{any, post};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{RateLimits, SlackConfig, Timing};
pub use faults::ApiFault;
pub use http_mode::{HttpEndpoints, sign};
pub use interact::{ClickOutcome, InteractionError, SlashOutcome, SubmitOutcome};
pub use interaction::Interaction;
pub use model::{
    Channel, ChannelKind, Message, NewUser, SlackChange, User, UserGroup, View, ViewKind,
};
pub use pick::Pick;

use socket::Sockets;
use state::State;

/// Told about every message of the bot to a person: e-mail address and text.
pub type ImListener = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// How many unread changes a slow subscriber may be behind before it has to look afresh.
const CHANGES_KEPT: usize = 1024;

/// A handle on the workspace; clones share it.
#[derive(Clone)]
pub struct SlackWorkspace {
    inner: Arc<Inner>,
}

impl fmt::Debug for SlackWorkspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration holds tokens.
        f.debug_struct("SlackWorkspace")
            .field("base_url", &self.inner.config.base_url)
            .finish_non_exhaustive()
    }
}

struct Inner {
    config: SlackConfig,
    state: Mutex<State>,
    sockets: Sockets,
    http: Mutex<Option<HttpEndpoints>>,
    changes: broadcast::Sender<SlackChange>,
    im_listener: Mutex<Option<ImListener>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl SlackWorkspace {
    /// A workspace whose only account is the bot.
    pub fn new(config: SlackConfig) -> Self {
        let state = Mutex::new(State::new(&config));
        Self {
            inner: Arc::new(Inner {
                config,
                state,
                sockets: Sockets::new(),
                http: Mutex::new(None),
                changes: broadcast::channel(CHANGES_KEPT).0,
                im_listener: Mutex::new(None),
                tasks: TaskTracker::new(),
                stopping: CancellationToken::new(),
            }),
        }
    }

    /// Everything the platform serves: `/api/*`, the socket under `/link/`, the response URLs.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/{method}", any(api::call))
            .route("/link/", any(socket::upgrade))
            .route("/actions/{team}/{token}", post(response_url::receive))
            .route("/commands/{team}/{token}", post(response_url::receive))
            .with_state(self.clone())
    }

    /// Names, tokens and ids of the workspace.
    pub fn config(&self) -> &SlackConfig {
        &self.inner.config
    }

    /// Sets who is told when the bot writes to a person.
    pub fn on_im(&self, listener: ImListener) {
        *lock(&self.inner.im_listener) = Some(listener);
    }

    /// Closes the sockets and ends every task of the workspace.
    pub async fn shutdown(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    fn announce(&self, change: SlackChange) {
        // Nobody listening is fine.
        let _ = self.inner.changes.send(change);
    }
}

/// Takes a lock; what a panicking holder left is still the best knowledge there is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
