//! Access tokens of the API client, and what a token may do.

use std::time::{Duration, Instant};

use axum::Form;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, SET_COOKIE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::answer::{Answer, Refusal, json_answer, ok};
use crate::http::Authenticated;

/// The privileges that the simulated API role begins with.
const PRIVILEGES: [&str; 17] = [
    "Read Computers",
    "Read Static Computer Groups",
    "Read Smart Computer Groups",
    "Read macOS Configuration Profiles",
    "View MDM command information in Jamf Pro API",
    "Update Static Computer Groups",
    "Create Static Computer Groups",
    "Flush MDM Commands",
    "Send MDM command information in Jamf Pro API",
    "Send Blank Pushes",
    "Send Command to Renew MDM Profile",
    "Send Declarative Management Command",
    "Send Computer Remote Command to Install Package",
    "Read Computer Check-In",
    "Send Computer Remote Wipe Command",
    "Send Computer Unmanage Command",
    "Delete Computers",
];

/// An access token that was given out.
pub(super) struct Token {
    expires: Instant,
    epoch: u64,
}

/// The client-credentials form.
#[derive(Deserialize)]
pub(super) struct Credentials {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// `POST /api/v1/oauth/token`, and its older path.
pub(super) async fn issue(State(api): State<Api>, Form(form): Form<Credentials>) -> Response {
    let wanted = &api.app.connection.jamf;
    if form.grant_type.as_deref() != Some("client_credentials") {
        return oauth_error("unsupported_grant_type", "OAuth 2.0 Parameter: grant_type");
    }
    let known = form.client_id.as_deref() == Some(&*wanted.client_id)
        && form.client_secret.as_deref() == Some(&*wanted.client_secret);
    if !known {
        return oauth_error("invalid_client", "Client authentication failed");
    }
    let (secret, life) = api
        .app
        .world
        .with(|state| (state.ids.secret(64), state.mdm.jamf.token_seconds));
    let token = Token {
        expires: Instant::now() + Duration::from_secs(life),
        epoch: api.app.faults.token_epoch(),
    };
    let access_token = format!("eyJhbGciOiJIUzI1NiJ9.{secret}");
    let mut tokens = api
        .tokens
        .lock()
        .expect("no code panics while it holds the tokens");
    tokens.retain(|_, token| token.expires > Instant::now());
    tokens.insert(access_token.clone(), token);
    let body = json!({
        "access_token": access_token, "token_type": "Bearer", "scope": "api-role:1",
        "expires_in": life,
    });
    let mut response = json_answer(StatusCode::OK, &body);
    response.extensions_mut().insert(Authenticated);
    response
}

fn oauth_error(error: &str, description: &str) -> Response {
    let body = json!({
        "error": error, "error_description": description,
        "error_uri": "https://datatracker.ietf.org/doc/html/rfc6749#section-5.2",
    });
    json_answer(StatusCode::BAD_REQUEST, &body)
}

/// Lets a request through that carries a living token; marks writes with the node's cookies.
pub(super) async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path.ends_with("/oauth/token") {
        return next.run(request).await;
    }
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| api.is_alive(token)) {
        return unauthorized(&path);
    }
    let writes = request.method() != Method::GET;
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Authenticated);
    if writes {
        for cookie in [
            "APBALANCEID=sim.node-a; Path=/",
            "jpro-ingress=node-a; Path=/",
        ] {
            let cookie = HeaderValue::from_static(cookie);
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

fn unauthorized(path: &str) -> Response {
    match path.starts_with("/JSSResource") {
        true => Refusal::classic(
            StatusCode::UNAUTHORIZED,
            "The request requires user authentication",
        ),
        false => Refusal::Pro {
            status: StatusCode::UNAUTHORIZED,
            code: "INVALID_TOKEN",
            field: "",
            description: "Unauthorized".to_owned(),
        },
    }
    .into_response()
}

impl Api {
    fn is_alive(&self, token: &str) -> bool {
        let tokens = self
            .tokens
            .lock()
            .expect("no code panics while it holds the tokens");
        tokens.get(token).is_some_and(|token| {
            token.expires > Instant::now() && token.epoch == self.app.faults.token_epoch()
        })
    }
}

/// `GET /api/v1/auth`.
pub(super) async fn account(State(api): State<Api>) -> Answer {
    let privileges = api.granted();
    ok(&json!({
        "account": {
            "id": "3", "username": api.app.connection.jamf.client_id, "realName": "API client",
            "email": null, "preferences": {"language": "en", "dateFormat": "YYYY-MM-dd",
                "region": "Europe", "timezone": "Etc/UTC", "disableRelativeDates": false},
            "multiSiteAdmin": false, "accessLevel": "FullAccess", "privilegeSet": "CUSTOM",
            "privilegesBySite": {"-1": privileges}, "groupIds": [], "currentSiteId": "-1",
        },
        "accountGroups": [], "sites": [], "authenticationType": "JAMF",
    }))
}

/// `GET /api/v1/api-role-privileges`: every privilege there is.
pub(super) async fn privileges() -> Answer {
    ok(&json!({"privileges": PRIVILEGES}))
}

/// `GET /api/v1/jamf-pro-version`.
pub(super) async fn version(State(api): State<Api>) -> Answer {
    let version = match api.app.faults.jamf_is_old() {
        true => "11.24.0-t1766000000000",
        false => "11.30.1-t1784555528405",
    };
    ok(&json!({"version": version}))
}

impl Api {
    fn granted(&self) -> Vec<&'static str> {
        self.app.world.with(|state| {
            let missing = &state.mdm.jamf.missing_privileges;
            let granted = PRIVILEGES.into_iter();
            granted.filter(|name| !missing.contains(*name)).collect()
        })
    }
}
