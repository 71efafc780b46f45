//! The SCEP endpoint of the Okta org (RFC 8894), as far as a probe may ask it: capabilities and the
//! authority's certificates. Enrolment itself happens inside the world.

mod certificate;
mod der;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::http::AppState;
use crate::ledger::RequestId;
use crate::world::{Challenge, ScepConfiguration, State as WorldState};

pub(crate) use certificate::{Content, Key, Name, certificate};

/// What Okta was seen to answer: no renewal, no AES, an empty line at the end.
const CAPABILITIES: &str = "POSTPKIOperation\nSHA-512\nSHA-256\n\n";

/// Every route of the endpoint. None needs credentials but the challenge.
pub(crate) fn router<S>(app: AppState) -> Router<S> {
    let endpoint = get(answer).post(answer);
    Router::new()
        .route("/pki/{authority}/scep/{configuration}", endpoint.clone())
        // Windows appends this.
        .route(
            "/pki/{authority}/scep/{configuration}/pkiclient.exe",
            endpoint,
        )
        // Where the challenge of a configuration lives is UNVERIFIED.
        .route(
            "/pki/{authority}/scep/{configuration}/challenge",
            get(challenge),
        )
        .with_state(app)
}

async fn answer(
    State(app): State<AppState>,
    Path((authority, configuration)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    request: Extension<RequestId>,
) -> Response {
    let query = query.unwrap_or_default();
    let operation = url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "operation")
        .map(|(_, value)| value.into_owned());
    app.world.on_behalf_of(request.0, |state| {
        let Some(found) = known(state, &authority, &configuration) else {
            return no_such_page();
        };
        match (&method, operation.as_deref()) {
            (&Method::GET, Some("GetCACaps")) => {
                ([(CONTENT_TYPE, "text/plain")], CAPABILITIES).into_response()
            }
            (&Method::GET, Some("GetCACert")) => certificates(state, found),
            // Whoever only looks must not enrol: the record shows it.
            (_, Some("PKIOperation")) => {
                let id = found.id.to_string();
                state.effect("forbidden.scep.enrol", id, "not asked", "asked");
                (StatusCode::BAD_REQUEST, "badRequest").into_response()
            }
            _ => (StatusCode::BAD_REQUEST, "Unknown operation").into_response(),
        }
    })
}

/// One certificate alone, or the authority's with the registration authority's in a bundle.
fn certificates(state: &WorldState, found: &ScepConfiguration) -> Response {
    let Some(authority) = state.org.pki.certificate(&found.aki) else {
        return no_such_page();
    };
    let (kind, body) = match &found.registration {
        None => ("application/x-x509-ca-cert", authority.der.to_vec()),
        Some(registration) => (
            "application/x-x509-ca-ra-cert",
            certificate::bundle(&[&authority.der, registration]),
        ),
    };
    ([(CONTENT_TYPE, kind)], body).into_response()
}

/// Calling this uses a challenge up, whoever calls: a probe never may.
async fn challenge(
    State(app): State<AppState>,
    Path((authority, configuration)): Path<(String, String)>,
    request: Extension<RequestId>,
) -> Response {
    app.world.on_behalf_of(request.0, |state| {
        let found = known(state, &authority, &configuration)
            .filter(|found| found.challenge == Challenge::Dynamic);
        let Some(id) = found.map(|found| found.id.to_string()) else {
            return no_such_page();
        };
        state.effect("forbidden.scep.challenge", id, "unused", "used up");
        let token = state.ids.secret(43);
        let page = format!(
            "<HTML><BODY>The enrollment challenge password is: <B> {token} </B></BODY></HTML>"
        );
        ([(CONTENT_TYPE, "text/html; charset=windows-1252")], page).into_response()
    })
}

fn known<'a>(
    state: &'a WorldState,
    authority: &str,
    configuration: &str,
) -> Option<&'a ScepConfiguration> {
    state.org.pki.configurations.iter().find(|found| {
        *found.id == *configuration
            && found.authority.eq_ignore_ascii_case(authority)
            && !found.deleted
    })
}

/// The org's page for addresses it does not know.
fn no_such_page() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Page not found</title></head>\
        <body><h1>Page not found</h1></body></html>";
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}
