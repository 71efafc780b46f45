//! Intune's managed devices. A list leaves some properties empty that only a single read with
//! `$select` shows.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, collection, ok};
use super::query::{Options, Query};
use super::{Api, Version};
use crate::scalar::{Scalar, rfc3339};
use crate::world::{IntuneDevice, Person, Platform, State};

const READ: [&str; 2] = [
    "DeviceManagementManagedDevices.Read.All",
    "DeviceManagementManagedDevices.ReadWrite.All",
];

/// The documented filters, and those that scripts use.
const FILTERS: [&str; 13] = [
    "id",
    "lastSyncDateTime",
    "enrolledDateTime",
    "complianceState",
    "managementState",
    "managementAgent",
    "jailBroken",
    "deviceCategoryDisplayName",
    "azureADDeviceId",
    "serialNumber",
    "userPrincipalName",
    "deviceName",
    "operatingSystem",
];

/// The largest page of device collections.
pub(super) const PAGE: usize = 1000;

/// `GET /deviceManagement/managedDevices`.
pub(super) async fn list(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    options.allow_filter(&FILTERS)?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let rows = state
            .devices_after(options.after())
            .filter(|device| options.admits("managedDevice", &|name| field(state, device, name)))
            .map(|device| (device.id.clone(), row(state, device, version, false)));
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// `GET /deviceManagement/managedDevices/{id}`.
pub(super) async fn by_id(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    let options = Options::parse(&query)?;
    let row = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let device = state.managed_device(&id)?;
        Ok::<_, Refusal>(row(state, device, version, options.select.is_some()))
    })?;
    ok(&options.project(row))
}

/// `GET /deviceManagement/managedDevices/{id}/users`.
pub(super) async fn users(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let user = state.primary_user(state.managed_device(&id)?);
        let rows = user.map(|person| {
            json!({"id": person.entra_id, "displayName": person.name(),
                "userPrincipalName": person.login, "mail": person.email})
        });
        Ok::<_, Refusal>(rows.into_iter().collect())
    })?;
    collection(rows)
}

impl Api {
    /// The address of one version of Graph.
    pub(super) fn base(&self, version: Version) -> String {
        format!("{}{}", self.app.connection.intune.graph_url, version.path())
    }
}

impl State {
    /// The managed devices whose ids follow `key`.
    pub(super) fn devices_after(&self, key: Option<&str>) -> impl Iterator<Item = &IntuneDevice> {
        let from = match key {
            Some(key) => std::ops::Bound::Excluded(key.to_owned()),
            None => std::ops::Bound::Unbounded,
        };
        let range = self.intune.range((from, std::ops::Bound::Unbounded));
        range.map(|(_, device)| device)
    }

    pub(super) fn managed_device(&self, id: &str) -> Result<&IntuneDevice, Refusal> {
        self.intune
            .get(id)
            .ok_or_else(|| Refusal::intune_missing(id))
    }

    /// The primary user, where the record shows one.
    pub(super) fn primary_user(&self, device: &IntuneDevice) -> Option<&Person> {
        let user = device.user.as_ref().filter(|_| device.shows_user)?;
        self.people.get(user)
    }
}

fn field(state: &State, device: &IntuneDevice, name: &str) -> Scalar {
    match name {
        "id" => device.id.as_str().into(),
        "lastSyncDateTime" => device.last_sync.into(),
        "enrolledDateTime" => device.enrolled.into(),
        "complianceState" => "compliant".into(),
        "managementState" => device.management_state.into(),
        "managementAgent" => device.management_agent.into(),
        "jailBroken" => "Unknown".into(),
        "deviceCategoryDisplayName" => category_name(state, device).into(),
        "azureADDeviceId" => device.entra_device_id.as_str().into(),
        "serialNumber" => device.serial.as_str().into(),
        "userPrincipalName" => state
            .primary_user(device)
            .map_or("", |person| &person.login)
            .into(),
        "deviceName" => state.machine(device.machine).name.as_str().into(),
        "operatingSystem" => operating_system(state, device).into(),
        _ => Scalar::Absent,
    }
}

fn operating_system(state: &State, device: &IntuneDevice) -> &'static str {
    match state.machine(device.machine).platform {
        Platform::MacOs => "macOS",
        Platform::Windows => "Windows",
        Platform::Ios => "iOS",
        Platform::Android => "Android",
    }
}

fn category_name<'a>(state: &'a State, device: &IntuneDevice) -> &'a str {
    let category = device.category.as_ref();
    category
        .and_then(|id| state.categories.get(id))
        .map_or("Unknown", |category| &category.name)
}

fn row(state: &State, device: &IntuneDevice, version: Version, whole: bool) -> Value {
    let machine = state.machine(device.machine);
    let mac = machine.platform == Platform::MacOs;
    let user = state.primary_user(device);
    let upn = user.map_or("", |person| &person.login);
    let only_single = |value: &str| whole.then(|| value.to_owned());
    let syncs = state.mdm.intune.syncs.get(&device.id);
    let actions: Vec<Value> = syncs
        .into_iter()
        .map(|sync| {
            json!({
                "actionName": "syncDevice",
                "actionState": if sync.done.is_some() { "done" } else { "pending" },
                "startDateTime": rfc3339(sync.requested),
                "lastUpdatedDateTime": rfc3339(sync.done.unwrap_or(sync.requested)),
            })
        })
        .collect();
    let mut row = json!({
        "id": device.id, "userId": user.map_or("", |person| &person.entra_id),
        "deviceName": machine.name, "managedDeviceName": format!("{upn}_{}", device.id),
        "managedDeviceOwnerType": "company", "enrolledDateTime": rfc3339(device.enrolled),
        "lastSyncDateTime": rfc3339(device.last_sync),
        "operatingSystem": operating_system(state, device),
        "complianceState": "compliant", "jailBroken": "Unknown",
        "managementAgent": device.management_agent, "osVersion": device.inventory.os_version,
        "azureADRegistered": true,
        "deviceEnrollmentType": if mac { "appleBulkWithUser" } else { "windowsAzureADJoin" },
        "emailAddress": user.map_or("", |person| &person.email),
        "azureADDeviceId": device.entra_device_id,
        "deviceRegistrationState": device.registration,
        "deviceCategoryDisplayName": category_name(state, device),
        "isSupervised": mac, "isEncrypted": true, "userPrincipalName": upn,
        "model": machine.model, "manufacturer": machine.manufacturer, "imei": "", "meid": "",
        "complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59Z",
        "serialNumber": device.serial,
        "userDisplayName": user.map(|person| person.name()).unwrap_or_default(),
        "totalStorageSpaceInBytes": 512_000_000_000_u64, "freeStorageSpaceInBytes": 200_000_000_000_u64,
        "wiFiMacAddress": machine.wifi_mac.replace(':', ""),
        "managementState": device.management_state, "requireUserEnrollmentApproval": null,
        "managementCertificateExpirationDate": rfc3339(device.mdm_certificate_expires),
        "enrollmentProfileName": "", "udid": device.udid.as_deref().and_then(only_single),
        "ethernetMacAddress": only_single(""), "iccid": only_single(""), "notes": only_single(""),
        "physicalMemoryInBytes": if whole { 17_179_869_184_u64 } else { 0 },
        "deviceActionResults": actions,
    });
    if version == Version::Beta {
        let logons: Vec<Value> = machine
            .accounts
            .iter()
            .filter_map(|account| Some((state.people.get(&account.person)?, account.last_logon?)))
            .map(
                |(person, at)| json!({"userId": person.entra_id, "lastLogOnDateTime": rfc3339(at)}),
            )
            .collect();
        row["joinType"] = if mac {
            "azureADRegistered"
        } else {
            "azureADJoined"
        }
        .into();
        row["deviceType"] = if mac { "macMDM" } else { "desktop" }.into();
        row["aadRegistered"] = true.into();
        row["azureActiveDirectoryDeviceId"] = device.entra_device_id.clone().into();
        row["ownerType"] = "company".into();
        row["usersLoggedOn"] = logons.into();
        row["roleScopeTagIds"] = json!(["0"]);
    }
    row
}
