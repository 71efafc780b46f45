use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{Duration, TimeZone, Utc};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::clock::SimClock;
use crate::connection::{
    Connection, IntuneConnection, JamfConnection, OktaConnection, SlackConnection,
};
use crate::faults::{Fault, Faults};
use crate::fleet::{FleetOptions, ScriptedDevice, Truth, generate};
use crate::ledger::{Ledger, Server};
use crate::limits::RateWindows;
use crate::world::{Mdm, SignInOutcome, World};

const ORG: &str = "https://acme.test";
const SSWS: &str = "SSWS 00atoken";

/// An org without a network.
struct Bench {
    app: AppState,
    okta: Okta,
    router: Router,
    key: EcdsaKeyPair,
    truths: Vec<Truth>,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    fn next(&self) -> Option<String> {
        let links = self.headers.get_all("link").iter();
        links
            .filter_map(|line| line.to_str().ok())
            .find(|line| line.ends_with("rel=\"next\""))
            .and_then(|line| Some(line.split_once('>')?.0.trim_start_matches('<').to_owned()))
            .map(|address| address.strip_prefix(ORG).unwrap().to_owned())
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn rows(&self) -> &Vec<Value> {
        self.body.as_array().unwrap()
    }
}

impl Bench {
    fn new(devices: usize, fleet: FleetOptions) -> Self {
        let clock = SimClock::manual(Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap());
        let ledger = Ledger::default();
        let (mut state, truths) = generate(devices, 7, clock.now(), &fleet, ledger.clone());
        state.org.okta_url = ORG.to_owned();
        let client = ClientKey::generate().unwrap();
        let key = private(&client.pem);
        let connection = connection(&client, &state.org.id, &state.targets.fastpass_group);
        let app = AppState {
            world: World::new(state, clock.clone()),
            clock,
            ledger,
            faults: Faults::default(),
            limits: RateWindows::default(),
            connection: Arc::new(connection),
            stopping: Default::default(),
        };
        let okta = Okta::new(app.clone(), &client, true);
        let router = crate::http::recorded(router(okta.clone()), Server::Okta, app.clone());
        Self {
            app,
            okta,
            router,
            key,
            truths,
        }
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[("authorization", SSWS)], "").await
    }

    /// Every row of a listing, page by page.
    async fn all(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let reply = self.get(&path).await;
            assert_eq!(reply.status, 200, "{path} {}", reply.body);
            rows.extend(reply.rows().iter().cloned());
            next = reply.next();
        }
        rows
    }

    fn jwt(&self, header: Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn assertion(&self, audience: &str) -> String {
        let now = self.app.clock.now().timestamp();
        let claims = json!({"iss": "0oaclient", "sub": "0oaclient", "aud": audience,
            "exp": now + 300, "iat": now, "jti": uuid::Uuid::now_v7().to_string()});
        self.jwt(json!({"alg": "ES256"}), &claims)
    }

    fn proof(&self, method: &str, path: &str, nonce: Option<&str>, token: Option<&str>) -> String {
        let point = self.key.public_key().as_ref();
        let jwk = json!({"kty": "EC", "crv": "P-256",
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])});
        let mut claims = json!({"htm": method, "htu": format!("{ORG}{path}"),
            "iat": self.app.clock.now().timestamp(), "jti": uuid::Uuid::now_v7().to_string()});
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(token) = token {
            claims["ath"] = json!(jwt::hash(token.as_bytes()));
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
        self.jwt(header, &claims)
    }

    async fn ask_token(&self, scope: &str, assertion: &str, proof: Option<&str>) -> Reply {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", scope)
            .append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )
            .append_pair("client_assertion", assertion)
            .finish();
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(proof.map(|proof| ("dpop", proof)));
        self.call("POST", TOKEN_PATH, &headers, &form).await
    }

    /// A token for these scopes, after the nonce exchange.
    async fn token(&self, scope: &str) -> String {
        let audience = format!("{ORG}{TOKEN_PATH}");
        let proof = self.proof("POST", TOKEN_PATH, None, None);
        let refused = self
            .ask_token(scope, &self.assertion(&audience), Some(&proof))
            .await;
        let nonce = refused.header("dpop-nonce").to_owned();
        let proof = self.proof("POST", TOKEN_PATH, Some(&nonce), None);
        let reply = self
            .ask_token(scope, &self.assertion(&audience), Some(&proof))
            .await;
        assert_eq!(reply.body["token_type"], "DPoP", "{}", reply.body);
        reply.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn with_token(&self, method: &str, path: &str, token: &str) -> Reply {
        let bare = path.split('?').next().unwrap();
        let proof = self.proof(method, bare, None, Some(token));
        let header = format!("DPoP {token}");
        let headers = [("authorization", header.as_str()), ("dpop", proof.as_str())];
        self.call(method, path, &headers, "").await
    }
}

const TOKEN_PATH: &str = "/oauth2/v1/token";

fn private(pem: &str) -> EcdsaKeyPair {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("---"))
        .collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new()).unwrap()
}

fn connection(client: &ClientKey, org_id: &str, fastpass_group: &str) -> Connection {
    let none = String::new;
    Connection {
        okta: OktaConnection {
            org_url: ORG.to_owned(),
            api_token: "00atoken".to_owned(),
            client_id: "0oaclient".to_owned(),
            private_key: client.pem.clone(),
            org_id: org_id.to_owned(),
            fastpass_group: fastpass_group.to_owned(),
            sign_in_app: none(),
        },
        intune: IntuneConnection {
            login_url: none(),
            graph_url: none(),
            tenant_id: none(),
            client_id: none(),
            client_secret: none(),
            hold_group: none(),
            target_group: none(),
            hold_category: none(),
            machine_profile: none(),
            machine_group: none(),
            cleanup_script: none(),
        },
        jamf: JamfConnection {
            url: none(),
            client_id: none(),
            client_secret: none(),
            hold_group: none(),
            target_group: none(),
            machine_profile: none(),
            machine_group: none(),
        },
        slack: SlackConnection {
            api_url: none(),
            bot_token: none(),
            app_token: none(),
            channel: none(),
            signing_secret: none(),
            approvers_usergroup: none(),
        },
    }
}

fn one(cause: &str, mdm: Mdm) -> Bench {
    Bench::new(
        0,
        FleetOptions::scripted(vec![ScriptedDevice::new(cause, mdm)]),
    )
}

/// Device and user of the only truth.
fn subject(bench: &Bench) -> (String, String) {
    let truth = &bench.truths[0];
    (
        truth.device_id.clone().unwrap(),
        truth.user_id.clone().unwrap(),
    )
}

async fn status_by_id(bench: &Bench, device: &str) -> String {
    let reply = bench.get(&format!("/api/v1/devices/{device}/users")).await;
    reply.rows()[0]["managementStatus"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn paging_shows_every_device_once_and_ends() {
    let bench = Bench::new(60, FleetOptions::default());
    let rows = bench
        .all("/api/v1/devices?limit=7&expand=userSummary")
        .await;
    let known = bench.app.world.with(|state| state.devices.len());
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| row["id"].to_string()).collect();
    assert_eq!((rows.len(), ids.len()), (known, known));
    assert_eq!(bench.get("/api/v1/devices?limit=201").await.status, 400);
}

#[tokio::test]
async fn search_finds_by_profile_and_refuses_what_the_index_lacks() {
    let bench = Bench::new(40, FleetOptions::default());
    let macs = bench
        .all("/api/v1/devices?search=profile.platform+eq+%22macos%22+and+status+eq+%22ACTIVE%22")
        .await;
    assert!(!macs.is_empty());
    assert!(macs.iter().all(|row| row["profile"]["platform"] == "MACOS"));
    for wrong in [
        "color+eq+%22red%22",
        "profile.model+co+%22a%22",
        "status+eq",
    ] {
        let reply = bench.get(&format!("/api/v1/devices?search={wrong}")).await;
        assert_eq!(
            (reply.status, &reply.body["errorCode"]),
            (400, &json!("E0000031"))
        );
    }
}

#[tokio::test]
async fn polling_always_has_a_next_link_and_loses_nothing() {
    let bench = one("healthy", Mdm::Jamf);
    let (device, user) = subject(&bench);
    let mut next = "/api/v1/logs?since=2026-08-05T00:00:00Z&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let reply = bench.get(&next).await;
        seen.extend(reply.rows().iter().cloned());
        next = reply.next().expect("polling never ends");
        if reply.rows().is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), bench.app.world.with(|state| state.log.len()));
    assert_eq!(
        bench.app.world.sign_in_with_fastpass(&user, &device),
        SignInOutcome::Managed
    );
    let fresh = bench.get(&next).await;
    let kinds: Vec<_> = fresh
        .rows()
        .iter()
        .map(|row| row["eventType"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "user.authentication.auth_via_mfa",
            "policy.evaluate_sign_on"
        ]
    );
    assert_eq!(fresh.rows()[0]["device"]["managed"], true);
}

#[tokio::test]
async fn a_bounded_query_ends_without_a_next_link() {
    let bench = Bench::new(30, FleetOptions::default());
    let path = "/api/v1/logs?since=2026-10-20T00:00:00Z&until=2026-11-02T09:00:00Z&limit=11";
    let rows = bench.all(path).await;
    let times: Vec<_> = rows
        .iter()
        .map(|row| row["published"].as_str().unwrap())
        .collect();
    assert!(times.len() > 11 && times.is_sorted());
    let newest = bench.get("/api/v1/logs?sortOrder=DESCENDING&limit=1").await;
    assert_eq!(newest.rows()[0]["published"], *times.last().unwrap());
}

#[tokio::test]
async fn log_filters_select_and_wrong_ones_are_refused() {
    let bench = one("cert_expired", Mdm::Intune);
    let (_, user) = subject(&bench);
    let filter = format!(
        "/api/v1/logs?since=2026-08-05T00:00:00Z&filter=actor.id+eq+%22{user}%22+and+(eventType+eq+%22user.authentication.auth_via_mfa%22+or+eventType+eq+%22x%22)"
    );
    let rows = bench.get(&filter).await;
    assert!(!rows.rows().is_empty());
    assert!(
        rows.rows()
            .iter()
            .all(|row| row["debugContext"]["debugData"]["factor"] == "SIGNED_NONCE")
    );
    assert_eq!(rows.rows().last().unwrap()["device"]["managed"], false);
    let code = async |query: &str| {
        let reply = bench.get(&format!("/api/v1/logs?{query}")).await;
        (
            reply.status,
            reply.body["errorCode"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        code("filter=published+gt+%222026%22").await,
        (400, "E0000053".into())
    );
    assert_eq!(
        code("since=2026-01-01T00:00:00Z").await,
        (400, "E0000053".into())
    );
    assert_eq!(code("since=yesterday").await, (400, "E0000001".into()));
}

#[tokio::test]
async fn a_hidden_event_type_is_in_no_answer() {
    let bench = Bench::new(30, FleetOptions::default());
    bench.app.world.hide_event_type("pki.cert.bind");
    let path = "/api/v1/logs?since=2026-08-05T00:00:00Z&until=2026-11-02T09:00:00Z&limit=1000";
    let rows = bench.all(path).await;
    assert!(rows.iter().all(|row| row["eventType"] != "pki.cert.bind"));
    assert!(rows.iter().any(|row| row["eventType"] == "pki.cert.issue"));
}

#[tokio::test]
async fn the_budget_of_a_token_is_half_the_bucket_and_ends_in_429() {
    let bench = one("healthy", Mdm::Jamf);
    let first = bench.get("/api/v1/devices").await;
    assert_eq!(first.header("x-rate-limit-limit"), "50");
    assert_eq!(first.header("x-rate-limit-remaining"), "49");
    for _ in 1..50 {
        assert_eq!(bench.get("/api/v1/devices").await.status, 200);
    }
    let refused = bench.get("/api/v1/devices").await;
    assert_eq!(
        (refused.status, &refused.body["errorCode"]),
        (429, &json!("E0000047"))
    );
    let reset: i64 = refused.header("x-rate-limit-reset").parse().unwrap();
    let wait = reset - bench.app.clock.now().timestamp();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("date"), "Mon, 02 Nov 2026 09:00:00 GMT");
    assert_eq!(bench.get("/api/v1/groups").await.status, 200);
    bench.app.faults.lift_rate_limits();
    let free = bench.get("/api/v1/devices").await;
    assert_eq!(free.status, 200);
    assert!(!free.headers.contains_key("x-rate-limit-limit"));
}

#[tokio::test]
async fn a_token_needs_a_proof_with_the_nonce_and_a_fresh_assertion() {
    let bench = one("healthy", Mdm::Jamf);
    let audience = format!("{ORG}{TOKEN_PATH}");
    let scope = "okta.devices.read";
    let bare = bench
        .ask_token(scope, &bench.assertion(&audience), None)
        .await;
    assert_eq!(
        (bare.status, &bare.body["error"]),
        (400, &json!("invalid_dpop_proof"))
    );
    let assertion = bench.assertion(&audience);
    let proof = bench.proof("POST", TOKEN_PATH, None, None);
    let asked = bench.ask_token(scope, &assertion, Some(&proof)).await;
    assert_eq!(
        (asked.status, &asked.body["error"]),
        (400, &json!("use_dpop_nonce"))
    );
    let nonce = asked.header("dpop-nonce").to_owned();
    let proof = bench.proof("POST", TOKEN_PATH, Some(&nonce), None);
    let reused = bench.ask_token(scope, &assertion, Some(&proof)).await;
    assert_eq!(
        (reused.status, &reused.body["error"]),
        (401, &json!("invalid_client"))
    );
    let elsewhere = bench
        .ask_token(scope, &bench.assertion("https://x.test"), None)
        .await;
    assert_eq!(
        (elsewhere.status, &elsewhere.body["error"]),
        (401, &json!("invalid_client"))
    );
    let unknown = bench
        .ask_token("okta.coffee", &bench.assertion(&audience), None)
        .await;
    assert_eq!(
        (unknown.status, &unknown.body["error"]),
        (400, &json!("invalid_scope"))
    );
}

#[tokio::test]
async fn a_bound_token_works_only_with_its_proof_and_its_scopes() {
    let bench = one("healthy", Mdm::Jamf);
    let token = bench.token("okta.devices.read okta.groups.read").await;
    assert_eq!(
        bench
            .with_token("GET", "/api/v1/devices?limit=1", &token)
            .await
            .status,
        200
    );
    let refused = bench.with_token("GET", "/api/v1/users", &token).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .header("www-authenticate")
            .contains("insufficient_scope")
    );
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let reply = bench.call("GET", "/api/v1/devices", &headers, "").await;
    assert_eq!(
        (reply.status, &reply.body["error"]),
        (400, &json!("invalid_request"))
    );
    let proof = bench.proof("GET", "/api/v1/devices", None, Some(&token));
    let scheme = format!("DPoP {token}");
    let headers = [("authorization", scheme.as_str()), ("dpop", proof.as_str())];
    assert_eq!(
        bench
            .call("GET", "/api/v1/devices", &headers, "")
            .await
            .status,
        200
    );
    let replayed = bench.call("GET", "/api/v1/devices", &headers, "").await;
    assert_eq!(
        (replayed.status, &replayed.body["error"]),
        (400, &json!("invalid_dpop_proof"))
    );
    bench.app.faults.expire_tokens();
    assert_eq!(
        bench
            .with_token("GET", "/api/v1/devices", &token)
            .await
            .status,
        401
    );
    bench.okta.revoke_scope("okta.devices.read");
    let audience = format!("{ORG}{TOKEN_PATH}");
    let denied = bench
        .ask_token("okta.devices.read", &bench.assertion(&audience), None)
        .await;
    assert_eq!(
        (denied.status, &denied.body["error"]),
        (400, &json!("consent_required"))
    );
}

#[tokio::test]
async fn a_role_that_lacks_a_right_refuses_both_callers_whatever_the_scopes() {
    let bench = one("healthy", Mdm::Jamf);
    let token = bench.token("okta.logs.read okta.devices.read").await;
    let claims = BASE64.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        claims["scp"],
        json!(["okta.devices.read", "okta.logs.read"])
    );
    bench.okta.deny("okta.logs.read");
    for refused in [
        bench.get("/api/v1/logs").await,
        bench.with_token("GET", "/api/v1/logs", &token).await,
    ] {
        assert_eq!(
            (refused.status, &refused.body["errorCode"]),
            (403, &json!("E0000006"))
        );
    }
    let allowed = bench.with_token("GET", "/api/v1/devices", &token).await;
    assert_eq!(allowed.status, 200);
}

#[tokio::test]
async fn a_wrong_clock_judges_assertions_and_shows_in_the_budget() {
    let bench = one("healthy", Mdm::Jamf);
    let ahead = Duration::minutes(10);
    bench.app.faults.skew_clock(Server::Okta, ahead);
    let audience = format!("{ORG}{TOKEN_PATH}");
    let late = bench
        .ask_token("okta.devices.read", &bench.assertion(&audience), None)
        .await;
    assert_eq!(
        late.body["error_description"],
        "The client_assertion token is expired."
    );
    let reset = bench.get("/api/v1/devices").await;
    let reset: i64 = reset.header("x-rate-limit-reset").parse().unwrap();
    assert!(reset >= (bench.app.clock.now() + ahead).timestamp());
}

#[tokio::test]
async fn an_ssws_token_is_taken_with_or_without_the_space() {
    let bench = one("healthy", Mdm::Jamf);
    for header in ["SSWS 00atoken", "SSWS00atoken"] {
        let reply = bench
            .call("GET", "/api/v1/devices", &[("authorization", header)], "")
            .await;
        assert_eq!(reply.status, 200);
    }
    let wrong = bench
        .call(
            "GET",
            "/api/v1/devices",
            &[("authorization", "SSWS nope")],
            "",
        )
        .await;
    assert_eq!(
        (wrong.status, &wrong.body["errorCode"]),
        (401, &json!("E0000011"))
    );
    let requests = bench
        .app
        .ledger
        .requests_to(Server::Okta, "GET", "/api/v1/devices");
    let accepted: Vec<_> = requests
        .iter()
        .map(|request| request.authenticated)
        .collect();
    assert_eq!(accepted, [true, true, false]);
}

#[tokio::test]
async fn a_new_certificate_shows_only_after_the_next_fastpass_sign_in() {
    let bench = one("fastpass_no_signin_since_cert", Mdm::Intune);
    let (device, user) = subject(&bench);
    assert_eq!(status_by_id(&bench, &device).await, "NOT_MANAGED");
    bench.app.world.sign_in_with_fastpass(&user, &device);
    assert_eq!(status_by_id(&bench, &device).await, "MANAGED");
    let bind = format!(
        "/api/v1/logs?since=2026-11-02T08:59:00Z&filter=eventType+eq+%22pki.cert.bind%22+and+target.id+eq+%22{device}%22"
    );
    assert_eq!(bench.get(&bind).await.rows().len(), 1);
}

#[tokio::test]
async fn an_expired_certificate_stays_managed_until_the_next_sign_in() {
    let bench = one("healthy", Mdm::Jamf);
    let (device, user) = subject(&bench);
    bench.app.world.expire_certificate(&device);
    assert_eq!(status_by_id(&bench, &device).await, "MANAGED");
    assert_eq!(
        bench.app.world.sign_in_with_fastpass(&user, &device),
        SignInOutcome::NotManaged
    );
    assert_eq!(status_by_id(&bench, &device).await, "NOT_MANAGED");
}

#[tokio::test]
async fn an_unused_certificate_dies_on_day_91() {
    let bench = one("fastpass_no_signin_since_cert", Mdm::Jamf);
    let (device, user) = subject(&bench);
    bench.app.clock.advance(Duration::days(91));
    let filter = "/api/v1/logs?since=2026-11-02T09:00:00Z&filter=eventType+eq+%22pki.cert.lifecycle.revoke%22";
    assert_eq!(bench.get(filter).await.rows().len(), 1);
    assert_eq!(
        bench.app.world.sign_in_with_fastpass(&user, &device),
        SignInOutcome::NotManaged
    );
}

#[tokio::test]
async fn the_list_lags_behind_the_read_by_id() {
    let bench = one("fastpass_no_signin_since_cert", Mdm::Jamf);
    let (device, user) = subject(&bench);
    bench.app.world.sign_in_with_fastpass(&user, &device);
    let listed = async || {
        let reply = bench.get("/api/v1/devices?expand=userSummary").await;
        reply.rows()[0]["_embedded"]["users"][0]["managementStatus"].clone()
    };
    assert_eq!(listed().await, "NOT_MANAGED");
    assert_eq!(status_by_id(&bench, &device).await, "MANAGED");
    bench.app.clock.advance(Duration::minutes(2));
    assert_eq!(listed().await, "MANAGED");
}

#[tokio::test]
async fn suspension_is_refused_twice_over_and_lifted_once() {
    let bench = one("okta_device_suspended", Mdm::Jamf);
    let (device, user) = subject(&bench);
    assert_eq!(
        bench.app.world.sign_in_with_fastpass(&user, &device),
        SignInOutcome::Refused
    );
    let call = async |change: &str| {
        let path = format!("/api/v1/devices/{device}/lifecycle/{change}");
        bench
            .call("POST", &path, &[("authorization", SSWS)], "")
            .await
            .status
    };
    assert_eq!(call("activate").await, 403);
    assert_eq!(call("unsuspend").await, 204);
    assert_eq!(call("unsuspend").await, 204);
    let effects = bench.app.ledger.effects_of("okta.device.unsuspend");
    let changed: Vec<_> = effects.iter().map(|effect| effect.changed()).collect();
    assert_eq!(changed, [true, false]);
    assert_eq!(
        bench.app.world.sign_in_with_fastpass(&user, &device),
        SignInOutcome::Managed
    );
}

#[tokio::test]
async fn deactivation_destroys_links_and_certificate() {
    let bench = one("healthy", Mdm::Intune);
    let (device, _) = subject(&bench);
    let path = format!("/api/v1/devices/{device}");
    let headers = [("authorization", SSWS)];
    assert_eq!(bench.call("DELETE", &path, &headers, "").await.status, 403);
    let off = format!("{path}/lifecycle/deactivate");
    assert_eq!(bench.call("POST", &off, &headers, "").await.status, 204);
    assert!(bench.get(&format!("{path}/users")).await.rows().is_empty());
    assert!(bench.get(&path).await.body["_links"].get("users").is_none());
    assert_eq!(bench.call("DELETE", &path, &headers, "").await.status, 204);
    assert_eq!(bench.get(&path).await.body["errorCode"], "E0000007");
}

#[tokio::test]
async fn membership_by_hand_changes_and_by_rule_is_refused() {
    let bench = one("policy_user_out_of_scope", Mdm::Jamf);
    let (device, user) = subject(&bench);
    let group = bench.app.connection.okta.fastpass_group.clone();
    let headers = [("authorization", SSWS), ("content-length", "0")];
    let path = format!("/api/v1/groups/{group}/users/{user}");
    assert_eq!(bench.call("PUT", &path, &headers, "").await.status, 204);
    assert_eq!(
        bench.app.world.sign_in_with_fastpass(&user, &device),
        SignInOutcome::Managed
    );
    let rule = bench.app.world.with(|state| {
        let group = state.okta_groups.values().find(|group| group.by_rule);
        group.unwrap().id.clone()
    });
    let path = format!("/api/v1/groups/{rule}/users/{user}");
    assert_eq!(bench.call("PUT", &path, &headers, "").await.status, 403);
    assert_eq!(bench.app.ledger.effects().len(), 1);
}

#[tokio::test]
async fn simulation_tells_what_a_managed_device_changes() {
    let bench = one("healthy", Mdm::Jamf);
    let (_, user) = subject(&bench);
    let app = bench
        .app
        .world
        .with(|state| state.targets.sign_in_app.clone());
    let rule = async |managed: bool| {
        let body = json!({"appInstance": app, "policyTypes": ["ACCESS_POLICY"], "policyContext": {
            "user": {"id": user}, "device": {"platform": "MACOS", "registered": true, "managed": managed}}});
        let headers = [
            ("authorization", SSWS),
            ("content-type", "application/json"),
        ];
        let path = "/api/v1/policies/simulate";
        let reply = bench.call("POST", path, &headers, &body.to_string()).await;
        reply.body["evaluation"][0]["result"]["policies"][0]["rules"][0]["name"].clone()
    };
    assert_eq!(rule(true).await, "Managed devices");
    assert_eq!(rule(false).await, "Catch-all Rule");
}

#[tokio::test]
async fn an_answer_can_be_lost_after_its_effect() {
    let bench = one("okta_device_suspended", Mdm::Jamf);
    let (device, _) = subject(&bench);
    let path = format!("/api/v1/devices/{device}/lifecycle/unsuspend");
    let faults = &bench.app.faults;
    faults.inject(
        Server::Okta,
        "POST",
        &path,
        1,
        Fault::StatusAfterEffect(503),
    );
    faults.inject(Server::Okta, "POST", &path, 1, Fault::TimeoutAfter);
    let headers = [("authorization", SSWS)];
    assert_eq!(bench.call("POST", &path, &headers, "").await.status, 503);
    let hanging = bench.call("POST", &path, &headers, "");
    tokio::select! {
        _ = hanging => panic!("the answer was not withheld"),
        () = async { while bench.app.ledger.effects().len() < 2 { tokio::task::yield_now().await } } => {}
    }
    let device = bench.get(&format!("/api/v1/devices/{device}")).await;
    assert_eq!(device.body["status"], "ACTIVE");
}

#[tokio::test]
async fn early_access_is_off_by_default() {
    let bench = one("healthy", Mdm::Jamf);
    let (device, _) = subject(&bench);
    let enrolments = format!("/api/v1/devices/{device}/authenticator-enrollments");
    assert_eq!(bench.get(&enrolments).await.body, json!([]));
    let authorities = "/pki/api/v2/certificate-authorities";
    assert_eq!(bench.get(authorities).await.status, 404);
    bench.app.world.with(|state| {
        state.org.enrolments_api = true;
        state.org.ca_api = true.into();
    });
    assert_eq!(bench.get(&enrolments).await.rows()[0]["key"], "okta_verify");
    assert_eq!(
        bench.get(authorities).await.body["data"][0]["caType"],
        "OKTA_AS_CA"
    );
}

#[tokio::test]
async fn a_factor_list_speaks_of_the_user_and_not_of_the_device() {
    let bench = one("ov_registration_incomplete", Mdm::Jamf);
    let (_, user) = subject(&bench);
    let factors = bench.get(&format!("/api/v1/users/{user}/factors")).await;
    let kinds: Vec<_> = factors
        .rows()
        .iter()
        .map(|row| row["factorType"].clone())
        .collect();
    assert_eq!(kinds, ["push", "token:software:totp"]);
    let login = bench.get(&format!("/api/v1/users/{user}")).await.body["profile"]["login"].clone();
    let by_login = bench
        .get(&format!("/api/v1/users/{}", login.as_str().unwrap()))
        .await;
    assert_eq!(by_login.body["id"], user);
}
