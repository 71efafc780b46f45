//! Puts the parts that talk to people together, for `serve`.

use std::sync::Arc;

use anyhow::Context;
use connectors::slack::{EventSink, SlackClient, SlackConfig, SlackSocket, SocketHealth};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{Deps, Listener, SenderPass, Wake, web};
use crate::{
    app::{Parts, Vendors},
    approvals::{ExpiryPass, InboxPass, ReplyPaths, StopFilePass},
    node::Node,
    pass::Pass,
    settings::{Environment, SecretRef, Settings},
    sign_in::SignInPass,
    store::Store,
};

/// A client of Slack with its secrets read, before there is a store.
pub struct Prepared {
    client: Arc<SlackClient>,
    signing_secret: Option<SecretString>,
    has_app_token: bool,
    wake: Wake,
}

impl Prepared {
    /// `None`: the settings name no Slack. Nothing is contacted.
    pub fn new(
        settings: &Settings,
        environment: &Environment,
        wake: Wake,
    ) -> anyhow::Result<Option<Self>> {
        let Some(slack) = &settings.slack else {
            return Ok(None);
        };
        let folder = settings.file.parent().unwrap_or(std::path::Path::new("."));
        let token = |reference: &Option<SecretRef>,
                     key: &'static str|
         -> anyhow::Result<Option<SecretString>> {
            let Some(reference) = reference else {
                return Ok(None);
            };
            let secret = reference
                .read(environment, folder)
                .map_err(|error| anyhow::anyhow!("[slack] {key}: {error}"))?;
            Ok(Some(secret))
        };
        let bot_token =
            token(&slack.bot_token, "bot_token")?.context("[slack] bot_token is missing")?;
        let app_token = token(&slack.app_token, "app_token")?;
        let signing_secret = token(&slack.signing_secret, "signing_secret")?;
        anyhow::ensure!(
            app_token.is_some() || signing_secret.is_some(),
            "[slack] needs app_token (Socket Mode) or signing_secret (HTTP mode): nobody could answer a card"
        );
        let has_app_token = app_token.is_some();
        let api_url = slack.api_url.parse().context("[slack] api_url is no URL")?;
        let client = SlackClient::new(&SlackConfig {
            api_url,
            bot_token,
            app_token,
        })?;
        Ok(Some(Self {
            client: Arc::new(client),
            signing_secret,
            has_app_token,
            wake,
        }))
    }

    /// With everything else that is needed.
    pub fn connect(
        self,
        settings: &Arc<Settings>,
        store: &Store,
        node: &Arc<Node>,
        vendors: &Vendors,
        parts: &Parts,
    ) -> anyhow::Result<Chatting> {
        let deps = Deps {
            store: store.clone(),
            clock: Arc::clone(&parts.clock),
            node: Arc::clone(node),
            chat: Arc::clone(&self.client) as _,
            okta: Arc::clone(&vendors.okta) as _,
            settings: Arc::clone(settings),
            ids: Arc::clone(&parts.ids),
            wake: self.wake,
        };
        let replies = Arc::new(ReplyPaths::default());
        let passes: Vec<Arc<dyn Pass>> = vec![
            Arc::new(InboxPass::new(deps.clone(), Arc::clone(&replies))),
            Arc::new(ExpiryPass {
                store: deps.store.clone(),
                wake: Arc::clone(&deps.wake),
            }),
            Arc::new(SignInPass::new(deps.clone())?),
            Arc::new(StopFilePass::new(deps.clone())),
            // The last one, so that it sends what the others have written.
            Arc::new(SenderPass::new(deps.clone())?),
        ];
        Ok(Chatting {
            client: self.client,
            signing_secret: self.signing_secret,
            has_app_token: self.has_app_token,
            listener: Arc::new(Listener::new(deps, replies)),
            passes,
            socket: tokio::sync::Mutex::default(),
        })
    }
}

/// A client alone, for checks; why there is none, if a secret cannot be read. `None`: the settings name no Slack.
pub fn client(
    settings: &Settings,
    environment: &Environment,
) -> Option<Result<Arc<SlackClient>, String>> {
    match Prepared::new(settings, environment, Arc::new(|| {})) {
        Ok(prepared) => Some(Ok(prepared?.client)),
        Err(error) => Some(Err(format!("{error:#}"))),
    }
}

/// Slack, as `serve` runs it.
pub struct Chatting {
    client: Arc<SlackClient>,
    signing_secret: Option<SecretString>,
    has_app_token: bool,
    listener: Arc<Listener>,
    passes: Vec<Arc<dyn Pass>>,
    socket: tokio::sync::Mutex<Option<SlackSocket>>,
}

impl Chatting {
    /// Inbox, expiry, requests to sign in, the stop file, and the sender, in this order.
    pub fn passes(&self) -> Vec<Arc<dyn Pass>> {
        self.passes.clone()
    }

    /// The client, for checks and counts.
    pub fn client(&self) -> &Arc<SlackClient> {
        &self.client
    }

    /// Where events go; whoever has events by another way hands them over here.
    pub fn sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.listener) as _
    }

    /// How the sockets are; `None`: HTTP mode, or not started.
    pub async fn socket_health(&self) -> Option<SocketHealth> {
        self.socket.lock().await.as_ref().map(SlackSocket::health)
    }

    /// Routes of HTTP mode; none without a signing secret.
    pub fn router(&self) -> axum::Router {
        match &self.signing_secret {
            Some(secret) => web::router(secret.clone(), self.sink()),
            None => axum::Router::new(),
        }
    }

    /// Keeps the sockets open until `stop`.
    pub async fn listen(&self, stop: CancellationToken) {
        if self.has_app_token {
            match SlackSocket::start(&self.client, self.sink()).await {
                Ok(socket) => *self.socket.lock().await = Some(socket),
                Err(error) => tracing::error!(%error, "cannot listen to Slack"),
            }
        }
        stop.cancelled().await;
        if let Some(socket) = self.socket.lock().await.take() {
            socket.shutdown().await;
        }
        self.listener.finish().await;
    }
}
