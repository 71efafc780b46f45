//! The Okta org on the wire: the management API as a device bot uses it, the org authorization server
//! and the System Log. Every call passes the guard: credentials, scope, rate limit, request id.

mod apps;
mod auth;
mod authenticators;
mod authorities;
mod budget;
mod devices;
mod error;
mod filter;
mod groups;
mod jwt;
mod keys;
mod log_change;
mod log_json;
mod logs;
mod org;
mod page;
mod policies;
mod simulate;
mod token;
mod users;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};

use crate::http::{AppState, Authenticated};
use auth::Tokens;
use error::OktaError;
pub(crate) use keys::ClientKey;

/// What the org's handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Okta {
    app: AppState,
    tokens: Tokens,
}

impl Okta {
    /// An org whose service app has this key and, by default, must prove possession.
    pub(crate) fn new(app: AppState, key: &ClientKey, dpop_required: bool) -> Self {
        let tokens = Tokens::new(key.public.clone(), dpop_required);
        Self { app, tokens }
    }

    /// Takes a scope away from the service app, as when a super admin never granted it.
    pub(crate) fn revoke_scope(&self, scope: &str) {
        let mut memory = self.tokens.memory();
        memory.granted.retain(|granted| *granted != scope);
        for access in memory.access.values_mut() {
            access.scopes.remove(scope);
        }
    }

    /// Takes a right away from both callers: from the roles of the token's admin and of the app.
    pub(crate) fn deny(&self, scope: &str) {
        self.tokens.memory().denied.insert(scope.to_owned());
    }

    /// Whether the app must prove possession of a key.
    pub(crate) fn require_dpop(&self, required: bool) {
        self.tokens.memory().dpop_required = required;
    }

    /// The absolute address of a path.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.app.connection.okta.org_url)
    }
}

pub(crate) fn router(okta: Okta) -> Router {
    let api = Router::new()
        .route("/api/v1/devices", get(devices::list))
        .route(
            "/api/v1/devices/{id}",
            get(devices::read).delete(devices::delete),
        )
        .route("/api/v1/devices/{id}/users", get(devices::users))
        .route(
            "/api/v1/devices/{id}/authenticator-enrollments",
            get(devices::enrolments),
        )
        .route(
            "/api/v1/devices/{id}/lifecycle/{change}",
            post(devices::lifecycle),
        )
        .route("/api/v1/users", get(users::list))
        .route("/api/v1/users/{id}", get(users::read))
        .route("/api/v1/users/{id}/groups", get(users::groups))
        .route("/api/v1/users/{id}/devices", get(users::devices))
        .route("/api/v1/users/{id}/factors", get(users::factors))
        .route(
            "/api/v1/users/{id}/authenticator-enrollments",
            get(users::enrolments),
        )
        .route("/api/v1/users/{id}/sessions", delete(users::end_sessions))
        .route("/api/v1/groups", get(groups::list))
        .route("/api/v1/groups/rules", get(groups::rules))
        .route("/api/v1/groups/{id}", get(groups::read))
        .route("/api/v1/groups/{id}/users", get(groups::users))
        .route("/api/v1/groups/{id}/apps", get(groups::apps))
        .route("/api/v1/groups/{id}/roles", get(groups::roles))
        .route(
            "/api/v1/groups/{id}/users/{user}",
            put(groups::add).delete(groups::remove),
        )
        .route("/api/v1/apps", get(apps::list))
        .route("/api/v1/apps/{id}", get(apps::read))
        .route("/api/v1/apps/{id}/groups", get(apps::groups))
        .route("/api/v1/apps/{id}/users", get(apps::users))
        .route(
            "/api/v1/apps/{id}/policies/{policy}",
            put(apps::assign_policy),
        )
        .route("/api/v1/policies", get(policies::list))
        .route("/api/v1/policies/simulate", post(simulate::simulate))
        .route("/api/v1/policies/{id}", get(policies::read))
        .route("/api/v1/policies/{id}/rules", get(policies::rules))
        .route("/api/v1/policies/{id}/rules/{rule}", get(policies::rule))
        .route("/api/v1/policies/{id}/mappings", get(policies::mappings))
        .route("/api/v1/policies/{id}/app", get(policies::apps))
        .route("/api/v1/authenticators", get(authenticators::list))
        .route("/api/v1/authenticators/{id}", get(authenticators::read))
        .route(
            "/api/v1/authenticators/{id}/methods",
            get(authenticators::methods),
        )
        .route(
            "/api/v1/authenticators/{id}/methods/{method}",
            get(authenticators::method),
        )
        .route("/api/v1/device-assurances", get(org::nothing))
        .route("/api/v1/device-integrations", get(org::nothing))
        .route("/api/v1/logs", get(logs::list))
        .route(
            "/pki/api/v2/certificate-authorities",
            get(authorities::list),
        )
        .route(
            "/pki/api/v2/certificate-authorities/{id}",
            get(authorities::read),
        )
        .route(
            "/pki/api/v2/certificate-authorities/{id}/certificates/{ski}",
            get(authorities::certificate),
        )
        .route(
            "/pki/api/v2/certificate-authorities/{id}/registration-authorities",
            get(authorities::registration_authorities),
        )
        .fallback(no_such_path)
        .layer(from_fn_with_state(okta.clone(), guard));
    Router::new()
        .route("/.well-known/okta-organization", get(org::metadata))
        .route("/oauth2/v1/token", post(token::token))
        .merge(api)
        .merge(crate::scep::router(okta.app.clone()))
        .layer(axum::middleware::map_response(with_request_id))
        .with_state(okta)
}

/// Lets a call through if the caller is known, may do it and has budget left.
async fn guard(State(okta): State<Okta>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let caller = match auth::authenticate(&okta.app, &okta.tokens, &method, &uri, request.headers())
    {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    // Without limits nothing is told about them either: a client that paces itself by the headers must not.
    let mut response = if okta.app.faults.rate_limits_lifted() {
        next.run(request).await
    } else {
        let budget = budget::spend(&okta.app.limits, &caller.principal, &method, uri.path());
        let mut response = if budget.exceeded {
            let summary = "API call exceeded rate limit due to too many requests.";
            OktaError::new(429, "E0000047", summary).into_response()
        } else {
            next.run(request).await
        };
        let now = okta.app.server_now(crate::ledger::Server::Okta);
        budget::show(response.headers_mut(), budget, now);
        response
    };
    response.extensions_mut().insert(Authenticated);
    response
}

async fn no_such_path() -> OktaError {
    OktaError::new(
        404,
        "E0000008",
        "The requested path was not found: Invalid Path",
    )
}

async fn with_request_id(mut response: Response) -> Response {
    let id = uuid::Uuid::now_v7().simple().to_string();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-okta-request-id"), value);
    }
    response
}

#[cfg(test)]
mod tests;
