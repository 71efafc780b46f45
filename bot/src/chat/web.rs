//! HTTP mode: POST `/slack/events`, `/slack/interactions` and `/slack/commands`, signed by Slack.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::{DateTime, Utc};
use connectors::slack::{Answer, EventSink, Incoming, verify_signature};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// Slack's largest payloads are forms of a few kilobytes.
const LARGEST_BODY: usize = 64 * 1024;

/// What the routes need.
#[derive(Clone)]
struct Gate {
    secret: SecretString,
    sink: Arc<dyn EventSink>,
}

/// The signed routes.
pub fn router(secret: SecretString, sink: Arc<dyn EventSink>) -> Router {
    Router::new()
        .route("/slack/events", post(events))
        .route("/slack/interactions", post(interactions))
        .route("/slack/commands", post(commands))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Gate { secret, sink })
}

async fn events(State(gate): State<Gate>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = gate.admit(&headers, &body) {
        return refused.into_response();
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if event["type"] == "url_verification" {
        return Json(json!({ "challenge": event["challenge"] })).into_response();
    }
    StatusCode::OK.into_response()
}

async fn interactions(State(gate): State<Gate>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = gate.admit(&headers, &body) {
        return refused.into_response();
    }
    let fields = form(&body);
    let payload = fields
        .get("payload")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Ok(payload) = serde_json::from_str(payload) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    gate.hand_over(Incoming::interaction(payload)).await
}

async fn commands(State(gate): State<Gate>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = gate.admit(&headers, &body) {
        return refused.into_response();
    }
    let fields = form(&body);
    if fields.contains_key("ssl_check") {
        return StatusCode::OK.into_response();
    }
    gate.hand_over(Incoming::command(Value::Object(fields)))
        .await
}

impl Gate {
    /// Lets in what Slack signed within the last five minutes.
    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), StatusCode> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(timestamp), Some(signature)) = (
            header("x-slack-request-timestamp"),
            header("x-slack-signature"),
        ) else {
            return Err(StatusCode::UNAUTHORIZED);
        };
        // Slack signs with real time, whatever our own clock does.
        verify_signature(
            &self.secret,
            timestamp,
            signature,
            body,
            DateTime::<Utc>::from(SystemTime::now()),
        )
        .map_err(|error| {
            tracing::warn!(%error, "a request to a Slack route was refused");
            StatusCode::UNAUTHORIZED
        })
    }

    async fn hand_over(&self, event: Result<Incoming, connectors::slack::Unreadable>) -> Response {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::error!(%error, "a signed request lacks what is needed");
                return StatusCode::BAD_REQUEST.into_response();
            }
        };
        match self.sink.take(event).await {
            Answer::Taken => StatusCode::OK.into_response(),
            Answer::Reply(text) => {
                Json(json!({ "response_type": "ephemeral", "text": text })).into_response()
            }
            Answer::Errors(errors) => {
                Json(json!({ "response_action": "errors", "errors": errors })).into_response()
            }
            Answer::NotTaken => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

/// Fields of a form; of a repeated one the last.
fn form(body: &[u8]) -> Map<String, Value> {
    url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect()
}
