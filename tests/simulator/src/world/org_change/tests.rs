use crate::wire_client::WireClient;
use crate::world::{Mdm, Store};
use crate::{RuleEdit, SimClock, Simulator, SimulatorConfig, World};

async fn tenant(devices: usize) -> Simulator {
    let start = chrono::DateTime::from_timestamp(1_793_610_000, 0).unwrap();
    let config = SimulatorConfig {
        devices,
        ..SimulatorConfig::tenant(SimClock::manual(start))
    };
    Simulator::start(config).await.unwrap()
}

/// Sends the main profile of an MDM to a machine and says what became of it.
fn deliver(simulator: &Simulator, mdm: Mdm) -> Result<(), &'static str> {
    simulator.world().with(|state| {
        let machine = state
            .machines
            .iter()
            .find(|machine| machine.mdm == Some(mdm));
        let machine = machine.unwrap().key;
        let mut profiles = state.profiles.iter();
        let profile = profiles
            .find(|profile| profile.mdm == mdm && profile.is_scep())
            .unwrap()
            .key;
        state
            .install_profile(machine, profile, Store::Machine)
            .map_err(|error| error.text)
    })
}

#[tokio::test]
async fn nobody_enrols_with_an_old_secret_or_against_another_authority() {
    const INVALID: Result<(), &str> = Err("The SCEP server returned an invalid response.");
    for (mdm, breaks, end) in [
        (Mdm::Jamf, (|_: &World| ()) as fn(&World), Ok(())),
        (
            Mdm::Jamf,
            |world| world.reset_scep_secret(Mdm::Jamf),
            INVALID,
        ),
        (
            Mdm::Jamf,
            |world| world.delete_scep_configuration(Mdm::Jamf),
            INVALID,
        ),
        (
            Mdm::Jamf,
            |world| {
                world.reset_scep_secret(Mdm::Jamf);
                world.enter_scep_configuration(Mdm::Jamf);
            },
            Ok(()),
        ),
        (
            Mdm::Jamf,
            |world| {
                world.delete_scep_configuration(Mdm::Jamf);
                world.add_scep_configuration(Mdm::Jamf);
            },
            INVALID,
        ),
        (
            Mdm::Jamf,
            |world| {
                world.delete_scep_configuration(Mdm::Jamf);
                world.add_scep_configuration(Mdm::Jamf);
                world.enter_scep_configuration(Mdm::Jamf);
            },
            Ok(()),
        ),
        (
            Mdm::Jamf,
            |world| world.renew_certificate_authority(),
            Ok(()),
        ),
        (
            Mdm::Intune,
            |world| world.reset_scep_secret(Mdm::Jamf),
            Ok(()),
        ),
        (
            Mdm::Intune,
            |world| world.set_challenge_works(Mdm::Intune, false),
            INVALID,
        ),
        (
            Mdm::Intune,
            |world| world.set_challenge_secret_expiry(world.now()),
            INVALID,
        ),
        (
            Mdm::Intune,
            |world| {
                world.renew_certificate_authority();
                world.roll_over_scep(Mdm::Intune);
            },
            Err("The hash value is not correct."),
        ),
        (
            Mdm::Intune,
            |world| {
                world.renew_certificate_authority();
                world.distribute_certificate_authority(Mdm::Intune);
                world.roll_over_scep(Mdm::Intune);
            },
            Ok(()),
        ),
    ] {
        let simulator = tenant(8).await;
        breaks(simulator.world());
        assert_eq!(deliver(&simulator, mdm), end, "{mdm:?}");
        simulator.stop().await;
    }
}

#[tokio::test]
async fn each_change_of_the_org_stands_in_the_log_with_actor_and_target() {
    let simulator = tenant(0).await;
    let world = simulator.world();
    world.reset_scep_secret(Mdm::Jamf);
    world.delete_scep_configuration(Mdm::Jamf);
    world.add_scep_configuration(Mdm::Jamf);
    world.set_challenge_works(Mdm::Intune, false);
    world.set_challenge_works(Mdm::Intune, true);
    world.renew_certificate_authority();
    world.roll_over_scep(Mdm::Jamf);
    world.set_issuer_uploaded("Acme Issuing CA", true);
    world.warn_of_issuer_expiry("Acme Issuing CA", "EXPIRING_1_MONTH");
    world.fail_crl_download("http://crl.acme.example/ca.crl", 503);
    world.set_issuer_uploaded("Acme Issuing CA", false);
    world.set_okta_verify_active(false);
    assert!(world.edit_rule(
        "Managed desktops",
        "Managed devices",
        RuleEdit::Active(false)
    ));
    assert!(world.edit_rule("Default Policy", "Default Rule", RuleEdit::Active(false)));
    assert!(!world.edit_rule("Default Policy", "no such rule", RuleEdit::Active(false)));
    let client = WireClient::new(&simulator).await;
    let log = client
        .okta("/api/v1/logs?since=2026-11-01T00:00:00Z&limit=1000")
        .await
        .json();
    let events: Vec<String> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, who) = (text(&event["eventType"]), text(&event["actor"]["type"]));
            let target = &event["target"][0];
            format!(
                "{kind} by {who} of {} {}",
                text(&target["type"]),
                text(&target["displayName"])
            )
        })
        .collect();
    assert_eq!(
        events,
        [
            "device.platform.secret_key.reset by User of DeviceManagementPlatform Jamf Pro",
            "device.platform.delete by User of DeviceManagementPlatform Jamf Pro",
            "device.platform.add by User of DeviceManagementPlatform Jamf Pro",
            "device.platform.update by User of DeviceManagementPlatform Microsoft Intune",
            "pki.ca.renew by SystemPrincipal of PublicKeyCertificate Organization Intermediate Authority",
            "pki.cert.lifecycle.activate by SystemPrincipal of PublicKeyCertificate Organization Intermediate Authority",
            "device.platform.renew by User of DeviceManagementPlatform Jamf Pro",
            "pki.ca.add by User of CertificateAuthority Acme Issuing CA",
            "pki.ca.expiration.warn by SystemPrincipal of CertificateAuthority Acme Issuing CA",
            "pki.cert.crl_download_failure by SystemPrincipal of CertificateRevocationList http://crl.acme.example/ca.crl",
            "pki.ca.delete by User of CertificateAuthority Acme Issuing CA",
            "security.authenticator.lifecycle.deactivate by User of Authenticator Okta Verify",
            "application.policy.sign_on.update by User of Rule Managed devices",
            "policy.rule.update by User of Rule Default Rule",
        ]
    );
    assert_eq!(log[8]["outcome"]["reason"], "EXPIRING_1_MONTH");
    assert_eq!(log[9]["debugContext"]["debugData"]["httpCode"], "503");
    let detail = &log[4]["target"][0]["detailEntry"];
    let instance = detail["authorityInstanceId"].as_str().unwrap();
    let address = &log[3]["target"][0]["detailEntry"]["enrollmentUrl"];
    assert!(
        address.as_str().unwrap().contains(&instance[2..]),
        "{address}"
    );
    let found = client
        .okta("/api/v1/logs?since=2026-11-01T00:00:00Z&filter=target.type+eq+%22Authenticator%22")
        .await;
    assert_eq!(found.json().as_array().unwrap().len(), 1);
    simulator.stop().await;
}
