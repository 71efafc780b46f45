//! Certificate rows. They exist only if the CA tells Intune what it issued, and they name no device
//! id, only names.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, ok};
use super::devices::PAGE;
use super::query::{Options, Query};
use super::status::platform_type;
use super::{Api, Version};
use crate::scalar::rfc3339;
use crate::world::{
    Certificate, DeliveryState, IntuneDevice, Mdm, Profile, ProfileKind, State, Store,
};

const READ: [&str; 2] = [
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementConfiguration.ReadWrite.All",
];

/// The kinds of profile that have certificate states.
const CASTS: [&str; 2] = [
    "microsoft.graph.windows81SCEPCertificateProfile",
    "microsoft.graph.macOSScepCertificateProfile",
];

/// `GET …/deviceConfigurations/{id}/{cast}/managedDeviceCertificateStates`. The direct cast for
/// Windows is declared but not documented: UNVERIFIED.
pub(super) async fn of_profile(
    version: Version,
    FromState(api): FromState<Api>,
    Path((id, cast)): Path<(String, String)>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    if !CASTS.contains(&&*cast) {
        let message = format!("Resource not found for the segment '{cast}'.");
        return Err(Refusal::bad_request(message));
    }
    let options = Options::parse(&query)?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let profile = state.intune_profile(&id)?;
        let rows = state
            .devices_after(options.after())
            .filter(|_| state.org.intune_certificate_rows)
            .flat_map(|device| {
                let held = state.inventoried(device);
                let held = held
                    .filter(|(_, owner)| owner.is_some_and(|owner| owner.key == profile.key))
                    .map(|(certificate, _)| state_row(state, device, profile, certificate));
                held.chain(unissued_row(state, device, profile))
                    .map(|row| (device.id.clone(), row))
                    .collect::<Vec<_>>()
            });
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// `GET …/deviceConfigurationsAllManagedDeviceCertificateStates`.
pub(super) async fn all(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    let base = api.base(version);
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let rows = state
            .devices_after(options.after())
            .filter(|_| state.org.intune_certificate_rows)
            .flat_map(|device| {
                state
                    .inventoried(device)
                    .map(|(certificate, _)| {
                        (device.id.clone(), flat_row(state, device, certificate))
                    })
                    .collect::<Vec<_>>()
            });
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

impl State {
    /// The certificates of a device's last report, each with the Intune profile it belongs to.
    pub(super) fn inventoried<'a>(
        &'a self,
        device: &'a IntuneDevice,
    ) -> impl Iterator<Item = (&'a Certificate, Option<&'a Profile>)> {
        device.inventory.certificates.iter().filter_map(|seen| {
            let certificate = self.certificates.get(&seen.serial)?;
            let owner = seen.profile.map(|key| self.profile(key));
            let owner = owner.or_else(|| self.scep_profile_for(&seen.store));
            Some((certificate, owner))
        })
    }

    /// The profile that delivers to this kind of store.
    fn scep_profile_for(&self, store: &Store) -> Option<&Profile> {
        let level = match store {
            Store::Machine => crate::world::Level::Machine,
            Store::User(_) => crate::world::Level::User,
        };
        self.profiles.iter().find(|profile| {
            profile.mdm == Mdm::Intune && profile.is_scep() && profile.level == level
        })
    }
}

fn state_row(
    state: &State,
    device: &IntuneDevice,
    profile: &Profile,
    certificate: &Certificate,
) -> Value {
    let user = state.primary_user(device);
    json!({
        "id": certificate.thumbprint,
        "devicePlatform": platform_type(state.machine(device.machine).platform),
        "deviceDisplayName": state.machine(device.machine).name,
        "userDisplayName": user.map(|person| person.name()),
        "certificateProfileDisplayName": profile.name, "certificateIssuanceState": "issued",
        "certificateLastIssuanceStateChangedDateTime": rfc3339(certificate.issued),
        "lastCertificateStateChangeDateTime": rfc3339(certificate.issued),
        "certificateIssuanceDateTime": rfc3339(certificate.issued),
        "certificateExpirationDateTime": rfc3339(certificate.expires),
        "certificateErrorCode": 0, "certificateIssuer": state.org.issuer_name(certificate.issuer),
        "certificateThumbprint": certificate.thumbprint.to_uppercase(),
        "certificateSerialNumber": &*certificate.serial, "certificateKeyLength": 2048,
        "certificateKeyStorageProvider": key_storage(profile),
        "certificateKeyUsage": key_usage(profile), "certificateRevokeStatus": "none",
        "certificateEnhancedKeyUsage": "1.3.6.1.5.5.7.3.2",
        "certificateSubjectNameFormat": "custom",
        "certificateSubjectNameFormatString": format!("CN={}", certificate.common_name),
        "certificateValidityPeriod": 1, "certificateValidityPeriodUnits": "years",
    })
}

/// The row of a request that has come to nothing so far; it names no certificate.
fn unissued_row(state: &State, device: &IntuneDevice, profile: &Profile) -> Option<Value> {
    let (word, code, at) = match device.states.get(&profile.key)? {
        DeliveryState::Failed { at, error } => (error.issuance, error.code, *at),
        DeliveryState::Pending { since } => ("challengeIssued", 0, *since),
        _ => return None,
    };
    let user = state.primary_user(device);
    Some(json!({
        "id": format!("{}_{}", profile.id, device.id),
        "devicePlatform": platform_type(state.machine(device.machine).platform),
        "deviceDisplayName": state.machine(device.machine).name,
        "userDisplayName": user.map(|person| person.name()),
        "certificateProfileDisplayName": profile.name, "certificateIssuanceState": word,
        "certificateLastIssuanceStateChangedDateTime": rfc3339(at),
        "lastCertificateStateChangeDateTime": rfc3339(at),
        "certificateIssuanceDateTime": "0001-01-01T00:00:00Z",
        "certificateExpirationDateTime": "0001-01-01T00:00:00Z",
        "certificateErrorCode": code, "certificateIssuer": null, "certificateThumbprint": null,
        "certificateSerialNumber": null, "certificateRevokeStatus": "none",
        "certificateKeyStorageProvider": key_storage(profile),
        "certificateKeyUsage": key_usage(profile),
    }))
}

fn key_storage(profile: &Profile) -> Option<&'static str> {
    match &profile.kind {
        ProfileKind::Scep { key_storage, .. } => Some(key_storage),
        _ => None,
    }
}

/// `keyUsage` of a profile and of its certificates.
pub(super) fn key_usage(profile: &Profile) -> &'static str {
    match profile.kind {
        ProfileKind::Scep {
            may_sign: false, ..
        } => "keyEncipherment",
        _ => "digitalSignature",
    }
}

fn flat_row(state: &State, device: &IntuneDevice, certificate: &Certificate) -> Value {
    let user = state.primary_user(device);
    json!({
        "id": certificate.thumbprint, "certificateRevokeStatus": "none",
        "certificateRevokeStatusLastChangeDateTime": "0001-01-01T00:00:00Z",
        "managedDeviceDisplayName": state.machine(device.machine).name,
        "userPrincipalName": user.map(|person| &person.login),
        "certificateExpirationDateTime": rfc3339(certificate.expires),
        "certificateIssuanceDateTime": rfc3339(certificate.issued),
        "certificateIssuerName": state.org.issuer_name(certificate.issuer),
        "certificateThumbprint": certificate.thumbprint.to_uppercase(),
        "certificateSerialNumber": &*certificate.serial,
        "certificateSubjectName": format!("CN={}", certificate.common_name),
        "certificateKeyUsages": 128, "certificateExtendedKeyUsages": "1.3.6.1.5.5.7.3.2",
    })
}
