//! Faults of the certificate, its store and its key.

use chrono::{DateTime, Duration, Utc};

use super::{Company, FACTOR, SCEP_CAST, of_type};
use crate::Mdm;

fn time(value: &serde_json::Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_expiring_certificate_is_listed_while_the_device_is_managed() {
    let company = Company::with("cert_expiring_soon", Mdm::Jamf).await;
    let listed = company.listed().await;
    assert_eq!(listed[0]["certificateStatus"], "EXPIRING");
    assert_eq!(company.managed().await, "MANAGED");
}

#[tokio::test]
async fn a_certificate_of_tomorrow_says_so() {
    let company = Company::with("cert_not_yet_valid_or_clock_skew", Mdm::Jamf).await;
    let listed = company.listed().await;
    assert!(time(&listed[0]["issuedDate"]) > company.simulator.clock().now());
}

#[tokio::test]
async fn a_copied_certificate_is_listed_twice_and_bound_to_the_other_device() {
    let company = Company::with("cert_bound_to_other_device", Mdm::Jamf).await;
    let serial = company.listed().await[0]["serialNumber"].clone();
    let page = company
        .jamf("/api/v3/computers-inventory?section=CERTIFICATES")
        .await;
    let holders = page["results"].as_array().unwrap().iter().filter(|row| {
        let mut held = row["certificates"].as_array().unwrap().iter();
        held.any(|certificate| certificate["serialNumber"] == serial)
    });
    assert_eq!(holders.count(), 2);
    assert_eq!(company.managed().await, "NOT_MANAGED");
}

#[tokio::test]
async fn another_orgs_address_stands_in_the_profile_and_its_name_in_intunes_rows() {
    let company = Company::with("cert_wrong_issuer", Mdm::Jamf).await;
    let payload = company.payloads("Okta Attestation SCEP").await.join(" ");
    assert!(payload.contains("oktapreview.com"));
    assert!(of_type(&company.events().await, "pki.cert.issue").is_empty());
    let company = Company::with("cert_wrong_issuer", Mdm::Intune).await;
    let name = "Okta Attestation SCEP (preview pilot)";
    let rows = company.issuance(name, SCEP_CAST).await;
    let issuer = rows[0]["certificateIssuer"].as_str().unwrap();
    assert!(issuer.contains("acme-preview"), "{issuer}");
}

#[tokio::test]
async fn a_certificate_in_the_technicians_keychain_bears_that_account() {
    let company = Company::with("cert_wrong_store", Mdm::Jamf).await;
    let listed = company.listed().await;
    let computer = company.computer().await;
    let accounts = computer["localUserAccounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 2);
    assert_eq!(listed[0]["username"], accounts[0]["username"]);
    let user = company.truth.user_id.as_deref().unwrap();
    let person = company.okta(&format!("/api/v1/users/{user}")).await;
    let login = person["profile"]["login"].as_str().unwrap();
    assert!(login.starts_with(accounts[1]["username"].as_str().unwrap()));
}

#[tokio::test]
async fn a_key_without_access_shows_in_the_profile() {
    let company = Company::with("cert_key_inaccessible_macos", Mdm::Jamf).await;
    let payload = company.payloads("Okta Attestation SCEP").await.join(" ");
    assert!(payload.contains("<key>AllowAllAppsAccess</key><false/>"));
    let company = Company::with("cert_key_inaccessible_windows", Mdm::Intune).await;
    let profile = company.profile("Okta Attestation SCEP (TPM)").await;
    assert_eq!(profile["keyStorageProvider"], "useTpmKspOtherwiseFail");
    assert_eq!(profile["certificateStore"], "machine");
}

#[tokio::test]
async fn the_newest_of_two_certificates_was_revoked() {
    let company = Company::with("cert_duplicates", Mdm::Jamf).await;
    let mut listed = company.listed().await;
    assert_eq!(listed.len(), 2);
    listed.sort_by_key(|row| time(&row["issuedDate"]));
    let newest = listed[1]["serialNumber"].as_str().unwrap().to_uppercase();
    let events = company.log().await;
    let revoked = of_type(&events, "pki.cert.lifecycle.revoke");
    assert!(
        revoked
            .iter()
            .any(|event| event.to_string().contains(&newest))
    );
}

#[tokio::test]
async fn a_mac_in_intune_keeps_its_expired_certificate_in_a_succeeded_profile() {
    let company = Company::with("intune_mac_renewal_window_missed", Mdm::Intune).await;
    assert_eq!(company.device().await["operatingSystem"], "macOS");
    let states = company.states().await;
    let name = "Okta Attestation SCEP (Macs)";
    let scep = states.iter().find(|(found, ..)| found == name).unwrap();
    assert_eq!(scep.1, "compliant");
    let rows = company.issuance(name, "macOSScepCertificateProfile").await;
    let ends = time(&rows[0]["certificateExpirationDateTime"]);
    assert!(ends < company.simulator.clock().now());
    company.simulator.advance(Duration::days(2)).await;
    let rows = company.issuance(name, "macOSScepCertificateProfile").await;
    assert_eq!(time(&rows[0]["certificateExpirationDateTime"]), ends);
}

#[tokio::test]
async fn sign_ins_with_a_bad_certificate_say_not_managed() {
    for cause in [
        "cert_wrong_store",
        "ca_template_key_usage_wrong",
        "ov_outdated",
    ] {
        let company = Company::with(cause, Mdm::Jamf).await;
        let events = company.events().await;
        let last = *of_type(&events, FACTOR).last().unwrap();
        assert_eq!(last["outcome"]["result"], "SUCCESS", "{cause}");
        assert_eq!(last["device"]["managed"], false, "{cause}");
    }
}
