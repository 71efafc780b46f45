//! Apple's push certificate, by which Intune reaches Macs.

use axum::extract::State as FromState;
use chrono::Duration;
use serde_json::json;

use super::Api;
use super::answer::{Answer, Refusal, ok};
use crate::scalar::rfc3339;

const READ: [&str; 1] = ["DeviceManagementServiceConfig.Read.All"];
/// Apple gives such certificates for a year.
const LIFE: Duration = Duration::days(365);

/// `GET /deviceManagement/applePushNotificationCertificate`.
pub(super) async fn read(FromState(api): FromState<Api>) -> Answer {
    let row = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let ends = state.mdm.intune.push_certificate_expires;
        let ends =
            ends.ok_or_else(|| Refusal::intune_missing("applePushNotificationCertificate"))?;
        Ok::<_, Refusal>(json!({
            "id": state.org.tenant_id, "appleIdentifier": "mdm@acme.example",
            "topicIdentifier": format!("com.apple.mgmt.External.{}", state.org.tenant_id),
            "lastModifiedDateTime": rfc3339(ends - LIFE), "expirationDateTime": rfc3339(ends),
            "certificateUploadStatus": null, "certificateUploadFailureReason": null,
            "certificateSerialNumber": null, "certificate": null,
        }))
    })?;
    ok(&row)
}
