//! An inventory record → the domain's device record.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use unstuck_domain::{
    CertificateStore, Enrolment, GroupId, MdmCertificate, MdmDevice, MdmDeviceId, Platform,
    ProfileDelivery, ProfileId, ProfileState,
};

use super::{
    delivery::{self, CommandIndex, Inventory},
    profiles::{JamfProfile, OtherProfile, Profiles},
    scope::{Assignment, Scope},
    wire,
};
use crate::AttestationSettings;

/// What a record is read against.
pub(super) struct Context {
    /// Jamf's time.
    pub(super) now: Option<DateTime<Utc>>,
    pub(super) attestation: Arc<AttestationSettings>,
    pub(super) profiles: Arc<Profiles>,
    pub(super) commands: CommandIndex,
    /// Management ids of clients without push, lower case; `None`: the server does not tell.
    pub(super) disabled_push: Option<HashSet<String>>,
    /// Ids of the profiles that Jamf itself says are in scope of the one computer that is read.
    pub(super) in_scope: Option<Vec<String>>,
}

/// Reads one record.
pub(super) fn device(computer: wire::Computer, context: &Context) -> MdmDevice {
    let groups = groups(&computer);
    let general = computer.general.unwrap_or_default();
    let hardware = computer.hardware;
    let users = general
        .mdm_capable
        .as_ref()
        .and_then(|mdm| mdm.user_management_info.as_ref());
    let user_channels = user_channels(&general);
    let own_channel: Vec<String> = general.management_id.iter().cloned().collect();

    let installed = computer.configuration_profiles.as_deref();
    let profiles: Vec<ProfileDelivery> = context
        .profiles
        .attestation
        .iter()
        .map(|profile| {
            let clients = match profile.attestation.store {
                Some(CertificateStore::User) => user_channels.clone(),
                Some(CertificateStore::Machine) => own_channel.clone(),
                None => [own_channel.clone(), user_channels.clone()].concat(),
            };
            let inventory = inventory(&profile.key(), installed, general.report_date);
            let assignment = assignment(
                &profile.scope,
                profile.id(),
                &computer.id,
                groups.as_deref(),
                context.in_scope.as_deref(),
            );
            delivery::delivery(profile, &clients, &context.commands, inventory, assignment)
        })
        .collect();
    let standing = |other: &OtherProfile| {
        let inventory = inventory(&other.key(), installed, general.report_date);
        let (id, groups) = (other.id.as_str(), groups.as_deref());
        let in_scope = context.in_scope.as_deref();
        let assignment = assignment(&other.scope, id, &computer.id, groups, in_scope);
        delivery::without_commands(inventory, assignment)
    };

    MdmDevice {
        trust_profile: trust_state(&context.profiles, &profiles, standing),
        sso_extensions: sso_extensions(&context.profiles, standing),
        // A channel of a user waits for that user, which says nothing about push.
        command_pending_since: general.management_id.as_deref().and_then(|channel| {
            let ids = context.profiles.attestation.iter().map(JamfProfile::id);
            context.commands.oldest_open(ids, channel)
        }),
        issuance: None,
        site: general.site.as_ref().and_then(site),
        intermediate_present: computer
            .certificates
            .as_deref()
            .and_then(|listed| intermediate_present(listed, &context.attestation)),
        profiles: Some(profiles),
        enrolment: enrolment(&general, context.now),
        certificates: computer
            .certificates
            .map(|listed| certificates(listed, &context.attestation)),
        okta_verify_installed: computer.applications.as_ref().map(|found| found.installed),
        okta_verify_version: computer.applications.and_then(|found| found.version),
        local_users: users.map(|users| u32::try_from(users.len()).unwrap_or(u32::MAX)),
        push_enabled: match (&context.disabled_push, &general.management_id) {
            (Some(disabled), Some(id)) => Some(!disabled.contains(&id.to_ascii_lowercase())),
            _ => None,
        },
        name: general.name.unwrap_or_default(),
        platform: match general.platform.as_deref() {
            None | Some("Mac" | "macOS") => Platform::Macos,
            Some("Windows") => Platform::Windows,
            Some(_) => Platform::Other,
        },
        serial_number: hardware.as_ref().and_then(|h| h.serial_number.clone()),
        model: hardware.and_then(|h| h.model),
        udid: computer.udid,
        os_version: computer.operating_system.and_then(|os| os.version),
        user: computer
            .user_and_location
            .and_then(|user| user.email.or(user.username)),
        enrolled_at: general.last_enrolled_date,
        last_check_in: [
            general.last_contact,
            general.last_check_in,
            general.last_contact_time,
        ]
        .into_iter()
        .max()
        .flatten(),
        inventory_at: general.report_date,
        groups,
        category: None,
        management_id: general.management_id,
        id: MdmDeviceId::new(computer.id),
    }
}

/// Whether the record does not tell for some profile whether it is in scope.
pub(super) fn has_unknown_scope(computer: &wire::Computer, profiles: &Profiles) -> bool {
    let groups = groups(computer);
    profiles
        .attestation
        .iter()
        .any(|profile| profile.scope.covers(&computer.id, groups.as_deref()) == Assignment::Unknown)
}

/// The management ids of all channels of a computer: its own first, then those of its users.
pub(super) fn channels(general: &wire::General) -> Vec<String> {
    let own = general.management_id.clone();
    own.into_iter().chain(user_channels(general)).collect()
}

fn user_channels(general: &wire::General) -> Vec<String> {
    let users = general
        .mdm_capable
        .iter()
        .filter_map(|mdm| mdm.user_management_info.as_ref())
        .flatten();
    users
        .filter_map(|user| user.management_id.clone())
        .collect()
}

fn groups(computer: &wire::Computer) -> Option<Vec<GroupId>> {
    let memberships = computer.group_memberships.as_ref()?;
    let ids = memberships.iter().filter_map(|m| m.group_id.as_deref());
    Some(ids.map(GroupId::from).collect())
}

/// What Jamf says itself wins over what the scope lets conclude.
fn assignment(
    scope: &Scope,
    profile: &str,
    computer: &str,
    groups: Option<&[GroupId]>,
    in_scope: Option<&[String]>,
) -> Assignment {
    match (scope.covers(computer, groups), in_scope) {
        (Assignment::Unknown, Some(ids)) if ids.iter().any(|id| id == profile) => {
            Assignment::Assigned
        }
        // Without a user in the question, a scope by users is not in the answer.
        (Assignment::Unknown, Some(_)) if !scope.rests_on_users() => Assignment::NotAssigned,
        (concluded, _) => concluded,
    }
}

/// How the inventory names a profile: by its identifier, or by its name where that is not known.
struct Key<'a> {
    identifier: Option<&'a str>,
    name: &'a str,
}

impl JamfProfile {
    fn key(&self) -> Key<'_> {
        Key {
            identifier: self.attestation.identifier.as_deref(),
            name: &self.attestation.name,
        }
    }
}

impl OtherProfile {
    fn key(&self) -> Key<'_> {
        Key {
            identifier: self.identifier.as_deref(),
            name: &self.name,
        }
    }
}

fn inventory(
    wanted: &Key<'_>,
    listed: Option<&[wire::InstalledProfile]>,
    reported: Option<DateTime<Utc>>,
) -> Inventory {
    let Some(listed) = listed else {
        return Inventory::NotShown;
    };
    let entries = listed.iter().filter(|entry| match wanted.identifier {
        Some(identifier) => entry.profile_identifier.as_deref() == Some(identifier),
        None => entry.display_name.as_deref() == Some(wanted.name),
    });
    // A user-level profile is listed once per account; the newest speaks.
    let newest = entries.map(|entry| entry.last_installed).max();
    match newest {
        Some(at) => Inventory::Listed(at),
        None => Inventory::Absent(reported),
    }
}

/// How the profile stands that brings the authority of the first attestation profile that names one.
fn trust_state(
    profiles: &Profiles,
    deliveries: &[ProfileDelivery],
    standing: impl Fn(&OtherProfile) -> ProfileState,
) -> Option<ProfileState> {
    let mut trusts = profiles.attestation.iter().filter_map(|profile| {
        let trust = profile.attestation.trust.as_ref()?;
        Some((&profile.attestation.id, &trust.id))
    });
    let (profile, trust) = trusts.next()?;
    if profile == trust {
        let own = deliveries.iter().find(|one| one.profile_id == *profile);
        return own.map(|own| own.state.clone());
    }
    let other = profiles.trusts().find(|other| other.id == *trust)?;
    Some(standing(other))
}

/// `None`: the record does not tell of one of the profiles, or there is none to tell of.
fn sso_extensions(
    profiles: &Profiles,
    standing: impl Fn(&OtherProfile) -> ProfileState,
) -> Option<Vec<ProfileId>> {
    let mut known = false;
    let mut installed = Vec::new();
    for other in profiles.sso() {
        known = true;
        match standing(other) {
            ProfileState::Installed => installed.push(other.id.clone()),
            ProfileState::Unknown => return None,
            _ => {}
        }
    }
    known.then_some(installed)
}

/// Whether the computer lists a certificate of one of our issuers, which is no identity of its own. `None`: the settings
/// name no issuer to look for.
fn intermediate_present(
    listed: &[wire::Certificate],
    attestation: &AttestationSettings,
) -> Option<bool> {
    let names =
        |name: &Option<String>| name.as_deref().is_some_and(|n| attestation.names_issuer(n));
    attestation.knows_issuers().then(|| {
        listed.iter().any(|certificate| {
            certificate.identity != Some(true)
                && (names(&certificate.subject_name) || names(&certificate.common_name))
        })
    })
}

fn site(site: &wire::Site) -> Option<String> {
    match site.id.as_deref() {
        Some("-1") => None,
        _ => site.name.clone(),
    }
}

/// The first fact that says management is lost.
fn enrolment(general: &wire::General, now: Option<DateTime<Utc>>) -> Enrolment {
    let managed = general.remote_management.as_ref().and_then(|r| r.managed);
    let capable = general.mdm_capable.as_ref().and_then(|m| m.capable);
    let flags = [
        ("remoteManagement.managed", managed),
        ("mdmCapable.capable", capable),
        ("userApprovedMdm", general.user_approved_mdm),
    ];
    for (fact, value) in flags {
        if value == Some(false) {
            return Enrolment::Broken {
                fact: fact.to_owned(),
                value: "false".to_owned(),
            };
        }
    }
    if let (Some(expires), Some(now)) = (general.mdm_profile_expiration, now)
        && expires < now
    {
        return Enrolment::Broken {
            fact: "mdmProfileExpiration".to_owned(),
            value: expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        };
    }
    match managed {
        Some(_) => Enrolment::Works,
        None => Enrolment::Unknown,
    }
}

fn certificates(
    listed: Vec<wire::Certificate>,
    attestation: &AttestationSettings,
) -> Vec<MdmCertificate> {
    listed
        .into_iter()
        .filter_map(|certificate| {
            let matches = |name: &Option<String>| {
                let name = name.as_deref();
                name.is_some_and(|name| attestation.keeps_certificate(name, None))
            };
            if !matches(&certificate.subject_name) && !matches(&certificate.common_name) {
                return None;
            }
            Some(MdmCertificate {
                subject: certificate.subject_name.or(certificate.common_name)?,
                // Without an issuer to go by, others are not kept.
                subject_matches: true,
                issuer: None,
                serial_number: certificate.serial_number,
                thumbprint: certificate.sha1_fingerprint,
                issued_at: certificate.issued_date,
                expires_at: certificate.expiration_date,
                // UNVERIFIED: an account means that account's login keychain, none means the System keychain.
                store: Some(match certificate.username {
                    Some(_) => CertificateStore::User,
                    None => CertificateStore::Machine,
                }),
                username: certificate.username,
                has_private_key: certificate.identity,
                // Jamf's own view; it knows nothing of revocations by Okta's CA, so "not revoked" is never said.
                revoked: matches!(
                    certificate.certificate_status.as_deref(),
                    Some("REVOKED" | "PENDING_REVOKE")
                )
                .then_some(true),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::decode::time;

    fn read(record: Value) -> MdmDevice {
        let attestation =
            AttestationSettings::new("(?i)managementAttestation", vec![], vec!["*SCEP*".into()])
                .unwrap();
        let profile = JamfProfile::read(
            serde_json::from_value(json!({
                "general": {"id": 12, "name": "Okta SCEP", "level": "System"},
                "scope": {"computer_groups": [{"id": 7}]}
            }))
            .unwrap(),
        )
        .unwrap();
        device(
            serde_json::from_value(record).unwrap(),
            &Context {
                now: time("2026-08-02T00:00:00Z"),
                attestation: Arc::new(attestation),
                profiles: Arc::new(Profiles {
                    attestation: vec![profile],
                    ..Profiles::default()
                }),
                commands: CommandIndex::default(),
                disabled_push: Some(HashSet::from(["fb5".to_owned()])),
                in_scope: None,
            },
        )
    }

    fn record() -> Value {
        json!({
            "id": "42", "udid": "UD-1",
            "general": {
                "name": "mac-042", "platform": "Mac", "managementId": "FB5",
                "remoteManagement": {"managed": true}, "supervised": true, "userApprovedMdm": true,
                "mdmCapable": {"capable": true, "userManagementInfo": [{"capableUser": "ann", "managementId": "U1"}]},
                "mdmProfileExpiration": "2027-01-01T00:00:00Z", "reportDate": "2026-08-01T10:00:00Z",
                "lastCheckIn": "2026-08-01T11:00:00Z", "lastContact": "2026-08-01T12:00:00Z",
                "lastEnrolledDate": "1970-01-01T00:00:00Z"
            },
            "hardware": {"serialNumber": "C02A", "model": "MacBook Pro"},
            "operatingSystem": {"version": "15.5"},
            "userAndLocation": {"username": "ann", "email": "ann@acme.test"},
            "configurationProfiles": [
                {"id": "1", "displayName": "Okta SCEP", "username": "", "lastInstalled": "2026-07-01T00:00:00Z", "profileIdentifier": "X"}],
            "certificates": [
                {"commonName": "mac-042 managementAttestation U", "identity": true, "username": "", "certificateStatus": "ISSUED",
                 "subjectName": "CN=mac-042 managementAttestation U", "serialNumber": "40f3", "sha1Fingerprint": "ed36",
                 "issuedDate": "2026-03-01T10:00:00Z", "expirationDate": "2027-03-01T10:00:00Z"},
                {"commonName": "wifi", "subjectName": "CN=wifi", "identity": true}],
            "groupMemberships": [{"groupId": "7", "groupName": "Okta", "smartGroup": false}],
            "applications": null
        })
    }

    #[test]
    fn record_is_read_in_the_domains_words() {
        let device = read(record());
        assert_eq!(device.serial_number.as_deref(), Some("C02A"));
        assert_eq!(device.user.as_deref(), Some("ann@acme.test"));
        assert_eq!(device.last_check_in, time("2026-08-01T12:00:00Z"));
        assert_eq!(device.enrolled_at, None, "1970 means never");
        assert_eq!(device.enrolment, Enrolment::Works);
        assert_eq!(device.local_users, Some(1));
        assert_eq!(device.push_enabled, Some(false));
        assert_eq!(device.okta_verify_installed, None);
        let profiles = device.profiles.unwrap();
        assert_eq!(profiles[0].state, ProfileState::Installed);
        let certificates = device.certificates.unwrap();
        assert_eq!(certificates.len(), 1, "the Wi-Fi certificate is dropped");
        assert_eq!(certificates[0].issuer, None);
        assert_eq!(certificates[0].store, Some(CertificateStore::Machine));
        assert_eq!(certificates[0].revoked, None);
    }

    #[test]
    fn site_chain_and_waiting_command_are_told() {
        let device = read(record());
        assert_eq!(device.site, None);
        assert_eq!(device.intermediate_present, None, "no issuer is configured");
        let mut with_site = record();
        with_site["general"]["site"] = json!({"id": "3", "name": "Berlin"});
        assert_eq!(read(with_site).site.as_deref(), Some("Berlin"));
        let mut no_site = record();
        no_site["general"]["site"] = json!({"id": -1, "name": "None"});
        assert_eq!(read(no_site).site, None);

        let settings = AttestationSettings::new("x", vec!["Our CA".into()], vec![]).unwrap();
        let listed = |rows: Value| serde_json::from_value::<Vec<wire::Certificate>>(rows).unwrap();
        for (rows, expected) in [
            (json!([{"commonName": "Our CA", "identity": false}]), true),
            (json!([{"subjectName": "CN=our ca,O=x"}]), true),
            (json!([{"commonName": "Our CA", "identity": true}]), false),
            (json!([]), false),
        ] {
            let found = intermediate_present(&listed(rows.clone()), &settings);
            assert_eq!(found, Some(expected), "{rows}");
        }
    }

    #[test]
    fn section_of_a_wrong_shape_costs_what_it_tells_and_no_more() {
        for (section, bad) in [
            ("certificates", json!([{"commonName": "a"}, "b"])),
            ("certificates", json!({"a": 1})),
            ("configurationProfiles", json!("none")),
            ("groupMemberships", json!([null])),
            ("hardware", json!([])),
            ("general", json!(7)),
            ("operatingSystem", json!("15.5")),
            ("userAndLocation", json!(true)),
        ] {
            let mut record = record();
            record[section] = bad;
            let device = read(record);
            assert_eq!(device.id, "42".into(), "{section}");
            assert_eq!(device.certificates.is_none(), section == "certificates");
            assert_eq!(device.groups.is_none(), section == "groupMemberships");
            assert_eq!(device.serial_number.is_none(), section == "hardware");
        }
        let mut words = record();
        words["general"]["remoteManagement"]["managed"] = json!("certainly");
        words["general"]["mdmCapable"] = json!([]);
        words["general"]["mdmProfileExpiration"] = json!(-1);
        words["general"]["reportDate"] = json!("9999-12-31T00:00:00Z");
        let device = read(words);
        assert_eq!(device.enrolment, Enrolment::Unknown);
        assert_eq!(device.inventory_at, None);
        assert_eq!(device.local_users, None);
    }

    #[test]
    fn null_section_is_not_shown_and_never_empty() {
        let device = read(json!({"id": 42, "general": null, "certificates": null}));
        assert_eq!(device.certificates, None);
        assert_eq!(device.groups, None);
        assert_eq!(device.enrolment, Enrolment::Unknown);
        assert_eq!(device.profiles.unwrap()[0].state, ProfileState::Unknown);
        assert_eq!(device.push_enabled, None);
    }

    #[test]
    fn lost_management_names_its_fact() {
        for (pointer, value, fact) in [
            (
                "/general/remoteManagement/managed",
                json!(false),
                "remoteManagement.managed",
            ),
            (
                "/general/mdmCapable/capable",
                json!(false),
                "mdmCapable.capable",
            ),
            ("/general/userApprovedMdm", json!(false), "userApprovedMdm"),
            (
                "/general/mdmProfileExpiration",
                json!("2026-08-01T00:00:00Z"),
                "mdmProfileExpiration",
            ),
        ] {
            let mut record = record();
            *record.pointer_mut(pointer).unwrap() = value;
            match read(record).enrolment {
                Enrolment::Broken { fact: found, .. } => assert_eq!(found, fact),
                other => panic!("{fact}: {other:?}"),
            }
        }
    }

    #[test]
    fn old_server_names_the_last_contact_otherwise() {
        let mut record = record();
        let general = record["general"].as_object_mut().unwrap();
        general.remove("lastContact");
        general.remove("lastCheckIn");
        general.insert("lastContactTime".into(), json!("2026-07-30T00:00:00Z"));
        assert_eq!(read(record).last_check_in, time("2026-07-30T00:00:00Z"));
    }

    #[test]
    fn okta_verify_is_told_by_bundle_or_name() {
        for (apps, installed, version) in [
            (
                json!([{"name": "Okta Verify.app", "bundleId": null}]),
                Some(true),
                None,
            ),
            (
                json!([{"name": "x"}, {"name": "OV", "bundleId": "com.okta.mobile", "version": "9.30.1"}]),
                Some(true),
                Some("9.30.1"),
            ),
            (
                json!([{"name": "Safari.app", "bundleId": "com.apple.Safari", "version": "19"}]),
                Some(false),
                None,
            ),
            (json!([{"name": "Safari.app"}, 7]), None, None),
            (json!("many"), None, None),
        ] {
            let mut record = record();
            record["applications"] = apps.clone();
            let device = read(record);
            assert_eq!(device.okta_verify_installed, installed, "{apps}");
            assert_eq!(device.okta_verify_version.as_deref(), version, "{apps}");
        }
    }
}
