//! What a client of Jamf Pro can rely on.

use chrono::Duration;
use serde_json::Value;

use crate::fleet::ScriptedDevice;
use crate::testing::{Bench, Reply};
use crate::world::{CommandState, Mdm, Store};

async fn macs(causes: &[&str]) -> Bench {
    let scripted = causes
        .iter()
        .map(|cause| ScriptedDevice::new(cause, Mdm::Jamf));
    Bench::with(scripted.collect()).await
}

/// Puts the first computer into a group, or takes it out.
async fn regroup(bench: &Bench, group: &str, change: &str) -> Reply {
    let body = format!(
        "<computer_group><computer_{change}><computer><id>1</id></computer></computer_{change}>\
         </computer_group>"
    );
    let path = format!("/JSSResource/computergroups/id/{group}");
    bench.jamf("PUT", &path, &body).await
}

async fn commands(bench: &Bench, filter: &str) -> Vec<Value> {
    let path = format!("/api/v2/mdm/commands?page-size=50&sort=dateSent:desc&filter={filter}");
    let answer = bench.jamf("GET", &path, "").await.json();
    answer["results"].as_array().unwrap().clone()
}

fn management_id(bench: &Bench) -> String {
    bench.read(|state| state.jamf[&1].management_id.clone())
}

#[tokio::test]
async fn held_mac_loses_profile_and_certificate_and_gets_new_ones_when_released() {
    let bench = macs(&["cert_expired"]).await;
    let hold = bench.targets.jamf_hold_group.clone();
    let client = management_id(&bench);
    let dead = bench.held(0);
    assert_eq!(dead.len(), 1);

    assert_eq!(regroup(&bench, &hold, "additions").await.status, 201);
    bench.advance(Duration::hours(1));
    let removal = format!("clientManagementId=={client};command==REMOVE_PROFILE");
    let removals = commands(&bench, &removal).await;
    assert!(
        removals
            .iter()
            .all(|command| command["commandState"] == "ACKNOWLEDGED")
    );
    assert!(!removals.is_empty());
    assert!(bench.held(0).is_empty());

    assert_eq!(regroup(&bench, &hold, "deletions").await.status, 201);
    let released = bench.app.clock.now();
    bench.advance(Duration::hours(1));
    let filter = format!(
        "clientManagementId=={client};command==INSTALL_PROFILE;dateSent=ge=2026-11-02T09:59:00Z"
    );
    let installs = commands(&bench, &filter).await;
    assert!(
        installs
            .iter()
            .all(|command| command["commandState"] == "ACKNOWLEDGED")
    );
    let fresh = bench.held(0);
    assert_eq!(fresh.len(), 1);
    assert_ne!(fresh, dead);
    bench.read(|state| {
        let issued = state
            .log
            .iter()
            .filter(|event| event.kind == "pki.cert.issue");
        assert_eq!(issued.filter(|event| event.published > released).count(), 1);
    });
}

#[tokio::test]
async fn inventory_shows_the_new_certificate_only_after_a_report_or_a_list_command() {
    let bench = macs(&["cert_expired"]).await;
    bench.app.world.set_jamf_lists_refresh(false);
    let hold = bench.targets.jamf_hold_group.clone();
    regroup(&bench, &hold, "additions").await;
    bench.advance(Duration::hours(1));
    regroup(&bench, &hold, "deletions").await;
    bench.advance(Duration::hours(1));
    let fresh = bench.held(0)[0].to_lowercase();
    let path = "/api/v4/computers-inventory/1?section=CERTIFICATES";
    assert!(!bench.jamf("GET", path, "").await.text().contains(&fresh));

    bench.app.world.set_jamf_lists_refresh(true);
    let client = management_id(&bench);
    let body = format!(
        "{{\"clientData\":[{{\"managementId\":\"{client}\"}}],\
         \"commandData\":{{\"commandType\":\"CERTIFICATE_LIST\"}}}}"
    );
    assert_eq!(
        bench
            .jamf("POST", "/api/v2/mdm/commands", &body)
            .await
            .status,
        201
    );
    bench.advance(Duration::minutes(40));
    assert!(bench.jamf("GET", path, "").await.text().contains(&fresh));
}

#[tokio::test]
async fn regular_reports_come_within_a_day() {
    let bench = macs(&["healthy"]).await;
    let before = bench.read(|state| state.jamf[&1].inventory.taken);
    bench.advance(Duration::hours(25));
    assert!(bench.read(|state| state.jamf[&1].inventory.taken) > before);
}

#[tokio::test]
async fn flushed_failure_is_pushed_again_and_mends() {
    let bench = macs(&["profile_failed"]).await;
    let client = management_id(&bench);
    let failed = format!("clientManagementId=={client};status==Error");
    let errors = commands(&bench, &failed).await;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["commandError"]["errorCode"], -1001);
    let history = "/JSSResource/computerhistory/id/1/subset/Commands";
    let history = bench.jamf("GET", history, "").await.json();
    let text = history["computer_history"]["commands"]["failed"][0]["status"].clone();
    assert!(text.as_str().unwrap().contains("timed out"), "{text}");

    bench.advance(Duration::hours(2));
    assert!(
        bench.held(0).is_empty(),
        "a failure is never retried by itself"
    );
    let flush = "/JSSResource/commandflush/computers/id/1/status/Failed";
    let flushed = bench.jamf("DELETE", flush, "").await;
    assert_eq!((flushed.status, flushed.text().as_str()), (200, ""));
    bench.advance(Duration::hours(1));
    assert_eq!(bench.held(0).len(), 1);
    assert!(commands(&bench, &failed).await.is_empty());
}

#[tokio::test]
async fn user_channel_command_stays_pending_while_the_user_is_away() {
    let bench = macs(&["healthy"]).await;
    let (serial, user, group) = bench.app.world.with(|state| {
        let user = state.jamf[&1].user_channels[0].0.clone();
        let level = crate::world::Level::User;
        let mut profiles = state.profiles.iter();
        let found = profiles.find(|profile| profile.mdm == Mdm::Jamf && profile.level == level);
        let group = found.unwrap().scope.groups.first().unwrap().clone();
        (state.machines[0].serial.clone(), user, group)
    });
    bench.app.world.log_users_out(&serial);
    regroup(&bench, &group, "additions").await;
    bench.advance(Duration::hours(3));
    let pending = commands(&bench, "clientType==COMPUTER_USER;status==Pending").await;
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0]["dateCompleted"], "1970-01-01T00:00:00Z");

    bench.app.world.log_users_in(&serial);
    let done = commands(&bench, "clientType==COMPUTER_USER").await;
    assert_eq!(done[0]["commandState"], "ACKNOWLEDGED");
    bench.read(|state| {
        let (held, store) = (&state.machines[0].certificates, Store::User(user));
        assert!(held.iter().any(|held| held.store == store));
    });
}

#[tokio::test]
async fn busy_mac_answers_not_now_until_it_is_free() {
    let bench = macs(&["cert_expired"]).await;
    let serial = bench.read(|state| state.machines[0].serial.clone());
    bench.app.world.set_not_now(&serial, true);
    regroup(&bench, &bench.targets.jamf_hold_group, "additions").await;
    bench.advance(Duration::hours(2));
    assert_eq!(bench.held(0).len(), 1);
    let states = bench.read(|state| {
        let commands = &state.jamf[&1].commands;
        commands
            .iter()
            .filter(|command| command.state == CommandState::NotNow)
            .count()
    });
    assert!(states > 0);
    bench.app.world.set_not_now(&serial, false);
    bench.advance(Duration::minutes(5));
    assert!(bench.held(0).is_empty());
}

#[tokio::test]
async fn mac_with_disabled_push_gets_nothing_until_it_is_enabled() {
    let bench = macs(&["cert_expired"]).await;
    let serial = bench.read(|state| state.machines[0].serial.clone());
    bench.app.world.set_push_enabled(&serial, false);
    let client = management_id(&bench);
    regroup(&bench, &bench.targets.jamf_hold_group, "additions").await;
    let push = format!("{{\"clientManagementIds\":[\"{client}\"]}}");
    let pushed = bench.jamf("POST", "/api/v2/mdm/blank-push", &push).await;
    assert_eq!(pushed.json()["errorUuids"][0], *client);
    bench.advance(Duration::hours(30));
    assert_eq!(bench.held(0).len(), 1);
    let listed = bench.jamf(
        "GET",
        "/api/v1/apns-client-push-status?filter=deviceType==COMPUTER",
        "",
    );
    assert_eq!(listed.await.json()["results"][0]["managementId"], *client);

    let enable = format!("{{\"managementId\":\"{client}\"}}");
    let path = "/api/v1/apns-client-push-status/enable-client";
    assert_eq!(bench.jamf("POST", path, &enable).await.status, 204);
    bench.advance(Duration::minutes(5));
    assert!(bench.held(0).is_empty());
}

#[tokio::test]
async fn commands_without_a_filter_are_refused() {
    let bench = macs(&["healthy"]).await;
    assert_eq!(
        bench.jamf("GET", "/api/v2/mdm/commands", "").await.status,
        400
    );
    let unknown = bench
        .jamf("GET", "/api/v2/mdm/commands?filter=color==red", "")
        .await;
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.json()["errors"][0]["field"], "filter");
}

#[tokio::test]
async fn one_unknown_computer_fails_the_whole_group_change() {
    let bench = macs(&["healthy"]).await;
    let hold = &bench.targets.jamf_hold_group;
    let body = "<computer_group><computer_additions><computer><id>1</id></computer>\
                <computer><id>99</id></computer></computer_additions></computer_group>";
    let path = format!("/JSSResource/computergroups/id/{hold}");
    let refused = bench.jamf("PUT", &path, body).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("Unable to match computer"));
    let group = bench.jamf("GET", &path, "").await.json();
    assert_eq!(group["computer_group"]["computers"], serde_json::json!([]));
}

#[tokio::test]
async fn another_node_shows_the_old_members_for_a_while() {
    let bench = macs(&["healthy"]).await;
    bench.app.world.set_jamf_stale_reads(Duration::seconds(60));
    let hold = bench.targets.jamf_hold_group.clone();
    let written = regroup(&bench, &hold, "additions").await;
    let cookie = written.headers["set-cookie"].to_str().unwrap().to_owned();
    let path = format!("/JSSResource/computergroups/id/{hold}");
    let count = |reply: Reply| {
        reply.json()["computer_group"]["computers"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(bench.jamf("GET", &path, "").await), 0);
    let sticky = [("cookie", cookie.as_str())];
    assert_eq!(count(bench.jamf_with("GET", &path, "", &sticky).await), 1);
    bench.advance(Duration::seconds(61));
    assert_eq!(count(bench.jamf("GET", &path, "").await), 1);
}

#[tokio::test]
async fn old_server_has_no_v4_and_other_field_names() {
    let bench = macs(&["healthy"]).await;
    let general = |reply: Reply| reply.json()["results"][0]["general"].clone();
    let v4 = general(
        bench
            .jamf("GET", "/api/v4/computers-inventory?sort=id:asc", "")
            .await,
    );
    assert!(v4["lastContact"].is_string() && v4["lastContactTime"].is_null());
    bench.app.faults.jamf_without_v4(true);
    assert_eq!(
        bench
            .jamf("GET", "/api/v4/computers-inventory", "")
            .await
            .status,
        404
    );
    let v3 = general(
        bench
            .jamf("GET", "/api/v3/computers-inventory?sort=id:asc", "")
            .await,
    );
    assert!(v3["lastContactTime"].is_string() && v3["lastContact"].is_null());
}

#[tokio::test]
async fn inventory_is_filtered_by_serial_and_leaves_unasked_sections_null() {
    let bench = macs(&["healthy", "healthy"]).await;
    let serial = bench.read(|state| state.jamf[&2].serial.clone());
    let path = format!(
        "/api/v4/computers-inventory?section=HARDWARE&filter=hardware.serialNumber=in=(%22{serial}%22);general.remoteManagement.managed==true"
    );
    let answer = bench.jamf("GET", &path, "").await.json();
    assert_eq!(answer["totalCount"], 1);
    assert_eq!(answer["results"][0]["id"], "2");
    assert!(answer["results"][0]["general"].is_null());
}

#[tokio::test]
async fn profile_tells_its_payloads_and_scope_in_both_formats() {
    let bench = macs(&["healthy"]).await;
    let id = bench.read(|state| {
        let mut profiles = state.profiles.iter();
        let found = profiles.find(|profile| profile.mdm == Mdm::Jamf && profile.is_scep());
        found.unwrap().id.clone()
    });
    bench
        .app
        .world
        .add_jamf_payload(&id, "com.apple.wifi.managed");
    let path = format!("/JSSResource/osxconfigurationprofiles/id/{id}");
    let json = bench.jamf("GET", &path, "").await.json();
    let profile = &json["os_x_configuration_profile"];
    let payloads = profile["general"]["payloads"].as_str().unwrap();
    assert!(payloads.contains("com.apple.security.scep"));
    assert!(payloads.contains("com.apple.wifi.managed"));
    let excluded = &profile["scope"]["exclusions"]["computer_groups"][0]["id"];
    assert_eq!(excluded.to_string(), bench.targets.jamf_hold_group);

    let wants_xml = [("accept", "application/xml")];
    let xml = bench.jamf_with("GET", &path, "", &wants_xml).await.text();
    assert!(xml.contains("<level>System</level>"), "{xml}");
    assert!(xml.contains("&lt;string&gt;com.apple.security.scep&lt;/string&gt;"));
    let subset = bench
        .jamf("GET", &format!("{path}/subset/Scope"), "")
        .await
        .json();
    assert!(subset["os_x_configuration_profile"]["general"].is_null());
}

#[tokio::test]
async fn missing_privilege_and_dead_token_are_refused() {
    let mut bench = macs(&["healthy"]).await;
    bench.app.world.revoke_jamf_privilege("Read Computers");
    assert_eq!(
        bench
            .jamf("GET", "/api/v4/computers-inventory", "")
            .await
            .status,
        403
    );
    let account = bench.jamf("GET", "/api/v1/auth", "").await.text();
    assert!(!account.contains("\"Read Computers\""));
    bench.app.faults.expire_tokens();
    assert_eq!(bench.jamf("GET", "/api/v1/auth", "").await.status, 401);
    bench.sign_in().await;
    assert_eq!(bench.jamf("GET", "/api/v1/auth", "").await.status, 200);
}

#[tokio::test]
async fn erasing_a_mac_does_harm_and_is_on_record() {
    let bench = macs(&["healthy"]).await;
    let erased = bench
        .jamf("POST", "/api/v4/computers-inventory/1/erase", "")
        .await;
    assert_eq!(erased.status, 200);
    assert!(bench.held(0).is_empty());
    assert_eq!(bench.effects(), ["forbidden.jamf.computer.erase"]);
}
