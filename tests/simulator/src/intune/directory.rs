//! The directory's device objects, users and the tenant. A device's `id` is what groups hold, its
//! `deviceId` is what Intune shows.

use axum::Json;
use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, collection, ok};
use super::query::{Options, Query};
use super::{Api, Version};
use crate::scalar::{Scalar, rfc3339};
use crate::world::{IntuneDevice, Mdm, Person, State};

const READ: [&str; 2] = ["Device.Read.All", "Device.ReadWrite.All"];

/// The directory's default page.
const PAGE: usize = 999;

/// A device that is not registered in Entra shows this `deviceId`.
const UNREGISTERED: &str = "00000000-0000-0000-0000-000000000000";

/// `POST /devices/{id}/checkMemberGroups`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckBody {
    group_ids: Vec<String>,
}

/// `GET /devices`.
pub(super) async fn devices(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    options.allow_filter(&["id", "deviceId", "displayName"])?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        let rows = state
            .devices_after(options.after())
            .filter(|device| is_registered(device))
            .filter(|device| {
                let field = |name: &str| match name {
                    "id" => device.entra_object_id.as_str().into(),
                    "deviceId" => device.entra_device_id.as_str().into(),
                    "displayName" => state.machine(device.machine).name.as_str().into(),
                    _ => Scalar::Absent,
                };
                options.admits("microsoft.graph.device", &field)
            })
            .map(|device| (device.id.clone(), device_row(state, device)));
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// `GET /devices/{id}`.
pub(super) async fn device(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    one_device(&api, &query, &id, |device| device.entra_object_id == id)
}

/// `GET /devices(deviceId='…')`.
pub(super) async fn device_by_device_id(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    one_device(&api, &query, &id, |device| {
        device.entra_device_id.eq_ignore_ascii_case(&id)
    })
}

fn one_device(
    api: &Api,
    query: &Query,
    id: &str,
    wanted: impl Fn(&IntuneDevice) -> bool,
) -> Answer {
    let options = Options::parse(query)?;
    let row = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        let mut devices = state.intune.values();
        let device = devices.find(|device| is_registered(device) && wanted(device));
        let device = device.ok_or_else(|| Refusal::directory_missing(id))?;
        Ok::<_, Refusal>(device_row(state, device))
    })?;
    ok(&options.project(row))
}

/// `POST /devices/{id}/checkMemberGroups`: groups the app may not see are left out silently.
pub(super) async fn check_member_groups(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    Json(body): Json<CheckBody>,
) -> Answer {
    if body.group_ids.len() > 20 {
        return Err(Refusal::bad_request(
            "A maximum of 20 groups can be checked.",
        ));
    }
    let found: Vec<String> = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        state.directory_device(&id)?;
        let lag = state.mdm.intune.read_lag;
        let groups = body.group_ids.into_iter();
        Ok::<_, Refusal>(
            groups
                .filter(|group| state.member_seen(group, &id, lag))
                .collect(),
        )
    })?;
    ok(&json!({"value": found}))
}

/// `GET /devices/{id}/memberOf`.
pub(super) async fn member_of(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        Api::require_directory(state, &READ)?;
        state.directory_device(&id)?;
        let lag = state.mdm.intune.read_lag;
        let groups = state.mdm_groups.values();
        let groups = groups
            .filter(|group| group.mdm == Mdm::Intune && state.member_seen(&group.id, &id, lag));
        Ok::<_, Refusal>(groups.map(super::groups::row).collect())
    })?;
    collection(rows)
}

/// `GET /users/{id}`, by object id or user principal name.
pub(super) async fn user(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let row = api.app.world.with(|state| {
        Api::require_directory(state, &["User.Read.All"])?;
        let by_id = state.people.values().find(|person| person.entra_id == id);
        let person = by_id.or_else(|| state.person(&id));
        let person = person.ok_or_else(|| Refusal::directory_missing(&id))?;
        Ok::<_, Refusal>(user_row(person))
    })?;
    ok(&row)
}

/// `GET /organization`.
pub(super) async fn organization(FromState(api): FromState<Api>) -> Answer {
    let row = api.app.world.with(|state| {
        json!({"id": state.org.tenant_id, "displayName": state.org.company,
            "verifiedDomains": [{"name": format!("{}.onmicrosoft.com", state.org.subdomain),
                "isInitial": true, "isDefault": true}]})
    });
    collection(vec![row])
}

impl State {
    /// The device with this object id.
    pub(super) fn directory_device(&self, id: &str) -> Result<&IntuneDevice, Refusal> {
        let mut devices = self.intune.values();
        devices
            .find(|device| is_registered(device) && device.entra_object_id == id)
            .ok_or_else(|| Refusal::directory_missing(id))
    }
}

fn is_registered(device: &IntuneDevice) -> bool {
    !device.entra_object_id.is_empty() && device.entra_device_id != UNREGISTERED
}

pub(super) fn device_row(state: &State, device: &IntuneDevice) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.device", "id": device.entra_object_id,
        "deviceId": device.entra_device_id, "displayName": state.machine(device.machine).name,
        "accountEnabled": true, "operatingSystem": "Windows",
        "operatingSystemVersion": device.inventory.os_version, "trustType": "AzureAd",
        "profileType": "RegisteredDevice", "isManaged": true, "isCompliant": true,
        "approximateLastSignInDateTime": rfc3339(device.last_sync),
        "registrationDateTime": rfc3339(device.enrolled),
    })
}

pub(super) fn user_row(person: &Person) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.user", "id": person.entra_id,
        "displayName": person.name(), "givenName": person.first_name, "surname": person.last_name,
        "userPrincipalName": person.login, "mail": person.email,
    })
}
