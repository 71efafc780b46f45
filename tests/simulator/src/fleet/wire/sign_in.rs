//! Faults of Okta Verify, browsers, policies and records.

use serde_json::Value;

use super::{Company, FACTOR, of_type};
use crate::Mdm;

fn verified(event: &Value) -> String {
    let mut targets = event["target"].as_array().unwrap().iter();
    let enrolment = targets.find(|target| target["type"] == "AuthenticatorEnrollment");
    enrolment.unwrap()["detailEntry"]["methodUsedVerifiedProperties"].to_string()
}

#[tokio::test]
async fn a_missing_okta_verify_is_missing_in_both_inventories() {
    let company = Company::with("ov_not_installed", Mdm::Jamf).await;
    assert!(company.truth.device_id.is_none());
    let apps = company.computer().await["applications"].to_string();
    assert!(!apps.contains("com.okta.mobile"));
    let company = Company::with("ov_not_installed", Mdm::Intune).await;
    let id = company.device().await["id"].as_str().unwrap().to_owned();
    let path = format!("/beta/deviceManagement/managedDevices/{id}/detectedApps");
    let apps = company.graph(&path).await;
    assert!(!apps.to_string().contains("Okta Verify"));
    let all = company.graph("/v1.0/deviceManagement/detectedApps").await;
    let mut rows = all["value"].as_array().unwrap().iter();
    let other = rows
        .find(|row| row["displayName"] == "Okta Verify")
        .unwrap();
    let path = format!(
        "/v1.0/deviceManagement/detectedApps/{}/managedDevices",
        other["id"].as_str().unwrap()
    );
    assert_eq!(
        company.graph(&path).await["value"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn old_versions_and_virtual_machines_show_in_okta_and_in_the_mdm() {
    let company = Company::with("ov_outdated", Mdm::Jamf).await;
    let version = &company.record().await["providers"][0]["payload"]["clientVersion"];
    assert_eq!(version, "9.8.0");
    let company = Company::with("os_unsupported", Mdm::Jamf).await;
    assert_eq!(company.record().await["profile"]["osVersion"], "12.7.6");
    assert_eq!(
        company.computer().await["operatingSystem"]["version"],
        "12.7.6"
    );
    let company = Company::with("vm_or_vdi", Mdm::Intune).await;
    let device = company.device().await;
    assert!(device["model"].as_str().unwrap().starts_with("VMware"));
    let serial = company.record().await["profile"]["serialNumber"].clone();
    let shown = format!("VMware-{}", serial.as_str().unwrap());
    assert_eq!(device["serialNumber"], shown);
}

#[tokio::test]
async fn an_orphaned_enrolment_has_a_deletion_in_the_log_and_no_record() {
    let company = Company::with("ov_enrolment_orphaned", Mdm::Jamf).await;
    assert!(company.truth.device_id.is_none());
    let events = company.events().await;
    let deleted = of_type(&events, "device.lifecycle.delete");
    assert!(deleted[0].to_string().contains(&company.truth.serial));
    let records = company.okta("/api/v1/devices").await.to_string();
    assert!(!records.contains(&company.truth.serial));
}

#[tokio::test]
async fn push_sign_ins_name_the_system_and_no_fastpass() {
    let company = Company::with("fastpass_other_factor_used", Mdm::Intune).await;
    let events = company.events().await;
    let last = *of_type(&events, FACTOR).last().unwrap();
    assert_eq!(
        last["debugContext"]["debugData"]["factor"],
        "OKTA_VERIFY_PUSH"
    );
    assert_eq!(last["client"]["userAgent"]["os"], "Windows 10");
    assert!(!verified(last).contains("PHISHING_RESISTANT"));
}

#[tokio::test]
async fn a_blocked_probe_fails_or_goes_without_proof_against_phishing() {
    let company = Company::with("fastpass_probe_blocked", Mdm::Jamf).await;
    let events = company.events().await;
    let last = *of_type(&events, FACTOR).last().unwrap();
    let agent = last["client"]["userAgent"]["rawUserAgent"]
        .as_str()
        .unwrap();
    assert!(agent.contains("Chrome/142"), "{agent}");
    assert_eq!(last["device"]["managed"], false);
    let failed = last["outcome"]["result"] == "FAILURE";
    assert!(failed || !verified(last).contains("PHISHING_RESISTANT"));
}

#[tokio::test]
async fn safari_fails_where_the_sso_extension_is_missing_or_wrong() {
    for cause in [
        "ssoext_missing",
        "ssoext_wrong_hosts",
        "ssoext_wrong_payload",
        "ssoext_conflict",
    ] {
        let company = Company::with(cause, Mdm::Jamf).await;
        let events = company.events().await;
        let last = *of_type(&events, FACTOR).last().unwrap();
        assert_eq!(last["outcome"]["result"], "FAILURE", "{cause}");
        assert_eq!(last["client"]["userAgent"]["browser"], "SAFARI", "{cause}");
        let payloads = company.payloads("Okta SSO extension").await;
        match cause {
            "ssoext_missing" => assert!(payloads.is_empty()),
            "ssoext_wrong_hosts" => assert!(payloads[0].contains("https://login")),
            "ssoext_wrong_payload" => assert!(payloads[0].contains("<string>Redirect</string>")),
            _ => assert_eq!(payloads.len(), 2),
        }
    }
}

/// The rule and the app that the last sign-in of the case came to.
async fn decision(cause: &str) -> (String, String, Company) {
    let company = Company::with(cause, Mdm::Jamf).await;
    let events = company.events().await;
    let last = *of_type(&events, "policy.evaluate_sign_on").last().unwrap();
    let named = |kind: &str| {
        let mut targets = last["target"].as_array().unwrap().iter();
        let found = targets.find(|target| target["type"] == kind);
        found.unwrap()["displayName"].as_str().unwrap().to_owned()
    };
    let (rule, app) = (named("Rule"), named("AppInstance"));
    (rule, app, company)
}

#[tokio::test]
async fn the_rule_and_the_app_that_decided_stand_in_the_log() {
    let (rule, app, company) = decision("policy_rule_shadowed").await;
    assert_eq!((&*rule, &*app), ("Build systems", "FastPass check"));
    assert_eq!(company.managed().await, "NOT_MANAGED");
    let (rule, app, _) = decision("policy_registered_not_managed_rule").await;
    assert_eq!(
        (&*rule, &*app),
        ("Registered, not managed", "FastPass check")
    );
    let (rule, app, _) = decision("policy_app_not_mapped").await;
    assert_eq!((&*rule, &*app), ("Catch-all Rule", "Cafeteria menu"));
}

#[tokio::test]
async fn a_record_without_serial_has_one_candidate_by_its_user() {
    let company = Company::with("identity_serial_missing_or_mismatch", Mdm::Intune).await;
    let record = company.record().await;
    assert!(record["profile"]["serialNumber"].is_null());
    let user = company.truth.user_id.as_deref().unwrap();
    let user = company.okta(&format!("/api/v1/users/{user}")).await;
    let device = company.device().await;
    assert_eq!(device["userPrincipalName"], user["profile"]["login"]);
    assert_eq!(device["deviceName"], record["profile"]["displayName"]);
}

#[tokio::test]
async fn an_imported_record_has_neither_users_nor_registration() {
    let company = Company::with("record_imported_not_registered", Mdm::Jamf).await;
    assert_eq!(company.record().await["profile"]["registered"], false);
    let id = company.truth.device_id.as_deref().unwrap();
    let users = company.okta(&format!("/api/v1/devices/{id}/users")).await;
    assert!(users.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn one_account_in_several_profiles_of_a_pc_enrols_again_and_again() {
    let company = Company::with("shared_same_account_many_profiles", Mdm::Intune).await;
    let events = company.events().await;
    let enrolments = of_type(&events, "device.enrollment.create");
    assert!(enrolments.len() >= 5, "{}", enrolments.len());
}
