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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use ring::hmac;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<Incoming>>);

    #[async_trait]
    impl EventSink for Seen {
        async fn take(&self, event: Incoming) -> Answer {
            self.0.lock().unwrap().push(event);
            Answer::Reply("noted".into())
        }
    }

    const COMMAND: &str =
        "command=%2Funstuck&text=stop+all+why&user_id=U1&channel_id=C1&trigger_id=1.2&team_id=T1";

    /// Delivers a command that was signed with `secret`, `age` seconds ago.
    async fn deliver(secret: &str, age: i64, body: &'static str) -> (StatusCode, usize) {
        let seen = Arc::new(Seen::default());
        let gate = Gate {
            secret: SecretString::from("s3cret"),
            sink: Arc::clone(&seen) as _,
        };
        let timestamp = (DateTime::<Utc>::from(SystemTime::now()).timestamp() - age).to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, format!("v0:{timestamp}:{body}").as_bytes());
        let mut headers = HeaderMap::new();
        headers.insert("x-slack-request-timestamp", timestamp.parse().unwrap());
        headers.insert(
            "x-slack-signature",
            format!("v0={}", hex::encode(signature)).parse().unwrap(),
        );
        let answer = commands(State(gate), headers, Bytes::from_static(body.as_bytes())).await;
        (answer.status(), seen.0.lock().unwrap().len())
    }

    #[tokio::test]
    async fn a_signed_command_is_handed_over() {
        assert_eq!(deliver("s3cret", 0, COMMAND).await, (StatusCode::OK, 1));
    }

    #[tokio::test]
    async fn a_forged_or_replayed_command_is_not() {
        assert_eq!(
            deliver("other", 0, COMMAND).await,
            (StatusCode::UNAUTHORIZED, 0)
        );
        assert_eq!(
            deliver("s3cret", 301, COMMAND).await,
            (StatusCode::UNAUTHORIZED, 0)
        );
    }

    #[tokio::test]
    async fn a_signed_request_without_what_is_needed_is_refused() {
        assert_eq!(
            deliver("s3cret", 0, "text=stop").await,
            (StatusCode::BAD_REQUEST, 0)
        );
    }
}
