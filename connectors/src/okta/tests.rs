mod log;
mod reading;
mod signing_in;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use unstuck_domain::{PlanDigest, StepId};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::http::install_crypto_provider;

const TOKEN: &str = "00a-very-secret";

fn client_with(server: &MockServer, auth: OktaAuth) -> OktaClient {
    install_crypto_provider();
    let config = OktaConfig {
        org_url: Url::parse(&server.uri()).expect("a URL"),
        auth,
        // So fast that pacing does not slow the tests.
        requests_per_minute: 60_000,
        speed: 1.0,
    };
    let retry = RetryPolicy {
        first_pause: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    OktaClient::with_retry(config, retry).expect("a client")
}

fn client(server: &MockServer) -> OktaClient {
    client_with(server, OktaAuth::ApiToken(TOKEN.into()))
}

/// Answers a GET of that path.
async fn answer(server: &MockServer, at: &str, template: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(template)
        .mount(server)
        .await;
}

async fn answer_json(server: &MockServer, at: &str, body: Value) {
    answer(server, at, ResponseTemplate::new(200).set_body_json(body)).await;
}

async fn failing(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    server
}

async fn requests(server: &MockServer) -> Vec<wiremock::Request> {
    server.received_requests().await.expect("recorded")
}

fn permit(holds: bool) -> WritePermit {
    let fence = Arc::new(move || holds);
    WritePermit::new(PlanDigest::from("d"), StepId::from("assign.1"), fence)
}

#[test]
fn allow_list_is_this_and_nothing_else() {
    insta::assert_snapshot!(OktaClient::allow_list(), @"
    read GET /.well-known/okta-organization
    read GET /api/v1/apps/{app}
    read GET /api/v1/authenticators
    read GET /api/v1/authenticators/{authenticator}/methods
    read GET /api/v1/devices
    read GET /api/v1/devices/{device}
    read GET /api/v1/devices/{device}/users
    read GET /api/v1/groups/rules
    read GET /api/v1/groups/{group}
    read GET /api/v1/groups/{group}/apps
    read GET /api/v1/groups/{group}/roles
    read GET /api/v1/logs
    read GET /api/v1/policies
    read GET /api/v1/policies/{policy}/mappings
    read GET /api/v1/policies/{policy}/rules
    read GET /api/v1/users/{user}
    read GET /api/v1/users/{user}/devices
    read GET /api/v1/users/{user}/factors
    read GET /api/v1/users/{user}/groups
    read GET /pki/api/v2/certificate-authorities
    read GET /pki/api/v2/certificate-authorities/{authority}/registration-authorities
    read POST /api/v1/policies/simulate
    token POST /oauth2/v1/token
    write DELETE /api/v1/groups/{group}/users/{user}
    write PUT /api/v1/groups/{group}/users/{user}
    ");
}
