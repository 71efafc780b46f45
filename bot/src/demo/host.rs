//! The real `serve`, in a runtime of its own: killing it drops every task where it stands, as a lost process would.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use connectors::Progress;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Mutex,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::folder::no_environment;
use crate::{
    app::Parts, clock::SharedClock, executor::NoFaults, ids::RandomIds, report::SweepDocument,
    serve::Server, settings::Settings,
};

/// How long a stop may take before the rest is dropped.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Starts, kills and stops the bot.
pub(super) struct Host {
    settings: Arc<Settings>,
    clock: SharedClock,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// Taken when it ends; a runtime must not be dropped where tasks run.
    runtime: Option<Runtime>,
    server: Arc<Server>,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Host {
    pub(super) fn new(settings: Arc<Settings>, clock: SharedClock) -> Self {
        Self {
            settings,
            clock,
            running: Mutex::default(),
        }
    }

    /// Starts the bot on the database as it is.
    pub(super) async fn start(&self) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(());
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("unstuck-serve")
            .enable_all()
            .build()
            .context("cannot start a runtime for the bot")?;
        let (settings, parts) = (Arc::clone(&self.settings), self.parts());
        let building =
            runtime.spawn(async move { Server::build(settings, &no_environment(), parts).await });
        let server = match building
            .await
            .context("the bot could not be built")
            .flatten()
        {
            Ok(server) => Arc::new(server),
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let stop = CancellationToken::new();
        let ended = runtime.spawn({
            let (server, stop) = (Arc::clone(&server), stop.clone());
            async move { server.run(stop).await }
        });
        *running = Some(Running {
            runtime: Some(runtime),
            server,
            stop,
            ended,
        });
        Ok(())
    }

    /// One sweep, in the bot's own runtime.
    pub(super) async fn sweep(&self, progress: Arc<dyn Progress>) -> anyhow::Result<SweepDocument> {
        let sweeping = {
            let running = self.running.lock().await;
            let running = running.as_ref().context("the bot is not running")?;
            let (server, runtime) = (Arc::clone(&running.server), running.runtime.as_ref());
            let runtime = runtime.context("the bot is not running")?;
            runtime.spawn(async move { server.sweep(progress.as_ref()).await })
        };
        sweeping.await.context("the sweep ended with the bot")?
    }

    /// Asks the bot to look now.
    pub(super) async fn wake(&self) {
        if let Some(running) = self.running.lock().await.as_ref() {
            running.server.wake();
        }
    }

    /// Ends the bot as `kill -9` would: no task gets another turn, nothing is given back.
    pub(super) async fn kill(&self) -> bool {
        self.running.lock().await.take().is_some()
    }

    /// Whether the bot is up.
    pub(super) async fn is_up(&self) -> bool {
        self.running
            .lock()
            .await
            .as_ref()
            .is_some_and(|running| !running.ended.is_finished())
    }

    /// Ends the bot as SIGTERM would.
    pub(super) async fn stop(&self) {
        let Some(mut running) = self.running.lock().await.take() else {
            return;
        };
        running.stop.cancel();
        if tokio::time::timeout(STOP_WITHIN, &mut running.ended)
            .await
            .is_err()
        {
            tracing::debug!("the bot did not stop in time; the rest of it is dropped");
        }
    }

    fn parts(&self) -> Parts {
        Parts {
            clock: Arc::clone(&self.clock),
            ids: Arc::new(RandomIds),
            faults: Arc::new(NoFaults),
        }
    }
}
