//! A company with its Jamf and Graph servers inside one test: no socket, a clock that is told.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use chrono::{Duration, TimeZone, Utc};
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

use crate::clock::SimClock;
use crate::connection::{
    Connection, IntuneConnection, JamfConnection, OktaConnection, SlackConnection,
};
use crate::faults::Faults;
use crate::fleet::{FleetOptions, ScriptedDevice, generate};
use crate::http::{AppState, recorded};
use crate::ledger::{Ledger, Server};
use crate::limits::RateWindows;
use crate::world::{MachineKey, RepairTargets, State, World};

/// The company and its two MDM servers, with a token for each.
pub(crate) struct Bench {
    pub(crate) app: AppState,
    pub(crate) targets: RepairTargets,
    jamf: Router,
    graph: Router,
    jamf_token: String,
    graph_token: String,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

impl Bench {
    /// Only these machines.
    pub(crate) async fn with(scripted: Vec<ScriptedDevice>) -> Self {
        let clock = SimClock::manual(Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap());
        let ledger = Ledger::default();
        let options = FleetOptions::scripted(scripted);
        let (mut state, _) = generate(0, 7, clock.now(), &options, ledger.clone());
        state.org.graph_url = "http://graph.test".to_owned();
        state.org.jamf_url = "http://jamf.test".to_owned();
        state.start_mdm();
        let targets = state.targets.clone();
        let connection = connection(&state);
        let app = AppState {
            world: World::new(state, clock.clone()),
            clock,
            ledger,
            faults: Faults::default(),
            limits: RateWindows::default(),
            connection: Arc::new(connection),
            stopping: Default::default(),
        };
        let mut bench = Self {
            jamf: recorded(crate::jamf::router(app.clone()), Server::Jamf, app.clone()),
            graph: recorded(
                crate::intune::router(app.clone()),
                Server::Graph,
                app.clone(),
            ),
            app,
            targets,
            jamf_token: String::new(),
            graph_token: String::new(),
        };
        bench.sign_in().await;
        bench
    }

    /// Fetches new tokens from both servers.
    pub(crate) async fn sign_in(&mut self) {
        let form = "grant_type=client_credentials&client_id=bot&client_secret=secret";
        let jamf = request("POST", "/api/v1/oauth/token", FORM, form, &[]);
        self.jamf_token = token(call(&self.jamf, jamf).await);
        let form = format!("{form}&scope=https%3A%2F%2Fgraph.test%2F.default");
        let path = format!(
            "/{}/oauth2/v2.0/token",
            self.app.connection.intune.tenant_id
        );
        let graph = request("POST", &path, FORM, &form, &[]);
        self.graph_token = token(call(&self.graph, graph).await);
    }

    /// Calls Jamf Pro, asking for JSON; a body that begins with `<` is XML.
    pub(crate) async fn jamf(&self, method: &str, path: &str, body: &str) -> Reply {
        self.jamf_with(method, path, body, &[]).await
    }

    pub(crate) async fn jamf_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let content_type = match body.starts_with('<') {
            true => "application/xml",
            false => "application/json",
        };
        let bearer = format!("Bearer {}", self.jamf_token);
        let mut all = vec![("authorization", &*bearer)];
        if !headers.iter().any(|(name, _)| *name == "accept") {
            all.push(("accept", "application/json"));
        }
        all.extend(headers);
        call(&self.jamf, request(method, path, content_type, body, &all)).await
    }

    /// Calls Graph.
    pub(crate) async fn graph(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let bearer = format!("Bearer {}", self.graph_token);
        let headers = [("authorization", &*bearer)];
        let request = request(method, path, "application/json", &body, &headers);
        call(&self.graph, request).await
    }

    /// Asks the login service for a token with this form.
    pub(crate) async fn login(&self, tenant: &str, form: &str) -> Reply {
        let path = format!("/{tenant}/oauth2/v2.0/token");
        call(&self.graph, request("POST", &path, FORM, form, &[])).await
    }

    /// Calls Graph's port without a token.
    pub(crate) async fn anonymous(&self, path: &str) -> Reply {
        call(
            &self.graph,
            request("GET", path, "application/json", "", &[]),
        )
        .await
    }

    /// Time passes, and what is due happens.
    pub(crate) fn advance(&self, by: Duration) {
        self.app.clock.advance(by);
        self.app.world.settle();
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.app.world.with(|state| look(state))
    }

    /// The serials of the certificates that a machine really holds.
    pub(crate) fn held(&self, machine: usize) -> Vec<String> {
        self.read(|state| {
            let held = &state.machine(MachineKey(machine)).certificates;
            held.iter().map(|held| held.serial.to_string()).collect()
        })
    }

    /// The kinds of all effects so far.
    pub(crate) fn effects(&self) -> Vec<String> {
        let effects = self.app.ledger.effects();
        effects.into_iter().map(|effect| effect.kind).collect()
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn token(reply: Reply) -> String {
    reply.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn request(
    method: &str,
    path: &str,
    content_type: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(Body::from(body.to_owned()))
        .expect("a valid request")
}

async fn call(router: &Router, request: Request<Body>) -> Reply {
    let response = router
        .clone()
        .oneshot(request)
        .await
        .expect("an infallible router");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a whole body");
    Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        bytes: bytes.to_vec(),
    }
}

fn connection(state: &State) -> Connection {
    let text = |value: &str| value.to_owned();
    let targets = &state.targets;
    Connection {
        okta: OktaConnection {
            org_url: text("http://okta.test"),
            api_token: text(""),
            client_id: text(""),
            private_key: text(""),
            org_id: state.org.id.to_string(),
            fastpass_group: targets.fastpass_group.clone(),
            sign_in_app: targets.sign_in_app.clone(),
        },
        intune: IntuneConnection {
            login_url: text("http://graph.test"),
            graph_url: text("http://graph.test"),
            tenant_id: state.org.tenant_id.clone(),
            client_id: text("bot"),
            client_secret: text("secret"),
            hold_group: targets.intune_hold_group.clone(),
            target_group: targets.intune_target_group.clone(),
            hold_category: targets.intune_hold_category.clone(),
            machine_profile: targets.intune_machine_profile.clone(),
            machine_group: targets.intune_machine_group.clone(),
            cleanup_script: targets.intune_cleanup_script.clone(),
        },
        jamf: JamfConnection {
            url: text("http://jamf.test"),
            client_id: text("bot"),
            client_secret: text("secret"),
            hold_group: targets.jamf_hold_group.clone(),
            target_group: targets.jamf_target_group.clone(),
            machine_profile: targets.jamf_machine_profile.clone(),
            machine_group: targets.jamf_machine_group.clone(),
        },
        slack: SlackConnection {
            api_url: text(""),
            bot_token: text(""),
            app_token: text(""),
            channel: text(""),
            signing_secret: text(""),
            approvers_usergroup: text(""),
        },
    }
}
