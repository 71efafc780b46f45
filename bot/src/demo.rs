//! `unstuck demo`: a simulated company beside the real `serve`, in one process, on a database that is thrown away.
//!
//! Nothing of the product is replaced but its clock: settings and secrets come from files, requests go over loopback
//! under the vendors' budgets, decisions come as clicks through Slack's socket. What is here starts the two sides,
//! watches the store and draws; it decides nothing about a device.

mod cast;
mod clock;
mod folder;
mod funnel;
mod host;
mod judge;
mod once;
mod page;
mod picture;
mod story;
mod time;
mod timeline;
mod troubles;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeZone, Utc};
use connectors::Progress;
use simulator::{FleetOptions, Ports, SimClock, Simulator, SimulatorConfig};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use cast::Cast;
use folder::Folder;
use host::Host;
use picture::Picture;
use time::Time;
use troubles::Troubles;

use crate::{app, report::SweepDocument, store::Store};

pub use once::Verdict;
pub use story::{Kind, Line};

/// Real time between two looks at the store.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the bot may take to open its socket.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Computers.
    pub devices: usize,
    /// Equal seeds make equal companies.
    pub seed: u64,
    /// Simulated seconds in one real second.
    pub speed: f64,
}

/// The company, the bot and what was seen of them so far.
pub struct Demo {
    simulator: Simulator,
    host: Host,
    time: Time,
    cast: Cast,
    troubles: Troubles,
    /// Reads what the bot wrote, also while the bot is down.
    store: Store,
    devices: usize,
    picture: watch::Sender<Arc<Picture>>,
    story: watch::Sender<Arc<Vec<Line>>>,
    /// Last, so that it goes when nothing uses it any more.
    folder: Folder,
}

/// Which clock drives the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drive {
    /// It runs; the page shows it.
    Running,
    /// It stands until it is moved.
    Stepped,
}

impl Demo {
    /// Makes the company and starts the bot; the time stands still until the first sweep is over.
    pub async fn start(options: Options) -> anyhow::Result<Arc<Self>> {
        Self::start_with(options, Drive::Running).await
    }

    async fn start_with(options: Options, drive: Drive) -> anyhow::Result<Arc<Self>> {
        let clock = match drive {
            Drive::Running => SimClock::scaled(monday_morning(), options.speed),
            Drive::Stepped => SimClock::manual(monday_morning()),
        };
        let time = Time::new(clock.clone(), options.speed);
        if drive == Drive::Running {
            time.hold("the first sweep runs");
        }
        let simulator = Simulator::start(SimulatorConfig {
            devices: options.devices,
            seed: options.seed,
            ports: Ports::Ephemeral,
            clock: clock.clone(),
            fleet: FleetOptions::default(),
        })
        .await
        .context("cannot start the simulated company")?;
        let cast = Cast::prepare(&simulator);
        let folder = Folder::write(simulator.connection(), options.speed)?;
        let settings = Arc::new(folder.settings()?);
        let store = app::open_store(&settings, true).await?;
        let host = Host::new(settings, Arc::new(clock::DemoClock::new(clock)));
        host.start().await?;
        anyhow::ensure!(
            simulator
                .slack()
                .wait_for_connections(1, CONNECT_WITHIN)
                .await,
            "the bot did not connect to the simulated Slack"
        );
        Ok(Arc::new(Self {
            troubles: Troubles::new(simulator.faults().clone()),
            simulator,
            host,
            time,
            cast,
            store,
            devices: options.devices,
            picture: watch::Sender::default(),
            story: watch::Sender::default(),
            folder,
        }))
    }

    /// Looks at the whole fleet once.
    pub async fn sweep(&self, progress: Arc<dyn Progress>) -> anyhow::Result<SweepDocument> {
        let document = self.host.sweep(progress).await?;
        self.cast.choose_owner(&document, self.simulator.slack());
        self.look().await?;
        Ok(document)
    }

    /// Lets the time run; call after the first sweep.
    pub fn begin(&self) {
        self.time.release();
    }

    /// Follows the bot until `stop`: keeps the picture fresh, tells the story, lets the time wait where it must.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut keeper = time::Keeper::default();
        while !stop.is_cancelled() {
            match self.look().await {
                Ok(()) => keeper.keep(&self.time, &self.picture.borrow().clone()),
                Err(error) => {
                    tracing::debug!(error = %format!("{error:#}"), "cannot look at the store")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Reads the store once; what is new becomes lines of the story.
    async fn look(&self) -> anyhow::Result<()> {
        let before = self.picture.borrow().clone();
        let after = Picture::read(&self.store, &before).await?;
        if after == *before {
            return Ok(());
        }
        let slack = self.simulator.slack();
        let lines = story::news(&before, &after, self.time.now(), |person| {
            cast::first_name(slack, person)
        });
        self.picture.send_replace(Arc::new(after));
        self.tell(lines);
        Ok(())
    }

    fn tell(&self, lines: Vec<Line>) {
        if !lines.is_empty() {
            self.story
                .send_modify(|story| Arc::make_mut(story).extend(lines));
        }
    }

    /// What happened so far; changes whenever something is added.
    pub fn story(&self) -> watch::Receiver<Arc<Vec<Line>>> {
        self.story.subscribe()
    }

    /// Whether nobody has decided anything, and something waits for it.
    pub fn waits_for_a_click(&self) -> bool {
        let picture = self.picture.borrow();
        picture.decisions.values().all(Vec::is_empty)
            && picture
                .proposals
                .iter()
                .any(|proposal| proposal.state.is_undecided())
    }

    /// What was found, repaired, refused and is waiting, in a few lines.
    pub fn summary(&self) -> Vec<String> {
        story::summary(&self.picture.borrow())
    }

    /// Serves the page until `stop`.
    pub async fn serve_page(
        self: &Arc<Self>,
        listener: tokio::net::TcpListener,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        page::serve(Arc::clone(self), listener, stop).await
    }

    /// Stops both sides and removes every file.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.host.stop().await;
        self.store.close().await;
        self.folder.remove()
    }

    /// Runs the whole loop without a page: approves every card but the last, denies that one, and judges.
    pub async fn once(options: Options, progress: Arc<dyn Progress>) -> anyhow::Result<Verdict> {
        let demo = Self::start_with(options, Drive::Stepped).await?;
        let verdict = once::run(&demo, progress).await;
        demo.stop().await?;
        verdict
    }
}

/// When the simulated week begins.
fn monday_morning() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0)
        .single()
        .expect("this time exists")
}
