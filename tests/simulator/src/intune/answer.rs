//! Answers and errors in Graph's shape. Intune hides a second JSON document in its error messages.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Api;
use crate::ledger::RequestId;
use crate::world::State;

/// What a handler answers.
pub(super) type Answer = Result<Response, Refusal>;

/// An error answer, completed with the request's ids before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Whether Intune answers, which nests its text.
    intune: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            intune: false,
        }
    }

    /// 400 of the gateway.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// An error of Intune itself.
    pub(super) fn intune(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            intune: true,
            ..Self::new(status, code, message)
        }
    }

    /// 404 of Intune.
    pub(super) fn intune_missing(id: &str) -> Self {
        let message = format!("Entity with id {id} not found.");
        Self::intune(StatusCode::NOT_FOUND, "ResourceNotFound", message)
    }

    /// 404 of the directory: the same text for a missing group, member or object.
    pub(super) fn directory_missing(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are \
             not present."
        );
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every answer its request ids, and every refusal its body.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let number = request.extensions().get::<RequestId>().map_or(0, |id| id.0);
    let id =
        Uuid::from_u128(u128::from(number) | 0x5100_0000_0000_4000_8000_0000_0000_0000).to_string();
    let client_id = request
        .headers()
        .get("client-request-id")
        .cloned()
        .or_else(|| HeaderValue::from_str(&id).ok());
    let mut response = next.run(request).await;
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        let client = client_id
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let body = refusal.body(&id, client).to_string();
        *response.body_mut() = Body::from(body);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("request-id", value);
    }
    if let Some(value) = client_id {
        headers.insert("client-request-id", value);
    }
    response
}

impl Refusal {
    fn body(&self, id: &str, client: &str) -> Value {
        let message = match self.intune {
            false => self.message.clone(),
            true => json!({
                "_version": 3,
                "Message": format!(
                    "{} - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000 \
                     - Activity ID: {id} - Url: https://fef.msub01.manage.microsoft.com/simulated",
                    self.message
                ),
                "CustomApiErrorPhrase": "", "RetryAfter": null, "ErrorSourceService": "",
                "HttpHeaders": "{}",
            })
            .to_string(),
        };
        json!({"error": {"code": self.code, "message": message,
            "innerError": {"request-id": id, "client-request-id": client}}})
    }
}

impl Api {
    /// Refuses with Intune's 403 unless the app has one of these application permissions.
    pub(super) fn require(state: &State, any_of: &[&str]) -> Result<(), Refusal> {
        let missing = &state.mdm.intune.missing_roles;
        if any_of.iter().any(|role| !missing.contains(*role)) {
            return Ok(());
        }
        let message = format!(
            "Application is not authorized to perform this operation. Application must have one of \
             the following scopes: {}",
            any_of.join(", ")
        );
        Err(Refusal::intune(StatusCode::FORBIDDEN, "Forbidden", message))
    }

    /// Refuses with the directory's 403, which names no permission.
    pub(super) fn require_directory(state: &State, any_of: &[&str]) -> Result<(), Refusal> {
        let missing = &state.mdm.intune.missing_roles;
        match any_of.iter().any(|role| !missing.contains(*role)) {
            true => Ok(()),
            false => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            )),
        }
    }
}

/// A JSON answer.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json;odata.metadata=minimal")];
    (status, headers, body.to_string()).into_response()
}

/// 200 with JSON.
pub(super) fn ok(body: &Value) -> Answer {
    Ok(json_answer(StatusCode::OK, body))
}

/// 204.
pub(super) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A short collection that needs no paging.
pub(super) fn collection(rows: Vec<Value>) -> Answer {
    ok(&json!({"@odata.count": rows.len(), "value": rows}))
}
