//! Device configurations, their assignments and the assignment filters. The certificate types and
//! the filters of assignments exist in beta only.

use std::borrow::Cow;

use axum::Json;
use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::Uri;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, collection, ok};
use super::devices::PAGE;
use super::query::{Options, Query};
use super::{Api, Version};
use crate::scalar::{Scalar, rfc3339};
use crate::world::{Level, Mdm, Platform, Profile, ProfileKind, State};

const READ: [&str; 2] = [
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementConfiguration.ReadWrite.All",
];

/// `POST …/getTargetedUsersAndDevices`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetedBody {
    device_configuration_ids: Vec<String>,
}

/// `GET /deviceManagement/deviceConfigurations`.
pub(super) async fn list(
    version: Version,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    uri: Uri,
) -> Answer {
    let options = Options::parse(&query)?;
    options.allow_filter(&["id", "displayName"])?;
    let base = api.base(version);
    let expands = options.expand.iter().any(|name| name == "assignments");
    let body = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let mut profiles: Vec<&Profile> = state
            .profiles
            .iter()
            .filter(|profile| profile.mdm == Mdm::Intune)
            .filter(|profile| {
                let field = |name: &str| match name {
                    "id" => profile.id.as_str().into(),
                    "displayName" => profile.name.as_str().into(),
                    _ => Scalar::Absent,
                };
                options.admits(&type_name(profile, version), &field)
            })
            .filter(|profile| {
                options
                    .after()
                    .is_none_or(|after| profile.id.as_str() > after)
            })
            .collect();
        profiles.sort_by_key(|profile| profile.id.as_str());
        let rows = profiles
            .into_iter()
            .map(|profile| (profile.id.clone(), row(state, profile, version, expands)));
        Ok::<_, Refusal>(options.page(&uri, &base, PAGE, rows))
    })?;
    ok(&body)
}

/// `GET /deviceManagement/deviceConfigurations/{id}`.
pub(super) async fn by_id(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
) -> Answer {
    let options = Options::parse(&query)?;
    let expands = |name: &str| options.expand.iter().any(|expanded| expanded == name);
    let row = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let profile = state.intune_profile(&id)?;
        let mut row = row(state, profile, version, expands("assignments"));
        if let ProfileKind::Scep {
            trusted: Some(trusted),
            ..
        } = profile.kind
            && expands("rootCertificate")
        {
            row["rootCertificate"] = self::row(state, state.profile(trusted), version, false);
        }
        Ok::<_, Refusal>(row)
    })?;
    ok(&options.project(row))
}

/// `GET /deviceManagement/deviceConfigurations/{id}/assignments`.
pub(super) async fn assignments(
    version: Version,
    FromState(api): FromState<Api>,
    Path(id): Path<String>,
) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        Ok::<_, Refusal>(assignments_of(state.intune_profile(&id)?, version))
    })?;
    collection(rows)
}

/// `POST /deviceManagement/deviceConfigurations/getTargetedUsersAndDevices`.
pub(super) async fn targeted(
    FromState(api): FromState<Api>,
    Json(body): Json<TargetedBody>,
) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let mut rows = Vec::new();
        for id in &body.device_configuration_ids {
            let key = state.intune_profile(id)?.key;
            let devices = state.intune.values();
            for device in devices.filter(|device| state.intune_targeted(key, device)) {
                let user = state.primary_user(device);
                rows.push(json!({
                    "deviceId": device.id, "deviceName": state.machine(device.machine).name,
                    "userId": user.map(|person| &person.entra_id),
                    "userDisplayName": user.map(|person| person.name()),
                    "userPrincipalName": user.map(|person| &person.login),
                    "lastCheckinDateTime": rfc3339(device.last_sync),
                }));
            }
        }
        Ok::<_, Refusal>(rows)
    })?;
    collection(rows)
}

/// `GET /deviceManagement/assignmentFilters`.
pub(super) async fn filters(FromState(api): FromState<Api>) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        Ok::<_, Refusal>(category_filters(state))
    })?;
    collection(rows)
}

/// `GET /deviceManagement/assignmentFilters/{id}`.
pub(super) async fn filter_by_id(FromState(api): FromState<Api>, Path(id): Path<String>) -> Answer {
    let rows = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        Ok::<_, Refusal>(category_filters(state))
    })?;
    let found = rows.into_iter().find(|row| row["id"] == id.as_str());
    ok(&found.ok_or_else(|| Refusal::intune_missing(&id))?)
}

/// The filters that the assignments use: one per category that keeps devices out.
fn category_filters(state: &State) -> Vec<Value> {
    let used = state
        .profiles
        .iter()
        .filter_map(|profile| profile.scope.excluded_category.as_ref());
    let mut ids: Vec<&String> = used.collect();
    ids.sort();
    ids.dedup();
    ids.into_iter()
        .filter_map(|id| state.categories.get(id))
        .map(|category| {
            json!({
                "id": filter_id(&category.id), "displayName": format!("{} win", category.name),
                "description": "", "platform": "windows10AndLater", "roleScopeTags": ["0"],
                "rule": format!("(device.deviceCategory -eq \"{}\")", category.name),
                "assignmentFilterManagementType": "devices",
            })
        })
        .collect()
}

/// The filter on a category has an id of its own, derived from the category's.
fn filter_id(category: &str) -> String {
    let tail = category.get(8..).unwrap_or("-0000-4000-8000-000000000000");
    format!("f1170000{tail}")
}

fn type_name(profile: &Profile, version: Version) -> Cow<'static, str> {
    let name = match (&profile.kind, version) {
        // v1.0 does not know the certificate types; what it shows instead is UNVERIFIED.
        (ProfileKind::Scep { .. } | ProfileKind::TrustedCertificate { .. }, Version::V1) => {
            "microsoft.graph.deviceConfiguration"
        }
        (ProfileKind::Scep { .. }, Version::Beta) if profile.platform == Platform::MacOs => {
            "microsoft.graph.macOSScepCertificateProfile"
        }
        (ProfileKind::TrustedCertificate { .. }, Version::Beta)
            if profile.platform == Platform::MacOs =>
        {
            "microsoft.graph.macOSTrustedRootCertificate"
        }
        (ProfileKind::Scep { .. }, Version::Beta) => {
            "microsoft.graph.windows81SCEPCertificateProfile"
        }
        (ProfileKind::TrustedCertificate { .. }, Version::Beta) => {
            "microsoft.graph.windows81TrustedRootCertificate"
        }
        (ProfileKind::SsoExtension(_), _) => "microsoft.graph.macOSDeviceFeaturesConfiguration",
        (ProfileKind::Other(types), _) => match types.first() {
            Some(kind) => return format!("microsoft.graph.{kind}").into(),
            None => "microsoft.graph.windows10GeneralConfiguration",
        },
    };
    name.into()
}

/// `GET …/{id}/{cast}/identityCertificate…`: the certificate profile that a network profile uses.
pub(super) async fn identity_certificate(
    FromState(api): FromState<Api>,
    Path((id, cast)): Path<(String, String)>,
) -> Answer {
    let row = api.app.world.with(|state| {
        Api::require(state, &READ)?;
        let profile = state.intune_profile(&id)?;
        if type_name(profile, Version::Beta) != cast {
            let message = format!("Resource not found for the segment '{cast}'.");
            return Err(Refusal::bad_request(message));
        }
        let used = state.mdm.intune.certificate_users.get(&profile.key);
        let used = used.ok_or_else(|| Refusal::intune_missing(&id))?;
        Ok(row(state, state.profile(*used), Version::Beta, false))
    })?;
    ok(&row)
}

fn row(state: &State, profile: &Profile, version: Version, expands: bool) -> Value {
    let mut row = json!({
        "@odata.type": format!("#{}", type_name(profile, version)),
        "id": profile.id, "displayName": profile.name, "description": null,
        "version": profile.version, "createdDateTime": rfc3339(profile.created),
        "lastModifiedDateTime": rfc3339(profile.modified),
    });
    if version == Version::Beta {
        row["roleScopeTagIds"] = json!(["0"]);
        row["supportsScopeTags"] = true.into();
        for (key, value) in beta_properties(state, profile) {
            row[key] = value;
        }
    }
    if expands {
        row["assignments"] = assignments_of(profile, version).into();
    }
    row
}

fn beta_properties(state: &State, profile: &Profile) -> Vec<(&'static str, Value)> {
    match &profile.kind {
        ProfileKind::Scep {
            may_sign,
            issuer,
            key_bits,
            client_auth,
            key_storage,
            subject: odd_subject,
            all_apps_access,
            ..
        } => {
            let (store, subject) = match profile.level {
                Level::User => (
                    "user",
                    "CN={{UserPrincipalName}} managementAttestation {{AAD_Device_ID}}",
                ),
                Level::Machine => (
                    "machine",
                    "CN={{DeviceName}} managementAttestation {{AAD_Device_ID}}",
                ),
            };
            let subject = match odd_subject {
                Some(odd) => format!("CN={odd}"),
                None => subject.to_owned(),
            };
            let usage = match may_sign {
                true => "digitalSignature",
                false => "keyEncipherment",
            };
            let usages = match client_auth {
                true => json!([{"name": "Client Authentication",
                    "objectIdentifier": "1.3.6.1.5.5.7.3.2"}]),
                false => json!([{"name": "Server Authentication",
                    "objectIdentifier": "1.3.6.1.5.5.7.3.1"}]),
            };
            let url = state.org.scep_url(Mdm::Intune, *issuer);
            // Each platform has settings of its own.
            let own = match profile.platform {
                Platform::MacOs => vec![
                    ("allowAllAppsAccess", (*all_apps_access).into()),
                    ("deploymentChannel", "deviceChannel".into()),
                ],
                _ => vec![
                    ("keyStorageProvider", (*key_storage).into()),
                    ("hashAlgorithm", "sha2".into()),
                ],
            };
            let mut properties: Vec<(&'static str, Value)> = vec![
                ("certificateStore", store.into()),
                ("renewalThresholdPercentage", 20.into()),
                ("certificateValidityPeriodScale", "years".into()),
                ("certificateValidityPeriodValue", 1.into()),
                ("keyUsage", usage.into()),
                ("keySize", format!("size{key_bits}").into()),
                ("subjectNameFormat", "custom".into()),
                ("subjectNameFormatString", subject.into()),
                ("subjectAlternativeNameType", "none".into()),
                ("extendedKeyUsages", usages),
                ("scepServerUrls", json!([url])),
            ];
            properties.extend(own);
            properties
        }
        ProfileKind::TrustedCertificate { ski } => {
            let certificate = state.org.pki.certificate(ski);
            let der = certificate.map(|found| BASE64_STANDARD.encode(&found.der));
            let own = match profile.platform {
                Platform::MacOs => ("deploymentChannel", "deviceChannel".into()),
                _ => ("destinationStore", "computerCertStoreIntermediate".into()),
            };
            vec![
                ("certFileName", "okta.cer".into()),
                ("trustedRootCertificate", der.into()),
                own,
            ]
        }
        ProfileKind::SsoExtension(_) | ProfileKind::Other(_) => vec![],
    }
}

fn assignments_of(profile: &Profile, version: Version) -> Vec<Value> {
    let scope = &profile.scope;
    let mut targets = Vec::new();
    if scope.all {
        targets.push((
            "all",
            json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}),
        ));
    }
    for group in &scope.groups {
        let target = json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget",
            "groupId": group});
        targets.push((group, target));
    }
    let included = targets.len();
    for group in &scope.excluded_groups {
        let target = json!({"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget",
            "groupId": group});
        targets.push((group, target));
    }
    let rows = targets.into_iter().enumerate();
    rows.map(|(index, (name, mut target))| {
        let id = format!("{}_{name}", profile.id);
        if version == Version::V1 {
            return json!({"id": id, "target": target});
        }
        let filter = scope
            .excluded_category
            .as_ref()
            .filter(|_| index < included);
        target["deviceAndAppManagementAssignmentFilterId"] =
            filter.map(|category| filter_id(category)).into();
        let kind = match filter {
            Some(_) => "exclude",
            None => "none",
        };
        target["deviceAndAppManagementAssignmentFilterType"] = kind.into();
        json!({"id": id, "source": "direct", "sourceId": profile.id, "intent": "apply",
            "target": target})
    })
    .collect()
}
