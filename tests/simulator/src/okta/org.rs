//! Facts of the org itself, and what is switched off in it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use serde_json::json;

use super::Okta;
use super::error::{Answer, OktaError};
use super::page::time;
use crate::world::Issuer;

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

/// Early Access: a path that does not exist where it is off.
pub(super) async fn certificate_authorities(State(okta): State<Okta>) -> Answer {
    okta.app.world.with(|state| {
        if !state.org.ca_api {
            return Err(OktaError::new(
                404,
                "E0000008",
                "The requested path was not found: Invalid Path",
            ));
        }
        let created = state.okta_verify.created;
        let instance = &state.org.ca_instance;
        Ok(Json(json!({"data": [{
            "authorityInstanceId": instance,
            "type": "INTERMEDIATE",
            "caType": "OKTA_AS_CA",
            "subject": state.org.issuer_name(Issuer::Org),
            "certificates": [{
                "ski": instance, "aki": instance, "authorityInstanceId": instance,
                "caType": "OKTA_AS_CA", "createdDate": time(created), "rotationState": "ACTIVE",
                "expirationDate": time(created + Duration::days(5 * 365)),
            }],
        }]}))
        .into_response())
    })
}
