//! Okta's error bodies: stable codes, and ids that support asks for.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error of the management API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OktaError {
    pub status: u16,
    pub code: &'static str,
    pub summary: String,
    pub causes: Vec<String>,
}

pub(super) type Answer = Result<Response, OktaError>;

impl OktaError {
    pub(super) fn new(status: u16, code: &'static str, summary: impl Into<String>) -> Self {
        Self {
            status,
            code,
            summary: summary.into(),
            causes: Vec::new(),
        }
    }

    pub(super) fn not_found(id: &str, kind: &str) -> Self {
        Self::new(
            404,
            "E0000007",
            format!("Not found: Resource not found: {id} ({kind})"),
        )
    }

    pub(super) fn invalid(field: &str, cause: impl Into<String>) -> Self {
        Self {
            causes: vec![cause.into()],
            ..Self::new(400, "E0000001", format!("Api validation failed: {field}"))
        }
    }

    pub(super) fn forbidden() -> Self {
        Self::new(
            403,
            "E0000006",
            "You do not have permission to perform the requested action",
        )
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(401, "E0000011", "Invalid token provided")
    }
}

impl IntoResponse for OktaError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let causes: Vec<_> = self
            .causes
            .iter()
            .map(|cause| json!({"errorSummary": cause}))
            .collect();
        let body = json!({
            "errorCode": self.code,
            "errorSummary": self.summary,
            "errorLink": self.code,
            "errorId": format!("oae{}", uuid::Uuid::now_v7().simple()),
            "errorCauses": causes,
        });
        (status, Json(body)).into_response()
    }
}

/// An OAuth failure on an API call: told in the body and in `WWW-Authenticate`.
pub(super) fn oauth_refusal(status: u16, scheme: &str, error: &str, description: &str) -> Response {
    let mut response = match error {
        "insufficient_scope" => OktaError {
            causes: Vec::new(),
            ..OktaError::new(
                403,
                "E0000006",
                "You do not have permission to perform the requested action",
            )
        }
        .into_response(),
        "invalid_token" => OktaError::invalid_token().into_response(),
        _ => oauth_error(status, error, description),
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let challenge = format!("{scheme} error=\"{error}\", error_description=\"{description}\"");
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("www-authenticate"), value);
    }
    response
}

/// An error of the token endpoint.
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({"error": error, "error_description": description});
    (status, Json(body)).into_response()
}
