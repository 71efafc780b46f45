//! Who calls: SSWS tokens, and the access tokens of service apps with their scopes, as Bearer or
//! bound to a `DPoP` key.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};

use super::error::{OktaError, oauth_refusal};
use super::jwt::{Jwt, PublicKey, hash};
use crate::http::AppState;
use crate::ledger::Server;

/// An access token lives for an hour of real time.
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);
/// A proof may be this old.
pub(super) const PROOF_AGE_SECONDS: i64 = 300;

/// Every scope that can be granted; the simulated app has them all unless a test takes some away.
pub(super) const SCOPES: [&str; 14] = [
    "okta.apps.manage",
    "okta.apps.read",
    "okta.authenticators.read",
    "okta.certificateAuthorities.read",
    "okta.deviceAssurance.read",
    "okta.deviceIntegrations.read",
    "okta.devices.manage",
    "okta.devices.read",
    "okta.groups.manage",
    "okta.groups.read",
    "okta.logs.read",
    "okta.policies.read",
    "okta.users.manage",
    "okta.users.read",
];

/// What the authorization server remembers. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug)]
pub(super) struct Memory {
    pub access: HashMap<String, AccessToken>,
    pub used_ids: HashSet<String>,
    pub nonce: String,
    pub client_keys: Vec<PublicKey>,
    pub granted: HashSet<&'static str>,
    /// Rights that neither the token's admin nor the app's role has.
    pub denied: HashSet<String>,
    pub dpop_required: bool,
}

/// One access token.
#[derive(Clone, Debug)]
pub(super) struct AccessToken {
    pub scopes: HashSet<String>,
    pub since: Instant,
    pub epoch: u64,
    /// The thumbprint of the key it is bound to.
    pub bound_to: Option<String>,
}

/// An accepted caller.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The name under which its requests are counted.
    pub principal: String,
}

impl Tokens {
    pub(super) fn new(client_key: PublicKey, dpop_required: bool) -> Self {
        Self {
            memory: Arc::new(Mutex::new(Memory {
                access: HashMap::new(),
                used_ids: HashSet::new(),
                nonce: uuid::Uuid::now_v7().simple().to_string(),
                client_keys: vec![client_key],
                granted: SCOPES.into(),
                denied: HashSet::new(),
                dpop_required,
            })),
        }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory
            .lock()
            .expect("no code panics while it holds the tokens")
    }
}

/// The scope that a call needs, by its path.
pub(super) fn scope_for(method: &Method, path: &str) -> Option<&'static str> {
    let read = method == Method::GET || path == "/api/v1/policies/simulate";
    let pick = |reading, writing| Some(if read { reading } else { writing });
    let rest = path.strip_prefix("/api/v1/");
    match rest.and_then(|rest| rest.split('/').next()) {
        Some("devices") => pick("okta.devices.read", "okta.devices.manage"),
        Some("users") => pick("okta.users.read", "okta.users.manage"),
        Some("groups") => pick("okta.groups.read", "okta.groups.manage"),
        Some("apps") => pick("okta.apps.read", "okta.apps.manage"),
        Some("policies") => pick("okta.policies.read", "okta.policies.manage"),
        Some("authenticators") => pick("okta.authenticators.read", "okta.authenticators.manage"),
        Some("device-assurances") => {
            pick("okta.deviceAssurance.read", "okta.deviceAssurance.manage")
        }
        Some("device-integrations") => pick(
            "okta.deviceIntegrations.read",
            "okta.deviceIntegrations.manage",
        ),
        Some("logs") => Some("okta.logs.read"),
        _ if path.starts_with("/pki/") => Some("okta.certificateAuthorities.read"),
        _ => None,
    }
}

/// Accepts or refuses the caller of an API path.
pub(super) fn authenticate(
    app: &AppState,
    tokens: &Tokens,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Caller, Box<Response>> {
    let refuse = |error: OktaError| Box::new(error.into_response());
    let header = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| refuse(OktaError::new(403, "E0000005", "Invalid session")))?;
    // One public client library sends the scheme and the token without a space in between.
    let scope = scope_for(method, uri.path());
    let denied = scope.is_some_and(|scope| tokens.memory().denied.contains(scope));
    if let Some(token) = header.strip_prefix("SSWS") {
        if token.trim_start() == app.connection.okta.api_token {
            if denied {
                return Err(refuse(OktaError::forbidden()));
            }
            return Ok(Caller {
                principal: "ssws".to_owned(),
            });
        }
        return Err(refuse(OktaError::invalid_token()));
    }
    let (scheme, token) = header
        .split_once(' ')
        .ok_or_else(|| refuse(OktaError::invalid_token()))?;
    let known = tokens.memory().access.get(token).cloned();
    let live = known.filter(|access| {
        access.since.elapsed() < TOKEN_LIFE && access.epoch == app.faults.token_epoch()
    });
    let Some(access) = live else {
        let description = "The access token is expired or unknown.";
        return Err(Box::new(oauth_refusal(
            401,
            scheme,
            "invalid_token",
            description,
        )));
    };
    check_binding(app, tokens, scheme, token, &access, method, uri, headers)?;
    if let Some(scope) = scope
        && !access.scopes.contains(scope)
    {
        let description = "The access token provided does not contain the required scopes.";
        return Err(Box::new(oauth_refusal(
            403,
            scheme,
            "insufficient_scope",
            description,
        )));
    }
    // A scope alone is not enough: the app's admin role has to allow it too.
    if denied {
        return Err(refuse(OktaError::forbidden()));
    }
    Ok(Caller {
        principal: format!("app {}", app.connection.okta.client_id),
    })
}

fn check_binding(
    app: &AppState,
    tokens: &Tokens,
    scheme: &str,
    token: &str,
    access: &AccessToken,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Box<Response>> {
    let refuse = |status, error: &str, description: &str| {
        Err(Box::new(oauth_refusal(status, "DPoP", error, description)))
    };
    match (scheme, &access.bound_to) {
        ("Bearer", None) => Ok(()),
        ("Bearer", Some(_)) => refuse(
            400,
            "invalid_request",
            "The request must use the DPoP authentication scheme.",
        ),
        ("DPoP", None) => refuse(401, "invalid_token", "The access token is not DPoP bound."),
        ("DPoP", Some(thumbprint)) => {
            let proof = match check_proof(app, tokens, headers, method, uri.path()) {
                Ok(proof) => proof,
                Err(description) => return refuse(400, "invalid_dpop_proof", description),
            };
            if proof.jwt.text("ath") != hash(token.as_bytes()) {
                return refuse(400, "invalid_dpop_proof", "The ath claim is invalid.");
            }
            if proof.thumbprint != *thumbprint {
                let description = "The key of the proof is not the key of the token.";
                return refuse(400, "invalid_dpop_proof", description);
            }
            Ok(())
        }
        _ => refuse(
            401,
            "invalid_token",
            "The authentication scheme is unknown.",
        ),
    }
}

/// A `DPoP` proof whose form, signature, place and time are right.
pub(super) struct Proof {
    pub jwt: Jwt,
    pub thumbprint: String,
}

/// Checks everything about a proof that does not depend on the kind of call.
pub(super) fn check_proof(
    app: &AppState,
    tokens: &Tokens,
    headers: &HeaderMap,
    method: &Method,
    path: &str,
) -> Result<Proof, &'static str> {
    let mut proofs = headers.get_all("dpop").iter();
    let text = proofs
        .next()
        .and_then(|value| value.to_str().ok())
        .ok_or("The DPoP proof JWT header is missing.")?;
    if proofs.next().is_some() {
        return Err("The request has more than one DPoP proof.");
    }
    let jwt = Jwt::parse(text).ok_or("The DPoP proof is not a JWT.")?;
    if jwt.header["typ"] != "dpop+jwt" {
        return Err("The typ of the DPoP proof is invalid.");
    }
    let key =
        PublicKey::from_jwk(&jwt.header["jwk"]).ok_or("The jwk of the DPoP proof is invalid.")?;
    if !jwt.signed_by(&key) {
        return Err("The signature of the DPoP proof is invalid.");
    }
    if jwt.text("htm") != method.as_str() {
        return Err("The htm claim is invalid.");
    }
    if jwt.text("htu") != format!("{}{path}", app.connection.okta.org_url) {
        return Err("The htu claim is invalid.");
    }
    let leeway = leeway(app);
    let issued = jwt.seconds("iat").ok_or("The iat claim is missing.")?;
    let now = app.server_now(Server::Okta).timestamp();
    if issued < now - PROOF_AGE_SECONDS * leeway {
        return Err("The DPoP proof is too old.");
    }
    if issued > now + 5 * leeway {
        return Err("The DPoP proof is issued in the future.");
    }
    let id = jwt.text("jti");
    if id.is_empty() || !tokens.memory().used_ids.insert(format!("dpop {id}")) {
        return Err("The jti of the DPoP proof has already been used.");
    }
    let thumbprint = key.thumbprint();
    Ok(Proof { jwt, thumbprint })
}

/// A simulated second is short when the clock runs fast: tolerances grow with its speed.
pub(super) fn leeway(app: &AppState) -> i64 {
    app.clock.speed().max(1.0) as i64
}
