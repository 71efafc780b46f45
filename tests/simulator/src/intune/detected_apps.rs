//! Applications that inventories found, one entry per name and version. Where a device's own list is
//! asked for, beta has it as a navigation of the device.

use std::collections::BTreeMap;

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, collection, ok};
use super::devices::PAGE;
use super::query::{Options, Query};
use super::{Api, Version};
use crate::world::{IntuneDevice, State};

const READ: [&str; 2] = [
    "DeviceManagementManagedDevices.Read.All",
    "DeviceManagementManagedDevices.ReadWrite.All",
];

/// One application as an inventory names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DetectedApp {
    name: &'static str,
    version: String,
}

impl DetectedApp {
    /// 64 hex digits; how the service makes them is not documented.
    fn id(&self) -> String {
        let text = format!("{} {}", self.name, self.version);
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        hex::encode(digest)
    }

    fn row(&self, devices: usize) -> Value {
        json!({"id": self.id(), "displayName": self.name, "version": self.version,
            "sizeInByte": 0, "deviceCount": devices, "publisher": "", "platform": "windows"})
    }
}

/// `GET /deviceManagement/detectedApps`.
pub(super) async fn list(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let mut counts: BTreeMap<DetectedApp, usize> = BTreeMap::new();
        for app in state.intune.values().flat_map(detected) {
            *counts.entry(app).or_default() += 1;
        }
        let mut rows: Vec<(String, Value)> = counts
            .iter()
            .map(|(app, count)| (app.id(), app.row(*count)))
            .filter(|(id, _)| options.after().is_none_or(|after| id.as_str() > after))
            .collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows.into_iter()))
    })?;
    ok(&body)
}

/// `GET /deviceManagement/detectedApps/{id}/managedDevices`.
pub(super) async fn devices(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let rows = state
            .devices_after(options.after())
            .filter(|device| detected(device).any(|app| app.id() == id))
            .map(|device| (device.id.clone(), short_row(state, device)));
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// `GET /beta/deviceManagement/managedDevices/{id}/detectedApps`.
pub(super) async fn of_device(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let device = state.managed_device(&id)?;
        Ok::<_, Refusal>(detected(device).map(|app| app.row(1)).collect())
    })?;
    collection(rows)
}

/// What the device's last inventory found.
fn detected(device: &IntuneDevice) -> impl Iterator<Item = DetectedApp> + '_ {
    let okta_verify = device
        .inventory
        .okta_verify
        .iter()
        .map(|version| DetectedApp {
            name: "Okta Verify",
            version: version.clone(),
        });
    let edge = DetectedApp {
        name: "Microsoft Edge",
        version: "141.0.3537.57".to_owned(),
    };
    okta_verify.chain(std::iter::once(edge))
}

fn short_row(state: &State, device: &IntuneDevice) -> Value {
    json!({"id": device.id, "deviceName": state.machine(device.machine).name,
        "serialNumber": device.serial})
}
