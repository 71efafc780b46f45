//! No secret and no person shows in logs, errors or `Debug`. A process of its own, because `tracing` settles for the
//! whole process which call sites anybody listens to.

use std::sync::{Arc, Mutex};

use connectors::http::install_crypto_provider;
use connectors::okta::{OktaAuth, OktaClient, OktaConfig};
use connectors::{ConnectorError, NoProgress, OktaReader};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use url::Url;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = include_str!("../src/okta/testdata/ec-pkcs8.pem");
const API_TOKEN: &str = "00a-very-secret";

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn service_app() -> OktaAuth {
    OktaAuth::PrivateKeyJwt {
        client_id: "0oa1".to_owned(),
        private_key: KEY.into(),
        key_id: None,
        dpop: true,
    }
}

fn client(server: &MockServer, auth: OktaAuth) -> OktaClient {
    OktaClient::new(OktaConfig {
        org_url: Url::parse(&server.uri()).expect("a URL"),
        auth,
        requests_per_minute: 60_000,
        speed: 1.0,
    })
    .expect("a client")
}

async fn org() -> MockServer {
    let server = MockServer::start().await;
    let token = json!({"token_type": "DPoP", "expires_in": 3600, "access_token": "at-secret"});
    Mock::given(method("POST"))
        .and(path("/oauth2/v1/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&server)
        .await;
    Mock::given(path("/api/v1/devices"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .mount(&server)
        .await;
    let organization = json!({"id": "00o1", "pipeline": "idx"});
    Mock::given(path("/.well-known/okta-organization"))
        .respond_with(ResponseTemplate::new(200).set_body_json(organization))
        .mount(&server)
        .await;
    // A refusal whose body quotes what it was sent.
    let refusal = json!({"errorCode": "E0000001", "errorSummary": "Api validation failed: user",
        "errorCauses": [{"errorSummary": "user ann@acme.com with at-secret"}]});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400).set_body_json(refusal))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn no_secret_and_no_person_shows_in_logs_errors_or_debug() {
    install_crypto_provider();
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");

    let server = org().await;
    let mut shown = String::new();
    for auth in [service_app(), OktaAuth::ApiToken(API_TOKEN.into())] {
        shown += &format!("{auth:?}\n");
        let client = client(&server, auth);
        client.devices(&NoProgress).await.expect("read");
        let error: ConnectorError = client.user("ann@acme.com").await.expect_err("refused");
        shown += &format!("{error} {error:?}\n");
    }

    let log = String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    for call in ["okta.token", "okta.list_devices", "okta.user"] {
        assert!(log.contains(call), "the log tells of {call}");
    }
    let key_line = KEY.lines().nth(1).expect("a body");
    for secret in [key_line, "at-secret", API_TOKEN, "client_assertion"] {
        assert!(!log.contains(secret), "{secret} shows in the log");
        assert!(!shown.contains(secret), "{secret} shows in {shown}");
    }
    assert!(!shown.contains("ann@"), "{shown}");
    let ours = log.lines().filter(|line| line.contains("connectors"));
    for line in ours {
        assert!(!line.contains("ann@"), "{line}");
    }
}
