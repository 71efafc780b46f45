//! What Intune says of the delivery of profiles: per device, per profile, and as counts. A device in
//! a group that the profile excludes is not shown in the profile's lists.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, collection, ok};
use super::devices::PAGE;
use super::query::{Options, Query};
use super::{Api, Version};
use crate::scalar::rfc3339;
use crate::world::{DeliveryState, IntuneDevice, Mdm, Platform, Profile, ProfileKey, State};

const READ: [&str; 2] = [
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementConfiguration.ReadWrite.All",
];

/// `GET /deviceManagement/managedDevices/{id}/deviceConfigurationStates`. UNVERIFIED which permission
/// is enforced; the one for devices is checked.
pub(super) async fn of_device(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    let options = Options::parse(&query)?;
    let rows: Vec<Value> = api.app.world.with(|state| {
        let any_of = ["DeviceManagementManagedDevices.Read.All", READ[0], READ[1]];
        Api::require(state, &any_of)?;
        let device = state.managed_device(&id)?;
        let profiles = state.profiles.iter();
        let rows = profiles
            .filter(|profile| profile.mdm == Mdm::Intune)
            .filter_map(|profile| {
                let word = state.delivery_word(profile.key, device)?;
                Some(state_row(state, profile, device, word, version))
            });
        Ok::<_, Refusal>(rows.map(|row| options.project(row)).collect())
    })?;
    collection(rows)
}

fn state_row(
    state: &State,
    profile: &Profile,
    device: &IntuneDevice,
    word: &str,
    version: Version,
) -> Value {
    let user = state.primary_user(device);
    let upn = user.map_or("", |person| &person.login);
    let settings: Vec<Value> = match device.states.get(&profile.key) {
        Some(DeliveryState::Failed { error, .. }) => vec![json!({
            "setting": profile.name, "settingName": profile.name, "instanceDisplayName": null,
            "state": "error", "errorCode": error.code, "errorDescription": error.text,
            "userId": user.map(|person| &person.entra_id), "userName": user.map(|person| person.name()),
            "userEmail": user.map(|person| &person.email), "userPrincipalName": upn,
            "currentValue": null, "sources": [],
        })],
        _ => vec![],
    };
    let mut row = json!({
        "id": profile.id, "displayName": profile.name,
        "platformType": platform_type(state.machine(device.machine).platform),
        "state": word, "version": profile.version, "settingCount": 1, "settingStates": settings,
    });
    if version == Version::Beta {
        row["userId"] = user.map(|person| person.entra_id.clone()).into();
        row["userPrincipalName"] = upn.into();
    }
    row
}

/// `platformType` and `devicePlatform`.
pub(super) fn platform_type(platform: Platform) -> &'static str {
    match platform {
        Platform::MacOs => "macOS",
        Platform::Windows => "windows10AndLater",
        Platform::Ios => "iOS",
        Platform::Android => "android",
    }
}

/// `GET /deviceManagement/deviceConfigurations/{id}/deviceStatuses`.
pub(super) async fn device_statuses(
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
        let profile = state.intune_profile(&id)?;
        let rows = state.devices_after(options.after()).filter_map(|device| {
            let word = state.reported_word(profile.key, device)?;
            Some((device.id.clone(), status_row(state, profile, device, word)))
        });
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// The id's layout `user_profile_device` was observed for its middle part only; the rest is UNVERIFIED.
fn status_row(state: &State, profile: &Profile, device: &IntuneDevice, word: &str) -> Value {
    let user = state.primary_user(device);
    let user_id = user.map_or("00000000-0000-0000-0000-000000000000", |person| {
        &person.entra_id
    });
    json!({
        "id": format!("{user_id}_{}_{}", profile.id, device.id),
        "deviceDisplayName": state.machine(device.machine).name,
        "userName": user.map(|person| person.name()).unwrap_or_default(),
        "deviceModel": state.machine(device.machine).model, "platform": 0, "status": word,
        "complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59Z",
        "lastReportedDateTime": rfc3339(state.reported_at(profile.key, device)),
        "userPrincipalName": user.map_or("", |person| &person.login),
    })
}

/// `GET /deviceManagement/deviceConfigurations/{id}/userStatuses`.
pub(super) async fn user_statuses(
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let profile = state.intune_profile(&id)?;
        let devices = state.intune.values();
        let rows = devices.filter_map(|device| {
            let word = state.reported_word(profile.key, device)?;
            let person = state.primary_user(device)?;
            Some(json!({
                "id": format!("{}_{}", person.entra_id, profile.id), "devicesCount": 1,
                "userDisplayName": person.name(), "userPrincipalName": person.login, "status": word,
                "lastReportedDateTime": rfc3339(state.reported_at(profile.key, device)),
            }))
        });
        Ok::<_, Refusal>(rows.collect())
    })?;
    collection(rows)
}

/// `GET /deviceManagement/deviceConfigurations/{id}/deviceStatusOverview`.
pub(super) async fn overview(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let profile = state.intune_profile(&id)?;
        let words: Vec<&str> = state
            .intune
            .values()
            .filter_map(|device| state.reported_word(profile.key, device))
            .collect();
        let count = |word: &str| words.iter().filter(|found| **found == word).count();
        Ok::<_, Refusal>(json!({
            "id": profile.id, "pendingCount": count("unknown"),
            "notApplicableCount": count("notApplicable"), "successCount": count("compliant"),
            "errorCount": count("error"), "failedCount": 0, "conflictCount": count("conflict"),
            "lastUpdateDateTime": rfc3339(state.now), "configurationVersion": profile.version,
        }))
    })?;
    ok(&body)
}

impl State {
    pub(super) fn intune_profile(&self, id: &str) -> Result<&Profile, Refusal> {
        self.profile_by_id(Mdm::Intune, id)
            .ok_or_else(|| Refusal::intune_missing(id))
    }

    /// The state of a profile on a device, where Intune knows anything of the pair. That `compliant`
    /// stands for the portal's "Succeeded", and `unknown` for "Pending", is UNVERIFIED.
    pub(super) fn delivery_word(
        &self,
        key: ProfileKey,
        device: &IntuneDevice,
    ) -> Option<&'static str> {
        match device.states.get(&key) {
            Some(DeliveryState::Pending { .. }) => Some("unknown"),
            Some(DeliveryState::Succeeded { .. }) => Some("compliant"),
            Some(DeliveryState::Failed { .. }) => Some("error"),
            Some(DeliveryState::Removed { .. }) => Some("notAssigned"),
            Some(DeliveryState::Conflict { .. }) => Some("conflict"),
            Some(DeliveryState::NotApplicable { .. }) => Some("notApplicable"),
            None if !self.intune_targeted(key, device) => None,
            None if self.intune_stores(key, &device.id).is_empty() => Some("notApplicable"),
            None => Some("unknown"),
        }
    }

    /// As [`State::delivery_word`], as the profile's own reports show it.
    pub(super) fn reported_word(
        &self,
        key: ProfileKey,
        device: &IntuneDevice,
    ) -> Option<&'static str> {
        let word = self.delivery_word(key, device)?;
        (word != "notAssigned" && !self.intune_excluded(key, device)).then_some(word)
    }

    pub(super) fn reported_at(
        &self,
        key: ProfileKey,
        device: &IntuneDevice,
    ) -> chrono::DateTime<chrono::Utc> {
        match device.states.get(&key) {
            Some(DeliveryState::Pending { since }) => *since,
            Some(
                DeliveryState::Succeeded { at }
                | DeliveryState::Failed { at, .. }
                | DeliveryState::Removed { at }
                | DeliveryState::Conflict { at }
                | DeliveryState::NotApplicable { at },
            ) => *at,
            None => device.last_sync,
        }
    }
}
