//! `$batch`: up to 20 requests in one, each throttled and answered by itself.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use super::answer::{Answer, Refusal, ok};
use super::{Api, Version, in_segments};
use crate::faults::Fault;
use crate::ledger::{RequestId, Server};

const MOST: usize = 20;

/// The envelope.
#[derive(Deserialize)]
pub(super) struct Batch {
    requests: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    depends_on: Vec<String>,
}

/// Runs the items in order and answers them by id.
pub(super) async fn run(
    version: Version,
    graph: Router,
    State(api): State<Api>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    Json(batch): Json<Batch>,
) -> Answer {
    if batch.requests.len() > MOST {
        let message = format!("Number of batch request steps exceeds the maximum value of {MOST}.");
        return Err(Refusal::bad_request(message));
    }
    let mut ids: Vec<&str> = batch.requests.iter().map(|item| &*item.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::bad_request(
            "Request ids of a batch must be unique.",
        ));
    }
    let mut responses: Vec<Value> = Vec::new();
    for item in &batch.requests {
        let depends_on_failure = item.depends_on.iter().any(|id| {
            let earlier = responses.iter().find(|response| response["id"] == **id);
            earlier.is_none_or(|response| response["status"].as_u64() >= Some(400))
        });
        let response = match depends_on_failure {
            true => error(&item.id, 424, "FailedDependency", "A dependency failed."),
            false => answer(version, &graph, &api, request, &headers, item).await,
        };
        responses.push(response);
    }
    // The order of the answers is not the order of the requests.
    responses.reverse();
    ok(&json!({"responses": responses}))
}

async fn answer(
    version: Version,
    graph: &Router,
    api: &Api,
    request: RequestId,
    headers: &HeaderMap,
    item: &Item,
) -> Value {
    if !item.url.starts_with('/') {
        return error(
            &item.id,
            400,
            "BadRequest",
            "Resource not found for the segment 'https:'.",
        );
    }
    let has_type = item
        .headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("content-type"));
    if item.body.is_some() && !has_type {
        return error(
            &item.id,
            400,
            "BadRequest",
            "A body needs a Content-Type header.",
        );
    }
    let path = format!("{}{}", version.path(), item.url);
    match api.app.faults.strike(Server::Graph, &item.method, &path) {
        Some(Fault::Status(status)) => {
            return error(
                &item.id,
                status,
                "ServiceUnavailable",
                "The service failed.",
            );
        }
        Some(Fault::RateLimited { reset_in }) => {
            let mut refused = error(&item.id, 429, "TooManyRequests", "Too many requests.");
            refused["headers"]["Retry-After"] = reset_in.to_string().into();
            return refused;
        }
        _ => {}
    }
    let body = item.body.as_ref().map(Value::to_string).unwrap_or_default();
    let mut inner = Request::builder()
        .method(&*item.method)
        .uri(path.replace(' ', "%20"));
    if let Some(token) = headers.get(AUTHORIZATION) {
        inner = inner.header(AUTHORIZATION, token);
    }
    let inner = inner
        .header(CONTENT_TYPE, "application/json")
        .extension(request)
        .body(Body::from(body));
    let Ok(inner) = inner else {
        return error(&item.id, 400, "BadRequest", "The request is malformed.");
    };
    let response = match graph.clone().oneshot(in_segments(inner)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let mut answered = json!({"id": item.id, "status": status.as_u16(), "headers": {}});
    if let Some(after) = response.headers().get(RETRY_AFTER) {
        answered["headers"]["Retry-After"] = after.to_str().unwrap_or_default().into();
    }
    let bytes: Bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap_or_default();
    if status != StatusCode::NO_CONTENT {
        answered["headers"]["Content-Type"] = "application/json".into();
        answered["body"] = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    }
    answered
}

fn error(id: &str, status: u16, code: &str, message: &str) -> Value {
    json!({"id": id, "status": status, "headers": {"Content-Type": "application/json"},
        "body": {"error": {"code": code, "message": message, "innerError": {}}}})
}
