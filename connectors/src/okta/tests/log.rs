use chrono::{DateTime, Utc};
use serde_json::json;
use unstuck_domain::{DeviceChange, LogFactKind};
use wiremock::matchers::{query_param, query_param_is_missing};

use super::*;

const DEVICE: &str = "guo4a5u7YAHhjXrMK0g5";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn event(event_type: &str, more: Value) -> Value {
    let mut event = json!({
        "uuid": format!("u-{event_type}"), "published": "2026-11-24T10:00:00.000Z",
        "eventType": event_type, "outcome": {"result": "SUCCESS"},
        "actor": {"id": "00u1", "type": "User", "alternateId": "ann@acme.com"},
    });
    let fields = event.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    event
}

async fn facts_of(events: Vec<Value>) -> Vec<LogFactKind> {
    let server = MockServer::start().await;
    answer_json(&server, "/api/v1/logs", Value::Array(events)).await;
    let cursor = LogCursor::Since(at("2026-11-24T09:00:00Z"));
    let page = client(&server).poll_log(LogScope::All, &cursor).await;
    let facts = page.expect("a page").facts;
    facts.into_iter().map(|fact| fact.kind).collect()
}

#[tokio::test]
async fn polling_has_no_end_and_keeps_the_next_link_as_it_is() {
    let server = MockServer::start().await;
    let next = format!("{}/api/v1/logs?limit=1000&after=1732_a%2Bb", server.uri());
    let template = |body: Value| {
        ResponseTemplate::new(200)
            .set_body_json(body)
            .insert_header("link", format!("<{next}>; rel=\"next\"").as_str())
            .insert_header("date", "Tue, 24 Nov 2026 10:00:05 GMT")
    };
    Mock::given(query_param("after", "1732_a+b"))
        .respond_with(template(json!([])))
        .mount(&server)
        .await;
    let first = json!([event("device.platform.update", json!({})), {"uuid": 1}]);
    Mock::given(query_param("since", "2026-11-24T09:00:00.000Z"))
        .and(query_param_is_missing("until"))
        .and(query_param("sortOrder", "ASCENDING"))
        .and(query_param("limit", "1000"))
        .respond_with(template(first))
        .mount(&server)
        .await;
    let client = client(&server);
    let cursor = LogCursor::Since(at("2026-11-24T09:00:00Z"));
    let page = client.poll_log(LogScope::Changes, &cursor).await;
    let page = page.expect("a page");
    assert_eq!((page.events, page.facts.len()), (2, 1));
    assert_eq!(page.next, Some(LogCursor::Next(next)));
    let cursor = page.next.expect("a cursor");
    let empty = client.poll_log(LogScope::Changes, &cursor).await;
    let empty = empty.expect("an empty page");
    assert_eq!((empty.events, empty.next), (0, Some(cursor)));
    assert_eq!(empty.read_at, at("2026-11-24T10:00:05Z"));
    let filter = requests(&server).await[0].url.to_string();
    assert!(filter.contains("pki.cert.bind") && !filter.contains("auth_via_mfa"));
}

#[tokio::test]
async fn cursor_that_okta_no_longer_takes_is_rejected_for_the_caller_to_restart() {
    let body = json!({"errorCode": "E0000053", "errorSummary": "invalid cursor"});
    let server = failing(400, body).await;
    let cursor = LogCursor::Next(format!("{}/api/v1/logs?after=old", server.uri()));
    let error = client(&server).poll_log(LogScope::All, &cursor).await;
    let error = error.expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::Rejected { .. }));
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn stored_cursor_of_another_host_or_call_is_never_followed() {
    let server = failing(200, json!([])).await;
    for link in [
        "https://evil.example/api/v1/logs?after=1".to_owned(),
        format!("{}/api/v1/users?after=1", server.uri()),
    ] {
        let error = client(&server)
            .poll_log(LogScope::All, &LogCursor::Next(link))
            .await
            .expect_err("refused");
        assert!(matches!(error.kind, ErrorKind::NotSent { .. }));
    }
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn fastpass_is_known_by_both_spellings_and_by_the_enrolment() {
    let device = json!({"id": DEVICE, "managed": true, "registered": true});
    let enrolment = json!([{"id": "pfd1", "type": "AuthenticatorEnrollment", "displayName": "Okta Verify",
        "detailEntry": {"methodTypeUsed": "Use Okta FastPass"}}]);
    for more in [
        json!({"device": device, "debugContext": {"debugData": {"factor": "SIGNED_NONCE"}}}),
        json!({"device": device, "debugContext": {"debugData": {"factor": "signed_nonce"}}}),
        json!({"device": device, "target": enrolment}),
    ] {
        let facts = facts_of(vec![event("user.authentication.auth_via_mfa", more)]).await;
        let expected = LogFactKind::FastPass {
            user: "00u1".into(),
            device: Some(DEVICE.into()),
            success: true,
            managed: Some(true),
            phishing_resistant: None,
            browser: None,
        };
        assert_eq!(facts, [expected]);
    }
}

#[tokio::test]
async fn fastpass_without_a_device_is_joined_with_the_sign_in_that_names_it() {
    let session = json!({"externalSessionId": "s1"});
    let mfa = |actor: &str| {
        event(
            "user.authentication.auth_via_mfa",
            json!({"actor": {"id": actor, "type": "User"}, "device": null, "authenticationContext": session,
                "debugContext": {"debugData": {"factor": "SIGNED_NONCE"}}}),
        )
    };
    let sso = event(
        "user.authentication.sso",
        json!({"authenticationContext": session, "device": {"id": DEVICE, "managed": false}}),
    );
    let facts = facts_of(vec![mfa("00u1"), mfa("00u2"), sso]).await;
    let fastpass = |user: &str, device: Option<&str>, managed| LogFactKind::FastPass {
        user: user.into(),
        device: device.map(Into::into),
        success: true,
        managed,
        phishing_resistant: None,
        browser: None,
    };
    assert_eq!(
        facts,
        [
            fastpass("00u1", Some(DEVICE), Some(false)),
            fastpass("00u2", None, None),
        ],
        "another user's event is never joined"
    );
}

#[tokio::test]
async fn failed_and_abandoned_fastpass_are_told_apart() {
    let mfa = |result: &str| {
        event(
            "user.authentication.auth_via_mfa",
            json!({"outcome": {"result": result}, "debugContext": {"debugData": {"factor": "SIGNED_NONCE"}}}),
        )
    };
    let facts = facts_of(vec![mfa("FAILURE"), mfa("ABANDONED")]).await;
    assert!(matches!(
        facts[..],
        [LogFactKind::FastPass { success: false, .. }]
    ));
}

#[tokio::test]
async fn session_opened_with_fastpass_is_no_sign_in_without_it() {
    let context = |id: &str| json!({"authenticationContext": {"externalSessionId": id}});
    let mut mfa = event(
        "user.authentication.auth_via_mfa",
        json!({"debugContext": {"debugData": {"factor": "SIGNED_NONCE"}}}),
    );
    mfa["authenticationContext"] = json!({"externalSessionId": "s1"});
    let facts = facts_of(vec![
        mfa,
        event("user.session.start", context("s1")),
        event("user.session.start", context("s2")),
    ])
    .await;
    assert!(matches!(
        facts[..],
        [LogFactKind::FastPass { .. }, LogFactKind::SignIn { .. }]
    ));
}

#[tokio::test]
async fn certificate_events_are_read_whatever_their_shape() {
    let bind = event(
        "pki.cert.bind",
        json!({"target": [{"type": "UDDevice", "id": DEVICE, "detailEntry": {"serial_number": "HW"}},
            {"type": "PKICertificate", "detailEntry": {"certSerialNumber": "0A:1B"}}]}),
    );
    let issue = event(
        "pki.cert.issue",
        json!({"actor": {"id": "sys", "type": "SystemPrincipal"},
            "target": [{"type": "PKICertificate", "displayName": "CN=C02XYZ managementAttestation 1,O=Acme"}]}),
    );
    let delete = event(
        "pki.cert.lifecycle.delete",
        json!({"debugContext": {"debugData": {"serial_number": "0a1b", "deviceId": DEVICE}}}),
    );
    let facts = facts_of(vec![bind, issue, delete]).await;
    assert_eq!(
        facts,
        [
            LogFactKind::CertificateBound {
                device: Some(DEVICE.into()),
                user: Some("00u1".into()),
                serial_number: Some("0A:1B".to_owned()),
            },
            LogFactKind::CertificateIssued {
                subject: Some("C02XYZ managementAttestation 1".to_owned()),
                serial_number: None,
            },
            LogFactKind::CertificateRevoked {
                event_type: "pki.cert.lifecycle.delete".to_owned(),
                serial_number: Some("0a1b".to_owned()),
                subject: None,
                device: Some(DEVICE.into()),
            },
        ]
    );
}

#[tokio::test]
async fn device_deletion_tells_record_serial_and_who_did_it() {
    let delete = event(
        "device.lifecycle.delete",
        json!({"target": [{"type": "UDDevice", "id": DEVICE, "detailEntry": {"serialNumber": "C02XYZ"}}]}),
    );
    let change = event(
        "device.platform.secret_key.reset",
        json!({"target": [{"id": "p1", "displayName": "Windows SCEP"}]}),
    );
    let facts = facts_of(vec![delete, change]).await;
    assert_eq!(
        facts,
        [
            LogFactKind::DeviceLifecycle {
                change: DeviceChange::Deleted,
                device: DEVICE.into(),
                serial_number: Some("C02XYZ".to_owned()),
                actor: Some("ann@acme.com".to_owned()),
            },
            LogFactKind::OrgChange {
                event_type: "device.platform.secret_key.reset".to_owned(),
                actor: Some("ann@acme.com".to_owned()),
                target: Some("Windows SCEP".to_owned()),
            },
        ]
    );
}

#[tokio::test]
async fn log_of_a_user_is_bounded_by_oktas_time_and_read_to_the_end() {
    let server = MockServer::start().await;
    let date = "Tue, 24 Nov 2026 10:00:00 GMT";
    let organization = ResponseTemplate::new(200)
        .set_body_json(json!({"id": "00o1"}))
        .insert_header("date", date);
    answer(&server, "/.well-known/okta-organization", organization).await;
    let start = |uuid: &str| {
        let mut start = event("user.session.start", json!({}));
        start["uuid"] = uuid.into();
        json!([start])
    };
    Mock::given(query_param("after", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(start("b")))
        .mount(&server)
        .await;
    let first = ResponseTemplate::new(200)
        .set_body_json(start("a"))
        .insert_header("link", "</api/v1/logs?after=2>; rel=\"next\"");
    answer(&server, "/api/v1/logs", first).await;
    let facts = client(&server)
        .user_log(&"00u1".into(), at("2026-11-20T00:00:00Z"))
        .await
        .expect("both pages");
    let uuids: Vec<_> = facts.iter().map(|fact| &*fact.uuid).collect();
    assert_eq!(uuids, ["a", "b"]);
    let sent = &requests(&server).await[1].url;
    let query: std::collections::HashMap<_, _> = sent.query_pairs().collect();
    assert!(query["until"].starts_with("2026-11-24T10:00:0"));
    assert!(query["filter"].starts_with("actor.id eq \"00u1\" and (eventType eq "));
}

#[tokio::test]
async fn fastpass_tells_its_proof_and_the_browser_of_the_sign_in() {
    let agent = |raw: &str, browser: &str| json!({"userAgent": {"rawUserAgent": raw, "browser": browser, "os": "Windows 10"}});
    let chrome = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36";
    let request = json!({"debugData": {"factor": "SIGNED_NONCE", "authnRequestId": "r1"}});
    let fastpass = |proved: Value| {
        event(
            "user.authentication.auth_via_mfa",
            json!({"debugContext": request, "client": agent("OktaVerify/9.1 WPFDeviceSDK/1", "UNKNOWN"),
                "target": [{"id": "pfd1", "type": "AuthenticatorEnrollment", "detailEntry": proved}]}),
        )
    };
    let verify = event(
        "user.authentication.verify",
        json!({"debugContext": {"debugData": {"authnRequestId": "r1"}}, "client": agent(chrome, "CHROME")}),
    );
    let resistant = "[DEVICE_BOUND, PHISHING_RESISTANT]";
    for (proved, expected) in [
        (
            json!({"methodUsedVerifiedProperties": resistant}),
            Some(true),
        ),
        (
            json!({"methodUsedVerifiedProperties": "[DEVICE_BOUND]"}),
            Some(false),
        ),
        (json!({"methodTypeUsed": "Use Okta FastPass"}), None),
        (json!(null), None),
    ] {
        let facts = facts_of(vec![fastpass(proved.clone()), verify.clone()]).await;
        let LogFactKind::FastPass {
            phishing_resistant,
            browser,
            ..
        } = &facts[0]
        else {
            panic!("{facts:?}");
        };
        assert_eq!(*phishing_resistant, expected, "{proved}");
        assert_eq!(browser.as_deref(), Some("CHROME 129"));
        assert_eq!(facts.len(), 1, "the rest of the sign-in is no second one");
    }
}

#[tokio::test]
async fn other_sign_ins_tell_system_and_device_session() {
    for (os, platform) in [
        ("Windows 11", Some(unstuck_domain::Platform::Windows)),
        (
            "Mac OS 15.5.0 (Sequoia)",
            Some(unstuck_domain::Platform::Macos),
        ),
        ("iOS (iPhone)", Some(unstuck_domain::Platform::Other)),
        ("Unknown", None),
    ] {
        let facts = facts_of(vec![event(
            "user.session.start",
            json!({"client": {"userAgent": {"os": os, "browser": "SAFARI"}},
                "authenticationContext": {"deviceSessionId": "ds1"}}),
        )])
        .await;
        let expected = LogFactKind::SignIn {
            user: "00u1".into(),
            device: None,
            platform,
            device_session: true,
        };
        assert_eq!(facts, [expected], "{os}");
    }
}

#[tokio::test]
async fn opened_app_is_told_where_it_was_let_in() {
    let sso = |result: &str| {
        event(
            "user.authentication.sso",
            json!({"outcome": {"result": result}, "target": [{"id": "a1", "type": "AppUser"}, {"id": "0oa1", "type": "AppInstance"}]}),
        )
    };
    let opened = LogFactKind::AppOpened {
        user: "00u1".into(),
        app: "0oa1".into(),
    };
    assert_eq!(
        facts_of(vec![sso("SUCCESS"), sso("FAILURE")]).await,
        [opened]
    );
}

#[tokio::test]
async fn event_of_an_impossible_time_is_left_out() {
    let mut events = Vec::new();
    for published in [
        json!("9999-12-31T23:59:59.000Z"),
        json!("0001-01-01T00:00:00.000Z"),
        json!("1999-01-01T00:00:00.000Z"),
        json!("2032-01-01T00:00:00.000Z"),
        json!(-1),
        json!(null),
        json!("2026-11-24T10:00:00.000Z"),
    ] {
        events.push(event(
            "device.platform.update",
            json!({"published": published}),
        ));
    }
    let server = MockServer::start().await;
    let template = ResponseTemplate::new(200)
        .set_body_json(events)
        .insert_header("date", "Tue, 24 Nov 2026 10:00:05 GMT");
    answer(&server, "/api/v1/logs", template).await;
    let cursor = LogCursor::Since(at("2026-11-24T09:00:00Z"));
    let page = client(&server).poll_log(LogScope::All, &cursor).await;
    let page = page.expect("a page");
    assert_eq!((page.events, page.facts.len()), (7, 1));
}
