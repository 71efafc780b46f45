use serde_json::json;
use unstuck_domain::{ManagementStatus, OktaDeviceStatus, Platform, UserStatus};
use wiremock::matchers::{header, query_param};

use super::*;
use crate::{CheckCredentials, NoProgress};

fn device(id: &str, embedded: Value) -> Value {
    json!({
        "id": id, "status": "ACTIVE", "created": "2026-06-21T23:24:02.000Z",
        "lastUpdated": "2026-06-22T23:24:02.000Z",
        "profile": {"displayName": "DESKTOP-1", "platform": "WINDOWS", "registered": true,
            "serialNumber": "56 4d 4f", "osVersion": "10.0.18362"},
        "_embedded": embedded,
    })
}

fn link(user: &str, status: &str) -> Value {
    json!({"managementStatus": status, "created": "2026-10-01T16:52:41.000Z", "user": {
        "id": user, "status": "ACTIVE", "lastLogin": "2026-11-01T08:00:00.000Z",
        "profile": {"firstName": "Ann", "lastName": "Li", "login": "ann@acme.com", "email": "a@acme.com"}}})
}

#[tokio::test]
async fn devices_are_read_to_the_last_page_by_the_link_as_it_is() {
    let server = MockServer::start().await;
    // A cursor with characters that a client might be tempted to escape anew.
    let next = "/api/v1/devices?after=200u65cf+b%2Bc,%7E&limit=200&expand=userSummary";
    let last = ResponseTemplate::new(200)
        .set_body_json(json!([device("guo3", json!({"users": []}))]))
        .insert_header(
            "link",
            format!("<{}/api/v1/devices?limit=200>; rel=\"self\"", server.uri()).as_str(),
        );
    Mock::given(query_param("after", "200u65cf b+c,~"))
        .respond_with(last)
        .mount(&server)
        .await;
    let page = json!([
        device("guo1", json!({"users": [link("00u1", "NOT_MANAGED"), link("00u2", "MANAGED")]})),
        {"id": 7, "status": "ACTIVE"},
        device("guo2", json!({})),
    ]);
    let first = ResponseTemplate::new(200)
        .set_body_json(page)
        .append_header(
            "link",
            format!("<{}/api/v1/devices?limit=200>; rel=\"self\"", server.uri()).as_str(),
        )
        .append_header(
            "link",
            format!("<{}{next}>; rel=\"next\"", server.uri()).as_str(),
        );
    Mock::given(query_param("expand", "userSummary"))
        .and(query_param("limit", "200"))
        .and(header("authorization", "SSWS 00a-very-secret"))
        .respond_with(first)
        .mount(&server)
        .await;

    let client = client(&server);
    let devices = client.devices(&NoProgress).await.expect("both pages");
    let ids: Vec<_> = devices.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(
        ids,
        ["guo1", "guo2", "guo3"],
        "the record that does not parse is left out alone"
    );
    let sent = requests(&server).await;
    assert_eq!(
        format!(
            "{}?{}",
            sent[1].url.path(),
            sent[1].url.query().expect("a query")
        ),
        next
    );
    assert_eq!(client.usage().requests, 2);

    let users = devices[0].users.as_ref().expect("embedded");
    assert_eq!(
        users[0].management_status,
        Some(ManagementStatus::NotManaged)
    );
    assert_eq!(users[1].management_status, Some(ManagementStatus::Managed));
    assert_eq!(users[0].name.as_deref(), Some("Ann Li"));
    assert_eq!(devices[1].users, None, "not embedded is not empty");
    assert_eq!(devices[2].users.as_deref(), Some(&[][..]));
    assert_eq!(devices[0].status, OktaDeviceStatus::Active);
    assert_eq!(devices[0].platform, Platform::Windows);
    assert_eq!(devices[0].serial_number.as_deref(), Some("56 4d 4f"));
}

#[tokio::test]
async fn a_next_link_to_another_host_or_to_itself_ends_in_an_error() {
    let elsewhere = failing(200, json!([])).await;
    let server = MockServer::start().await;
    let lure = format!("<{}/api/v1/devices?after=x>; rel=\"next\"", elsewhere.uri());
    let template = ResponseTemplate::new(200)
        .set_body_json(json!([]))
        .insert_header("link", lure.as_str());
    answer(&server, "/api/v1/devices", template).await;
    let error = client(&server).devices(&NoProgress).await;
    let error = error.expect_err("refused");
    assert!(matches!(error.kind, ErrorKind::NotSent { .. }), "{error}");
    assert!(requests(&elsewhere).await.is_empty());

    let server = MockServer::start().await;
    let round = ResponseTemplate::new(200)
        .set_body_json(json!([]))
        .insert_header("link", "</api/v1/devices?after=x>; rel=\"next\"");
    answer(&server, "/api/v1/devices", round).await;
    let error = client(&server).devices(&NoProgress).await;
    let error = error.expect_err("never ends");
    assert!(
        matches!(error.kind, ErrorKind::Unreadable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_that_fails_makes_the_whole_list_fail() {
    let server = MockServer::start().await;
    let first = ResponseTemplate::new(200)
        .set_body_json(json!([device("guo1", json!({"users": []}))]))
        .insert_header("link", "</api/v1/devices?after=x>; rel=\"next\"");
    Mock::given(query_param("limit", "200"))
        .respond_with(first)
        .mount(&server)
        .await;
    Mock::given(query_param("after", "x"))
        .respond_with(ResponseTemplate::new(500))
        .mount(&server)
        .await;
    let error = client(&server).devices(&NoProgress).await;
    assert!(error.expect_err("incomplete").is_transient());
}

#[tokio::test]
async fn confirmation_carries_oktas_own_time_and_each_users_status() {
    let server = MockServer::start().await;
    let template = ResponseTemplate::new(200)
        .set_body_json(json!([link("00u1", "NOT_MANAGED")]))
        .insert_header("date", "Tue, 24 Nov 2026 10:00:00 GMT");
    answer(&server, "/api/v1/devices/guo1/users", template).await;
    let confirmation = client(&server)
        .device_users(&"guo1".into())
        .await
        .expect("read");
    assert_eq!(
        confirmation.read_at.to_rfc3339(),
        "2026-11-24T10:00:00+00:00"
    );
    let users = confirmation.users.expect("there");
    assert_eq!(users[0].status, UserStatus::Active);
    assert_eq!(
        users[0].link.management_status,
        Some(ManagementStatus::NotManaged)
    );
    assert!(users[0].last_login.is_some());
}

#[tokio::test]
async fn gone_is_an_answer_and_not_a_failure() {
    let body = json!({"errorCode": "E0000007", "errorSummary": "Not found"});
    let server = failing(404, body).await;
    let client = client(&server);
    assert_eq!(client.device(&"guo1".into()).await.expect("read"), None);
    assert_eq!(client.user("ann@acme.com").await.expect("read"), None);
    let confirmation = client.device_users(&"guo1".into()).await.expect("read");
    assert_eq!(confirmation.users, None);
}

#[tokio::test]
async fn missing_right_is_named_with_what_to_do() {
    let body = json!({"errorCode": "E0000006", "errorSummary": "You do not have permission"});
    let server = failing(403, body).await;
    let client = client(&server);
    let error = client.devices(&NoProgress).await.expect_err("forbidden");
    insta::assert_snapshot!(error, @"okta: GET /api/v1/devices: not allowed (status 403: E0000006: You do not have permission); it needs the scope okta.devices.read and the role Read-only administrator");
    assert_eq!(requests(&server).await.len(), 1, "a 403 is not repeated");
    let checks = client.check_credentials().await;
    assert!(
        checks
            .iter()
            .all(|check| !check.ok && !check.hint.is_empty())
    );
}

#[tokio::test]
async fn dead_token_is_told_from_a_missing_right() {
    let body = json!({"errorCode": "E0000011", "errorSummary": "Invalid token provided"});
    let server = failing(401, body).await;
    let error = client(&server)
        .devices(&NoProgress)
        .await
        .expect_err("dead");
    assert!(matches!(error.kind, ErrorKind::Unauthorized { .. }));
}

#[tokio::test]
async fn fastpass_is_enrolled_only_by_an_active_signed_nonce_factor() {
    let server = MockServer::start().await;
    let factors = |status: &str| json!([{"factorType": "push", "status": "ACTIVE"}, {"factorType": "signed_nonce", "status": status}]);
    answer_json(&server, "/api/v1/users/00u1/factors", factors("ACTIVE")).await;
    answer_json(&server, "/api/v1/users/00u2/factors", factors("INACTIVE")).await;
    let client = client(&server);
    assert!(
        client
            .fastpass_enrolled(&"00u1".into())
            .await
            .expect("read")
    );
    assert!(
        !client
            .fastpass_enrolled(&"00u2".into())
            .await
            .expect("read")
    );
}

#[tokio::test]
async fn users_their_groups_and_their_devices_are_read() {
    let server = MockServer::start().await;
    let user = link("00u1", "MANAGED")["user"].clone();
    answer_json(&server, "/api/v1/users/ann@acme.com", user).await;
    answer_json(
        &server,
        "/api/v1/users/00u1/groups",
        json!([{"id": "00g1"}, {"id": "00g2"}]),
    )
    .await;
    let linked = json!([{"deviceUserId": "lnk1", "device": {"id": "guo1"}}]);
    answer_json(&server, "/api/v1/users/00u1/devices", linked).await;
    let client = client(&server);
    let account = client.user("ann@acme.com").await.expect("read");
    let account = account.expect("there");
    assert_eq!(account.login, "ann@acme.com");
    assert_eq!(
        client.user_groups(&account.id).await.expect("read"),
        ["00g1".into(), "00g2".into()]
    );
    assert_eq!(
        client.user_devices(&account.id).await.expect("read"),
        ["guo1".into()]
    );
}

async fn org_with_policies() -> MockServer {
    let server = MockServer::start().await;
    let policies = json!([
        {"id": "rst1", "name": "Any two factors", "status": "ACTIVE", "type": "ACCESS_POLICY"},
        {"id": "rst2", "name": "Old", "status": "INACTIVE", "type": "ACCESS_POLICY"},
    ]);
    let page = ResponseTemplate::new(200)
        .set_body_json(policies)
        .insert_header(
            "link",
            "</api/v1/policies?type=ACCESS_POLICY&after=p2>; rel=\"next\"",
        );
    Mock::given(query_param("after", "p2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .mount(&server)
        .await;
    answer(&server, "/api/v1/policies", page).await;
    let rules = json!([
        {"id": "rul2", "name": "Catch-all Rule", "status": "ACTIVE", "priority": 99, "conditions": null,
            "actions": {"appSignOn": {"access": "DENY"}}},
        {"id": "rul1", "name": "Managed", "status": "ACTIVE", "priority": 0,
            "conditions": {"device": {"registered": true, "managed": true}},
            "actions": {"appSignOn": {"access": "ALLOW"}}},
        {"id": "rul0", "name": "Off", "status": "INACTIVE", "priority": 1},
    ]);
    answer_json(&server, "/api/v1/policies/rst1/rules", rules).await;
    let mappings = json!([{"id": "m1", "_links": {"application": {"href": "https://acme.okta.com/api/v1/apps/0oa1"}}}]);
    answer_json(&server, "/api/v1/policies/rst1/mappings", mappings).await;
    server
}

#[tokio::test]
async fn policies_are_read_with_active_rules_in_order_and_the_apps_that_use_them() {
    let server = org_with_policies().await;
    let authenticators = json!([{"id": "aut1", "key": "okta_verify", "status": "ACTIVE"}]);
    answer_json(&server, "/api/v1/authenticators", authenticators).await;
    let methods =
        json!([{"type": "push", "status": "ACTIVE"}, {"type": "signed_nonce", "status": "ACTIVE"}]);
    answer_json(&server, "/api/v1/authenticators/aut1/methods", methods).await;
    let facts = client(&server).policies().await.expect("read");
    assert!(facts.complete);
    assert_eq!(facts.fastpass_active, Some(true));
    let [policy] = &facts.access_policies[..] else {
        panic!("one active policy, not {:?}", facts.access_policies)
    };
    let names: Vec<_> = policy.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["Managed", "Catch-all Rule"]);
    assert_eq!(policy.rules[0].managed, Some(true));
    assert!(policy.rules[1].denies);
    assert_eq!(policy.app_ids, ["0oa1"]);
}

#[tokio::test]
async fn policies_without_the_right_to_see_authenticators_are_incomplete_and_still_told() {
    let server = org_with_policies().await;
    let forbidden = ResponseTemplate::new(403).set_body_json(json!({"errorCode": "E0000006"}));
    answer(&server, "/api/v1/authenticators", forbidden).await;
    let facts = client(&server).policies().await.expect("read");
    assert!(!facts.complete);
    assert_eq!(facts.fastpass_active, None);
    assert_eq!(facts.access_policies.len(), 1);
}

#[tokio::test]
async fn org_id_and_engine_are_read_without_a_right() {
    let server = MockServer::start().await;
    let body = json!({"id": "00o1", "pipeline": "idx"});
    answer_json(&server, "/.well-known/okta-organization", body).await;
    let organization = client(&server).organization().await.expect("read");
    assert!(organization.identity_engine);
    assert_eq!(organization.id, "00o1");
}

#[tokio::test]
async fn authorities_are_read_with_their_configurations() {
    let server = MockServer::start().await;
    let certificate = |ski: &str, state: &str| json!({"ski": ski, "aki": "00", "rotationState": state, "expirationDate": "2031-01-01T00:00:00.000Z"});
    let list = json!({"data": [
        {"authorityInstanceId": "AB12", "caType": "OKTA_AS_CA",
            "_embedded": {"certificates": [certificate("cd34", "ACTIVE"), certificate("AB12", "RETIRING")]}},
        {"authorityInstanceId": "EF56", "caType": "DEVICE_ACCESS_OKTA_AS_CA", "certificates": [certificate("EF56", "ACTIVE")]},
        {"authorityInstanceId": "9999", "caType": "OKTA_AS_CA"},
        {"caType": 7},
    ]});
    let path = "/pki/api/v2/certificate-authorities";
    Mock::given(wiremock::matchers::path(path))
        .and(query_param("type", "INTERMEDIATE"))
        .and(query_param("expand", "certificates"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list))
        .mount(&server)
        .await;
    answer_json(
        &server,
        &format!("{path}/AB12/registration-authorities"),
        json!({"data": [{"id": "rac1", "aki": "ab12", "caExpirationDate": "2031-01-01T00:00:00.000Z"}, {"aki": null}]}),
    )
    .await;
    let authorities = client(&server).authorities().await.expect("read");
    let authorities = authorities.expect("on");
    assert_eq!(authorities.len(), 2, "one shows no certificate");
    let ours = &authorities[0];
    assert!(ours.attests_management && !authorities[1].attests_management);
    let keys: Vec<_> = ours
        .certificates
        .iter()
        .map(|certificate| (&*certificate.key_id, certificate.retiring))
        .collect();
    assert_eq!(keys, [("CD34", false), ("AB12", true)]);
    assert!(ours.certificates[0].expires_at.is_some());
    assert_eq!(ours.configurations.len(), 1);
    assert_eq!(
        ours.configurations[0].authority_key_id.as_deref(),
        Some("AB12")
    );
    assert!(authorities[1].configurations.is_empty(), "404 there");
}

#[tokio::test]
async fn authorities_that_are_not_on_here_prove_nothing() {
    for (status, body) in [
        (401, json!({"errorCode": "E0000011"})),
        (403, json!({"errorCode": "E0000006"})),
        (404, json!({"errorCode": "E0000008"})),
        (200, json!({"data": []})),
        (200, json!({"data": null})),
        (200, json!([])),
    ] {
        let server = failing(status, body.clone()).await;
        let authorities = client(&server).authorities().await.expect("no failure");
        assert_eq!(authorities, None, "{status} {body}");
    }
    let server = failing(500, json!({})).await;
    assert!(
        client(&server).authorities().await.is_err(),
        "a fault is a fault"
    );
}

#[tokio::test]
async fn button_of_fastpass_is_told_by_its_word() {
    for (settings, expected) in [
        (json!({"showSignInWithOV": "ALWAYS"}), Some(true)),
        (json!({"showSignInWithOV": "NEVER"}), Some(false)),
        (json!({"showSignInWithOV": "SOMETIMES"}), None),
        (json!(null), None),
    ] {
        let server = MockServer::start().await;
        answer_json(
            &server,
            "/api/v1/authenticators",
            json!([{"id": "aut1", "key": "okta_verify", "status": "ACTIVE"}]),
        )
        .await;
        answer_json(
            &server,
            "/api/v1/authenticators/aut1/methods",
            json!([{"type": "signed_nonce", "status": "ACTIVE", "settings": settings}]),
        )
        .await;
        answer_json(&server, "/api/v1/policies", json!([])).await;
        let policies = client(&server).policies().await.expect("read");
        assert_eq!(policies.fastpass_active, Some(true));
        assert_eq!(policies.fastpass_button, expected, "{settings}");
    }
}

#[tokio::test]
async fn bad_parts_of_a_record_cost_what_they_tell_and_no_more() {
    let server = MockServer::start().await;
    let mut versioned = device("guo1", json!({"users": [link("00u1", "MANAGED")]}));
    versioned["providers"] =
        json!([{"provider": "oktaVerify", "payload": {"clientVersion": "9.30.1"}}]);
    let mut dated = device(
        "guo2",
        json!({"users": [link("00u1", "MANAGED"), {"user": 7}]}),
    );
    dated["created"] = json!("9999-12-31T23:59:59.000Z");
    dated["lastUpdated"] = json!(-1);
    dated["providers"] = json!("none");
    dated["profile"]["serialNumber"] = json!("x".repeat(100_000));
    dated["profile"]["registered"] = json!([]);
    let mut worded = device("guo3", json!("none"));
    worded["status"] = json!({"new": "shape"});
    worded["profile"] = json!(null);
    answer_json(
        &server,
        "/api/v1/devices",
        json!([versioned, dated, worded]),
    )
    .await;
    let devices = client(&server).devices(&NoProgress).await.expect("read");
    assert_eq!(devices.len(), 3);
    assert_eq!(devices[0].okta_verify_version.as_deref(), Some("9.30.1"));
    let dated = &devices[1];
    assert_eq!((dated.created, dated.last_updated), (None, None));
    assert_eq!(
        (&dated.serial_number, &dated.okta_verify_version),
        (&None, &None)
    );
    assert_eq!(
        dated.users, None,
        "a link that is lost is not one that is gone"
    );
    assert_eq!(devices[2].status, OktaDeviceStatus::Other(String::new()));
    assert_eq!(
        (devices[2].platform, &devices[2].users),
        (Platform::Other, &None)
    );
}

#[tokio::test]
async fn rule_with_a_condition_that_does_not_parse_makes_the_policies_incomplete() {
    for conditions in [
        json!({"people": {"groups": {"include": "everybody"}}}),
        json!({"device": {"managed": 7}}),
        json!({"platform": {"include": {"type": "DESKTOP"}}}),
    ] {
        let server = MockServer::start().await;
        answer_json(
            &server,
            "/api/v1/authenticators",
            json!([{"id": "aut1", "key": "okta_verify", "status": "INACTIVE"}]),
        )
        .await;
        answer_json(
            &server,
            "/api/v1/policies",
            json!([{"id": "p1", "status": "ACTIVE"}]),
        )
        .await;
        answer_json(
            &server,
            "/api/v1/policies/p1/rules",
            json!([{"id": "r1", "status": "ACTIVE", "conditions": conditions}]),
        )
        .await;
        answer_json(&server, "/api/v1/policies/p1/mappings", json!([])).await;
        let policies = client(&server).policies().await.expect("read");
        assert!(!policies.complete, "{conditions}");
    }
}
