//! The login service: client credentials for an access token whose `roles` say what the app may do.

use std::time::{Duration, Instant};

use axum::Form;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Refusal, json_answer};
use crate::http::Authenticated;

/// The application permissions that the app registration begins with.
const ROLES: [&str; 16] = [
    "Application.Read.All",
    "DeviceManagementManagedDevices.Read.All",
    "DeviceManagementManagedDevices.ReadWrite.All",
    "DeviceManagementManagedDevices.PrivilegedOperations.All",
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementConfiguration.ReadWrite.All",
    "DeviceManagementServiceConfig.Read.All",
    "DeviceManagementScripts.Read.All",
    "DeviceManagementScripts.ReadWrite.All",
    "Device.Read.All",
    "Device.ReadWrite.All",
    "Group.Read.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "User.Read.All",
    "Organization.Read.All",
];

/// The life of a token in real seconds.
const LIFE: u64 = 3599;

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
    scope: Option<String>,
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(super) async fn issue(
    State(api): State<Api>,
    Path(tenant): Path<String>,
    Form(form): Form<Credentials>,
) -> Response {
    let wanted = &api.app.connection.intune;
    if tenant != wanted.tenant_id {
        let text = format!("AADSTS90002: Tenant '{tenant}' not found.");
        return refused(StatusCode::BAD_REQUEST, "invalid_request", 90002, &text);
    }
    if form.grant_type.as_deref() != Some("client_credentials") {
        let text = "AADSTS70003: The app requested an unsupported grant type.";
        return refused(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70003,
            text,
        );
    }
    if form.client_id.as_deref() != Some(&*wanted.client_id) {
        let text = "AADSTS700016: Application was not found in the directory.";
        return refused(StatusCode::BAD_REQUEST, "unauthorized_client", 700016, text);
    }
    if form.client_secret.as_deref() != Some(&*wanted.client_secret) {
        let text = "AADSTS7000215: Invalid client secret provided.";
        return refused(StatusCode::UNAUTHORIZED, "invalid_client", 7000215, text);
    }
    if api.app.world.with(|state| {
        let ends = state.mdm.intune.secret_expires;
        ends.is_some_and(|ends| ends <= state.now)
    }) {
        let text = "AADSTS7000222: The provided client secret keys are expired.";
        return refused(StatusCode::UNAUTHORIZED, "invalid_client", 7000222, text);
    }
    if !form.scope.is_some_and(|scope| scope.ends_with("/.default")) {
        let text = "AADSTS1002012: The provided value for scope is not valid.";
        return refused(StatusCode::BAD_REQUEST, "invalid_scope", 1002012, text);
    }
    let access_token = api.new_token();
    let mut response = json_answer(
        StatusCode::OK,
        &json!({"token_type": "Bearer", "expires_in": LIFE, "ext_expires_in": LIFE,
            "access_token": access_token}),
    );
    response.extensions_mut().insert(Authenticated);
    response
}

fn refused(status: StatusCode, error: &str, code: u32, text: &str) -> Response {
    let body = json!({
        "error": error, "error_description": text, "error_codes": [code],
        "timestamp": "simulated", "trace_id": "simulated", "correlation_id": "simulated",
    });
    json_answer(status, &body)
}

impl Api {
    fn new_token(&self) -> String {
        let wanted = &self.app.connection.intune;
        let claims = self.app.world.with(|state| {
            let missing = &state.mdm.intune.missing_roles;
            let roles: Vec<&str> = ROLES
                .into_iter()
                .filter(|role| !missing.contains(*role))
                .collect();
            let now = state.now.timestamp();
            json!({
                "aud": "https://graph.microsoft.com", "appid": wanted.client_id,
                "iss": format!("https://sts.windows.net/{}/", wanted.tenant_id),
                "tid": wanted.tenant_id, "roles": roles, "iat": now, "nbf": now,
                "exp": now + i64::try_from(LIFE).unwrap_or(3599), "uti": state.ids.secret(22),
            })
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulated"});
        let token = format!(
            "{}.{}.{}",
            part(&header),
            part(&claims),
            part(&json!("unsigned"))
        );
        let record = Token {
            expires: Instant::now() + Duration::from_secs(LIFE),
            epoch: self.app.faults.token_epoch(),
        };
        let mut tokens = self
            .tokens
            .lock()
            .expect("no code panics while it holds the tokens");
        tokens.retain(|_, token| token.expires > Instant::now());
        tokens.insert(token.clone(), record);
        token
    }

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

/// Lets a request through that carries a living token.
pub(super) async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| api.is_alive(token)) {
        return Refusal::new(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            "Lifetime validation failed, the token is expired.",
        )
        .into_response();
    }
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Authenticated);
    response
}

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`, which client libraries read first.
pub(super) async fn openid_configuration(
    State(api): State<Api>,
    Path(tenant): Path<String>,
) -> Response {
    let login = &api.app.connection.intune.login_url;
    let body = json!({
        "token_endpoint": format!("{login}/{tenant}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{login}/{tenant}/oauth2/v2.0/authorize"),
        "issuer": format!("{login}/{tenant}/v2.0"),
        "jwks_uri": format!("{login}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
    });
    json_answer(StatusCode::OK, &body)
}
