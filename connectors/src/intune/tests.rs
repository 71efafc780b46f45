//! The client against trimmed answers of Graph.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use unstuck_domain::{ProfileState, StepId};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, body_partial_json, method, path, query_param, query_param_contains},
};

use super::*;
use crate::{
    ChangeState, CheckCredentials, MdmActions, MdmDeviceRef, MdmReader, NoProgress, ProfileChange,
    WritePermit, decode::time,
};

const ENTRA: &str = "11111111-2222-3333-4444-555555555555";

fn client(server: &MockServer) -> IntuneClient {
    crate::http::install_crypto_provider();
    let config = IntuneConfig {
        name: "intune".into(),
        tenant_id: "tenant".into(),
        client_id: "id".into(),
        client_secret: SecretString::from("s3cret"),
        graph_url: server.uri().parse().unwrap(),
        login_url: server.uri().parse().unwrap(),
        platforms: vec![Platform::Windows],
        attestation: AttestationSettings::new(
            "(?i)managementAttestation",
            vec![],
            vec!["*Okta*SCEP*".into()],
        )
        .unwrap(),
        targets: RepairTargets::default(),
        speed: 1000.0,
    };
    let retry = RetryPolicy {
        tries: 2,
        first_pause: Duration::from_millis(1),
        give_up_after: Duration::from_secs(5),
    };
    IntuneClient::with_retry(config, retry).unwrap()
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/tenant/oauth2/v2.0/token"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": "t", "expires_in": 3599})),
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

fn device(id: &str) -> Value {
    json!({"id": id, "deviceName": "PC", "operatingSystem": "Windows", "serialNumber": format!("S-{id}"),
        "azureADDeviceId": ENTRA, "userPrincipalName": "ann@acme.test", "lastSyncDateTime": "2026-08-01T10:00:00Z",
        "managementAgent": "mdm", "managementState": "managed", "deviceRegistrationState": "registered"})
}

/// One SCEP profile, assigned to a group of devices.
async fn with_profile(server: &MockServer) {
    let profile = json!({"@odata.type": "#microsoft.graph.windows81SCEPCertificateProfile", "id": "P1",
        "displayName": "Okta SCEP", "certificateStore": "user", "assignments": [{"id": "a", "intent": "apply", "target": {
            "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "G1"}}]});
    let wifi = json!({"@odata.type": "#microsoft.graph.windowsWifiEnterpriseEAPConfiguration", "id": "W1", "displayName": "Office"});
    let at = "/beta/deviceManagement/deviceConfigurations";
    Mock::given(path(at))
        .and(query_param_contains("$filter", "isof"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [profile]})))
        .with_priority(1)
        .mount(server)
        .await;
    get(server, at, json!({"value": [profile, wifi]})).await;
    get(
        server,
        &format!("{at}/W1/microsoft.graph.windowsWifiEnterpriseEAPConfiguration/identityCertificateForClientAuthentication"),
        json!({"id": "P1", "displayName": "Okta SCEP"}),
    )
    .await;
    get(
        server,
        "/v1.0/groups/G1/members",
        json!({"value": [{"@odata.type": "#microsoft.graph.device", "id": "o1"}]}),
    )
    .await;
}

/// A report job that is completed at the second look, first without its address.
async fn with_report(server: &MockServer, name: &str, csv: &str) {
    Mock::given(method("POST"))
        .and(path("/v1.0/deviceManagement/reports/exportJobs"))
        .and(body_partial_json(json!({"reportName": name})))
        .respond_with(
            ResponseTemplate::new(201)
                .set_body_json(json!({"id": name, "status": "notStarted", "url": null})),
        )
        .mount(server)
        .await;
    let at = format!("/v1.0/deviceManagement/reports/exportJobs/{name}");
    Mock::given(path(at.clone()))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"id": name, "status": "completed", "url": ""})),
        )
        .up_to_n_times(1)
        .with_priority(1)
        .mount(server)
        .await;
    get(
        server,
        &at,
        json!({"id": name, "status": "completed", "url": format!("{}/files/{name}.zip", server.uri())}),
    )
    .await;
    Mock::given(path(format!("/files/{name}.zip")))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(zip::archive_of(csv.as_bytes())))
        .mount(server)
        .await;
}

fn permit() -> WritePermit {
    WritePermit::new("digest".into(), StepId::from("push.1"), Arc::new(|| true))
}

fn device_ref() -> MdmDeviceRef {
    MdmDeviceRef {
        id: "D1".into(),
        management_id: Some(ENTRA.into()),
    }
}

const STATES: &str = "DeviceStatusesByConfigurationProfile";
const CERTIFICATES: &str = "AllDeviceCertificates";

#[tokio::test]
async fn sweep_joins_devices_with_both_reports_and_reads_why_a_delivery_failed() {
    let server = server().await;
    with_profile(&server).await;
    with_report(
        &server,
        STATES,
        "\u{feff}PolicyId,IntuneDeviceId,ReportStatus,PolicyStatus\r\nP1,D1,Succeeded,2\r\nP1,d2,Error,5\r\n",
    )
    .await;
    with_report(
        &server,
        CERTIFICATES,
        "DeviceId,SubjectName,IssuerName,PolicyId,SerialNumber,Thumbprint,ValidFrom,ValidTo,CertificateStatus\r\n\
         D1,\"CN=ann managementAttestation 1\",CN=Okta,P1,01,AB,2026-01-01 00:00:00,2027-01-01 00:00:00,Issued\r\n",
    )
    .await;
    let phone = json!({"id": "D9", "operatingSystem": "iOS"});
    let second = format!(
        "{}/v1.0/deviceManagement/managedDevices?$skiptoken=a%2Bb",
        server.uri()
    );
    Mock::given(path("/v1.0/deviceManagement/managedDevices"))
        .and(query_param("$skiptoken", "a+b"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"value": [device("D2"), device("D3")]})),
        )
        .with_priority(1)
        .mount(&server)
        .await;
    get(
        &server,
        "/v1.0/deviceManagement/managedDevices",
        json!({"value": [device("D1"), {"id": 0.5, "deviceName": {}}, phone, {"no": "id"}], "@odata.nextLink": second}),
    )
    .await;
    Mock::given(path("/v1.0/$batch"))
        .and(body_json(json!({"requests": [{"id": "0", "method": "GET",
            "url": "/deviceManagement/managedDevices/D2/deviceConfigurationStates"}]})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"responses": [{"id": "0", "status": 200,
            "body": {"value": [{"id": "x", "displayName": "Okta SCEP", "state": "error", "settingStates": [
                {"state": "error", "errorCode": 5, "errorDescription": "challenge refused"}]}]}}]})))
        .expect(1)
        .mount(&server)
        .await;

    let seen = client(&server).observe(&NoProgress).await.unwrap();

    let states: Vec<_> = seen
        .devices
        .iter()
        .map(|device| {
            (
                device.id.as_str(),
                device.profiles.as_ref().unwrap()[0].state.clone(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("D1", ProfileState::Installed),
            (
                "D2",
                ProfileState::Failed {
                    error: "challenge refused (0x00000005)".into()
                }
            ),
            ("D3", ProfileState::NotAssigned)
        ]
    );
    let certificates = seen.devices[0].certificates.as_ref().unwrap();
    assert_eq!(certificates[0].issuer.as_deref(), Some("CN=Okta"));
    assert_eq!(certificates[0].expires_at, time("2027-01-01T00:00:00Z"));
    assert_eq!(seen.devices[2].certificates.as_deref(), Some([].as_slice()));
    let profile = &seen.profiles[0];
    assert_eq!(profile.scope.device_groups, ["G1".into()]);
    assert_eq!(
        profile.network_uses.as_deref(),
        Some(["Office".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn credential_that_may_not_export_reads_the_legacy_list_and_shows_no_certificates() {
    let server = server().await;
    with_profile(&server).await;
    Mock::given(method("POST"))
        .and(path("/v1.0/deviceManagement/reports/exportJobs"))
        .respond_with(
            ResponseTemplate::new(403)
                .set_body_json(json!({"error": {"code": "Forbidden", "message": "no"}})),
        )
        .mount(&server)
        .await;
    get(
        &server,
        "/beta/deviceManagement/deviceConfigurations/P1/deviceStatuses",
        json!({"value": [{"id": "u_P1_D1", "status": "conflict", "lastReportedDateTime": "0001-01-01T00:00:00Z"}]}),
    )
    .await;
    get(
        &server,
        "/v1.0/deviceManagement/managedDevices",
        json!({"value": [device("D1")]}),
    )
    .await;
    let seen = client(&server).observe(&NoProgress).await.unwrap();
    assert_eq!(seen.devices[0].certificates, None);
    let delivery = &seen.devices[0].profiles.as_ref().unwrap()[0];
    assert_eq!(
        (&delivery.state, delivery.since),
        (&ProfileState::Conflict, None)
    );
}

#[tokio::test]
async fn failing_device_list_is_incomplete_and_the_broker_limit_is_tried_again() {
    let server = server().await;
    let at = "/v1.0/deviceManagement/managedDevices";
    let limit = json!({"error": {"code": "InternalServerError",
        "message": "Rate limit reached because of too many requests to query broker. Please retry after sometime."}});
    get(
        &server,
        "/beta/deviceManagement/deviceConfigurations",
        json!({"value": []}),
    )
    .await;
    with_report(&server, CERTIFICATES, "DeviceId,SubjectName\r\n").await;
    Mock::given(path(at))
        .respond_with(ResponseTemplate::new(500).set_body_json(limit))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    get(&server, at, json!({"value": [device("D1")]})).await;
    let intune = client(&server);
    assert_eq!(intune.observe(&NoProgress).await.unwrap().devices.len(), 1);
    server.reset().await;
    assert!(intune.observe(&NoProgress).await.is_err());
}

#[tokio::test]
async fn hold_category_given_by_id_is_told_by_name() {
    let server = server().await;
    get(
        &server,
        "/beta/deviceManagement/deviceConfigurations",
        json!({"value": []}),
    )
    .await;
    get(
        &server,
        "/v1.0/deviceManagement/managedDevices",
        json!({"value": []}),
    )
    .await;
    get(
        &server,
        "/v1.0/deviceManagement/deviceCategories",
        json!({"value": [{"id": "c1", "displayName": "reissue"}]}),
    )
    .await;
    with_report(&server, CERTIFICATES, "DeviceId,SubjectName\r\n").await;
    let mut intune = client(&server);
    for setting in ["c1", "reissue"] {
        intune.targets.hold_category = Some(setting.into());
        let seen = intune.observe(&NoProgress).await.unwrap();
        assert_eq!(seen.targets.hold_category.as_deref(), Some("reissue"));
    }
}

#[tokio::test]
async fn one_device_is_read_by_id_with_its_rows() {
    let server = server().await;
    with_profile(&server).await;
    with_report(&server, CERTIFICATES, "DeviceId,SubjectName\r\n").await;
    let mut record = device("D1");
    record["usersLoggedOn"] = json!([{"userId": "a"}, {"userId": "b"}]);
    get(&server, "/beta/deviceManagement/managedDevices/D1", record).await;
    get(
        &server,
        "/v1.0/deviceManagement/managedDevices/D1/deviceConfigurationStates",
        json!({"value": [{"id": "x_P1", "displayName": "Okta SCEP", "state": "compliant"}]}),
    )
    .await;
    let intune = client(&server);
    let read = intune.device(&"D1".into()).await.unwrap().unwrap();
    assert_eq!(read.local_users, Some(2));
    assert_eq!(read.profiles.unwrap()[0].state, ProfileState::Installed);
    assert_eq!(read.certificates.as_deref(), Some([].as_slice()));
    assert_eq!(intune.device(&"D2".into()).await.unwrap(), None);
}

#[tokio::test]
async fn removal_needs_a_sync_after_it_began_and_no_row_that_says_otherwise() {
    let server = server().await;
    with_profile(&server).await;
    get(
        &server,
        "/beta/deviceManagement/managedDevices/D1",
        device("D1"),
    )
    .await;
    get(
        &server,
        "/v1.0/deviceManagement/managedDevices/D1/deviceConfigurationStates",
        json!({"value": []}),
    )
    .await;
    let intune = client(&server);
    let ask = |profile: &'static str, since| {
        let intune = &intune;
        async move {
            let (device, since) = (device_ref(), time(since).unwrap());
            intune
                .profile_change(&device, &profile.into(), ProfileChange::Remove, since)
                .await
        }
    };
    assert_eq!(
        ask("P1", "2026-08-01T09:00:00Z").await.unwrap(),
        ChangeState::Acknowledged {
            at: time("2026-08-01T10:00:00Z").unwrap()
        }
    );
    assert_eq!(
        ask("P1", "2026-08-01T10:00:00Z").await.unwrap(),
        ChangeState::NotSeen
    );
    let unknown = ask("P7", "2026-08-01T09:00:00Z").await.unwrap_err();
    assert!(
        unknown.is_not_found(),
        "an unknown profile has no row either: {unknown}"
    );
}

#[tokio::test]
async fn sync_and_script_are_sent_to_one_device_and_an_open_end_is_unclear() {
    let server = server().await;
    Mock::given(method("POST"))
        .and(path("/v1.0/deviceManagement/managedDevices/D1/syncDevice"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path(
            "/beta/deviceManagement/managedDevices/D1/initiateOnDemandProactiveRemediation",
        ))
        .and(body_json(json!({"scriptPolicyId": "s1"})))
        .respond_with(ResponseTemplate::new(503))
        .expect(1)
        .mount(&server)
        .await;
    let intune = client(&server);
    intune.sync(&permit(), &device_ref()).await.unwrap();
    let error = intune
        .run_script(&permit(), &device_ref(), "s1")
        .await
        .unwrap_err();
    assert!(error.is_unclear(), "{error}");
}

async fn with_entra_device(server: &MockServer, found: Value) {
    Mock::given(path("/v1.0/devices"))
        .and(query_param("$filter", format!("deviceId eq '{ENTRA}'")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": found})))
        .mount(server)
        .await;
}

#[tokio::test]
async fn removal_from_a_group_always_ends_in_ref_and_a_404_is_checked() {
    let server = server().await;
    with_entra_device(&server, json!([{"id": "o1", "deviceId": ENTRA}])).await;
    let gone = json!({"error": {"code": "Request_ResourceNotFound", "message": "Resource 'o1' does not exist"}});
    for group in ["there", "missing"] {
        Mock::given(method("DELETE"))
            .and(path(format!("/v1.0/groups/{group}/members/o1/$ref")))
            .respond_with(ResponseTemplate::new(404).set_body_json(&gone))
            .expect(1)
            .mount(&server)
            .await;
    }
    get(
        &server,
        "/v1.0/groups/there",
        json!({"id": "there", "groupTypes": []}),
    )
    .await;
    get(
        &server,
        "/v1.0/groups/there/members",
        json!({"value": [{"id": "o2"}]}),
    )
    .await;
    let intune = client(&server);
    intune
        .set_group(&permit(), &device_ref(), &"there".into(), false)
        .await
        .unwrap();
    let error = intune
        .set_group(&permit(), &device_ref(), &"missing".into(), false)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "a wrong group is no success: {error}");
    let deletes: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .into_iter()
        .filter(|request| request.method.as_str() == "DELETE")
        .collect();
    assert!(
        deletes
            .iter()
            .all(|request| request.url.path().ends_with("/$ref"))
    );
}

#[tokio::test]
async fn member_that_is_there_already_is_success_and_other_refusals_are_not() {
    let server = server().await;
    with_entra_device(&server, json!([{"id": "o1", "deviceId": ENTRA}])).await;
    for (group, message) in [
        (
            "G1",
            "One or more added object references already exist for the following modified properties: 'members'.",
        ),
        ("G2", "Insufficient quota"),
    ] {
        Mock::given(method("POST"))
            .and(path(format!("/v1.0/groups/{group}/members/$ref")))
            .and(body_json(
                json!({"@odata.id": format!("{}/v1.0/directoryObjects/o1", server.uri())}),
            ))
            .respond_with(ResponseTemplate::new(400).set_body_json(
                json!({"error": {"code": "Request_BadRequest", "message": message}}),
            ))
            .mount(&server)
            .await;
    }
    let intune = client(&server);
    intune
        .set_group(&permit(), &device_ref(), &"G1".into(), true)
        .await
        .unwrap();
    let error = intune
        .set_group(&permit(), &device_ref(), &"G2".into(), true)
        .await
        .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Rejected { .. }), "{error}");
}

#[tokio::test]
async fn device_that_entra_does_not_know_is_never_guessed() {
    let server = server().await;
    with_entra_device(&server, json!([])).await;
    let intune = client(&server);
    let unregistered = MdmDeviceRef {
        id: "D1".into(),
        management_id: None,
    };
    let bent = MdmDeviceRef {
        id: "D1".into(),
        management_id: Some("x' or displayName eq 'PC".into()),
    };
    for device in [device_ref(), unregistered, bent] {
        let error = intune
            .set_group(&permit(), &device, &"G1".into(), true)
            .await
            .unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Rejected { .. }), "{error}");
    }
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.len(), 2, "one token, one look-up");
}

#[tokio::test]
async fn category_is_set_by_its_id_and_never_cleared() {
    let server = server().await;
    get(
        &server,
        "/v1.0/deviceManagement/deviceCategories",
        json!({"value": [{"id": "c1", "displayName": "reissue"}, {"id": "c2", "displayName": "office"}]}),
    )
    .await;
    Mock::given(method("PUT"))
        .and(path("/v1.0/deviceManagement/managedDevices/D1/deviceCategory/$ref"))
        .and(body_json(json!({"@odata.id": format!("{}/v1.0/deviceManagement/deviceCategories/c1", server.uri())})))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let intune = client(&server);
    intune
        .set_category(&permit(), &device_ref(), Some("reissue"))
        .await
        .unwrap();
    let unknown = intune
        .set_category(&permit(), &device_ref(), Some("x"))
        .await
        .unwrap_err();
    assert!(matches!(unknown.kind, ErrorKind::Rejected { .. }));
    let none = intune
        .set_category(&permit(), &device_ref(), None)
        .await
        .unwrap_err();
    assert!(matches!(none.kind, ErrorKind::Unsupported { .. }));
}

#[tokio::test]
async fn missing_permission_is_named_from_the_token() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let server = MockServer::start().await;
    let claims =
        URL_SAFE_NO_PAD.encode(br#"{"roles":["DeviceManagementManagedDevices.Read.All"]}"#);
    Mock::given(path("/tenant/oauth2/v2.0/token"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(
                json!({"access_token": format!("h.{claims}.s"), "expires_in": 3599}),
            ),
        )
        .mount(&server)
        .await;
    Mock::given(path("/v1.0/deviceManagement/managedDevices"))
        .respond_with(
            ResponseTemplate::new(403)
                .set_body_json(json!({"error": {"code": "Forbidden", "message": "no"}})),
        )
        .mount(&server)
        .await;
    let checks = client(&server).check_credentials().await;
    assert!(checks[0].ok);
    assert!(
        checks[1]
            .hint
            .contains("DeviceManagementManagedDevices.Read.All"),
        "{:?}",
        checks[1]
    );
    let profiles = checks
        .iter()
        .find(|c| c.what.contains("SCEP profiles"))
        .unwrap();
    assert!(!profiles.ok && !profiles.optional);
    assert!(
        profiles
            .hint
            .contains("DeviceManagementConfiguration.Read.All")
    );
}

#[tokio::test]
async fn wrong_secret_says_so() {
    let server = MockServer::start().await;
    Mock::given(path("/tenant/oauth2/v2.0/token"))
        .respond_with(
            ResponseTemplate::new(401).set_body_json(json!({"error": "invalid_client",
            "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: 1"})),
        )
        .mount(&server)
        .await;
    let checks = client(&server).check_credentials().await;
    assert_eq!(checks.len(), 1);
    assert!(checks[0].saw.contains("AADSTS7000215"), "{:?}", checks[0]);
}

#[tokio::test]
async fn trusted_root_and_failed_requests_are_joined_with_devices() {
    let server = server().await;
    with_profile(&server).await;
    let at = "/beta/deviceManagement/deviceConfigurations";
    get(
        &server,
        &format!("{at}/P1"),
        json!({"id": "P1", "rootCertificate": {"@odata.type": "#microsoft.graph.windows81TrustedRootCertificate", "id": "R1"}}),
    )
    .await;
    get(
        &server,
        &format!("{at}/R1"),
        json!({"id": "R1", "displayName": "Okta CA", "trustedRootCertificate": "MAEA", "assignments": [{"intent": "apply",
            "target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "G1"}}]}),
    )
    .await;
    get(
        &server,
        &format!("{at}/P1/microsoft.graph.windows81SCEPCertificateProfile/managedDeviceCertificateStates"),
        json!({"value": [
            {"deviceDisplayName": "pc-1", "certificateIssuanceState": "challengeValidationFailed", "certificateErrorCode": 5,
             "certificateLastIssuanceStateChangedDateTime": "2026-08-01T10:00:00Z"},
            {"deviceDisplayName": "PC-2", "certificateIssuanceState": "issued"},
            {"deviceDisplayName": "twin", "certificateIssuanceState": "issueFailed"}, 7]}),
    )
    .await;
    // One report answers for both profiles here.
    with_report(
        &server,
        STATES,
        "PolicyId,IntuneDeviceId,ReportStatus,PolicyStatus\r\nP1,D1,Succeeded,2\r\n",
    )
    .await;
    with_report(&server, CERTIFICATES, "DeviceId,SubjectName\r\n").await;
    let named = |id: &str, name: &str| {
        let mut device = device(id);
        device["deviceName"] = json!(name);
        device
    };
    let devices = [
        named("D1", "PC-1"),
        named("D2", "PC-2"),
        named("D3", "Twin"),
        named("D4", "TWIN"),
    ];
    get(
        &server,
        "/v1.0/deviceManagement/managedDevices",
        json!({"value": devices}),
    )
    .await;

    let seen = client(&server).observe(&NoProgress).await.unwrap();

    let trust = seen.profiles[0].trust.as_ref().unwrap();
    assert_eq!(
        (&*trust.name, trust.scope.device_groups.len()),
        ("Okta CA", 1)
    );
    assert_eq!(seen.profiles[0].scep.ca_fingerprint, trust.thumbprint);
    let trusts: Vec<_> = seen
        .devices
        .iter()
        .map(|device| device.trust_profile.clone())
        .collect();
    // The second computer has no profile that would lean on it.
    assert_eq!(trusts[..2], [Some(ProfileState::Installed), None]);
    let issuance = seen.devices[0].issuance.as_ref().unwrap();
    assert_eq!(
        (&*issuance.state, issuance.error_code),
        ("challengeValidationFailed", Some(5))
    );
    let rest: Vec<_> = seen.devices[1..]
        .iter()
        .map(|device| device.issuance.is_none())
        .collect();
    assert_eq!(
        rest, [true; 3],
        "good news, and a name of two devices, tell nothing"
    );
    assert_eq!(
        (seen.sso_extensions, seen.push_certificate_expires_at),
        (None, None),
        "no Macs here"
    );
}
