//! Puts the company, the servers and the credentials together, and takes them down again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SimClock;
use crate::connection::{
    Connection, IntuneConnection, JamfConnection, OktaConnection, SlackConnection,
};
use crate::faults::Faults;
use crate::fleet::{self, FleetOptions, Truth};
use crate::http::{AppState, recorded};
use crate::ledger::{Ledger, Server};
use crate::limits::RateWindows;
use crate::okta::{self, ClientKey, Okta};
use crate::serve::{CuttableListener, bind, serve};
use crate::slack::{SlackConfig, SlackWorkspace};
use crate::world::{State, World};

/// How long the servers may take to finish what they are doing.
const FAREWELL: Duration = Duration::from_millis(500);

/// Which ports the servers listen on, all on the loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Any free ones.
    Ephemeral,
    /// This one for Okta, the next for Graph and its login service, then Jamf and Slack.
    Base(u16),
}

impl Ports {
    fn nth(self, index: u16) -> u16 {
        match self {
            Self::Ephemeral => 0,
            Self::Base(base) => base + index,
        }
    }
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// How many computers the company has, besides scripted ones and phones.
    pub devices: usize,
    /// Equal seeds make equal companies.
    pub seed: u64,
    /// Where to listen.
    pub ports: Ports,
    /// Whose time it is.
    pub clock: SimClock,
    /// What the company is like.
    pub fleet: FleetOptions,
}

/// A running simulation. Dropping it leaves the servers up until the runtime ends; `stop` ends them.
pub struct Simulator {
    connection: Arc<Connection>,
    world: World,
    slack: SlackWorkspace,
    okta: Okta,
    ledger: Ledger,
    faults: Faults,
    clock: SimClock,
    truths: Vec<Truth>,
    stopping: CancellationToken,
    servers: Vec<JoinHandle<io::Result<()>>>,
}

impl Simulator {
    /// Makes the company and starts its vendors' servers.
    pub async fn start(config: SimulatorConfig) -> io::Result<Self> {
        let listeners = Listeners::bind(config.ports).await?;
        let ledger = Ledger::default();
        let faults = Faults::default();
        let clock = config.clock.clone();
        let (devices, seed) = (config.devices, config.seed);
        let (options, record, now) = (config.fleet, ledger.clone(), clock.now());
        let made = tokio::task::spawn_blocking(move || {
            fleet::generate(devices, seed, now, &options, record)
        });
        let (mut state, truths) = made.await.map_err(io::Error::other)?;
        state.org.okta_url = listeners.okta.url();
        state.org.graph_url = listeners.graph.url();
        state.org.jamf_url = listeners.jamf.url();
        state.start_mdm();

        let key = ClientKey::generate()?;
        let slack = workspace(&listeners.slack, &clock, seed, &state);
        let connection = Arc::new(connect(&listeners, &mut state, &key, &slack));
        let world = World::new(state, clock.clone());
        let asked = world.clone();
        slack
            .workspace
            .on_im(Arc::new(move |email, _| asked.person_asked(email)));

        let stopping = CancellationToken::new();
        let app = AppState {
            world: world.clone(),
            clock: clock.clone(),
            ledger: ledger.clone(),
            faults: faults.clone(),
            limits: RateWindows::default(),
            connection: connection.clone(),
            stopping: stopping.clone(),
        };
        let okta = Okta::new(app.clone(), &key, true);
        let routers = [
            (listeners.okta, Server::Okta, okta::router(okta.clone())),
            (
                listeners.graph,
                Server::Graph,
                crate::intune::router(app.clone()),
            ),
            (
                listeners.jamf,
                Server::Jamf,
                crate::jamf::router(app.clone()),
            ),
            (listeners.slack, Server::Slack, slack.workspace.router()),
        ];
        let servers = routers
            .into_iter()
            .map(|(port, server, router)| {
                let router = recorded(router, server, app.clone());
                serve(port.listener, router, stopping.clone())
            })
            .collect();
        Ok(Self {
            connection,
            world,
            slack: slack.workspace,
            okta,
            ledger,
            faults,
            clock,
            truths,
            stopping,
            servers,
        })
    }

    /// Addresses, credentials and prepared repair targets.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The company behind the wire.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The Slack workspace, where tests play the people.
    pub fn slack(&self) -> &SlackWorkspace {
        &self.slack
    }

    /// What went over the wire and what it changed.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Trouble on the wire, to be switched on.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The simulated time.
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// What the generator built into every device-user.
    pub fn truth(&self) -> &[Truth] {
        &self.truths
    }

    /// Takes a scope away from the Okta service app, as if it had never been granted.
    pub fn revoke_okta_scope(&self, scope: &str) {
        self.okta.revoke_scope(scope);
    }

    /// Takes the right behind a scope away from both Okta callers, the token's admin and the service app:
    /// the app keeps the scope and its role does not allow the call.
    pub fn deny_okta(&self, scope: &str) {
        self.okta.deny(scope);
    }

    /// Whether the Okta service app has to prove possession of a key; on at the start.
    pub fn require_dpop(&self, required: bool) {
        self.okta.require_dpop(required);
    }

    /// Moves the time and lets everything happen that is due by then, each at its own time.
    pub async fn advance(&self, by: chrono::Duration) {
        self.clock.advance(by);
        self.world.settle();
        // Servers that wait for the clock get a turn.
        tokio::task::yield_now().await;
    }

    /// Stops the servers and frees their ports.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.slack.shutdown().await;
        for server in self.servers {
            let abort = server.abort_handle();
            if tokio::time::timeout(FAREWELL, server).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// A bound port.
struct Port {
    listener: CuttableListener,
    address: SocketAddr,
}

impl Port {
    async fn bind(port: u16) -> io::Result<Self> {
        let (listener, address) = bind(port).await?;
        Ok(Self { listener, address })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

struct Listeners {
    okta: Port,
    graph: Port,
    jamf: Port,
    slack: Port,
}

impl Listeners {
    async fn bind(ports: Ports) -> io::Result<Self> {
        Ok(Self {
            okta: Port::bind(ports.nth(0)).await?,
            graph: Port::bind(ports.nth(1)).await?,
            jamf: Port::bind(ports.nth(2)).await?,
            slack: Port::bind(ports.nth(3)).await?,
        })
    }
}

/// The workspace, the channel for cards and the group of approvers.
struct Prepared {
    workspace: SlackWorkspace,
    channel: String,
    approvers: String,
}

fn workspace(port: &Port, clock: &SimClock, seed: u64, state: &State) -> Prepared {
    let mut config = SlackConfig::new(port.url(), clock.clone());
    config.seed = seed;
    let bot = config.bot_user_id.clone();
    let workspace = SlackWorkspace::new(config);
    for person in state.people.values().filter(|person| person.on_slack) {
        workspace.add_person(&person.email, &person.name());
    }
    // Approvers have no computer of their own in this company: they may approve for everybody.
    let approvers = [
        ("oncall.kim@acme.example", "Kim Oncall"),
        ("oncall.ola@acme.example", "Ola Oncall"),
        ("oncall.max@acme.example", "Max Oncall"),
    ]
    .map(|(email, name)| workspace.add_person(email, name));
    let members = approvers.iter().map(String::as_str);
    let group = workspace.add_usergroup("identity-oncall", "Identity on-call", members.clone());
    let channel = workspace.add_channel(
        "device-trust",
        false,
        members.chain(std::iter::once(bot.as_str())),
    );
    Prepared {
        workspace,
        channel,
        approvers: group,
    }
}

fn connect(
    listeners: &Listeners,
    state: &mut State,
    key: &ClientKey,
    slack: &Prepared,
) -> Connection {
    let api_token = format!("00a{}", state.ids.secret(39));
    let okta_client = state.ids.okta("0oa").to_string();
    let (graph_client, graph_secret) = (state.ids.guid(), state.ids.secret(40));
    let (jamf_client, jamf_secret) = (state.ids.guid(), state.ids.secret(64));
    let targets = &state.targets;
    let config = slack.workspace.config();
    Connection {
        okta: OktaConnection {
            org_url: listeners.okta.url(),
            api_token,
            client_id: okta_client,
            private_key: key.pem.clone(),
            org_id: state.org.id.to_string(),
            fastpass_group: targets.fastpass_group.clone(),
            sign_in_app: targets.sign_in_app.clone(),
        },
        intune: IntuneConnection {
            login_url: listeners.graph.url(),
            graph_url: listeners.graph.url(),
            tenant_id: state.org.tenant_id.clone(),
            client_id: graph_client,
            client_secret: graph_secret,
            hold_group: targets.intune_hold_group.clone(),
            target_group: targets.intune_target_group.clone(),
            hold_category: targets.intune_hold_category.clone(),
            machine_profile: targets.intune_machine_profile.clone(),
            machine_group: targets.intune_machine_group.clone(),
            cleanup_script: targets.intune_cleanup_script.clone(),
        },
        jamf: JamfConnection {
            url: listeners.jamf.url(),
            client_id: jamf_client,
            client_secret: jamf_secret,
            hold_group: targets.jamf_hold_group.clone(),
            target_group: targets.jamf_target_group.clone(),
            machine_profile: targets.jamf_machine_profile.clone(),
            machine_group: targets.jamf_machine_group.clone(),
        },
        slack: SlackConnection {
            api_url: format!("{}/api", listeners.slack.url()),
            bot_token: config.bot_token.clone(),
            app_token: config.app_token.clone(),
            channel: slack.channel.clone(),
            signing_secret: config.signing_secret.clone(),
            approvers_usergroup: slack.approvers.clone(),
        },
    }
}

#[cfg(test)]
mod tests;
