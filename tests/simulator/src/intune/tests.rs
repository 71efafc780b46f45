//! What a client of Graph can rely on.

use chrono::Duration;
use serde_json::{Value, json};

use crate::fleet::ScriptedDevice;
use crate::testing::{Bench, Reply};
use crate::world::Mdm;

async fn pcs(causes: &[&str]) -> Bench {
    let scripted = causes
        .iter()
        .map(|cause| ScriptedDevice::new(cause, Mdm::Intune));
    Bench::with(scripted.collect()).await
}

/// The first machine's Intune id and directory object id.
fn ids(bench: &Bench) -> (String, String) {
    bench.read(|state| {
        let id = state.machines[0].intune_ids[0].clone();
        let object = state.intune[&id].entra_object_id.clone();
        (id, object)
    })
}

async fn sync(bench: &Bench) {
    let (id, _) = ids(bench);
    let path = format!("/v1.0/deviceManagement/managedDevices/{id}/syncDevice");
    assert_eq!(bench.graph("POST", &path, Value::Null).await.status, 204);
    bench.advance(Duration::minutes(10));
}

async fn hold(bench: &Bench) {
    let (_, object) = ids(bench);
    let path = format!(
        "/v1.0/groups/{}/members/$ref",
        bench.targets.intune_hold_group
    );
    let member = format!("https://graph.microsoft.com/v1.0/directoryObjects/{object}");
    let added = bench
        .graph("POST", &path, json!({"@odata.id": member}))
        .await;
    assert_eq!(added.status, 204);
}

async fn release(bench: &Bench) {
    let (_, object) = ids(bench);
    let group = &bench.targets.intune_hold_group;
    let path = format!("/v1.0/groups/{group}/members/{object}/$ref");
    assert_eq!(bench.graph("DELETE", &path, Value::Null).await.status, 204);
}

fn scep_profile(bench: &Bench) -> String {
    bench.read(|state| {
        let mut profiles = state.profiles.iter();
        let found = profiles.find(|profile| profile.mdm == Mdm::Intune && profile.is_scep());
        found.unwrap().id.clone()
    })
}

#[tokio::test]
async fn sync_reissues_a_missing_certificate() {
    let bench = pcs(&["cert_missing"]).await;
    assert!(bench.held(0).is_empty());
    sync(&bench).await;
    assert_eq!(bench.held(0).len(), 1);
    let (id, _) = ids(&bench);
    let path = format!("/beta/deviceManagement/managedDevices/{id}");
    let device = bench.graph("GET", &path, Value::Null).await.json();
    assert_eq!(device["deviceActionResults"][0]["actionState"], "done");
}

#[tokio::test]
async fn regular_check_in_heals_a_missing_certificate_within_eight_hours() {
    let bench = pcs(&["cert_missing"]).await;
    bench.advance(Duration::hours(9));
    assert_eq!(bench.held(0).len(), 1);
}

#[tokio::test]
async fn offline_pc_syncs_when_it_returns() {
    let bench = pcs(&["cert_missing"]).await;
    let serial = bench.read(|state| state.machines[0].serial.clone());
    bench.app.world.take_offline(&serial);
    sync(&bench).await;
    assert!(bench.held(0).is_empty());
    bench.app.world.bring_online(&serial);
    assert_eq!(bench.held(0).len(), 1);
}

#[tokio::test]
async fn expired_certificate_survives_a_sync_and_goes_with_the_script() {
    let bench = pcs(&["cert_expired"]).await;
    let dead = bench.held(0);
    sync(&bench).await;
    assert_eq!(bench.held(0), dead);

    let (id, _) = ids(&bench);
    let script = bench.targets.intune_cleanup_script.clone();
    let path =
        format!("/beta/deviceManagement/managedDevices/{id}/initiateOnDemandProactiveRemediation");
    let asked = bench
        .graph("POST", &path, json!({"scriptPolicyId": script}))
        .await;
    assert_eq!(asked.status, 204);
    bench.advance(Duration::minutes(6));
    let path = format!("/beta/deviceManagement/managedDevices/{id}/deviceHealthScriptStates");
    let states = bench.graph("GET", &path, Value::Null).await.json();
    assert_eq!(states["value"][0]["remediationState"], "success");
    sync(&bench).await;
    let fresh = bench.held(0);
    assert_eq!(fresh.len(), 1);
    assert_ne!(fresh, dead);
}

#[tokio::test]
async fn held_pc_loses_the_certificate_at_a_check_in_after_five_minutes_and_gets_a_new_one() {
    let bench = pcs(&["cert_expired"]).await;
    let dead = bench.held(0);
    hold(&bench).await;
    let (id, _) = ids(&bench);
    // A check-in before Intune knows of the group changes nothing.
    bench
        .app
        .world
        .check_in(&bench.read(|state| state.machines[0].serial.clone()));
    assert_eq!(bench.held(0), dead);
    bench.advance(Duration::minutes(6));
    sync(&bench).await;
    assert!(bench.held(0).is_empty());

    let profile = scep_profile(&bench);
    let path = format!("/v1.0/deviceManagement/managedDevices/{id}/deviceConfigurationStates");
    let states = bench.graph("GET", &path, Value::Null).await.json();
    let rows = states["value"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == *profile).unwrap();
    assert_eq!(row["state"], "notAssigned");
    let path = format!("/v1.0/deviceManagement/deviceConfigurations/{profile}/deviceStatuses");
    let reported = bench.graph("GET", &path, Value::Null).await.json();
    assert_eq!(
        reported["value"],
        json!([]),
        "an excluded device vanishes from the report"
    );

    release(&bench).await;
    bench.advance(Duration::minutes(6));
    sync(&bench).await;
    let fresh = bench.held(0);
    assert_eq!(fresh.len(), 1);
    assert_ne!(fresh, dead);
}

#[tokio::test]
async fn category_takes_the_profile_away_at_the_next_check_in() {
    let bench = pcs(&["healthy"]).await;
    let (id, _) = ids(&bench);
    let category = bench.targets.intune_hold_category.clone();
    let path = format!("/v1.0/deviceManagement/managedDevices/{id}/deviceCategory/$ref");
    let body = |category: &str| {
        json!({"@odata.id":
        format!("https://graph.microsoft.com/v1.0/deviceManagement/deviceCategories/{category}")})
    };
    assert_eq!(bench.graph("PUT", &path, body(&category)).await.status, 204);
    assert_eq!(bench.held(0).len(), 1);
    sync(&bench).await;
    assert!(bench.held(0).is_empty());
    let none = "00000000-0000-0000-0000-000000000000";
    assert_eq!(bench.graph("PUT", &path, body(none)).await.status, 204);
    sync(&bench).await;
    assert_eq!(bench.held(0).len(), 1);
}

#[tokio::test]
async fn directory_reads_lag_behind_a_write() {
    let bench = pcs(&["healthy"]).await;
    let group = bench.targets.intune_hold_group.clone();
    let members = format!("/v1.0/groups/{group}/members?$select=id");
    hold(&bench).await;
    let read = || async { bench.graph("GET", &members, Value::Null).await.json()["value"].clone() };
    assert_eq!(read().await, json!([]));
    bench.advance(Duration::seconds(30));
    assert_eq!(read().await.as_array().unwrap().len(), 1);
    let (_, object) = ids(&bench);
    let path = format!("/v1.0/devices/{object}/checkMemberGroups");
    let checked = bench
        .graph("POST", &path, json!({"groupIds": [group]}))
        .await
        .json();
    assert_eq!(checked["value"], json!([group]));
}

#[tokio::test]
async fn delete_without_ref_destroys_the_device_object() {
    let bench = pcs(&["healthy"]).await;
    hold(&bench).await;
    let (id, object) = ids(&bench);
    let group = &bench.targets.intune_hold_group;
    let path = format!("/v1.0/groups/{group}/members/{object}");
    assert_eq!(bench.graph("DELETE", &path, Value::Null).await.status, 204);
    assert!(
        bench
            .effects()
            .contains(&"forbidden.graph.directory_object.delete".to_owned())
    );
    let gone = bench
        .graph("GET", &format!("/v1.0/devices/{object}"), Value::Null)
        .await;
    assert_eq!(gone.status, 404);
    let registration = bench.read(|state| state.intune[&id].registration);
    assert_eq!(registration, "notRegistered");
}

#[tokio::test]
async fn wiping_a_pc_does_harm_and_is_on_record() {
    let bench = pcs(&["healthy"]).await;
    let (id, _) = ids(&bench);
    let path = format!("/v1.0/deviceManagement/managedDevices/{id}/wipe");
    assert_eq!(bench.graph("POST", &path, json!({})).await.status, 204);
    assert!(bench.held(0).is_empty());
    assert_eq!(bench.effects(), ["forbidden.graph.device.wipe"]);
}

/// Creates an export job and polls it until it has an address.
async fn export(bench: &Bench, body: Value) -> (String, Vec<String>) {
    let path = "/v1.0/deviceManagement/reports/exportJobs";
    let created = bench.graph("POST", path, body).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for _ in 0..10 {
        let job = bench
            .graph("GET", &format!("{path}('{id}')"), Value::Null)
            .await
            .json();
        seen.push(job["status"].as_str().unwrap().to_owned());
        if let Some(url) = job["url"].as_str() {
            return (url.trim_start_matches("http://graph.test").to_owned(), seen);
        }
    }
    panic!("the job never ends: {seen:?}");
}

#[tokio::test]
async fn export_job_ends_in_a_readable_archive_that_takes_no_token() {
    let bench = pcs(&["healthy"]).await;
    let (id, _) = ids(&bench);
    let select = json!(["DeviceId", "SerialNumber", "ValidTo"]);
    let body = json!({"reportName": "AllDeviceCertificates", "select": select, "format": "csv"});
    let (url, states) = export(&bench, body).await;
    assert_eq!(states, ["inProgress", "completed", "completed"]);

    let zip = bench.anonymous(&url).await;
    assert_eq!(&zip.bytes[..4], b"PK\x03\x04");
    let at = |from: usize| u16::from_le_bytes([zip.bytes[from], zip.bytes[from + 1]]) as usize;
    let size = u32::from_le_bytes(zip.bytes[18..22].try_into().unwrap()) as usize;
    let start = 30 + at(26) + at(28);
    let csv = String::from_utf8(zip.bytes[start..start + size].to_vec()).unwrap();
    let mut lines = csv.trim_start_matches('\u{feff}').lines();
    assert_eq!(lines.next(), Some("DeviceId,SerialNumber,ValidTo"));
    let serial = bench.held(0).remove(0);
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with(&format!("{id},{serial},"))
    );

    assert_eq!(bench.graph("GET", &url, Value::Null).await.status, 403);
    let tampered = url.replace("sig=", "sig=x");
    assert_eq!(bench.anonymous(&tampered).await.status, 403);
}

#[tokio::test]
async fn unknown_reports_columns_and_filters_are_refused() {
    let bench = pcs(&["healthy"]).await;
    let path = "/beta/deviceManagement/reports/exportJobs";
    let by_profile = "DeviceStatusesByConfigurationProfile";
    for body in [
        json!({"reportName": "Certificates"}),
        json!({"reportName": "Devices", "select": ["Colour"]}),
        json!({"reportName": by_profile, "select": ["PolicyStatus_loc"]}),
        json!({"reportName": by_profile, "filter": "(IntuneDeviceId eq '1')"}),
    ] {
        let refused = bench.graph("POST", path, body.clone()).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    let profile = scep_profile(&bench);
    let body = json!({"reportName": by_profile, "filter": format!("(PolicyId eq '{profile}')")});
    export(&bench, body).await;
}

#[tokio::test]
async fn certificate_rows_exist_only_if_the_ca_reports_what_it_issues() {
    let bench = pcs(&["healthy"]).await;
    let path = "/beta/deviceManagement/deviceConfigurationsAllManagedDeviceCertificateStates";
    let count = |reply: Value| reply["value"].as_array().unwrap().len();
    assert_eq!(count(bench.graph("GET", path, Value::Null).await.json()), 1);
    let cast = format!(
        "/beta/deviceManagement/deviceConfigurations/{}/microsoft.graph.windows81SCEPCertificateProfile/managedDeviceCertificateStates",
        scep_profile(&bench)
    );
    assert_eq!(
        count(bench.graph("GET", &cast, Value::Null).await.json()),
        1
    );
    bench.app.world.show_intune_certificates(false);
    assert_eq!(count(bench.graph("GET", path, Value::Null).await.json()), 0);
}

#[tokio::test]
async fn pages_follow_each_other_and_cover_every_device_once() {
    let bench = pcs(&["healthy"; 5]).await;
    let first = "/v1.0/deviceManagement/managedDevices?$top=2&$select=id,serialNumber,udid";
    let (mut next, mut seen) = (Some(first.to_owned()), Vec::new());
    while let Some(path) = next {
        let page = bench.graph("GET", &path, Value::Null).await.json();
        for device in page["value"].as_array().unwrap() {
            assert!(device["udid"].is_null());
            seen.push(device["id"].as_str().unwrap().to_owned());
        }
        let link = page["@odata.nextLink"].as_str();
        next = link.map(|link| link.trim_start_matches("http://graph.test").to_owned());
    }
    let all: Vec<String> = bench.read(|state| state.intune.keys().cloned().collect());
    assert_eq!(seen, all);
}

#[tokio::test]
async fn scep_profiles_and_filters_of_assignments_are_beta_only() {
    let bench = pcs(&["healthy"]).await;
    let query = "deviceConfigurations?$expand=assignments&$filter=isof('microsoft.graph.windows81SCEPCertificateProfile')";
    let beta = format!("/beta/deviceManagement/{query}");
    let beta = bench.graph("GET", &beta, Value::Null).await.json();
    let rows = beta["value"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let target = &rows[0]["assignments"][0]["target"];
    assert_eq!(
        target["deviceAndAppManagementAssignmentFilterType"],
        "exclude"
    );
    let v1 = format!("/v1.0/deviceManagement/{query}");
    let v1 = bench.graph("GET", &v1, Value::Null).await.json();
    assert_eq!(v1["value"], json!([]));
}

#[tokio::test]
async fn batch_answers_each_item_by_itself() {
    let bench = pcs(&["healthy"]).await;
    let (id, _) = ids(&bench);
    let body = json!({"requests": [
        {"id": "1", "method": "POST", "url": format!("/deviceManagement/managedDevices/{id}/syncDevice"),
            "headers": {"Content-Type": "application/json"}, "body": {}},
        {"id": "2", "method": "GET", "url": "/deviceManagement/managedDevices/absent"},
        {"id": "3", "method": "GET", "url": "https://graph.test/v1.0/organization"},
        {"id": "4", "method": "GET", "url": "/organization", "dependsOn": ["2"]},
    ]});
    let answer = bench.graph("POST", "/v1.0/$batch", body).await.json();
    let status = |id: &str| {
        let responses = answer["responses"].as_array().unwrap();
        let found = responses.iter().find(|response| response["id"] == id);
        found.unwrap()["status"].as_u64().unwrap()
    };
    assert_eq!(
        [status("1"), status("2"), status("3"), status("4")],
        [204, 404, 400, 424]
    );
    assert_eq!(bench.effects(), ["intune.device.sync"]);

    let item = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/organization"});
    let many: Vec<Value> = (0..21).map(item).collect();
    let refused = bench
        .graph("POST", "/v1.0/$batch", json!({"requests": many}))
        .await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn refusal_names_the_missing_permission_inside_a_nested_message() {
    let bench = pcs(&["healthy"]).await;
    let role = "DeviceManagementManagedDevices.PrivilegedOperations.All";
    bench.app.world.revoke_graph_role(role);
    let (id, _) = ids(&bench);
    let path = format!("/v1.0/deviceManagement/managedDevices/{id}/syncDevice");
    let refused = bench.graph("POST", &path, Value::Null).await;
    assert_eq!(refused.status, 403);
    let error = &refused.json()["error"];
    let inner: Value = serde_json::from_str(error["message"].as_str().unwrap()).unwrap();
    assert!(inner["Message"].as_str().unwrap().contains(role));
    assert!(bench.effects().is_empty());
}

#[tokio::test]
async fn broker_hides_throttling_in_a_server_error() {
    let bench = pcs(&["healthy"]).await;
    bench.app.world.fail_intune_broker(1);
    let path = "/v1.0/deviceManagement/managedDevices";
    let failed = bench.graph("GET", path, Value::Null).await;
    assert_eq!(failed.status, 500);
    assert!(
        failed
            .text()
            .contains("Rate limit reached because of too many requests")
    );
    assert_eq!(bench.graph("GET", path, Value::Null).await.status, 200);
}

#[tokio::test]
async fn writes_over_the_budget_are_throttled() {
    let bench = pcs(&["healthy"]).await;
    let (id, _) = ids(&bench);
    let path = format!("/v1.0/deviceManagement/managedDevices/{id}/syncDevice");
    let mut last = 204;
    for _ in 0..201 {
        let reply = bench.graph("POST", &path, Value::Null).await;
        last = reply.status;
        if last == 429 {
            assert!(reply.headers.contains_key("retry-after"));
        }
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn member_that_is_there_cannot_be_added_and_absent_one_not_removed() {
    let bench = pcs(&["healthy"]).await;
    hold(&bench).await;
    let (_, object) = ids(&bench);
    let group = &bench.targets.intune_hold_group;
    let path = format!("/v1.0/groups/{group}/members/$ref");
    let member =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{object}")});
    let again = bench.graph("POST", &path, member).await;
    assert_eq!(again.status, 400);
    assert!(again.text().contains("already exist"));
    release(&bench).await;
    let path = format!("/v1.0/groups/{group}/members/{object}/$ref");
    let absent = bench.graph("DELETE", &path, Value::Null).await;
    assert_eq!(absent.json()["error"]["code"], "Request_ResourceNotFound");
}

#[tokio::test]
async fn device_is_found_by_its_alternate_key() {
    let bench = pcs(&["healthy"]).await;
    let (id, object) = ids(&bench);
    let device_id = bench.read(|state| state.intune[&id].entra_device_id.clone());
    let path = format!("/v1.0/devices(deviceId='{device_id}')");
    let found = bench.graph("GET", &path, Value::Null).await.json();
    assert_eq!(found["id"], *object);
    let path = format!("/v1.0/devices?$filter=deviceId%20eq%20'{device_id}'&$select=id,deviceId");
    let listed = bench.graph("GET", &path, Value::Null).await.json();
    assert_eq!(listed["value"][0]["id"], *object);
}

#[tokio::test]
async fn unknown_tenant_and_wrong_secret_get_no_token() {
    let bench = pcs(&["healthy"]).await;
    let tenant = bench.app.connection.intune.tenant_id.clone();
    let form = "grant_type=client_credentials&client_id=bot&scope=x%2F.default&client_secret=";
    let code = |reply: Reply| reply.json()["error_codes"][0].as_u64().unwrap();
    let wrong = bench.login(&tenant, &format!("{form}guess")).await;
    assert_eq!((wrong.status, code(wrong)), (401, 7_000_215));
    let elsewhere = bench.login("elsewhere", &format!("{form}secret")).await;
    assert_eq!((elsewhere.status, code(elsewhere)), (400, 90_002));
    let right = bench.login(&tenant, &format!("{form}secret")).await;
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn client_libraries_can_discover_the_login_service() {
    let bench = pcs(&["healthy"]).await;
    let path = "/somewhere/v2.0/.well-known/openid-configuration";
    let discovery = bench.anonymous(path).await.json();
    let endpoint = discovery["token_endpoint"].as_str().unwrap();
    assert!(endpoint.ends_with("/somewhere/oauth2/v2.0/token"));
}

#[tokio::test]
async fn calls_without_a_token_are_unauthorized() {
    let bench = pcs(&["healthy"]).await;
    let unsigned = bench
        .anonymous("/v1.0/deviceManagement/managedDevices")
        .await;
    assert_eq!(unsigned.status, 401);
    assert_eq!(
        unsigned.json()["error"]["code"],
        "InvalidAuthenticationToken"
    );
}

#[tokio::test]
async fn network_profile_names_the_certificate_profile_it_uses() {
    let bench = pcs(&["healthy"]).await;
    let (wifi, kind) = bench.read(|state| {
        let mut profiles = state.profiles.iter();
        let found =
            profiles.find(|profile| profile.mdm == Mdm::Intune && profile.name.contains("Wi-Fi"));
        match found.unwrap() {
            crate::world::Profile {
                id,
                kind: crate::world::ProfileKind::Other(types),
                ..
            } => (id.clone(), types[0]),
            other => panic!("{other:?}"),
        }
    });
    let base = format!("/beta/deviceManagement/deviceConfigurations/{wifi}");
    let path = format!("{base}/microsoft.graph.{kind}/identityCertificateForClientAuthentication");
    assert_eq!(bench.graph("GET", &path, Value::Null).await.status, 404);
    let scep = scep_profile(&bench);
    bench.app.world.use_intune_certificate(&wifi, &scep);
    let used = bench.graph("GET", &path, Value::Null).await.json();
    assert_eq!(used["id"], *scep);
    let wrong = format!("{base}/microsoft.graph.windowsPhone/identityCertificate");
    assert_eq!(bench.graph("GET", &wrong, Value::Null).await.status, 400);
}
