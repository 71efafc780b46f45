//! Faults of profiles and of the way to the authority.

use super::{Company, SCEP_CAST};
use crate::Mdm;

async fn failing(cause: &str) -> (String, String) {
    let company = Company::with(cause, Mdm::Intune).await;
    let states = company.states().await;
    let failed = states.into_iter().find(|(_, state, _)| state == "error");
    let (name, _, text) = failed.unwrap();
    (name, text)
}

#[tokio::test]
async fn an_unprintable_challenge_shows_in_windows_words() {
    let (_, text) = failing("ca_challenge_unprintable_windows").await;
    assert!(text.contains("non-printable"), "{text}");
}

#[tokio::test]
async fn a_wrong_ca_certificate_shows_in_the_error_and_in_the_trust_profile() {
    let company = Company::with("ca_trusted_cert_profile_mismatch", Mdm::Intune).await;
    let states = company.states().await;
    let failed = states
        .iter()
        .find(|(_, state, _)| state == "error")
        .unwrap();
    assert!(failed.2.contains("hash value"), "{failed:?}");
    let right = company.profile("Okta Attestation trust").await;
    let wrong = company.profile(&failed.0).await["rootCertificate"].clone();
    assert!(wrong["trustedRootCertificate"].is_string());
    assert_ne!(
        wrong["trustedRootCertificate"],
        right["trustedRootCertificate"]
    );
}

#[tokio::test]
async fn a_walled_site_shows_in_jamf_and_its_address_in_the_log() {
    let company = Company::with("ca_scep_unreachable_from_device", Mdm::Jamf).await;
    let computer = company.computer().await;
    assert_eq!(computer["general"]["site"]["name"], "Depot North");
    let address = computer["general"]["lastIpAddress"].clone();
    let events = company.events().await;
    assert_eq!(events.last().unwrap()["client"]["ipAddress"], address);
    assert!(!company.truth.decidable, "{}", company.truth.why);
}

#[tokio::test]
async fn a_pc_without_the_intermediate_has_a_certificate_and_no_trust_profile() {
    let company = Company::with("ca_chain_missing_on_device", Mdm::Intune).await;
    let states = company.states().await;
    assert_eq!(states.len(), 1, "{states:?}");
    assert_eq!(states[0].1, "compliant");
    let rows = company.issuance(&states[0].0, SCEP_CAST).await;
    assert_eq!(rows[0]["certificateIssuanceState"], "issued");
}

#[tokio::test]
async fn a_trust_profile_with_another_group_leaves_the_scep_profile_in_error() {
    let company = Company::with("profile_dependency_group_mismatch", Mdm::Intune).await;
    let states = company.states().await;
    assert_eq!(states.len(), 1, "{states:?}");
    let scep = company.profile(&states[0].0).await;
    let trust = company.profile("Okta Attestation trust").await;
    let groups = |profile: &serde_json::Value| -> Vec<String> {
        let rows = profile["assignments"].as_array().unwrap().iter();
        rows.filter(|row| row["target"]["@odata.type"] == "#microsoft.graph.groupAssignmentTarget")
            .map(|row| row["target"]["groupId"].as_str().unwrap().to_owned())
            .collect()
    };
    let trusted = groups(&trust);
    assert!(groups(&scep).iter().all(|group| !trusted.contains(group)));
}

#[tokio::test]
async fn intune_says_conflict_not_applicable_or_no_user() {
    let company = Company::with("profile_conflict", Mdm::Intune).await;
    let states = company.states().await;
    let conflicts = states.iter().filter(|(_, state, _)| state == "conflict");
    assert_eq!(conflicts.count(), 2);
    let company = Company::with("profile_not_applicable", Mdm::Intune).await;
    let states = company.states().await;
    assert!(states.iter().any(|(_, state, _)| state == "notApplicable"));
    assert_ne!(company.device().await["userId"], "");
    let company = Company::with("mdm_user_licence_or_affinity_lost", Mdm::Intune).await;
    assert_eq!(company.device().await["userId"], "");
}

#[tokio::test]
async fn a_dead_push_channel_leaves_an_old_queue_of_all_kinds() {
    let company = Company::with("mdm_push_channel_down", Mdm::Jamf).await;
    let id = company.computer().await["id"].as_str().unwrap().to_owned();
    let path = format!("/JSSResource/computerhistory/id/{id}/subset/Commands");
    let history = company.jamf(&path).await;
    let pending = history["computer_history"]["commands"]["pending"]
        .as_array()
        .unwrap();
    assert!(pending.len() >= 4, "{pending:?}");
    let disabled = company.jamf("/api/v1/apns-client-push-status").await;
    assert_eq!(disabled["totalCount"], 1);
}

#[tokio::test]
async fn a_wrong_purpose_shows_in_the_address_or_in_the_subject() {
    let company = Company::with("ca_wrong_scep_purpose", Mdm::Jamf).await;
    let payload = company.payloads("Okta").await.join(" ");
    let device_access = company.simulator.world().with(|state| {
        state
            .org
            .scep_url(Mdm::Jamf, crate::world::Issuer::DeviceAccess)
    });
    assert!(payload.contains(&device_access), "{payload}");
    let events = company.events().await;
    assert!(super::of_type(&events, "pki.cert.bind").is_empty());
}

#[tokio::test]
async fn settings_of_a_wrong_profile_stand_in_its_payload() {
    let company = Company::with("ca_template_key_usage_wrong", Mdm::Jamf).await;
    let payload = company.payloads("Okta Attestation SCEP").await.join(" ");
    assert!(payload.contains("<key>Key Usage</key><integer>4</integer>"));
    let company = Company::with("ca_template_key_usage_wrong", Mdm::Intune).await;
    let profile = company.profile("Okta Attestation SCEP (lab)").await;
    assert_eq!(profile["keyUsage"], "keyEncipherment");
    let company = Company::with("ca_subject_template_wrong", Mdm::Jamf).await;
    let names = company.listed().await;
    let name = names[0]["commonName"].as_str().unwrap();
    assert!(name.contains('$'), "{name}");
    assert_eq!(company.managed().await, "MANAGED");
}
