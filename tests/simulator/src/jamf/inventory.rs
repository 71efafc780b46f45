//! The computer inventory, v1 to v4. Certificates and profiles are those of the last report, however
//! old; the versions differ in the names of the contact times.

use axum::extract::{Path, Query as QueryOf, State as FromState};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use chrono::Duration;
use serde_json::{Map, Value, json};

use super::Api;
use super::answer::{Answer, Refusal, ok};
use super::list::{ListRequest, Query, page, values};
use crate::scalar::{Scalar, rfc3339};
use crate::world::{INTERMEDIATE, Id, Issuer, JamfComputer, Mdm, ProfileKind, Site, State, Store};

/// Jamf calls a certificate EXPIRING in its last days. How many is UNVERIFIED.
const EXPIRING: Duration = Duration::days(30);

const SECTIONS: [(&str, &str); 22] = [
    ("GENERAL", "general"),
    ("DISK_ENCRYPTION", "diskEncryption"),
    ("PURCHASING", "purchasing"),
    ("APPLICATIONS", "applications"),
    ("STORAGE", "storage"),
    ("USER_AND_LOCATION", "userAndLocation"),
    ("CONFIGURATION_PROFILES", "configurationProfiles"),
    ("PRINTERS", "printers"),
    ("SERVICES", "services"),
    ("HARDWARE", "hardware"),
    ("LOCAL_USER_ACCOUNTS", "localUserAccounts"),
    ("CERTIFICATES", "certificates"),
    ("ATTACHMENTS", "attachments"),
    ("PACKAGE_RECEIPTS", "packageReceipts"),
    ("SECURITY", "security"),
    ("OPERATING_SYSTEM", "operatingSystem"),
    ("LICENSED_SOFTWARE", "licensedSoftware"),
    ("IBEACONS", "ibeacons"),
    ("SOFTWARE_UPDATES", "softwareUpdates"),
    ("EXTENSION_ATTRIBUTES", "extensionAttributes"),
    ("CONTENT_CACHING", "contentCaching"),
    ("GROUP_MEMBERSHIPS", "groupMemberships"),
];

/// `GET /api/vN/computers-inventory`.
pub(super) async fn list(
    version: u8,
    FromState(api): FromState<Api>,
    QueryOf(query): QueryOf<Query>,
    headers: HeaderMap,
) -> Answer {
    api.offers(version)?;
    let request = ListRequest::parse(&query, "general.name:asc")?;
    let sections = sections(&query)?;
    let body = api.app.world.with(|state| {
        Api::require(state, "Read Computers")?;
        let field = |id: u32, name: &str| field(state, &state.jamf[&id], version, name);
        let (total, ids) = request.select(state.jamf.keys().copied(), &field)?;
        let lag = Api::lag(state, &headers);
        let rows = ids
            .into_iter()
            .map(|id| row(state, &state.jamf[&id], version, &sections, lag))
            .collect();
        Ok(page(total, rows).to_string())
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// `GET /api/vN/computers-inventory/{id}`: the chosen sections.
pub(super) async fn by_id(
    version: u8,
    state: FromState<Api>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<Query>,
    headers: HeaderMap,
) -> Answer {
    let sections = sections(&query)?;
    one(version, state, &id, &sections, &headers)
}

/// `GET /api/vN/computers-inventory-detail/{id}`: every section.
pub(super) async fn detail(
    version: u8,
    state: FromState<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let all: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    one(version, state, &id, &all, &headers)
}

fn one(
    version: u8,
    FromState(api): FromState<Api>,
    id: &str,
    sections: &[&str],
    headers: &HeaderMap,
) -> Answer {
    api.offers(version)?;
    let row = api.app.world.with(|state| {
        Api::require(state, "Read Computers")?;
        let computer = id.parse().ok().and_then(|id: u32| state.jamf.get(&id));
        let computer = computer.ok_or_else(|| Refusal::missing("computer"))?;
        Ok(row(
            state,
            computer,
            version,
            sections,
            Api::lag(state, headers),
        ))
    })?;
    ok(&row)
}

impl Api {
    /// v4 came with 11.30.
    fn offers(&self, version: u8) -> Result<(), Refusal> {
        match version == 4 && self.app.faults.jamf_is_old() {
            true => Err(Refusal::missing("resource")),
            false => Ok(()),
        }
    }
}

fn sections(query: &Query) -> Result<Vec<&str>, Refusal> {
    let asked = values(query, "section");
    if asked.is_empty() {
        return Ok(vec!["GENERAL"]);
    }
    let unknown = asked
        .iter()
        .find(|name| !SECTIONS.iter().any(|(known, _)| known == *name));
    match unknown {
        Some(name) => Err(Refusal::invalid("section", format!("{name} is no section"))),
        None => Ok(asked),
    }
}

/// A field of the filter or the sort; `None` where there is none of that name.
fn field(state: &State, computer: &JamfComputer, version: u8, name: &str) -> Option<Scalar> {
    let machine = state.machine(computer.machine);
    let (check_in, contact) = state.jamf_last_seen(computer);
    Some(match name {
        "id" => Scalar::Number(i64::from(computer.id)),
        "udid" => computer.udid.as_deref().into(),
        "general.name" => machine.name.as_str().into(),
        "general.platform" => "Mac".into(),
        "general.managementId" => computer.management_id.as_str().into(),
        "general.remoteManagement.managed" => computer.managed.into(),
        "general.mdmCapable.capable" => computer.mdm_capable.into(),
        "general.supervised" => computer.supervised.into(),
        "general.userApprovedMdm" => computer.user_approved.into(),
        "general.declarativeDeviceManagementEnabled" => true.into(),
        "general.mdmCertificateExpiration" => computer.mdm_profile_expires.into(),
        "general.lastEnrolledDate" => computer.enrolled.into(),
        "general.reportDate" => computer.inventory.taken.into(),
        "general.lastCheckIn" if version == 4 => check_in.into(),
        "general.lastContact" if version == 4 => contact.into(),
        "general.lastContactTime" if version < 4 => check_in.into(),
        "hardware.serialNumber" => computer.serial.as_str().into(),
        "hardware.macAddress" => machine.wifi_mac.as_str().into(),
        "hardware.make" => "Apple".into(),
        "hardware.model" => machine.model.into(),
        "operatingSystem.name" => "macOS".into(),
        "operatingSystem.version" => computer.inventory.os_version.as_str().into(),
        "userAndLocation.email" => computer.email.as_deref().into(),
        "userAndLocation.username" => computer.username.as_deref().into(),
        "userAndLocation.realname" => real_name(state, computer).as_deref().into(),
        "diskEncryption.fileVault2Enabled" => true.into(),
        _ => return None,
    })
}

fn row(
    state: &State,
    computer: &JamfComputer,
    version: u8,
    sections: &[&str],
    lag: Duration,
) -> Value {
    let mut row = Map::new();
    row.insert("id".to_owned(), computer.id.to_string().into());
    row.insert("udid".to_owned(), computer.udid.clone().into());
    for (name, key) in SECTIONS {
        let value = match sections.contains(&name) {
            true => section(state, computer, version, name, lag),
            false => Value::Null,
        };
        row.insert(key.to_owned(), value);
    }
    Value::Object(row)
}

fn section(
    state: &State,
    computer: &JamfComputer,
    version: u8,
    name: &str,
    lag: Duration,
) -> Value {
    let machine = state.machine(computer.machine);
    match name {
        "GENERAL" => general(state, computer, version),
        "HARDWARE" => json!({
            "make": "Apple", "model": machine.model, "modelIdentifier": machine.model_identifier,
            "serialNumber": computer.serial, "processorSpeedMhz": 3200, "processorCount": 1,
            "coreCount": 8, "processorType": "Apple M2", "processorArchitecture": "arm64",
            "networkAdapterType": "IEEE80211", "macAddress": machine.wifi_mac,
            "altNetworkAdapterType": "", "altMacAddress": "", "totalRamMegabytes": 16384,
            "bleCapable": true, "supportsIosAppInstalls": true, "appleSilicon": true,
            "provisioningUdid": machine.udid, "extensionAttributes": [],
        }),
        "OPERATING_SYSTEM" => json!({
            "name": "macOS", "version": computer.inventory.os_version, "build": "",
            "supplementalBuildVersion": "", "rapidSecurityResponse": "",
            "activeDirectoryStatus": "Not Bound", "fileVault2Status": "ALL_ENCRYPTED",
            "softwareUpdateDeviceId": machine.model_identifier, "extensionAttributes": [],
        }),
        "USER_AND_LOCATION" => json!({
            "username": computer.username, "realname": real_name(state, computer),
            "email": computer.email, "position": null, "phone": null, "departmentId": null,
            "buildingId": null, "room": null, "extensionAttributes": [],
        }),
        "CONFIGURATION_PROFILES" => profiles(state, computer),
        "CERTIFICATES" => certificates(state, computer),
        "APPLICATIONS" => applications(computer),
        "LOCAL_USER_ACCOUNTS" => accounts(state, computer),
        "GROUP_MEMBERSHIPS" => memberships(state, computer, lag),
        "DISK_ENCRYPTION" => json!({"fileVault2Enabled": true}),
        "PURCHASING" | "STORAGE" | "PACKAGE_RECEIPTS" | "SECURITY" | "CONTENT_CACHING" => json!({}),
        _ => json!([]),
    }
}

fn general(state: &State, computer: &JamfComputer, version: u8) -> Value {
    let machine = state.machine(computer.machine);
    let (check_in, contact) = state.jamf_last_seen(computer);
    let last = machine.accounts.last();
    let logged_in = last.map(|account| account.name.clone());
    let logged_in_at = last.and_then(|account| account.last_logon).map(rfc3339);
    let users: Vec<(String, &String)> = computer
        .user_channels
        .iter()
        .map(|(user, id)| (short_name(state, computer, user), id))
        .collect();
    let capable: Vec<&String> = users.iter().map(|(name, _)| name).collect();
    let channels: Vec<Value> = users
        .iter()
        .map(|(name, id)| json!({"capableUser": name, "managementId": id}))
        .collect();
    let mut general = json!({
        "name": machine.name, "lastIpAddress": machine.network.address(), "lastReportedIpV4": "10.0.0.20",
        "jamfBinaryVersion": "11.30.1-t1784555528405", "platform": "Mac",
        "barcode1": null, "barcode2": null, "assetTag": null,
        "remoteManagement": {"managed": computer.managed, "managementUsername": null},
        "supervised": computer.supervised,
        "mdmCapable": {
            "capable": computer.mdm_capable, "capableUsers": capable,
            "userManagementInfo": channels,
        },
        "reportDate": rfc3339(computer.inventory.taken),
        "lastCloudBackupDate": null, "lastEnrolledDate": rfc3339(computer.enrolled),
        "mdmProfileExpiration": rfc3339(computer.mdm_profile_expires),
        "initialEntryDate": computer.enrolled.format("%Y-%m-%d").to_string(),
        "distributionPoint": null, "site": site(machine.site),
        "enrollmentMethod": {"id": "1", "objectName": "Company Macs",
            "objectType": "PreStage enrollment"},
        "itunesStoreAccountActive": false, "enrolledViaAutomatedDeviceEnrollment": true,
        "userApprovedMdm": computer.user_approved, "declarativeDeviceManagementEnabled": true,
        "extensionAttributes": [], "managementId": computer.management_id,
        "lastLoggedInUsernameSelfService": null, "lastLoggedInUsernameSelfServiceTimestamp": null,
        "lastLoggedInUsernameBinary": logged_in, "lastLoggedInUsernameBinaryTimestamp": logged_in_at,
        "lastLoggedInUsernameMdm": null, "lastLoggedInUsernameMdmTimestamp": null,
    });
    if version == 4 {
        general["lastCheckIn"] = rfc3339(check_in).into();
        general["lastContact"] = rfc3339(contact).into();
    } else {
        general["lastContactTime"] = rfc3339(check_in).into();
        general["lastReportedIp"] = "10.0.0.20".into();
    }
    general
}

/// Jamf's word for no site is site -1.
fn site(site: Option<Site>) -> Value {
    match site {
        Some(site) => json!({"id": site.id.to_string(), "name": site.name}),
        None => json!({"id": "-1", "name": "None"}),
    }
}

fn profiles(state: &State, computer: &JamfComputer) -> Value {
    let seen = computer.inventory.profiles.iter();
    seen.map(|seen| {
        let profile = state.profile(seen.profile);
        json!({
            "id": profile.id, "username": channel_name(state, computer, &seen.store),
            "lastInstalled": rfc3339(seen.installed), "removable": false,
            "displayName": profile.name, "profileIdentifier": profile.identifier,
            "uuid": profile.uuid,
        })
    })
    .collect()
}

fn certificates(state: &State, computer: &JamfComputer) -> Value {
    let mut rows = vec![identity(computer)];
    rows.extend(authorities(state, computer));
    for seen in &computer.inventory.certificates {
        let Some(certificate) = state.certificates.get(&seen.serial) else {
            continue;
        };
        let status = match certificate.expires - state.now {
            left if left <= Duration::zero() => "EXPIRED",
            left if left < EXPIRING => "EXPIRING",
            _ => "ISSUED",
        };
        rows.push(json!({
            "commonName": certificate.common_name, "identity": true,
            "expirationDate": rfc3339(certificate.expires),
            "username": channel_name(state, computer, &seen.store),
            "lifecycleStatus": "ACTIVE", "certificateStatus": status,
            "subjectName": format!("CN={}", certificate.common_name),
            "serialNumber": certificate.serial.to_lowercase(),
            "sha1Fingerprint": certificate.thumbprint,
            "issuedDate": rfc3339(certificate.valid_from),
        }));
    }
    Value::Array(rows)
}

/// What trusted-certificate profiles brought: certificates without a key.
fn authorities(state: &State, computer: &JamfComputer) -> Vec<Value> {
    let profiles = computer.inventory.profiles.iter();
    let brought = profiles.filter_map(|seen| match &state.profile(seen.profile).kind {
        ProfileKind::TrustedCertificate { ski } => state.org.pki.certificate(ski),
        _ => None,
    });
    brought
        .map(|authority| {
            json!({
                "commonName": INTERMEDIATE, "identity": false,
                "expirationDate": rfc3339(authority.not_after), "username": "",
                "lifecycleStatus": "ACTIVE", "certificateStatus": "ISSUED",
                "subjectName": state.org.issuer_name(Issuer::Org),
                "serialNumber": authority.serial().to_lowercase(),
                "sha1Fingerprint": authority.sha1(),
                "issuedDate": rfc3339(authority.not_before),
            })
        })
        .collect()
}

/// The Mac's own MDM identity, which is no attestation certificate.
fn identity(computer: &JamfComputer) -> Value {
    let name = computer.management_id.to_uppercase();
    json!({
        "commonName": name, "identity": true,
        "expirationDate": rfc3339(computer.mdm_profile_expires), "username": "",
        "lifecycleStatus": "ACTIVE", "certificateStatus": "ISSUED",
        "subjectName": format!("CN={name}"),
        "serialNumber": format!("{:08x}", computer.id),
        "sha1Fingerprint": format!("{:040x}", computer.id),
        "issuedDate": rfc3339(computer.enrolled),
    })
}

fn applications(computer: &JamfComputer) -> Value {
    let mut rows = vec![application(
        "Self Service.app",
        "com.jamfsoftware.selfservice.mac",
        "11.30.1",
    )];
    if let Some(version) = &computer.inventory.okta_verify {
        rows.push(application("Okta Verify.app", "com.okta.mobile", version));
    }
    Value::Array(rows)
}

fn application(name: &str, bundle: &str, version: &str) -> Value {
    json!({
        "name": name, "path": format!("/Applications/{name}"), "version": version,
        "cfBundleShortVersionString": version, "cfBundleVersion": version, "macAppStore": false,
        "sizeMegabytes": 60, "bundleId": bundle, "updateAvailable": false, "externalVersionId": "0",
    })
}

fn accounts(state: &State, computer: &JamfComputer) -> Value {
    let accounts = state.machine(computer.machine).accounts.iter().enumerate();
    accounts
        .map(|(index, account)| {
            let full_name = state
                .people
                .get(&account.person)
                .map(|person| person.name());
            json!({
                "uid": (501 + index).to_string(), "userGuid": null, "username": account.name,
                "fullName": full_name, "admin": false,
                "homeDirectory": format!("/Users/{}", account.name), "homeDirectorySizeMb": -1,
                "fileVault2Enabled": true, "userAccountType": "LOCAL",
            })
        })
        .collect()
}

fn memberships(state: &State, computer: &JamfComputer, lag: Duration) -> Value {
    let member = computer.id.to_string();
    let groups = state
        .mdm_groups
        .values()
        .filter(|group| group.mdm == Mdm::Jamf);
    groups
        .filter(|group| state.member_seen(&group.id, &member, lag))
        .map(|group| {
            json!({"groupId": group.id, "groupName": group.name,
                "groupDescription": group.description, "smartGroup": group.smart})
        })
        .collect()
}

fn real_name(state: &State, computer: &JamfComputer) -> Option<String> {
    let email = computer.email.as_deref()?;
    state.person(email).map(|person| person.name())
}

/// The account whose channel or keychain a store is; empty for the machine's.
pub(super) fn channel_name(state: &State, computer: &JamfComputer, store: &Store) -> String {
    store
        .user()
        .map(|user| short_name(state, computer, user))
        .unwrap_or_default()
}

/// The short name of a person's account on this Mac.
pub(super) fn short_name(state: &State, computer: &JamfComputer, user: &Id) -> String {
    let accounts = &state.machine(computer.machine).accounts;
    if let Some(account) = accounts.iter().find(|account| account.person == *user) {
        return account.name.clone();
    }
    let login = state
        .people
        .get(user)
        .map_or(&**user, |person| &person.login);
    login.split('@').next().unwrap_or_default().to_owned()
}
