//! Bad vendor data costs the record that it stands in its certainty, and never the page.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{READERS, read};

/// A good record of every shape, by the name of its reader. The list around it is made by [`page_of`].
fn samples() -> Vec<(&'static str, Value)> {
    let time = "2026-08-01T10:00:00.000Z";
    vec![
        (
            "okta_devices",
            json!({"id": "guo1", "status": "ACTIVE", "created": time, "lastUpdated": time,
                "profile": {"displayName": "PC", "platform": "WINDOWS", "serialNumber": "S1", "registered": true},
                "providers": [{"provider": "oktaVerify", "payload": {"clientVersion": "9.1"}}],
                "_embedded": {"users": [{"managementStatus": "MANAGED", "created": time,
                    "user": {"id": "00u1", "profile": {"login": "a@x"}}}]}}),
        ),
        (
            "okta_device_users",
            json!({"managementStatus": "NOT_MANAGED", "created": time, "user": {"id": "00u1", "status": "ACTIVE",
                "lastLogin": time, "profile": {"firstName": "A", "lastName": "B", "login": "a@x", "email": "a@x"}}}),
        ),
        (
            "okta_log",
            json!({"uuid": "u1", "published": time, "eventType": "user.authentication.auth_via_mfa",
                "actor": {"id": "00u1", "type": "User"}, "device": {"id": "guo1", "managed": true},
                "outcome": {"result": "SUCCESS"}, "transaction": {"id": "t"},
                "client": {"userAgent": {"rawUserAgent": "Chrome/129.0", "os": "Windows", "browser": "CHROME"}},
                "target": [{"id": "pfd1", "type": "AuthenticatorEnrollment", "displayName": "Okta Verify",
                    "detailEntry": {"methodTypeUsed": "Use Okta FastPass"}}],
                "authenticationContext": {"externalSessionId": "s", "deviceSessionId": "d"},
                "debugContext": {"debugData": {"factor": "SIGNED_NONCE", "authnRequestId": "r"}}}),
        ),
        (
            "okta_rules",
            json!({"id": "r", "name": "n", "status": "ACTIVE", "priority": 1,
                "conditions": {"device": {"registered": true, "managed": "true", "assurance": {"include": ["dae1"]}},
                    "people": {"groups": {"include": ["00g1"], "exclude": []}, "users": {"include": []}},
                    "platform": {"include": [{"type": "DESKTOP", "os": {"type": "MACOS"}}], "exclude": []},
                    "elCondition": {"condition": "device.x"}},
                "actions": {"appSignOn": {"access": "ALLOW"}}}),
        ),
        (
            "okta_authenticators",
            json!({"id": "aut1", "key": "okta_verify", "status": "ACTIVE", "type": "signed_nonce",
                "settings": {"showSignInWithOV": "ALWAYS"}}),
        ),
        (
            "okta_authorities",
            json!({"authorityInstanceId": "AB", "caType": "OKTA_AS_CA", "id": "rac1", "aki": "AB",
                "_embedded": {"certificates": [{"ski": "AB", "rotationState": "ACTIVE", "expirationDate": time}]}}),
        ),
        (
            "jamf_computers",
            json!({"id": "42", "udid": "U",
                "general": {"name": "mac", "platform": "Mac", "managementId": "M", "remoteManagement": {"managed": true},
                    "mdmCapable": {"capable": true, "userManagementInfo": [{"managementId": "U1"}]},
                    "userApprovedMdm": true, "mdmProfileExpiration": time, "reportDate": time,
                    "site": {"id": "3", "name": "Berlin"}},
                "hardware": {"serialNumber": "C02", "model": "m"}, "operatingSystem": {"version": "15"},
                "userAndLocation": {"username": "a", "email": "a@x"},
                "configurationProfiles": [{"displayName": "Okta SCEP", "lastInstalled": time}],
                "certificates": [{"commonName": "x managementAttestation", "subjectName": "CN=x", "identity": true,
                    "issuedDate": time, "expirationDate": time, "serialNumber": "1"}],
                "groupMemberships": [{"groupId": "7"}],
                "applications": [{"name": "Okta Verify.app", "version": "9.1"}]}),
        ),
        (
            "jamf_commands",
            json!({"dateSent": time, "dateCompleted": "1970-01-01T00:00:00Z", "client": {"managementId": "M"},
                "commandState": "ERROR", "commandType": "INSTALL_PROFILE", "profileId": 12,
                "commandError": {"errorCode": 5, "errorDomain": "d", "errorLocalizedDescription": "e"}}),
        ),
        (
            "jamf_profile",
            json!({"general": {"id": 12, "name": "Okta SCEP", "level": "System", "payloads": "<plist><dict>\
                <key>PayloadContent</key><array><dict><key>PayloadType</key><string>com.apple.security.scep</string>\
                <key>PayloadContent</key><dict><key>Keysize</key><integer>2048</integer></dict></dict></array></dict></plist>"},
                "scope": {"all_computers": false, "computers": [{"id": 1}], "computer_groups": [{"id": 7}],
                    "limitations": {"users": []}, "exclusions": {"computer_groups": [{"id": 9}]}}}),
        ),
        (
            "intune_devices",
            json!({"id": "D1", "deviceName": "PC", "operatingSystem": "Windows", "osVersion": "10", "serialNumber": "S",
                "azureADDeviceId": "g", "userPrincipalName": "a@x", "enrolledDateTime": time, "lastSyncDateTime": time,
                "managementAgent": "mdm", "managementState": "managed", "deviceRegistrationState": "registered",
                "managementCertificateExpirationDate": time, "usersLoggedOn": [{"userId": "a"}]}),
        ),
        (
            "intune_configurations",
            json!({"@odata.type": "#microsoft.graph.windows81SCEPCertificateProfile", "id": "P1", "displayName": "SCEP",
                "certificateStore": "user", "lastModifiedDateTime": time, "keySize": "size2048", "keyUsage": "digitalSignature",
                "renewalThresholdPercentage": 20, "scepServerUrls": ["https://x/y"], "trustedRootCertificate": "MAEA",
                "extendedKeyUsages": [{"objectIdentifier": "1.3.6.1.5.5.7.3.2"}], "rootCertificate": {"id": "R1"},
                "macOSSingleSignOnExtension": {"extensionIdentifier": "com.okta.x", "domains": ["a"]},
                "payload": "PHBsaXN0Pg==", "assignments": [{"intent": "apply", "target": {
                    "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "G1"}}]}),
        ),
        (
            "intune_states",
            json!({"id": "u_P1_D1", "displayName": "SCEP", "state": "error", "status": "error", "lastReportedDateTime": time,
                "deviceDisplayName": "PC", "certificateIssuanceState": "issueFailed", "certificateErrorCode": 5,
                "settingStates": [{"state": "error", "errorCode": -5, "errorDescription": "d"}]}),
        ),
    ]
}

fn page_of(reader: &str, records: &[Value]) -> Vec<u8> {
    let page = match reader {
        "okta_authorities" => json!({"data": records}),
        reader if reader.starts_with("okta") => json!(records),
        "jamf_profile" => json!({"os_x_configuration_profile": records[0]}),
        reader if reader.starts_with("jamf") => {
            json!({"totalCount": records.len(), "results": records})
        }
        _ => json!({"value": records}),
    };
    serde_json::to_vec(&page).unwrap()
}

/// What vendors have been seen to send, and worse.
fn odd() -> impl Strategy<Value = Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        Just(json!(1.5e300)),
        Just(json!("")),
        Just(json!("0001-01-01T00:00:00Z")),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("-1")),
        Just(json!("SOME_NEW_WORD")),
        Just(json!("\u{0}\u{feff}𐍈<>&\"'")),
        Just(json!("x".repeat(100_000))),
        Just(json!([])),
        Just(json!([null, 7, "x", {}])),
        Just(json!({})),
        Just(json!({"id": null, "a": {"b": []}})),
        Just(deep),
    ]
}

/// Addresses of everything inside a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inner = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        let place = format!("{at}/{key}");
        places(value, &place, found);
        found.push(place);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| inner(key, value)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(at, value)| inner(&at.to_string(), value));
        }
        _ => {}
    }
}

fn bend(record: &Value, changes: &[(usize, Value)]) -> Value {
    let mut bent = record.clone();
    for (seed, odd) in changes {
        let mut all = Vec::new();
        places(&bent, "", &mut all);
        if let Some(place) = all.get(seed % all.len().max(1))
            && let Some(value) = bent.pointer_mut(place)
        {
            *value = odd.clone();
        }
    }
    bent
}

/// Records of a page that read, and that do not.
fn counted(name: &str, page: &[u8]) -> (usize, usize) {
    match name.split('_').next() {
        // One object, no page.
        _ if name == "jamf_profile" => (2, 0),
        Some("okta") => crate::okta::fuzzing::counted(name, page),
        Some("jamf") => crate::jamf::fuzzing::counted(name, page),
        _ => crate::intune::fuzzing::counted(name, page),
    }
}

#[test]
fn every_reader_has_a_target() {
    for (name, _) in READERS {
        let target = format!("{}/fuzz/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&target).unwrap_or_default();
        assert!(text.contains(&format!("\"{name}\"")), "{target}");
    }
}

#[test]
fn good_records_of_every_shape_are_read() {
    for (name, record) in samples() {
        let page = page_of(name, &[record.clone(), record]);
        assert_eq!(counted(name, &page), (2, 0), "{name}");
        read(name, &page);
    }
}

#[test]
fn record_with_one_odd_value_anywhere_never_costs_its_neighbour() {
    // Every place of every shape, with the words and dates that are known to happen.
    for (name, record) in samples() {
        let mut all = Vec::new();
        places(&record, "", &mut all);
        for place in all {
            for odd in [
                json!(null),
                json!("9999-12-31T23:59:59Z"),
                json!(-1),
                json!([7]),
                json!({"a": 1}),
            ] {
                let mut bent = record.clone();
                *bent.pointer_mut(&place).unwrap() = odd;
                let page = page_of(name, &[bent, record.clone()]);
                let (whole, skipped) = counted(name, &page);
                assert!(whole >= 1 && whole + skipped == 2, "{name} {place}");
                read(name, &page);
            }
        }
    }
}

#[test]
fn inventory_records_survive_whatever_is_not_their_id() {
    for (name, record) in samples() {
        if !["okta_devices", "jamf_computers", "intune_devices"].contains(&name) {
            continue;
        }
        let mut all = Vec::new();
        places(&record, "", &mut all);
        for place in all.iter().filter(|place| *place != "/id") {
            for odd in [
                json!(null),
                json!([{}, 7]),
                json!({"a": []}),
                json!("word"),
                json!(1.5),
            ] {
                let mut bent = record.clone();
                *bent.pointer_mut(place).unwrap() = odd.clone();
                let page = page_of(name, &[bent]);
                assert_eq!(
                    counted(name, &page),
                    (1, 0),
                    "{name} {place} {odd}: an absent record proves what it must not"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bent_records_never_lose_the_page(
        shape in 0_usize..12,
        changes in prop::collection::vec((any::<usize>(), odd()), 1..5),
    ) {
        let samples = samples();
        let (name, record) = &samples[shape % samples.len()];
        let page = page_of(name, &[bend(record, &changes), record.clone()]);
        let (whole, skipped) = counted(name, &page);
        prop_assert!(whole >= 1);
        prop_assert_eq!(whole + skipped, 2);
        read(name, &page);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        READERS.iter().for_each(|(_, reader)| reader(&bytes));
    }

    #[test]
    fn no_text_of_a_vendors_letters_makes_a_reader_panic(text in r#"[<>/a-z"{}\[\],:0-9=% \n\-&;]{0,300}"#) {
        READERS.iter().for_each(|(_, reader)| reader(text.as_bytes()));
    }

    #[test]
    fn page_that_is_cut_off_is_refused_and_nothing_else(shape in 0_usize..12, at in any::<usize>()) {
        let samples = samples();
        let (name, record) = &samples[shape % samples.len()];
        let page = page_of(name, std::slice::from_ref(record));
        read(name, &page[..at % page.len()]);
    }
}
