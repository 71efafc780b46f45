//! What all servers share: the state handed to handlers, and the layer that records every request,
//! injects faults and stamps the simulated `Date`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as FromState};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::Connection;
use crate::clock::SimClock;
use crate::faults::{Fault, Faults};
use crate::ledger::{Ledger, Server};
use crate::limits::RateWindows;
use crate::serve::LineCut;
use crate::world::World;

/// The largest body a server reads.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What every handler gets.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    pub world: World,
    pub clock: SimClock,
    pub ledger: Ledger,
    pub faults: Faults,
    pub limits: RateWindows,
    /// The credentials that were given out, and the servers' own addresses.
    pub connection: Arc<Connection>,
    /// Cancelled when the simulator stops.
    pub stopping: CancellationToken,
}

impl AppState {
    /// The time by this server's own clock.
    pub(crate) fn server_now(&self, server: Server) -> DateTime<Utc> {
        self.clock.now() + self.faults.clock_error(server)
    }
}

/// A response extension: the server accepted the caller's credentials.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticated;

/// A response extension: send the answer as it is and keep nothing of it (protocol upgrades).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unbuffered;

#[derive(Clone)]
struct Recorder {
    state: AppState,
    server: Server,
}

/// Wraps a server's routes. Handlers find a [`RequestId`](crate::ledger::RequestId) in the request's
/// extensions, and mark their responses with [`Authenticated`].
pub(crate) fn recorded(router: axum::Router, server: Server, state: AppState) -> axum::Router {
    router.layer(from_fn_with_state(Recorder { state, server }, record))
}

async fn record(
    FromState(recorder): FromState<Recorder>,
    request: Request,
    next: Next,
) -> Response {
    let Recorder { state, server } = recorder;
    let (mut parts, body) = request.into_parts();
    let method = parts.method.clone();
    let path = parts
        .uri
        .path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string);
    let body = axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let id = state
        .ledger
        .open(state.clock.now(), server, method.as_str(), &path, text);
    let fault = state.faults.strike(server, method.as_str(), &path);
    let line = parts
        .extensions
        .get::<axum::extract::ConnectInfo<LineCut>>()
        .map(|info| info.0.clone());
    parts.extensions.insert(id);

    let fault_name = fault.as_ref().map(|fault| format!("{fault:?}"));
    if let Some(response) = fault
        .as_ref()
        .and_then(|fault| answer_before(fault, server, &state))
    {
        state
            .ledger
            .close(id, Some(response.status().as_u16()), false, fault_name);
        return stamped(response, server, &state);
    }
    match &fault {
        Some(Fault::TimeoutBefore) => {
            state.ledger.close(id, None, false, fault_name);
            return withhold(&state).await;
        }
        Some(Fault::Cut) => {
            state.ledger.close(id, None, false, fault_name);
            return cut(line);
        }
        Some(Fault::Slow(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let authenticated = response.extensions().get::<Authenticated>().is_some();
    let status = response.status().as_u16();
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        || response.extensions().get::<Unbuffered>().is_some()
    {
        state
            .ledger
            .close(id, Some(status), authenticated, fault_name);
        return response;
    }
    let withheld = matches!(fault, Some(Fault::TimeoutAfter | Fault::CutAfter));
    state
        .ledger
        .close(id, (!withheld).then_some(status), authenticated, fault_name);
    let response = match fault {
        Some(Fault::TimeoutAfter) => return withhold(&state).await,
        Some(Fault::CutAfter) => return cut(line),
        Some(Fault::StatusAfterEffect(status)) => error_answer(server, status),
        Some(Fault::Malformed) => with_body(response, "{\"value\":[{\"id\":".into()),
        Some(Fault::Truncated) => truncated(response).await,
        _ => response,
    };
    stamped(response, server, &state)
}

fn answer_before(fault: &Fault, server: Server, state: &AppState) -> Option<Response> {
    match fault {
        Fault::Status(status) => Some(error_answer(server, *status)),
        Fault::RateLimited { reset_in } => {
            let mut response = error_answer(server, 429);
            let now = state.server_now(server);
            rate_limit_headers(response.headers_mut(), server, *reset_in, now);
            Some(response)
        }
        _ => None,
    }
}

/// How each vendor says that the budget is used up.
pub(crate) fn rate_limit_headers(
    headers: &mut HeaderMap,
    server: Server,
    reset_in: u64,
    now: DateTime<Utc>,
) {
    match server {
        Server::Okta => {
            headers.insert(HeaderName::from_static("x-rate-limit-limit"), 100.into());
            headers.insert(HeaderName::from_static("x-rate-limit-remaining"), 0.into());
            let reset = now.timestamp() + i64::try_from(reset_in).unwrap_or(60);
            headers.insert(HeaderName::from_static("x-rate-limit-reset"), reset.into());
        }
        Server::Graph | Server::Slack | Server::Jamf => {
            headers.insert(HeaderName::from_static("retry-after"), reset_in.into());
        }
    }
}

/// An error in the vendor's own shape.
pub(crate) fn error_answer(server: Server, status: u16) -> Response {
    let (content_type, body) = match server {
        Server::Okta => {
            let (code, summary) = match status {
                429 => (
                    "E0000047",
                    "API call exceeded rate limit due to too many requests.",
                ),
                503 => ("E0000010", "Service is in read only mode"),
                _ => ("E0000009", "Internal Server Error"),
            };
            let body = serde_json::json!({
                "errorCode": code, "errorSummary": summary, "errorLink": code,
                "errorId": "oaeInjectedFault0000", "errorCauses": [],
            });
            ("application/json", body.to_string())
        }
        Server::Graph => {
            let code = match status {
                429 => "TooManyRequests",
                503 => "ServiceUnavailable",
                _ => "InternalServerError",
            };
            let body = serde_json::json!({"error": {"code": code, "message": "The service failed.",
                "innerError": {"request-id": "injected", "client-request-id": "injected"}}});
            ("application/json", body.to_string())
        }
        Server::Jamf => (
            "text/html;charset=UTF-8",
            format!(
                "<html><head><title>Status page</title></head><body><p>Error {status}</p></body></html>"
            ),
        ),
        Server::Slack => ("text/plain", "server error".to_owned()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn with_body(response: Response, body: Bytes) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

/// Announces the whole answer and sends half of it.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    parts
        .headers
        .insert(CONTENT_LENGTH, (whole.len() + 2).into());
    let half = whole.slice(..whole.len() / 2);
    // The pause lets the server send the half before the error ends the connection.
    let break_off = async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut short"))
    };
    let chunks = stream::iter([Ok(half)]).chain(stream::once(break_off));
    Response::from_parts(parts, Body::from_stream(chunks))
}

/// Says nothing until the caller gives up or the simulator stops.
async fn withhold(state: &AppState) -> Response {
    let patience = tokio::time::sleep(Duration::from_secs(600));
    tokio::select! {
        () = patience => {}
        () = state.stopping.cancelled() => {}
    }
    error_answer(Server::Slack, 504)
}

fn cut(line: Option<LineCut>) -> Response {
    if let Some(line) = line {
        line.cut();
    }
    Response::new(Body::empty())
}

fn stamped(mut response: Response, server: Server, state: &AppState) -> Response {
    response
        .headers_mut()
        .insert(DATE, http_date(state.server_now(server)));
    response
}

/// A time as HTTP headers write it.
pub(crate) fn http_date(at: DateTime<Utc>) -> HeaderValue {
    HeaderValue::from_str(&at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .expect("a formatted date is ASCII")
}
