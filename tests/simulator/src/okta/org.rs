//! Facts of the org itself, and what is switched off in it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Okta;

/// Answers without credentials.
pub(super) async fn metadata(State(okta): State<Okta>) -> Response {
    let id = &okta.app.connection.okta.org_id;
    let organization = json!({"href": okta.url("")});
    Json(json!({"id": id, "_links": {"organization": organization}, "pipeline": "idx"}))
        .into_response()
}

/// A kind of object of which this org has none.
pub(super) async fn nothing() -> Response {
    Json(json!([])).into_response()
}
