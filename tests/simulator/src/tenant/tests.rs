use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::wire_client::{Reply, WireClient, send};
use crate::world::Mdm;

/// What a caller can read of a tenant, by subject.
type Picture = BTreeMap<String, String>;

async fn tenant() -> Simulator {
    let start = chrono::DateTime::from_timestamp(1_793_610_000, 0).unwrap();
    let config = SimulatorConfig::tenant(SimClock::manual(start));
    Simulator::start_tenant(config).await.unwrap()
}

/// The body of an answer, or why there is none.
fn said(reply: &Reply) -> String {
    if reply.status == 200 {
        return reply.text();
    }
    let code = serde_json::from_slice::<Value>(&reply.bytes)
        .map(|body| body["errorCode"].to_string() + &body["error"]["code"].to_string())
        .unwrap_or_default();
    format!("refused: {} {code}", reply.status)
}

/// Reads all that a check of the set-up would.
async fn picture(simulator: &Simulator) -> Picture {
    let client = WireClient::new(simulator).await;
    let mut seen = Picture::new();
    look_at_okta(simulator, &client, &mut seen).await;
    look_at_scep(simulator, &mut seen).await;
    look_at_jamf(&client, &mut seen).await;
    look_at_graph(&client, &mut seen).await;
    look_at_slack(simulator, &client, &mut seen).await;
    seen
}

async fn look_at_okta(simulator: &Simulator, client: &WireClient<'_>, seen: &mut Picture) {
    let okta = &simulator.connection().okta;
    let authorities = "/pki/api/v2/certificate-authorities";
    let list = client
        .okta(&format!("{authorities}?expand=certificates"))
        .await;
    for authority in list.json()["data"].as_array().unwrap() {
        let id = authority["authorityInstanceId"].as_str().unwrap();
        let path = format!("{authorities}/{id}/registration-authorities");
        let configurations = said(&client.okta(&path).await);
        seen.insert(format!("okta configurations of {id}"), configurations);
    }
    seen.insert("okta authorities".to_owned(), list.text());
    let verify = client.okta("/api/v1/authenticators").await;
    let id = verify.json()[0]["id"].as_str().unwrap().to_owned();
    let paths = [
        ("okta authenticators", "/api/v1/authenticators".to_owned()),
        ("okta methods", format!("/api/v1/authenticators/{id}/methods")),
        ("okta policies", "/api/v1/policies?type=ACCESS_POLICY".to_owned()),
        ("okta sign-in app", format!("/api/v1/apps/{}", okta.sign_in_app)),
        ("okta group rules", "/api/v1/groups/rules".to_owned()),
        ("okta group apps", format!("/api/v1/groups/{}/apps", okta.fastpass_group)),
        ("okta log", "/api/v1/logs?since=2026-11-01T00:00:00Z&limit=1000&filter=eventType+sw+%22device.platform%22+or+eventType+sw+%22pki.ca%22+or+eventType+sw+%22security%22+or+eventType+sw+%22application%22".to_owned()),
    ];
    for (name, path) in paths {
        let reply = client.okta(&path).await;
        if name == "okta policies" && reply.status == 200 {
            for policy in reply.json().as_array().unwrap() {
                let id = policy["id"].as_str().unwrap();
                let rules = client.okta(&format!("/api/v1/policies/{id}/rules")).await;
                seen.insert(format!("okta rules of {}", policy["name"]), said(&rules));
            }
        }
        // A policy's own dates are no setting.
        let what = match name {
            "okta policies" if reply.status == 200 => String::new(),
            _ => said(&reply),
        };
        seen.insert(name.to_owned(), what);
        let date = reply.header("date").unwrap().to_owned();
        let date = chrono::DateTime::parse_from_rfc2822(&date).unwrap();
        let ahead = date.to_utc() - simulator.clock().now();
        seen.insert("okta clock".to_owned(), ahead.num_minutes().to_string());
    }
}

async fn look_at_scep(simulator: &Simulator, seen: &mut Picture) {
    let endpoints = simulator.world().with(|state| {
        let configurations = state.org.pki.configurations.iter();
        let named =
            configurations.map(|found| (format!("{:?}", found.mdm), state.org.scep_url_of(found)));
        named.collect::<Vec<_>>()
    });
    for (name, url) in endpoints {
        for operation in ["GetCACaps", "GetCACert"] {
            let reply = send("GET", &format!("{url}?operation={operation}"), &[], "").await;
            let what = format!("{} {}", reply.status, hex::encode(&reply.bytes));
            seen.insert(format!("scep {name} {operation}"), what);
        }
    }
}

async fn look_at_jamf(client: &WireClient<'_>, seen: &mut Picture) {
    for (name, path) in [
        ("jamf rights", "/api/v1/auth"),
        ("jamf notifications", "/api/v1/notifications"),
        ("jamf groups", "/api/v1/computer-groups"),
        ("jamf profiles", "/JSSResource/osxconfigurationprofiles"),
    ] {
        seen.insert(name.to_owned(), said(&client.jamf(path).await));
    }
    // By number, because a fault may hide them from the list.
    for id in 21..=26 {
        let path = format!("/JSSResource/osxconfigurationprofiles/id/{id}");
        let reply = client.jamf(&path).await;
        seen.insert(format!("jamf profile {id}"), said(&reply));
    }
}

async fn look_at_graph(client: &WireClient<'_>, seen: &mut Picture) {
    let profiles = "/beta/deviceManagement/deviceConfigurations?$expand=assignments";
    let reply = client.graph(profiles).await;
    seen.insert("graph profiles".to_owned(), said(&reply));
    let applications = client.graph("/v1.0/applications").await;
    seen.insert("graph applications".to_owned(), said(&applications));
    let path = "/v1.0/deviceManagement/applePushNotificationCertificate";
    let push = client.graph(path).await;
    seen.insert("graph push certificate".to_owned(), said(&push));
    let claims = client.graph_token().split('.').nth(1).unwrap();
    use base64::Engine;
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    seen.insert("graph rights".to_owned(), claims["roles"].to_string());
}

async fn look_at_slack(simulator: &Simulator, client: &WireClient<'_>, seen: &mut Picture) {
    let slack = &simulator.connection().slack;
    let (channel, group) = (slack.channel.as_str(), slack.approvers_usergroup.as_str());
    let person = client
        .slack(
            "users.lookupByEmail",
            &[("email", "oncall.kim@acme.example")],
        )
        .await;
    seen.insert("slack person".to_owned(), person.text());
    for (method, arguments) in [
        ("auth.test", vec![]),
        ("conversations.info", vec![("channel", channel)]),
        ("conversations.members", vec![("channel", channel)]),
        ("usergroups.users.list", vec![("usergroup", group)]),
    ] {
        let reply = client.slack(method, &arguments).await;
        seen.insert(format!("slack {method}"), reply.text());
        let rights = reply.header("x-oauth-scopes").unwrap().to_owned();
        seen.insert("slack rights".to_owned(), rights);
    }
}

/// The subjects that a fault shows in, and words that one of them has only with the fault.
fn shows(fault: TenantFault) -> (&'static [&'static str], &'static str) {
    use TenantFault as F;
    match fault {
        F::OktaWithoutSystemLog => (&["okta log"], "refused: 403 \"E0000006\""),
        F::OktaWithoutPolicies => (&["okta policies", "okta rules"], "refused: 403"),
        F::OktaClockAhead => (&["okta clock"], "10"),
        F::JamfWithoutProfiles => (&["jamf rights", "jamf profile"], "refused: 403"),
        F::JamfWithoutGroupUpdate => (&["jamf rights"], ""),
        F::JamfPushCertificateExpires => (
            &["jamf notifications"],
            r#""params":{"days":10},"type":"PUSH_CERT_WILL_EXPIRE""#,
        ),
        F::GraphWithoutConfiguration => (&["graph rights", "graph profiles"], "refused: 403"),
        F::GraphWithoutSync => (&["graph rights"], ""),
        F::GraphSecretExpires => (&["graph applications"], "2026-11-12"),
        F::ScepConfigurationDeleted => (
            &["scep Some(Jamf)", "okta log", "okta configurations"],
            "device.platform.delete",
        ),
        F::AuthorityExpires => (
            &[
                "scep",
                "okta authorities",
                "okta configurations",
                "jamf profile",
                "graph profiles",
            ],
            "2027-02-10",
        ),
        F::ConfigurationOnRetiringAuthority => (
            &[
                "scep Some(Jamf)",
                "okta authorities",
                "okta configurations",
                "okta log",
                "jamf profile",
            ],
            "RETIRING",
        ),
        F::TrustOfRetiredAuthority => (
            &[
                "scep Some(Jamf)",
                "scep Some(Intune)",
                "okta authorities",
                "okta configurations",
                "okta log",
                "jamf profile",
            ],
            "pki.ca.renew",
        ),
        F::SecretResetAfterEdit => (&["okta log"], "device.platform.secret_key.reset"),
        F::ChallengeSecretExpires => (&["graph applications"], "2026-11-12"),
        F::ProfileOfOtherOrg => (&["jamf profile"], "acme-preview.oktapreview.com"),
        F::ProfileOfDeviceAccess => (&["graph profiles"], ""),
        F::JamfProfileUnmatched => (&["jamf profile"], "Corporate identity"),
        F::IntuneProfileUnmatched => (&["graph profiles"], "Corporate identity"),
        F::KeyMayNotSign => (
            &["jamf profile"],
            "<key>Key Usage</key><integer>4</integer>",
        ),
        F::KeyTooShort => (
            &["jamf profile"],
            "<key>Keysize</key><integer>1024</integer>",
        ),
        F::AllAppsAccessOff => (&["jamf profile"], "<key>AllowAllAppsAccess</key><false/>"),
        F::RedistributionOff => (&["jamf profile"], ""),
        F::ClientAuthenticationMissing => (&["graph profiles"], "1.3.6.1.5.5.7.3.1"),
        F::MachineStore => (&["graph profiles"], ""),
        F::TrustOutOfScope => (&["graph profiles"], ""),
        F::ProfileWithOtherPayloads => (&["jamf profile"], "com.apple.wifi.managed"),
        F::OktaVerifyInactive => (
            &["okta authenticators", "okta methods", "okta log"],
            "security.authenticator.lifecycle.deactivate",
        ),
        F::FastPassInactive => (&["okta methods", "okta log"], "INACTIVE"),
        F::NoRuleAsksForManaged => (
            &["okta rules", "okta log"],
            "application.policy.sign_on.update",
        ),
        F::SignInAppAsksOnce => (
            &["okta sign-in app", "okta log"],
            "application.policy.sign_on.update",
        ),
        F::SsoExtensionMissing => (&["jamf profile"], "refused: 404"),
        F::SsoExtensionWrongTeam => (&["jamf profile"], "7WC9K73933"),
        F::SsoExtensionWithoutHost => (&["jamf profile"], "sso.acme.example"),
        F::HoldGroupIsSmart => (&["jamf groups"], ""),
        F::HoldGroupNotExcluded => (&["jamf profile"], ""),
        F::FastPassGroupHasRule => (&["okta group rules"], "Okta FastPass users"),
        F::FastPassGroupHasApp => (&["okta group apps"], "Cafeteria menu"),
        F::SlackWithoutEmail => (&["slack rights", "slack person"], "missing_scope"),
        F::SlackChannelArchived => (&["slack conversations.info"], r#""is_archived":true"#),
        F::SlackBotNotInChannel => (
            &["slack conversations.info", "slack conversations.members"],
            r#""is_member":false"#,
        ),
        F::SlackNoApprovers => (&["slack usergroups.users.list"], r#""users":[]"#),
    }
}

#[tokio::test]
async fn each_fault_shows_on_the_wire_and_nothing_else_changes() {
    for &fault in TenantFault::ALL {
        let simulator = tenant().await;
        let before = picture(&simulator).await;
        simulator.break_tenant(fault);
        let after = picture(&simulator).await;
        let subjects: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changed: Vec<&String> = subjects
            .into_iter()
            .filter(|subject| before.get(*subject) != after.get(*subject))
            .collect();
        let (expected, words) = shows(fault);
        for subject in &changed {
            let foreseen = expected.iter().any(|prefix| subject.starts_with(prefix));
            assert!(foreseen, "{fault:?} also changes {subject}");
        }
        for prefix in expected {
            let shown = changed.iter().any(|subject| subject.starts_with(prefix));
            assert!(shown, "{fault:?} does not show in {prefix}");
        }
        let told = changed.iter().filter_map(|subject| after.get(*subject));
        assert!(
            told.into_iter().any(|text| text.contains(words)),
            "{fault:?} does not say {words}"
        );
        assert!(
            changed.iter().all(|subject| words.is_empty()
                || !before
                    .get(*subject)
                    .is_some_and(|text| text.contains(words)))
                || matches!(fault, TenantFault::OktaClockAhead),
            "{words} stood there before {fault:?}"
        );
        simulator.stop().await;
    }
}

#[tokio::test]
async fn a_missing_right_refuses_the_write_that_needs_it() {
    let simulator = tenant().await;
    let (jamf, intune) = (&simulator.connection().jamf, &simulator.connection().intune);
    let group = format!(
        "{}/JSSResource/computergroups/id/{}",
        jamf.url, jamf.hold_group
    );
    let none = "<computer_group><computer_additions></computer_additions></computer_group>";
    let device = simulator
        .world()
        .with(|state| state.intune.keys().next().unwrap().clone());
    let sync = format!(
        "{}/v1.0/deviceManagement/managedDevices/{device}/syncDevice",
        intune.graph_url
    );
    for (fault, url, body, method) in [
        (TenantFault::JamfWithoutGroupUpdate, &group, none, "PUT"),
        (TenantFault::GraphWithoutSync, &sync, "", "POST"),
    ] {
        let client = WireClient::new(&simulator).await;
        let allowed = client.write(method, url, body).await;
        assert!(allowed.status < 300, "{fault:?} {}", allowed.text());
        simulator.break_tenant(fault);
        let refused = client.write(method, url, body).await;
        assert_eq!(refused.status, 403, "{fault:?} {}", refused.text());
    }
    simulator.stop().await;
}

#[test]
fn names_are_told_apart() {
    let names: BTreeSet<_> = TenantFault::ALL.iter().map(|fault| fault.name()).collect();
    assert_eq!(names.len(), TenantFault::ALL.len());
    for fault in TenantFault::ALL {
        assert!(fault.wrong().ends_with('.'), "{fault:?}");
        assert_eq!(TenantFault::named(fault.name()), Some(*fault));
        assert!(!fault.section().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn the_healthy_tenant_follows_the_guides() {
    let simulator = tenant().await;
    let seen = picture(&simulator).await;
    let main = &seen["jamf profile 22"];
    for setting in [
        "<key>Keysize</key><integer>2048</integer>",
        "<key>Key Usage</key><integer>1</integer>",
        "<key>AllowAllAppsAccess</key><true/>",
        "<key>KeyIsExtractable</key><false/>",
        "$COMPUTERNAME managementAttestation $UDID",
        "$PROFILE_IDENTIFIER",
    ] {
        assert!(main.contains(setting), "{setting} is not in {main}");
    }
    let profiles = &seen["graph profiles"];
    for setting in [
        r#""certificateStore":"user""#,
        r#""keySize":"size2048""#,
        r#""keyUsage":"digitalSignature""#,
        r#""keyStorageProvider":"useTpmKspOtherwiseUseSoftwareKsp""#,
        "1.3.6.1.5.5.7.3.2",
        r#""destinationStore":"computerCertStoreIntermediate""#,
    ] {
        assert!(profiles.contains(setting), "{setting} is not in {profiles}");
    }
    assert_eq!(seen["jamf notifications"], "[]");
    let push = &seen["graph push certificate"];
    assert!(
        push.contains(r#""expirationDateTime":"2027-08-29"#),
        "{push}"
    );
    assert!(!seen["jamf rights"].contains("Wipe"));
    assert!(seen["okta rules of \"Managed desktops\""].contains(r#""reauthenticateIn":"PT0S""#));
    assert_eq!(seen["okta log"], "[]");
    assert_eq!(seen["okta group apps"], "[]");
    let devices = simulator.world().device_users();
    assert!(devices.len() >= 8 && devices.iter().all(|device| device.managed));
    simulator.stop().await;
}

#[tokio::test]
async fn after_a_renewal_the_trust_of_intune_is_not_what_the_endpoint_answers() {
    let simulator = tenant().await;
    let certificate = |state: &crate::world::State, mdm| {
        let configuration = state.org.pki.configuration_of(mdm);
        state
            .org
            .pki
            .certificate(&configuration.aki)
            .unwrap()
            .der
            .clone()
    };
    let trusted = |state: &crate::world::State, mdm: Mdm| {
        let mut profiles = state.profiles.iter().filter(|profile| profile.mdm == mdm);
        let ski = profiles.find_map(|profile| match &profile.kind {
            crate::world::ProfileKind::TrustedCertificate { ski } => Some(ski.clone()),
            _ => None,
        });
        state
            .org
            .pki
            .certificate(&ski.unwrap())
            .unwrap()
            .der
            .clone()
    };
    simulator.break_tenant(TenantFault::TrustOfRetiredAuthority);
    simulator.world().with(|state| {
        assert_eq!(certificate(state, Mdm::Jamf), trusted(state, Mdm::Jamf));
        assert_ne!(certificate(state, Mdm::Intune), trusted(state, Mdm::Intune));
        assert_eq!(
            certificate(state, Mdm::Intune),
            certificate(state, Mdm::Jamf)
        );
    });
    simulator.stop().await;
}
