//! The client against trimmed answers of a server.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::{Value, json};
use unstuck_domain::{Enrolment, ProfileState, RepairTargets, StepId};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, body_string, body_string_contains, method, path, query_param},
};

use super::*;
use crate::{
    ChangeState, CheckCredentials, MdmActions, MdmDeviceRef, MdmReader, NoProgress, ProfileChange,
    WritePermit, decode::time, http::RetryPolicy,
};

async fn client(server: &MockServer) -> JamfClient {
    crate::http::install_crypto_provider();
    let config = JamfConfig {
        name: "jamf".into(),
        url: server.uri().parse().unwrap(),
        client_id: "id".into(),
        client_secret: SecretString::from("s3cret"),
        platforms: vec![Platform::Macos],
        attestation: AttestationSettings::new(
            "(?i)managementAttestation",
            vec![],
            vec!["*Okta*SCEP*".into()],
        )
        .unwrap(),
        targets: RepairTargets::default(),
        speed: 1.0,
    };
    let retry = RetryPolicy {
        tries: 2,
        first_pause: Duration::from_millis(1),
        give_up_after: Duration::from_secs(5),
    };
    JamfClient::with_retry(config, retry).unwrap()
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/oauth/token"))
        .and(body_string_contains("grant_type=client_credentials"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(
                json!({"access_token": "t", "token_type": "Bearer", "expires_in": 300}),
            ),
        )
        .mount(&server)
        .await;
    server
}

async fn get(server: &MockServer, at: &str, answer: Value) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(server)
        .await;
}

async fn with_profile(server: &MockServer, scope: Value) {
    get(
        server,
        "/JSSResource/osxconfigurationprofiles",
        json!({"os_x_configuration_profiles": [{"id": 12, "name": "Okta SCEP"}, {"id": 13, "name": "Wi-Fi"}]}),
    )
    .await;
    let payloads = "<plist><dict><key>PayloadIdentifier</key><string>ID-12</string><key>PayloadContent</key><array>\
        <dict><key>PayloadType</key><string>com.apple.security.scep</string></dict></array></dict></plist>";
    get(
        server,
        "/JSSResource/osxconfigurationprofiles/id/12",
        json!({"os_x_configuration_profile": {
            "general": {"id": 12, "name": "Okta SCEP", "level": "System", "payloads": payloads}, "scope": scope}}),
    )
    .await;
}

async fn with_commands(server: &MockServer, commands: Value) {
    let total = commands.as_array().map_or(0, Vec::len);
    get(
        server,
        "/api/v2/mdm/commands",
        json!({"totalCount": total, "results": commands}),
    )
    .await;
}

fn computer(id: &str) -> Value {
    json!({
        "id": id, "udid": format!("UD-{id}"),
        "general": {"name": format!("mac-{id}"), "platform": "Mac", "managementId": format!("M-{id}"),
            "remoteManagement": {"managed": true}, "reportDate": "2026-08-01T10:00:00Z",
            "mdmCapable": {"capable": true, "userManagementInfo": [{"capableUser": "ann", "managementId": format!("U-{id}")}]}},
        "hardware": {"serialNumber": format!("C02{id}")},
        "configurationProfiles": [], "certificates": [], "groupMemberships": [{"groupId": "7"}], "applications": null
    })
}

fn command(client: &str, kind: &str, state: &str) -> Value {
    json!({"uuid": "u", "dateSent": "2026-08-01T10:00:00.000Z",
        "dateCompleted": if state == "PENDING" { "1970-01-01T00:00:00Z" } else { "2026-08-01T10:05:00.000Z" },
        "client": {"managementId": client, "clientType": "COMPUTER"}, "commandState": state,
        "commandType": kind, "commandError": {}, "profileId": 12})
}

fn permit() -> WritePermit {
    WritePermit::new("digest".into(), StepId::from("push.1"), Arc::new(|| true))
}

fn device_ref() -> MdmDeviceRef {
    MdmDeviceRef {
        id: "42".into(),
        management_id: Some("M-42".into()),
    }
}

#[tokio::test]
async fn sweep_joins_inventory_scope_commands_and_push() {
    let server = server().await;
    with_profile(&server, json!({"computer_groups": [{"id": 7}]})).await;
    with_commands(
        &server,
        json!([command("M-42", "INSTALL_PROFILE", "PENDING")]),
    )
    .await;
    get(
        &server,
        "/api/v1/apns-client-push-status",
        json!({"totalCount": 1, "results": [{"deviceType": "COMPUTER", "clientId": "43", "managementId": "m-43"}]}),
    )
    .await;
    get(
        &server,
        "/api/v4/computers-inventory",
        json!({"totalCount": 3, "results": [computer("42"), {"id": null}, computer("43")]}),
    )
    .await;

    let jamf = client(&server).await;
    let seen = jamf.observe(&NoProgress).await.unwrap();

    assert_eq!(seen.devices.len(), 2, "a bad record never loses the page");
    assert_eq!(seen.profiles.len(), 1, "the Wi-Fi profile is not read");
    let states: Vec<_> = seen
        .devices
        .iter()
        .map(|device| {
            (
                device.push_enabled,
                &device.profiles.as_ref().unwrap()[0].state,
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (Some(true), &ProfileState::Pending),
            (Some(false), &ProfileState::Pending)
        ]
    );
    assert_eq!(
        seen.devices[0].profiles.as_ref().unwrap()[0].since,
        time("2026-08-01T10:00:00Z"),
        "the command tells since when"
    );
    assert_eq!(seen.devices[1].profiles.as_ref().unwrap()[0].since, None);
    assert_eq!(seen.devices[0].enrolment, Enrolment::Works);
    assert_eq!(
        jamf.usage().requests,
        7,
        "token, list, profile, a look into the other, commands, push, inventory"
    );
}

#[tokio::test]
async fn server_without_v4_and_push_status_is_read_through_v3() {
    let server = server().await;
    with_profile(&server, json!({"all_computers": true})).await;
    with_commands(&server, json!([])).await;
    let mut record = computer("42");
    record["general"]["lastContactTime"] = json!("2026-08-01T09:00:00Z");
    get(
        &server,
        "/api/v3/computers-inventory",
        json!({"totalCount": 1, "results": [record]}),
    )
    .await;
    let seen = client(&server).await.observe(&NoProgress).await.unwrap();
    assert_eq!(seen.devices[0].last_check_in, time("2026-08-01T09:00:00Z"));
    assert_eq!(
        seen.devices[0].push_enabled, None,
        "404 is unknown, not healthy"
    );
}

#[tokio::test]
async fn page_shorter_than_the_total_asks_for_is_incomplete() {
    let server = server().await;
    with_profile(&server, json!({})).await;
    with_commands(&server, json!([])).await;
    get(
        &server,
        "/api/v4/computers-inventory",
        json!({"totalCount": 5000, "results": [computer("42")]}),
    )
    .await;
    let error = client(&server)
        .await
        .observe(&NoProgress)
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Unreadable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn old_token_address_is_tried_after_a_404() {
    let server = MockServer::start().await;
    Mock::given(path("/api/oauth/token"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": "t", "expires_in": 60})),
        )
        .expect(1)
        .mount(&server)
        .await;
    get(
        &server,
        "/api/v1/jamf-pro-version",
        json!({"version": "10.49"}),
    )
    .await;
    let checks = client(&server).await.check_credentials().await;
    assert!(checks[0].ok, "{checks:?}");
}

#[tokio::test]
async fn wrong_secret_says_so_and_stops_the_check() {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/oauth/token"))
        .respond_with(ResponseTemplate::new(400).set_body_json(
            json!({"error": "invalid_client", "error_description": "Client authentication failed"}),
        ))
        .mount(&server)
        .await;
    let checks = client(&server).await.check_credentials().await;
    assert_eq!(checks.len(), 1);
    assert!(checks[0].saw.contains("invalid_client"), "{:?}", checks[0]);
    assert!(!checks[0].hint.is_empty());
}

#[tokio::test]
async fn missing_privilege_is_named() {
    let server = server().await;
    get(
        &server,
        "/api/v1/jamf-pro-version",
        json!({"version": "11.30.1"}),
    )
    .await;
    get(
        &server,
        "/api/v1/auth",
        json!({"account": {"privilegesBySite": {"-1": ["Read Computers", "Flush MDM Commands"]}}}),
    )
    .await;
    Mock::given(path("/api/v4/computers-inventory"))
        .respond_with(
            ResponseTemplate::new(403).set_body_json(
                json!({"httpStatus": 403, "errors": [{"code": "INVALID_PRIVILEGE"}]}),
            ),
        )
        .mount(&server)
        .await;
    let checks = client(&server).await.check_credentials().await;
    let listing = checks.iter().find(|c| c.what == "list computers").unwrap();
    assert!(!listing.ok);
    assert!(listing.hint.contains("Read Computers"), "{listing:?}");
    let repair: Vec<_> = checks
        .iter()
        .filter(|c| c.saw.contains("API role"))
        .collect();
    assert_eq!(
        repair.iter().map(|c| c.ok).collect::<Vec<_>>(),
        [false, true, false]
    );
}

#[tokio::test]
async fn one_computer_is_read_with_its_applications_and_scope() {
    let server = server().await;
    with_profile(&server, json!({"buildings": [{"id": 1, "name": "HQ"}]})).await;
    with_commands(&server, json!([])).await;
    let mut record = computer("42");
    record["applications"] = json!([{"name": "Okta Verify.app"}]);
    Mock::given(path("/api/v4/computers-inventory/42"))
        .and(query_param("section", "APPLICATIONS"))
        .respond_with(ResponseTemplate::new(200).set_body_json(record))
        .mount(&server)
        .await;
    get(
        &server,
        "/JSSResource/computermanagement/id/42",
        json!({"computer_management": {"os_x_configuration_profiles": [{"profile": {"id": 12, "name": "Okta SCEP"}}]}}),
    )
    .await;
    let jamf = client(&server).await;
    let device = jamf.device(&"42".into()).await.unwrap().unwrap();
    assert_eq!(device.okta_verify_installed, Some(true));
    assert_eq!(
        device.profiles.unwrap()[0].state,
        ProfileState::Pending,
        "a scope by building is unknown until Jamf says it is in scope"
    );
}

#[tokio::test]
async fn computer_that_is_gone_is_none() {
    let server = server().await;
    assert_eq!(
        client(&server).await.device(&"42".into()).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn change_of_a_profile_is_read_from_the_commands_of_its_channel() {
    let server = server().await;
    with_profile(&server, json!({})).await;
    with_commands(
        &server,
        json!([
            command("M-42", "REMOVE_PROFILE", "ACKNOWLEDGED"),
            command("M-42", "INSTALL_PROFILE", "PENDING")
        ]),
    )
    .await;
    let jamf = client(&server).await;
    let ask = |change, since| {
        let (jamf, profile) = (&jamf, "12".into());
        async move {
            jamf.profile_change(&device_ref(), &profile, change, time(since).unwrap())
                .await
                .unwrap()
        }
    };
    assert_eq!(
        ask(ProfileChange::Remove, "2026-08-01T09:00:00Z").await,
        ChangeState::Acknowledged {
            at: time("2026-08-01T10:05:00Z").unwrap()
        }
    );
    assert_eq!(
        ask(ProfileChange::Install, "2026-08-01T09:00:00Z").await,
        ChangeState::Pending
    );
    assert_eq!(
        ask(ProfileChange::Remove, "2026-08-01T10:01:00Z").await,
        ChangeState::NotSeen,
        "a command sent before counts for nothing"
    );
    let asked = server.received_requests().await.unwrap();
    let filter = asked
        .iter()
        .filter(|request| request.url.path() == "/api/v2/mdm/commands")
        .find_map(|request| request.url.query_pairs().find(|(name, _)| name == "filter"))
        .unwrap();
    assert!(
        filter.1.starts_with("clientManagementId=in=(M-42);"),
        "{filter:?}"
    );
}

#[tokio::test]
async fn push_goes_to_all_channels_and_a_listed_error_is_a_refusal() {
    let server = server().await;
    get(&server, "/api/v4/computers-inventory/42", computer("42")).await;
    Mock::given(path("/api/v2/mdm/blank-push"))
        .and(body_json(json!({"clientManagementIds": ["M-42", "U-42"]})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"errorUuids": []})))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/v2/mdm/blank-push"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"errorUuids": ["m-42"]})))
        .mount(&server)
        .await;
    let jamf = client(&server).await;
    jamf.sync(&permit(), &device_ref()).await.unwrap();
    let error = jamf.sync(&permit(), &device_ref()).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Rejected { .. }), "{error}");
}

#[tokio::test]
async fn computer_that_enrolled_again_is_not_pushed() {
    let server = server().await;
    let mut record = computer("42");
    record["general"]["managementId"] = json!("NEW");
    get(&server, "/api/v4/computers-inventory/42", record).await;
    let error = client(&server)
        .await
        .sync(&permit(), &device_ref())
        .await
        .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Rejected { .. }), "{error}");
}

#[tokio::test]
async fn group_change_is_one_computer_and_a_conflict_is_a_refusal() {
    let server = server().await;
    Mock::given(method("PUT"))
        .and(path("/JSSResource/computergroups/id/9"))
        .and(body_string(
            "<computer_group><computer_additions><computer><id>42</id></computer></computer_additions></computer_group>",
        ))
        .respond_with(ResponseTemplate::new(201).set_body_string("<computer_group><id>9</id></computer_group>"))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(path("/JSSResource/computergroups/id/9"))
        .and(body_string_contains("computer_deletions"))
        .respond_with(ResponseTemplate::new(409).set_body_string(
            "<html><body><p>Conflict</p><p>Error: Unable to match computer</p></body></html>",
        ))
        .mount(&server)
        .await;
    let jamf = client(&server).await;
    jamf.set_group(&permit(), &device_ref(), &"9".into(), true)
        .await
        .unwrap();
    let error = jamf
        .set_group(&permit(), &device_ref(), &"9".into(), false)
        .await
        .unwrap_err();
    match error.kind {
        ErrorKind::Rejected { reason } => {
            assert_eq!(reason, "status 409: Error: Unable to match computer");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ids_that_are_no_numbers_never_leave() {
    let server = server().await;
    let jamf = client(&server).await;
    let list = MdmDeviceRef {
        id: "42,43".into(),
        management_id: Some("M".into()),
    };
    for error in [
        jamf.flush_failed_commands(&permit(), &list)
            .await
            .unwrap_err(),
        jamf.set_group(&permit(), &list, &"9".into(), true)
            .await
            .unwrap_err(),
        jamf.set_group(&permit(), &device_ref(), &"".into(), true)
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error.kind, ErrorKind::NotSent { .. }), "{error}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn only_failed_commands_of_that_computer_are_flushed() {
    let server = server().await;
    Mock::given(method("DELETE"))
        .and(path(
            "/JSSResource/commandflush/computers/id/42/status/Failed",
        ))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let jamf = client(&server).await;
    jamf.flush_failed_commands(&permit(), &device_ref())
        .await
        .unwrap();
}

#[tokio::test]
async fn inventory_is_refreshed_by_two_reading_commands_and_an_old_server_may_refuse_the_second() {
    let server = server().await;
    let send = |kind: &str| json!({"clientData": [{"managementId": "M-42"}], "commandData": {"commandType": kind}});
    Mock::given(path("/api/v2/mdm/commands"))
        .and(body_json(send("CERTIFICATE_LIST")))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!([{"id": "u", "href": "/x"}])))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/v2/mdm/commands"))
        .and(body_json(send("PROFILE_LIST")))
        .respond_with(
            ResponseTemplate::new(400).set_body_json(json!({"httpStatus": 400, "errors": []})),
        )
        .expect(1)
        .mount(&server)
        .await;
    client(&server)
        .await
        .refresh_inventory(&permit(), &device_ref())
        .await
        .unwrap();
}

#[tokio::test]
async fn smart_and_missing_groups_are_no_repair_targets() {
    let server = server().await;
    get(
        &server,
        "/JSSResource/computergroups/id/9",
        json!({"computer_group": {"id": 9, "name": "hold", "is_smart": false, "computers": [{"id": 42}, {"id": 43}]}}),
    )
    .await;
    get(
        &server,
        "/JSSResource/computergroups/id/8",
        json!({"computer_group": {"id": 8, "name": "smart", "is_smart": true, "computers": []}}),
    )
    .await;
    let jamf = client(&server).await;
    assert_eq!(jamf.check_group(&"9".into()).await.unwrap(), Ok(()));
    assert!(jamf.check_group(&"8".into()).await.unwrap().is_err());
    assert!(jamf.check_group(&"7".into()).await.unwrap().is_err());
    let members = jamf.group_members(&"9".into()).await.unwrap();
    assert_eq!(
        members.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(),
        ["42", "43"]
    );
}

#[tokio::test]
async fn what_jamf_cannot_do_is_unsupported() {
    let server = server().await;
    let jamf = client(&server).await;
    for error in [
        jamf.set_category(&permit(), &device_ref(), None)
            .await
            .unwrap_err(),
        jamf.run_script(&permit(), &device_ref(), "s")
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error.kind, ErrorKind::Unsupported { .. }));
    }
}

/// Base64 of the shape of a certificate that names our issuer.
const OUR_AUTHORITY: &str = "MANPdXIgQ0E=";

#[tokio::test]
async fn profiles_beside_are_looked_into_once_and_those_that_matter_at_every_sweep() {
    let server = server().await;
    let payload = |kind: &str, rest: &str| {
        format!(
            "<plist><dict><key>PayloadIdentifier</key><string>ID-{kind}</string><key>PayloadContent</key><array>\
             <dict><key>PayloadType</key><string>{kind}</string>{rest}</dict></array></dict></plist>"
        )
    };
    let scep = payload(
        "com.apple.security.scep",
        "<key>PayloadContent</key><dict><key>Key Usage</key><integer>4</integer></dict>",
    );
    let trust = payload(
        "com.apple.security.pkcs1",
        &format!("<key>PayloadContent</key><data>{OUR_AUTHORITY}</data>"),
    );
    let sso = payload(
        "com.apple.extensiblesso",
        "<key>TeamIdentifier</key><string>B7F62B65BN</string>",
    );
    let wifi = payload("com.apple.wifi.managed", "");
    let all = [
        (12, "Okta SCEP", scep, 3),
        (13, "Office", wifi, 1),
        (14, "Authority", trust, 3),
        (15, "Sign-in", sso, 3),
    ];
    let list: Vec<Value> = all
        .iter()
        .map(|(id, name, ..)| json!({"id": id, "name": name}))
        .collect();
    get(
        &server,
        "/JSSResource/osxconfigurationprofiles",
        json!({"os_x_configuration_profiles": list}),
    )
    .await;
    for (id, name, payloads, reads) in all {
        Mock::given(path(format!(
            "/JSSResource/osxconfigurationprofiles/id/{id}"
        )))
        .respond_with(ResponseTemplate::new(200).set_body_json(
            json!({"os_x_configuration_profile": {
                "general": {"id": id, "name": name, "level": "System", "payloads": payloads},
                "scope": {"computer_groups": [{"id": 7}]}}}),
        ))
        .expect(reads)
        .mount(&server)
        .await;
    }
    with_commands(
        &server,
        json!([command("M-42", "INSTALL_PROFILE", "PENDING")]),
    )
    .await;
    get(
        &server,
        "/api/v1/apns-client-push-status",
        json!({"totalCount": 0, "results": []}),
    )
    .await;
    let mut mac = computer("42");
    mac["configurationProfiles"] = json!([{"profileIdentifier": "ID-com.apple.extensiblesso", "lastInstalled": "2026-07-01T00:00:00Z"}]);
    mac["certificates"] = json!([{"commonName": "Our CA", "identity": false}]);
    get(
        &server,
        "/api/v4/computers-inventory",
        json!({"totalCount": 1, "results": [mac]}),
    )
    .await;
    let mut jamf = client(&server).await;
    jamf.attestation = Arc::new(
        AttestationSettings::new("x", vec!["Our CA".into()], vec!["*Okta*SCEP*".into()]).unwrap(),
    );
    jamf.observe(&NoProgress).await.unwrap();
    // What a person asks for in between looks into nothing new.
    jamf.profiles().await.unwrap();
    let seen = jamf.observe(&NoProgress).await.unwrap();

    let profile = &seen.profiles[0];
    assert_eq!(profile.scep.digital_signature, Some(false));
    assert_eq!(profile.trust.as_ref().unwrap().id, "14".into());
    let sso = seen.sso_extensions.unwrap();
    assert_eq!(sso.len(), 1);
    let mac = &seen.devices[0];
    assert_eq!(
        mac.sso_extensions.as_deref(),
        Some(["15".into()].as_slice())
    );
    assert_eq!(
        mac.trust_profile,
        Some(ProfileState::Pending),
        "in scope, not installed"
    );
    assert_eq!(mac.intermediate_present, Some(true));
    assert_eq!(mac.command_pending_since, time("2026-08-01T10:00:00Z"));
}
