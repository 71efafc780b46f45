//! `/oauth2/v1/token`: client credentials with a signed assertion, and the nonce exchange of `DPoP`.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Okta;
use super::auth::{AccessToken, SCOPES, check_proof, leeway};
use super::error::oauth_error;
use super::jwt::Jwt;
use crate::http::Authenticated;
use crate::ledger::Server;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) async fn token(
    State(okta): State<Okta>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" {
        let description = "The client is not authorized to use the provided grant type.";
        return oauth_error(400, "unauthorized_client", description);
    }
    if field("client_assertion_type") != ASSERTION_TYPE {
        let description = "The client_assertion_type is invalid.";
        return oauth_error(400, "invalid_request", description);
    }
    if let Err(description) = check_assertion(&okta, field("client_assertion")) {
        return oauth_error(401, "invalid_client", description);
    }
    let scopes = match granted(&okta, field("scope")) {
        Ok(scopes) => scopes,
        Err((error, description)) => return oauth_error(400, error, description),
    };
    let dpop = okta.tokens.memory().dpop_required || headers.contains_key("dpop");
    let bound_to = if dpop {
        match bind(&okta, &method, &uri, &headers) {
            Ok(thumbprint) => Some(thumbprint),
            Err(response) => return *response,
        }
    } else {
        None
    };
    let token = access_token(&okta, &scopes, bound_to.as_deref());
    let scope = scopes.iter().cloned().collect::<Vec<_>>().join(" ");
    let kind = if bound_to.is_some() { "DPoP" } else { "Bearer" };
    okta.tokens.memory().access.insert(
        token.clone(),
        AccessToken {
            scopes,
            since: Instant::now(),
            epoch: okta.app.faults.token_epoch(),
            bound_to,
        },
    );
    let mut response = Json(json!({
        "token_type": kind, "expires_in": 3600, "access_token": token, "scope": scope,
    }))
    .into_response();
    response.extensions_mut().insert(Authenticated);
    response
}

/// A JWT of the org's own server. Okta calls it opaque; its claims tell the scopes all the same.
fn access_token(okta: &Okta, scopes: &HashSet<String>, bound_to: Option<&str>) -> String {
    let connection = &okta.app.connection.okta;
    let now = okta.app.server_now(Server::Okta).timestamp();
    let mut granted: Vec<&String> = scopes.iter().collect();
    granted.sort();
    let mut claims = json!({
        "ver": 1, "jti": format!("AT.{}", uuid::Uuid::now_v7().simple()), "iss": connection.org_url,
        "aud": connection.org_url, "sub": connection.client_id, "cid": connection.client_id,
        "iat": now, "exp": now + 3_600, "scp": granted,
    });
    if let Some(thumbprint) = bound_to {
        claims["cnf"] = json!({"jkt": thumbprint});
    }
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"kid": "simulated", "alg": "RS256"});
    format!(
        "{}.{}.{}",
        part(&header),
        part(&claims),
        part(&json!("unsigned"))
    )
}

fn check_assertion(okta: &Okta, assertion: &str) -> Result<(), &'static str> {
    let jwt = Jwt::parse(assertion).ok_or("The client_assertion is not a JWT.")?;
    let connection = &okta.app.connection.okta;
    if !["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"].contains(&jwt.alg()) {
        return Err("The algorithm of the client_assertion is not supported.");
    }
    if jwt.text("iss") != connection.client_id || jwt.text("sub") != connection.client_id {
        return Err("The issuer or subject of the client_assertion is not the client.");
    }
    if jwt.text("aud") != format!("{}/oauth2/v1/token", connection.org_url) {
        return Err(
            "The audience claim for client_assertion must be the endpoint invoked for the request.",
        );
    }
    let now = okta.app.server_now(Server::Okta).timestamp();
    let leeway = leeway(&okta.app);
    let expires = jwt
        .seconds("exp")
        .ok_or("The client_assertion token must contain an expiration.")?;
    if expires <= now - 5 * (leeway - 1) {
        return Err("The client_assertion token is expired.");
    }
    if expires > now + 3_600 + 5 * leeway {
        return Err("The client_assertion token has an expiration too far into the future.");
    }
    if jwt
        .seconds("iat")
        .is_some_and(|issued| issued > now + 5 * leeway)
    {
        return Err("The client_assertion token was issued in the future.");
    }
    let mut memory = okta.tokens.memory();
    if !memory.client_keys.iter().any(|key| jwt.signed_by(key)) {
        return Err("The client_assertion signature is invalid.");
    }
    let id = jwt.text("jti");
    if !id.is_empty() && !memory.used_ids.insert(format!("assertion {id}")) {
        return Err("The client_assertion token has already been used.");
    }
    Ok(())
}

fn granted(okta: &Okta, asked: &str) -> Result<HashSet<String>, (&'static str, &'static str)> {
    let memory = okta.tokens.memory();
    let mut scopes = HashSet::new();
    for scope in asked.split_whitespace() {
        if !SCOPES.contains(&scope) {
            return Err((
                "invalid_scope",
                "One or more scopes are not configured for the authorization server resource.",
            ));
        }
        if memory.granted.contains(scope) {
            scopes.insert(scope.to_owned());
        }
    }
    if asked.trim().is_empty() {
        return Err(("invalid_scope", "The requested scope is missing."));
    }
    if scopes.is_empty() {
        let description = "You are not allowed any of the requested scopes.";
        return Err(("consent_required", description));
    }
    Ok(scopes)
}

/// Binds the token to the key of a proof that carries the current nonce.
fn bind(
    okta: &Okta,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<String, Box<Response>> {
    let proof = check_proof(&okta.app, &okta.tokens, headers, method, uri.path())
        .map_err(|description| Box::new(oauth_error(400, "invalid_dpop_proof", description)))?;
    let memory = okta.tokens.memory();
    if proof.jwt.text("nonce") == memory.nonce {
        return Ok(proof.thumbprint);
    }
    let description = "Authorization server requires nonce in DPoP proof.";
    let mut response = oauth_error(400, "use_dpop_nonce", description);
    if let Ok(nonce) = HeaderValue::from_str(&memory.nonce) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("dpop-nonce"), nonce);
    }
    Err(Box::new(response))
}
