//! Graph's error bodies, and the throttling that Intune dresses up as a server error.

use std::time::Duration;

use serde_json::Value;

use crate::{ConnectorError, error::ErrorKind};

/// Intune's broker says so with status 500.
const BROKER_LIMIT: &str = "Rate limit reached because of too many requests to query broker";
/// It names no time.
const BROKER_WAIT: Duration = Duration::from_secs(30);

/// Graph's own words: code and message. Intune puts a JSON text into the message; Entra's token endpoint sends OAuth
/// errors.
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    if let Some(code) = answer["error"].as_str() {
        let words = answer["error_description"].as_str().unwrap_or_default();
        // The trace ids that follow are no words.
        let words = words.split(" Trace ID").next().unwrap_or_default();
        return Some(format!("{code}: {}", words.trim()));
    }
    let error = &answer["error"];
    let message = error["message"].as_str().map(plain_message);
    match (error["code"].as_str(), message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(code), None) => Some(code.to_owned()),
        (None, message) => message,
    }
}

fn plain_message(message: &str) -> String {
    let inner: Option<Value> = serde_json::from_str(message).ok();
    let inner = inner.as_ref().and_then(|inner| inner["Message"].as_str());
    let words = inner.unwrap_or(message);
    let words = words.split(" - Operation ID").next().unwrap_or(words);
    words.trim().to_owned()
}

/// A write that the broker turned away was not done: wait, instead of "it may have taken effect".
pub(super) fn settle(mut error: ConnectorError) -> ConnectorError {
    if let ErrorKind::Transient { detail, .. } = &error.kind
        && detail.contains(BROKER_LIMIT)
    {
        error.kind = ErrorKind::RateLimited {
            retry_after: BROKER_WAIT,
        };
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_are_found_in_every_shape() {
        let nested = r#"{"error":{"code":"Forbidden","message":"{\"_version\":3,\"Message\":\"Application is not authorized to perform this operation. - Operation ID (for customer support): 000 - Activity ID: 1\"}"}}"#;
        for (body, expected) in [
            (
                nested,
                Some("Forbidden: Application is not authorized to perform this operation."),
            ),
            (
                r#"{"error":{"code":"Request_ResourceNotFound","message":"Resource 'x' does not exist"}}"#,
                Some("Request_ResourceNotFound: Resource 'x' does not exist"),
            ),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: 1"}"#,
                Some("invalid_client: AADSTS7000215: Invalid client secret provided."),
            ),
            (r#"{"error":{"code":"x"}}"#, Some("x")),
            (r#"{}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(reason(body.as_bytes()).as_deref(), expected);
        }
    }

    #[test]
    fn broker_limit_is_a_wait_and_other_failures_stay_unclear() {
        let failed = |detail: &str| {
            let kind = ErrorKind::Transient {
                detail: detail.to_owned(),
                maybe_sent: true,
            };
            settle(ConnectorError::new("intune: POST x", kind))
        };
        let limited = failed(&format!(
            "status 500: InternalServerError: {BROKER_LIMIT}. Please retry"
        ));
        assert!(matches!(limited.kind, ErrorKind::RateLimited { .. }));
        assert!(!limited.is_unclear());
        assert!(failed("status 500").is_unclear());
    }
}
