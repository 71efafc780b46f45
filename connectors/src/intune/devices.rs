//! A managed device → the domain's device record.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use unstuck_domain::{
    AttestationProfile, CertificateStore, Enrolment, MdmCertificate, MdmDevice, MdmDeviceId,
    Platform, ProfileDelivery, ProfileId, ProfileState,
};

use super::{csv::Row, states::Standing, wire};
use crate::{AttestationSettings, decode};

/// The Entra id of a device that is not registered.
const NO_ENTRA_ID: &str = "00000000-0000-0000-0000-000000000000";

/// What a record is read against.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Graph's time.
    pub(super) now: Option<DateTime<Utc>>,
    pub(super) profiles: Vec<AttestationProfile>,
    /// Standings per profile, in the order of `profiles`; `None`: not readable. Keys are lower case.
    pub(super) standings: Vec<Option<HashMap<String, Standing>>>,
    /// Standings of the profile that brings the authority, per profile, in the order of `profiles`.
    pub(super) trusts: Vec<Option<HashMap<String, Standing>>>,
    /// Certificates per device; `None`: not readable. Keys are lower case.
    pub(super) certificates: Option<HashMap<String, Vec<MdmCertificate>>>,
}

/// Operating system, or `None` for a record that is no desktop which Intune itself manages: phones, Macs of another MDM
/// that only report their compliance here, and computers that only Defender looks after.
pub(super) fn platform(device: &wire::ManagedDevice) -> Option<Platform> {
    if let Some("jamf" | "msSense" | "googleCloudDevicePolicyController") =
        device.management_agent.as_deref()
    {
        return None;
    }
    let system = device.operating_system.as_deref()?.to_ascii_lowercase();
    match system.as_str() {
        "windows" => Some(Platform::Windows),
        "macos" | "mac os x" => Some(Platform::Macos),
        _ => None,
    }
}

/// Reads one record of that platform.
pub(super) fn device(
    record: wire::ManagedDevice,
    platform: Platform,
    context: &Context,
) -> MdmDevice {
    let key = record.id.to_ascii_lowercase();
    let profiles = context
        .profiles
        .iter()
        .zip(&context.standings)
        .filter(|(profile, _)| profile.platform == platform)
        .map(|(profile, standings)| {
            let standing = standings.as_ref().map(|rows| rows.get(&key));
            delivery(profile, standing)
        })
        .collect();
    MdmDevice {
        okta_verify_version: None,
        intermediate_present: None,
        trust_profile: trust_state(platform, &key, context),
        sso_extensions: None,
        command_pending_since: None,
        issuance: None,
        site: None,
        platform,
        enrolment: enrolment(&record, context.now),
        profiles: Some(profiles),
        certificates: context
            .certificates
            .as_ref()
            .map(|rows| rows.get(&key).cloned().unwrap_or_default()),
        management_id: record
            .azure_ad_device_id
            .filter(|id| id.as_str() != NO_ENTRA_ID),
        name: record.device_name.unwrap_or_default(),
        serial_number: record.serial_number,
        udid: record.udid,
        model: record.model,
        os_version: record.os_version,
        user: record.user_principal_name.or(record.email_address),
        enrolled_at: record.enrolled_date_time,
        last_check_in: record.last_sync_date_time,
        inventory_at: record.last_sync_date_time,
        okta_verify_installed: None,
        local_users: record
            .users_logged_on
            .map(|users| u32::try_from(users.len()).unwrap_or(u32::MAX)),
        groups: None,
        push_enabled: None,
        // UNVERIFIED: how a device without category spells it.
        category: record
            .device_category_display_name
            .filter(|name| !matches!(name.as_str(), "Unknown" | "Unassigned")),
        id: MdmDeviceId::new(record.id),
    }
}

/// The delivery of a profile: outer `None` where no state is readable, inner where this device has no row. A device that
/// is not targeted has no row; one that is targeted with everybody, and has none yet, waits for its first report.
pub(super) fn delivery(
    profile: &AttestationProfile,
    standing: Option<Option<&Standing>>,
) -> ProfileDelivery {
    let (state, since) = match standing {
        None => (ProfileState::Unknown, None),
        Some(Some(standing)) => (standing.state.clone(), standing.since),
        Some(None) if profile.scope.all_devices => (ProfileState::Pending, None),
        Some(None) => (ProfileState::NotAssigned, None),
    };
    ProfileDelivery {
        profile_id: profile.id.clone(),
        state,
        since,
        store: profile.store,
    }
}

/// How the profile stands that brings the authority, of the attestation profiles that reach this device. Where several
/// do, the one that came furthest; where none does, or none names such a profile, it is not told.
fn trust_state(platform: Platform, key: &str, context: &Context) -> Option<ProfileState> {
    let each = context.profiles.iter().zip(&context.standings);
    let reaching = each
        .zip(&context.trusts)
        .filter(|((profile, standings), _)| {
            let has_row = standings
                .as_ref()
                .is_some_and(|rows| rows.contains_key(key));
            profile.platform == platform && (has_row || profile.scope.all_devices)
        });
    let states = reaching.filter_map(|((profile, _), trusts)| {
        let (trust, standings) = (profile.trust.as_ref()?, trusts.as_ref()?);
        Some(match standings.get(key) {
            Some(standing) => standing.state.clone(),
            None if trust.scope.all_devices => ProfileState::Pending,
            None => ProfileState::NotAssigned,
        })
    });
    states.max_by_key(|state| match state {
        ProfileState::Installed => 3,
        ProfileState::NotAssigned => 1,
        ProfileState::Unknown => 0,
        _ => 2,
    })
}

/// The first fact that says management is lost. Words that Microsoft may add say nothing.
fn enrolment(record: &wire::ManagedDevice, now: Option<DateTime<Utc>>) -> Enrolment {
    let broken = |fact: &str, value: &str| Enrolment::Broken {
        fact: fact.to_owned(),
        value: value.to_owned(),
    };
    if let Some(
        state @ ("retirePending" | "retireIssued" | "wipePending" | "wipeIssued" | "deletePending"
        | "unhealthy"),
    ) = record.management_state.as_deref()
    {
        return broken("managementState", state);
    }
    if let Some(
        state @ ("notRegistered"
        | "revoked"
        | "keyConflict"
        | "approvalPending"
        | "certificateReset"
        | "notRegisteredPendingEnrollment"),
    ) = record.device_registration_state.as_deref()
    {
        return broken("deviceRegistrationState", state);
    }
    if let Some(agent @ ("eas" | "configurationManagerClient")) = record.management_agent.as_deref()
    {
        return broken("managementAgent", agent);
    }
    if let (Some(expires), Some(now)) = (record.management_certificate_expiration_date, now)
        && expires < now
    {
        let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        return broken("managementCertificateExpirationDate", &expires);
    }
    match record.management_state.as_deref() {
        Some("managed") => Enrolment::Works,
        _ if record.device_registration_state.as_deref() == Some("registered") => Enrolment::Works,
        _ => Enrolment::Unknown,
    }
}

/// A row of `AllDeviceCertificates`: its device and certificate, if it may be about attestation.
pub(super) fn certificate(
    row: &Row<'_>,
    stores: &HashMap<ProfileId, Option<CertificateStore>>,
    attestation: &AttestationSettings,
) -> Option<(String, MdmCertificate)> {
    let device = row.get("DeviceId")?.to_ascii_lowercase();
    let subject = row.get("SubjectName")?;
    let issuer = row.get("IssuerName");
    let profile = row.get("PolicyId").map(ProfileId::from);
    let store = profile.and_then(|profile| stores.get(&profile).copied());
    if store.is_none() && !attestation.keeps_certificate(subject, issuer) {
        return None;
    }
    let text = |column| row.get(column).map(str::to_owned);
    let time = |column| row.get(column).and_then(decode::time);
    let status = row.get("CertificateStatus").unwrap_or_default();
    Some((
        device,
        MdmCertificate {
            subject: subject.to_owned(),
            subject_matches: attestation.matches_subject(subject),
            issuer: issuer.map(str::to_owned),
            serial_number: text("SerialNumber"),
            thumbprint: text("Thumbprint"),
            issued_at: time("ValidFrom"),
            expires_at: time("ValidTo"),
            store: store.flatten(),
            username: None,
            has_private_key: None,
            // UNVERIFIED word; any other says nothing about a revocation by Okta.
            revoked: status.eq_ignore_ascii_case("revoked").then_some(true),
        },
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::intune::csv::Rows;

    fn record(changes: Value) -> wire::ManagedDevice {
        let mut record = json!({
            "id": "D1", "deviceName": "PC", "operatingSystem": "Windows", "serialNumber": "S1",
            "azureADDeviceId": "11111111-2222-3333-4444-555555555555", "userPrincipalName": "ann@acme.test",
            "enrolledDateTime": "0001-01-01T00:00:00Z", "lastSyncDateTime": "2026-08-01T10:00:00Z",
            "managementAgent": "mdm", "managementState": "managed", "deviceRegistrationState": "registered",
            "deviceCategoryDisplayName": "", "managementCertificateExpirationDate": "2027-01-01T00:00:00Z"
        });
        let fields = record.as_object_mut().unwrap();
        fields.extend(changes.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    }

    fn read(changes: Value) -> MdmDevice {
        let context = Context {
            now: decode::time("2026-08-02T00:00:00Z"),
            ..Context::default()
        };
        device(record(changes), Platform::Windows, &context)
    }

    #[test]
    fn record_is_read_in_the_domains_words() {
        let device = read(json!({}));
        assert_eq!(device.enrolled_at, None, "year 1 means never");
        assert_eq!(device.enrolment, Enrolment::Works);
        assert_eq!(device.category, None);
        assert_eq!(device.certificates, None, "not readable is not none");
        assert_eq!(device.user.as_deref(), Some("ann@acme.test"));
        assert!(device.management_id.is_some());
    }

    #[test]
    fn zero_entra_id_is_absent() {
        assert_eq!(
            read(json!({"azureADDeviceId": NO_ENTRA_ID})).management_id,
            None
        );
        assert_eq!(read(json!({"azureADDeviceId": null})).management_id, None);
    }

    #[test]
    fn lost_management_names_its_fact_and_new_words_say_nothing() {
        for (changes, fact) in [
            (
                json!({"managementState": "wipeIssued"}),
                Some("managementState"),
            ),
            (
                json!({"managementState": "discovered", "deviceRegistrationState": "unknown"}),
                None,
            ),
            (
                json!({"deviceRegistrationState": "keyConflict"}),
                Some("deviceRegistrationState"),
            ),
            (json!({"managementAgent": "eas"}), Some("managementAgent")),
            (
                json!({"managementCertificateExpirationDate": "2026-08-01T00:00:00Z"}),
                Some("managementCertificateExpirationDate"),
            ),
            (
                json!({"managementState": "someNewWord", "deviceRegistrationState": null}),
                None,
            ),
        ] {
            match (read(changes.clone()).enrolment, fact) {
                (Enrolment::Broken { fact, .. }, Some(expected)) => assert_eq!(fact, expected),
                (Enrolment::Unknown, None) => {}
                (other, _) => panic!("{changes}: {other:?}"),
            }
        }
    }

    #[test]
    fn phones_and_records_of_others_are_left_out() {
        assert_eq!(platform(&record(json!({}))), Some(Platform::Windows));
        assert_eq!(
            platform(&record(json!({"operatingSystem": "macOS"}))),
            Some(Platform::Macos)
        );
        for other in ["iOS", "Android", "Linux"] {
            assert_eq!(platform(&record(json!({"operatingSystem": other}))), None);
        }
        assert_eq!(platform(&record(json!({"managementAgent": "jamf"}))), None);
        assert_eq!(platform(&record(json!({"operatingSystem": null}))), None);
    }

    #[test]
    fn certificates_are_kept_by_subject_issuer_or_profile() {
        let attestation =
            AttestationSettings::new("managementAttestation", vec![], vec![]).unwrap();
        let stores = HashMap::from([(ProfileId::from("P1"), Some(CertificateStore::User))]);
        let text = "DeviceId,SubjectName,IssuerName,PolicyId,SerialNumber,Thumbprint,ValidFrom,ValidTo,CertificateStatus\n\
            D1,CN=a managementAttestation,CN=Okta,,01,AA,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,Issued\n\
            D1,CN=b,CN=Okta,P1,02,BB,,,Revoked\nD1,CN=wifi,CN=Corp,P9,03,CC,,,Issued\n";
        let mut rows = Rows::new(text.as_bytes()).unwrap();
        let mut read = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            read.extend(certificate(&row, &stores, &attestation));
        }
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].1.store, read[0].1.revoked), (None, None));
        assert_eq!(
            (read[1].1.store, read[1].1.revoked),
            (Some(CertificateStore::User), Some(true))
        );
    }
}
