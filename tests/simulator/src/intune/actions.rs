//! Harmless actions on managed devices: sync, and the device category that filters look at.

use axum::extract::{Path, State as FromState};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal, collection, no_content, ok};
use super::forbidden;
use crate::ledger::RequestId;

const PRIVILEGED: [&str; 1] = ["DeviceManagementManagedDevices.PrivilegedOperations.All"];

/// Binding this id is thought to clear a category. UNVERIFIED
const NO_CATEGORY: &str = "00000000-0000-0000-0000-000000000000";

/// A reference to another entity.
#[derive(Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "@odata.id")]
    id: String,
}

impl Reference {
    /// The last segment of the address.
    pub(super) fn target(&self) -> &str {
        let last = self.id.trim_end_matches('/').rsplit('/').next();
        let last = last.unwrap_or_default();
        let keyed = last
            .split("('")
            .nth(1)
            .map(|key| key.trim_end_matches("')"));
        keyed.unwrap_or(last)
    }
}

/// `POST …/managedDevices/executeAction`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BulkBody {
    action_name: String,
    device_ids: Vec<String>,
}

/// `POST …/managedDevices/{id}/syncDevice`: 204 means accepted, not done.
pub(super) async fn sync(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require(state, &PRIVILEGED)?;
        state.managed_device(&id)?;
        state.intune_ask_sync(&id);
        state.effect("intune.device.sync", &*id, "quiet", "asked");
        Ok::<_, Refusal>(())
    })?;
    no_content()
}

/// `POST …/managedDevices/executeAction`: the same call can sync and wipe.
pub(super) async fn execute(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Json(body): Json<BulkBody>,
) -> Answer {
    let result = api.app.world.on_behalf_of(request, |state| {
        Api::require(state, &PRIVILEGED)?;
        let (mut done, mut unknown) = (Vec::new(), Vec::new());
        for id in &body.device_ids {
            let Some(device) = state.intune.get(id) else {
                unknown.push(id);
                continue;
            };
            let machine = device.machine;
            match forbidden::harm_of(&body.action_name) {
                Some(harm) => {
                    let kind = format!("graph.device.{}", body.action_name);
                    state.harm(&kind, id, Some(machine), harm);
                }
                None if body.action_name == "syncDevice" => {
                    state.intune_ask_sync(id);
                    state.effect("intune.device.sync", &**id, "quiet", "asked");
                }
                None => {
                    let message = format!("{} is not an action.", body.action_name);
                    return Err(Refusal::bad_request(message));
                }
            }
            done.push(id);
        }
        Ok(json!({"successfulDeviceIds": done, "failedDeviceIds": [],
            "notFoundDeviceIds": unknown, "notSupportedDeviceIds": []}))
    })?;
    ok(&json!({"value": result}))
}

/// `GET /deviceManagement/deviceCategories`.
pub(super) async fn categories(FromState(api): FromState<Api>) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        let categories = state.categories.values();
        categories
            .map(|category| {
                json!({"id": category.id, "displayName": category.name, "description": ""})
            })
            .collect()
    });
    collection(rows)
}

/// `PUT …/managedDevices/{id}/deviceCategory/$ref`: filters see it at the next check-in.
pub(super) async fn set_category(
    FromState(api): FromState<Api>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    Json(body): Json<Reference>,
) -> Answer {
    api.app.world.on_behalf_of(request, |state| {
        Api::require(state, &["DeviceManagementManagedDevices.ReadWrite.All"])?;
        let wanted = body.target();
        let after = match wanted {
            NO_CATEGORY => None,
            wanted if state.categories.contains_key(wanted) => Some(wanted.to_owned()),
            wanted => {
                let message = format!("Category {wanted} does not exist.");
                return Err(Refusal::intune(
                    StatusCode::BAD_REQUEST,
                    "BadRequest",
                    message,
                ));
            }
        };
        state.managed_device(&id)?;
        let device = state.intune.get_mut(&id);
        let before = device.and_then(|device| {
            let before = device.category.take();
            device.category.clone_from(&after);
            before
        });
        let word = |category: Option<String>| category.unwrap_or_else(|| "none".to_owned());
        state.effect("intune.device.category", &*id, word(before), word(after));
        Ok(())
    })?;
    no_content()
}
