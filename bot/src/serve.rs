//! `serve`: scheduler, log poll, Slack, executor and web in one process until it is told to stop.
//!
//! Background work is passes. Each runs in a task of its own, when it is due, when somebody wakes it, and as often as it
//! asks for: the database may have been changed by another process. [`Server::tick`] runs what is due once instead, so
//! that tests go event by event.

mod health;
mod scheduler;

use std::{collections::HashSet, sync::Arc, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{NoProgress, Progress};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{self, Parts, Vendors},
    audit::{AuditKey, Sealer},
    chat::{self, Chatting},
    clock::SharedClock,
    doctor::{DoctorPass, Reader},
    domain::{LogFacts, PlannedSubject},
    node::Node,
    observer::Observer,
    pass::Pass,
    report::SweepDocument,
    settings::{Environment, Settings},
    store::{OBSERVER_LEASE, Store},
    sweep::Sweeper,
};

/// Real time after which a pass that failed is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Time between two polls of Okta's log.
const LOG_POLL: TimeDelta = TimeDelta::seconds(60);
/// How long `serve` may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// Everything that `serve` runs.
pub struct Server {
    /// The record.
    pub store: Store,
    /// Our own clock.
    pub clock: SharedClock,
    /// This process.
    pub node: Arc<Node>,
    /// Sweeps.
    pub sweeper: Arc<Sweeper>,
    /// Settings.
    pub settings: Arc<Settings>,
    passes: Vec<Arc<dyn Pass>>,
    wake: watch::Sender<u64>,
    chatting: Option<Arc<Chatting>>,
}

impl Server {
    /// Builds everything; no vendor is contacted.
    pub async fn build(
        settings: Arc<Settings>,
        environment: &Environment,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        Self::build_with(settings, environment, parts, false).await
    }

    /// As [`Server::build`]; `migrate` brings a PostgreSQL database up to date too.
    pub async fn build_with(
        settings: Arc<Settings>,
        environment: &Environment,
        parts: Parts,
        migrate: bool,
    ) -> anyhow::Result<Self> {
        let vendors = Vendors::build(&settings, environment)?;
        let playbooks = Arc::new(app::load_playbooks(&settings)?);
        app::check_groups(&settings, &playbooks)?;
        let (wake, _) = watch::channel(0);
        let chatting = {
            let wake = wake.clone();
            let woken = Arc::new(move || wake.send_modify(|count| *count += 1));
            chat::Prepared::new(&settings, environment, woken)?
        };
        let store = app::open_store(&settings, migrate).await?;
        let audit_key = AuditKey::read_or_make(&settings, environment, &store).await?;
        let node = Node::new(store.clone(), parts.ids.unique());
        let sweeper = Arc::new(app::sweeper(
            &settings, &vendors, &store, &node, &playbooks, &parts,
        ));
        let mut passes: Vec<Arc<dyn Pass>> = Vec::new();
        let chatting = match chatting {
            Some(prepared) => {
                let chatting =
                    Arc::new(prepared.connect(&settings, &store, &node, &vendors, &parts)?);
                passes.extend(chatting.passes());
                Some(chatting)
            }
            None => None,
        };
        passes.push(Arc::new(app::executor(
            &settings, &vendors, &store, &node, &parts,
        )));
        passes.push(Arc::new(app::hold_pass(&vendors, &store, &node, &parts)));
        passes.push(Arc::new(Sealer::new(
            store.clone(),
            Arc::clone(&node),
            audit_key,
        )));
        passes.push(Arc::new(LogPoll {
            observer: sweeper.observer.clone(),
            store: store.clone(),
            node: Arc::clone(&node),
        }));
        passes.push(Arc::new(DoctorPass::new(
            Reader {
                vendors: vendors.clone(),
                slack: chatting
                    .as_ref()
                    .map(|chatting| Ok(Arc::clone(chatting.client()))),
                store: Some(store.clone()),
                settings: Arc::clone(&settings),
                playbooks: Arc::clone(&playbooks),
                clock: Arc::clone(&parts.clock),
            },
            parts.clock.now(),
        )));
        passes.push(Arc::new(scheduler::Scheduler::new(
            &settings,
            &store,
            Arc::clone(&sweeper),
            parts.clock.now(),
        )?));
        Ok(Self {
            store,
            clock: parts.clock,
            node,
            sweeper,
            settings,
            passes,
            wake,
            chatting,
        })
    }

    /// Looks now, whatever is due.
    pub fn wake(&self) {
        self.wake.send_modify(|count| *count += 1);
    }

    /// One sweep now.
    pub async fn sweep(&self, progress: &dyn Progress) -> anyhow::Result<SweepDocument> {
        let document = self
            .sweeper
            .sweep(progress, &CancellationToken::new())
            .await?;
        self.wake();
        Ok(document)
    }

    /// Runs every pass once; returns when the next one is due. Tests alone call it, instead of [`Server::run`].
    pub async fn tick(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        self.node.beat().await?;
        let now = self.clock.now();
        let mut next: Option<DateTime<Utc>> = None;
        for pass in &self.passes {
            let due = pass
                .run(now)
                .await
                .with_context(|| format!("the pass {} failed", pass.name()))?;
            next = match (next, due) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(next)
    }

    /// Listens to Slack until `stop`. [`Server::run`] does so by itself; tests that call [`Server::tick`] do it here.
    pub async fn listen(&self, stop: CancellationToken) {
        match &self.chatting {
            Some(chatting) => Arc::clone(chatting).listen(stop).await,
            None => stop.cancelled().await,
        }
    }

    /// Runs until `stop`; then finishes or parks what is under way.
    pub async fn run(self: &Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(&self.settings.web.bind)
            .await
            .with_context(|| format!("cannot listen on {} ([web] bind)", self.settings.web.bind))?;
        let tasks = TaskTracker::new();
        // The beats outlive the work, so that what is under way can still be recorded.
        let beats = CancellationToken::new();
        let beating = tokio::spawn(Arc::clone(&self.node).run(beats.clone()));
        for pass in &self.passes {
            let (server, pass, stop) = (Arc::clone(self), Arc::clone(pass), stop.clone());
            tasks.spawn(async move { server.keep_running(pass.as_ref(), &stop).await });
        }
        if let Some(chatting) = &self.chatting {
            let (chatting, stop) = (Arc::clone(chatting), stop.clone());
            tasks.spawn(async move { chatting.listen(stop).await });
        }
        let router = health::router(Arc::clone(self));
        let router = match &self.chatting {
            Some(chatting) => router.merge(chatting.router()),
            None => router,
        };
        let stopping = stop.clone();
        tasks.spawn(async move {
            let served = axum::serve(listener, router)
                .with_graceful_shutdown(async move { stopping.cancelled().await });
            if let Err(error) = served.await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the web server failed"
                );
            }
        });
        tasks.close();
        tracing::info!(web = %self.settings.web.bind, "serving");
        stop.cancelled().await;
        if tokio::time::timeout(STOP_WITHIN, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some work did not stop in time; its journal says where to go on");
        }
        beats.cancel();
        beating.await.context("the beats failed")?;
        self.store.close().await;
        Ok(())
    }

    /// Runs one pass again and again. A failure is logged and tried again; one bad subject never ends a pass.
    async fn keep_running(&self, pass: &dyn Pass, stop: &CancellationToken) {
        let mut wake = self.wake.subscribe();
        while !stop.is_cancelled() {
            let (due, at_latest) = match pass.run(self.clock.now()).await {
                Ok(due) => (due, pass.looks_every()),
                Err(error) => {
                    tracing::error!(pass = pass.name(), error = %format!("{error:#}"), "a pass failed; it is tried again");
                    (None, AFTER_FAILURE)
                }
            };
            let until_due = async {
                match due {
                    Some(due) if due > self.clock.now() => self.clock.sleep_until(due).await,
                    // Due at once: yet never spin.
                    Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = until_due => {}
                _ = wake.changed() => {}
                () = tokio::time::sleep(at_latest) => {}
            }
        }
    }
}

/// Reads Okta's log between sweeps, and looks at once at the repairs of whoever signed in and of devices that changed.
struct LogPoll {
    observer: Observer,
    store: Store,
    node: Arc<Node>,
}

#[async_trait]
impl Pass for LogPoll {
    fn name(&self) -> &'static str {
        "log-poll"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        // Before the first sweep there is no cursor: the back-fill is the sweep's.
        let cursor = self.store.log_cursor("sign_ins").await?;
        let Some(cursor) = cursor else {
            return Ok(Some(now + LOG_POLL));
        };
        let open = self.store.open_repairs().await?;
        if open.is_empty() {
            return Ok(Some(now + LOG_POLL));
        }
        if now - cursor.reached_at < LOG_POLL {
            return Ok(Some(cursor.reached_at + LOG_POLL));
        }
        // A sweep of this process reads the log itself.
        let Ok(_turn) = self.node.observer_turn().try_lock() else {
            return Ok(Some(now + TimeDelta::seconds(10)));
        };
        let Some(proof) = self.node.take(OBSERVER_LEASE).await? else {
            return Ok(Some(now + TimeDelta::seconds(10)));
        };
        let mut read = LogFacts::default();
        let polled = self.observer.poll_log(&proof, &mut read).await;
        self.node.give_back(OBSERVER_LEASE).await?;
        polled?;
        let users: HashSet<_> = read.fastpass.keys().map(|(_, user)| user).collect();
        let told_of = |subject: &PlannedSubject| {
            users.contains(&subject.user_id)
                || read.binds.contains_key(&subject.device_id)
                || read.lifecycle.contains_key(&subject.device_id)
        };
        for repair in open
            .iter()
            .filter(|repair| repair.subjects.iter().any(told_of))
        {
            self.store.look_at_repair(&repair.id, now).await?;
        }
        Ok(Some(now + LOG_POLL))
    }
}

/// Runs `serve` from the settings until `stop`.
pub async fn run(
    settings: Arc<Settings>,
    environment: &Environment,
    parts: Parts,
    migrate: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let server = Arc::new(Server::build_with(settings, environment, parts, migrate).await?);
    server.run(stop).await
}

/// Tells `serve` to stop.
pub use tokio_util::sync::CancellationToken as Stop;

/// A sweep that nobody watches.
pub(crate) const QUIET: NoProgress = NoProgress;
