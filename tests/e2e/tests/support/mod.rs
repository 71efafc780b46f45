//! A world for one test: the vendors' simulators, a database of its own, and the real server on one clock that the test
//! moves. Tests go event by event: [`World::pass`] moves the clock and runs what is due.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use connectors::NoProgress;
use serde_json::Value;
use simulator::{FleetOptions, Ports, SimClock, Simulator, SimulatorConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use unstuck::{
    app::Parts,
    clock::Clock,
    domain::{ProposalId, ProposalState, RepairState},
    executor::NoFaults,
    ids::RandomIds,
    report::SweepDocument,
    serve::Server,
    settings::{self, Environment, Settings},
    store::{ProposalRecord, RepairRecord},
};

/// A Monday morning.
pub(crate) fn monday() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().expect("a date")
}

/// Our clock over the simulator's.
pub(crate) struct SharedSimClock(pub(crate) SimClock);

#[async_trait]
impl Clock for SharedSimClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now().trunc_subsecs(3)
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        let mut changes = self.0.subscribe();
        while self.now() < at {
            let left =
                (at - self.now()).num_milliseconds().max(0) as f64 / self.0.speed().max(0.001);
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(left.min(1_000.0) as u64)) => {}
            }
        }
    }

    fn speed(&self) -> f64 {
        1.0
    }
}

/// What a test wants of its world.
pub(crate) struct Wish {
    pub(crate) devices: usize,
    pub(crate) seed: u64,
    pub(crate) fleet: FleetOptions,
    pub(crate) oauth: bool,
    /// Desktops that the settings say Intune manages.
    pub(crate) intune_platforms: &'static str,
    /// Lines appended to the settings file; `$FASTPASS_GROUP` is that group's id.
    pub(crate) settings: String,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            devices: 0,
            seed: 1,
            fleet: FleetOptions::default(),
            oauth: false,
            intune_platforms: r#"["WINDOWS"]"#,
            settings: String::new(),
        }
    }
}

pub(crate) struct World {
    pub(crate) sim: Simulator,
    pub(crate) server: Arc<Server>,
    /// Holds the settings and the database; goes with the world.
    _folder: TempDir,
    pub(crate) settings: Arc<Settings>,
    stop: CancellationToken,
}

impl World {
    /// Starts the simulators and the server on a clock that stands still.
    pub(crate) async fn start(wish: Wish) -> Self {
        connectors::http::install_crypto_provider();
        let clock = SimClock::manual(monday());
        let sim = simulator(&wish, clock).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = write_settings(&folder, &sim, &wish);
        let settings = Arc::new(
            settings::load(&file, &Environment::default())
                .unwrap_or_else(|problems| panic!("{problems}")),
        );
        let server = build(&settings, &sim).await;
        let stop = CancellationToken::new();
        let world = Self {
            sim,
            server,
            _folder: folder,
            settings,
            stop,
        };
        world.listen().await;
        world
    }

    async fn listen(&self) {
        let (server, stop) = (Arc::clone(&self.server), self.stop.child_token());
        tokio::spawn(async move { server.listen(stop).await });
        assert!(
            self.sim
                .slack()
                .wait_for_connections(1, Duration::from_secs(10))
                .await,
            "Slack's socket did not open"
        );
    }

    /// Ends the server abruptly and starts another on the same database.
    pub(crate) async fn restart(&mut self) {
        self.stop.cancel();
        self.stop = CancellationToken::new();
        self.server = build(&self.settings, &self.sim).await;
        self.listen().await;
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.sim.clock().now()
    }

    /// One sweep now; then everything that is due.
    pub(crate) async fn sweep(&self) -> SweepDocument {
        let document = self.server.sweep(&NoProgress).await.expect("a sweep");
        self.settle().await;
        document
    }

    /// Runs everything that is due at this moment.
    pub(crate) async fn settle(&self) {
        for _ in 0..50 {
            let next = self.server.tick().await.expect("a tick");
            if next.is_none_or(|next| next > self.now()) {
                return;
            }
        }
        panic!("the server never comes to rest");
    }

    /// Lets time pass, event by event, in steps of at most `step`.
    pub(crate) async fn pass(&self, time: TimeDelta, step: TimeDelta) {
        let end = self.now() + time;
        while self.now() < end {
            let next = self.server.tick().await.expect("a tick");
            let ahead = next
                .map_or(step, |next| (next - self.now()).max(TimeDelta::seconds(1)))
                .min(step);
            self.sim.advance(ahead.min(end - self.now())).await;
            self.settle().await;
        }
    }

    /// Waits, in real time, until Slack's deliveries have come in and been dealt with.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        for _ in 0..400 {
            if let Some(found) = look().await {
                return found;
            }
            self.settle().await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("waited in vain for {what}");
    }

    pub(crate) async fn proposals(&self) -> Vec<ProposalRecord> {
        self.server
            .store
            .proposals_since(monday() - TimeDelta::days(1))
            .await
            .expect("proposals")
    }

    pub(crate) async fn proposal(&self, id: &ProposalId) -> ProposalRecord {
        self.server
            .store
            .proposal(id)
            .await
            .expect("a proposal")
            .expect("that proposal")
    }

    /// Repairs of a proposal's run.
    pub(crate) async fn repairs(&self, id: &ProposalId) -> Vec<RepairRecord> {
        match self.server.store.run_of_proposal(id).await.expect("a run") {
            Some(run) => self.server.store.repairs(&run.id).await.expect("repairs"),
            None => Vec::new(),
        }
    }

    /// The only repair of a proposal.
    pub(crate) async fn repair(&self, id: &ProposalId) -> RepairRecord {
        let mut repairs = self.repairs(id).await;
        assert_eq!(repairs.len(), 1, "one repair");
        repairs.remove(0)
    }

    /// A person who may approve.
    pub(crate) fn approver(&self) -> String {
        let slack = self.sim.slack();
        let group = slack
            .usergroups()
            .into_iter()
            .next()
            .expect("an approver group");
        group.users.first().expect("an approver").clone()
    }

    /// Somebody with an account who may not.
    pub(crate) fn bystander(&self) -> String {
        let slack = self.sim.slack();
        let approvers: Vec<String> = slack
            .usergroups()
            .into_iter()
            .flat_map(|group| group.users)
            .collect();
        let user = slack
            .users()
            .into_iter()
            .find(|user| !approvers.contains(&user.id) && !user.is_bot && !user.deleted);
        user.expect("a bystander").id
    }

    pub(crate) fn channel(&self) -> String {
        self.sim.connection().slack.channel.clone()
    }

    /// The card of a proposal as Slack shows it: its ts and blocks.
    pub(crate) async fn card(&self, id: &ProposalId) -> (String, Value) {
        let posted = self
            .until("the card", async || {
                self.server
                    .store
                    .posted_message(&format!("card:{id}"))
                    .await
                    .expect("the outbox")
            })
            .await;
        let message = self
            .sim
            .slack()
            .message(&posted.channel, &posted.ts)
            .expect("the card in Slack");
        (posted.ts, serde_json::to_value(message).expect("JSON"))
    }

    /// A click by an approver that counts.
    pub(crate) async fn approve(&self, id: &ProposalId) {
        let (ts, _) = self.card(id).await;
        let approver = self.approver();
        self.sim
            .slack()
            .click(&approver, &self.channel(), &ts, "p.approve")
            .await
            .expect("a click");
        self.until("the approval", async || {
            (!self.proposal(id).await.state.is_undecided()).then_some(())
        })
        .await;
    }

    /// Lets time pass until no repair of the proposal moves any more, for at most `days`.
    pub(crate) async fn finish(&self, id: &ProposalId, days: i64) -> ProposalState {
        let end = self.now() + TimeDelta::days(days);
        while self.now() < end {
            let state = self.proposal(id).await.state;
            if !state.is_open() && !state.is_undecided() {
                return state;
            }
            let waits_for_people = self
                .repairs(id)
                .await
                .iter()
                .all(|repair| repair.state.is_end() || repair.state.waits_for_sign_in());
            if waits_for_people {
                // Nothing but people moves: no need to follow every look.
                self.sim.advance(TimeDelta::hours(2)).await;
                self.settle().await;
            } else {
                self.pass(TimeDelta::minutes(10), TimeDelta::minutes(2))
                    .await;
            }
        }
        self.proposal(id).await.state
    }

    /// What holds whatever happened: no hold left, no forbidden call, nothing outside the approved plans changed.
    pub(crate) async fn assert_safe(&self) {
        let open = self.server.store.open_holds().await.expect("holds");
        assert!(open.is_empty(), "holds are still open: {open:?}");
        assert_eq!(
            self.sim.ledger().effects_of("forbidden"),
            vec![],
            "a forbidden call was made"
        );
        let unapproved = self.unapproved_effects().await;
        assert!(
            unapproved.is_empty(),
            "effects outside every approved plan: {unapproved:?}"
        );
    }

    /// Write effects on a vendor whose target is in no approved plan.
    pub(crate) async fn unapproved_effects(&self) -> Vec<String> {
        let mut allowed = Vec::new();
        for proposal in self.proposals().await {
            if self
                .server
                .store
                .run_of_proposal(&proposal.id)
                .await
                .expect("a run")
                .is_some()
            {
                allowed.push(proposal.plan_text);
            }
        }
        self.sim
            .ledger()
            .effects()
            .into_iter()
            .filter(|effect| !effect.kind.starts_with("slack"))
            // A membership's target is `group/member`: one plan must name both.
            .filter(|effect| {
                let named = |plan: &String| {
                    effect
                        .target
                        .split('/')
                        .all(|id| plan.contains(&format!("\"{id}\"")))
                };
                !allowed.iter().any(named)
            })
            .map(|effect| format!("{} on {}", effect.kind, effect.target))
            .collect()
    }
}

async fn simulator(wish: &Wish, clock: SimClock) -> Simulator {
    let config = SimulatorConfig {
        devices: wish.devices,
        seed: wish.seed,
        ports: Ports::Ephemeral,
        clock,
        fleet: wish.fleet.clone(),
    };
    let sim = Simulator::start(config).await.expect("the simulators");
    // Rate windows run in real time; tests of the limits switch them on again.
    sim.faults().lift_rate_limits();
    if !wish.oauth {
        sim.require_dpop(false);
    }
    sim
}

async fn build(settings: &Arc<Settings>, sim: &Simulator) -> Arc<Server> {
    let parts = Parts {
        clock: Arc::new(SharedSimClock(sim.clock().clone())),
        ids: Arc::new(RandomIds),
        faults: Arc::new(NoFaults),
    };
    Arc::new(
        Server::build(Arc::clone(settings), &Environment::default(), parts)
            .await
            .expect("a server"),
    )
}

/// Writes the settings file and the secrets that it refers to.
pub(crate) fn write_settings(folder: &TempDir, sim: &Simulator, wish: &Wish) -> PathBuf {
    let connection = sim.connection();
    let secret = |name: &str, value: &str| {
        std::fs::write(folder.path().join(name), value).expect("a secret file")
    };
    secret("okta.token", &connection.okta.api_token);
    secret("okta.pem", &connection.okta.private_key);
    secret("intune.secret", &connection.intune.client_secret);
    secret("jamf.secret", &connection.jamf.client_secret);
    secret("slack.bot", &connection.slack.bot_token);
    secret("slack.app", &connection.slack.app_token);
    let credential = match wish.oauth {
        false => "api_token = \"file:okta.token\"".to_owned(),
        true => format!(
            "client_id = \"{}\"\nprivate_key = \"file:okta.pem\"",
            connection.okta.client_id
        ),
    };
    let text = format!(
        r#"
[okta]
org_url = "{okta}"
org_id = "{org}"
{credential}
requests_per_minute = 10000
fastpass_group = "{fastpass_group}"
sign_in_app = "{sign_in_app}"

[[mdm]]
name = "intune"
kind = "intune"
platforms = {intune_platforms}
tenant_id = "{tenant}"
client_id = "{intune_client}"
client_secret = "file:intune.secret"
graph_url = "{graph}"
login_url = "{login}"
hold_group = "{intune_hold}"
target_group = "{intune_target}"
hold_category = "{category}"
machine_profile = "{intune_machine_profile}"
machine_group = "{intune_machine}"
cleanup_script = "{script}"

[[mdm]]
name = "jamf"
kind = "jamf"
url = "{jamf}"
client_id = "{jamf_client}"
client_secret = "file:jamf.secret"
hold_group = "{jamf_hold}"
target_group = "{jamf_target}"
machine_profile = "{jamf_machine_profile}"
machine_group = "{jamf_machine}"

[slack]
api_url = "{slack}"
bot_token = "file:slack.bot"
app_token = "file:slack.app"
channel = "{channel}"

[approvals]
approvers = ["usergroup:{approvers}", "cli:tester"]

[safety]
mode = "approve"

[web]
bind = "127.0.0.1:0"

[log]
level = "{level}"

# Pauses that a vendor asks for are real time; the simulators do not need them whole.
[clock]
speed = 30
{extra}
"#,
        okta = connection.okta.org_url,
        org = connection.okta.org_id,
        fastpass_group = connection.okta.fastpass_group,
        sign_in_app = connection.okta.sign_in_app,
        tenant = connection.intune.tenant_id,
        intune_client = connection.intune.client_id,
        graph = connection.intune.graph_url,
        login = connection.intune.login_url,
        intune_hold = connection.intune.hold_group,
        intune_target = connection.intune.target_group,
        category = connection.intune.hold_category,
        intune_platforms = wish.intune_platforms,
        intune_machine_profile = connection.intune.machine_profile,
        intune_machine = connection.intune.machine_group,
        script = connection.intune.cleanup_script,
        jamf = connection.jamf.url,
        jamf_client = connection.jamf.client_id,
        jamf_hold = connection.jamf.hold_group,
        jamf_target = connection.jamf.target_group,
        jamf_machine_profile = connection.jamf.machine_profile,
        jamf_machine = connection.jamf.machine_group,
        slack = connection.slack.api_url,
        channel = connection.slack.channel,
        approvers = connection.slack.approvers_usergroup,
        level = "warn",
        extra = wish
            .settings
            .replace("$FASTPASS_GROUP", &connection.okta.fastpass_group),
    );
    let file = folder.path().join("unstuck.toml");
    std::fs::write(&file, text).expect("the settings file");
    file
}

/// How a repair ended, in one word.
pub(crate) fn ended(repair: &RepairRecord) -> &'static str {
    repair.state.word()
}

/// The reason that a repair carries.
pub(crate) fn reason(repair: &RepairRecord) -> String {
    match &repair.state {
        RepairState::Dropped { reason } | RepairState::NeedsHuman { reason } => reason.clone(),
        _ => repair
            .hops
            .get("because")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    }
}
