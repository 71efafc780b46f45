use x509_parser::prelude::*;

use crate::wire_client::{Reply, WireClient, send};
use crate::world::{Issuer, Mdm};
use crate::{EarlyAccess, FleetOptions, Ports, SimClock, Simulator, SimulatorConfig};

async fn org() -> Simulator {
    let start = chrono::DateTime::from_timestamp(1_793_610_000, 0).unwrap();
    let mut fleet = FleetOptions::scripted(Vec::new());
    fleet.ca_api = true;
    let config = SimulatorConfig {
        devices: 0,
        seed: 3,
        ports: Ports::Ephemeral,
        clock: SimClock::manual(start),
        fleet,
    };
    Simulator::start(config).await.unwrap()
}

async fn scep(simulator: &Simulator, mdm: Mdm, operation: &str) -> Reply {
    let url = simulator
        .world()
        .with(|state| state.org.scep_url(mdm, Issuer::Org));
    send("GET", &format!("{url}?operation={operation}"), &[], "").await
}

/// The certificates of a degenerate PKCS#7 message: the elements of its `[0]`.
fn unpack(bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut starts = Vec::new();
    let mut rest = bundle;
    // Every certificate begins with two nested sequences and its version.
    while let Some(at) = rest
        .windows(13)
        .position(|window| window[..2] == [0x30, 0x82] && window[8..13] == [0xa0, 3, 2, 1, 2])
    {
        let length = 4 + usize::from(rest[at + 2]) * 256 + usize::from(rest[at + 3]);
        starts.push(rest[at..at + length].to_vec());
        rest = &rest[at + length..];
    }
    starts
}

fn ski(certificate: &X509Certificate<'_>) -> String {
    let found =
        certificate
            .iter_extensions()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(hex::encode_upper(id.0)),
                _ => None,
            });
    found.unwrap()
}

#[tokio::test]
async fn capabilities_are_those_seen_at_okta() {
    let simulator = org().await;
    let reply = scep(&simulator, Mdm::Jamf, "GetCACaps").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), "POSTPKIOperation\nSHA-512\nSHA-256\n\n");
    simulator.stop().await;
}

#[tokio::test]
async fn the_certificate_of_the_endpoint_is_that_of_the_ca_api_and_of_the_profiles() {
    let simulator = org().await;
    let client = WireClient::new(&simulator).await;
    let reply = scep(&simulator, Mdm::Jamf, "GetCACert").await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/x-x509-ca-cert")
    );
    let (_, certificate) = X509Certificate::from_der(&reply.bytes).unwrap();
    let org = &simulator.connection().okta.org_id;
    assert_eq!(
        certificate.subject().to_string(),
        format!("DC=com, DC=okta, DC=acme, OU={org}, CN=Organization Intermediate Authority")
    );
    assert!(
        certificate
            .issuer()
            .to_string()
            .ends_with("CN=Organization Root Authority")
    );
    assert!(certificate.basic_constraints().unwrap().unwrap().value.ca);

    let list = client
        .okta("/pki/api/v2/certificate-authorities?caType=OKTA_AS_CA&expand=certificates")
        .await
        .json();
    let [root, intermediate] = list["data"].as_array().unwrap().as_slice() else {
        panic!("a root and an intermediate: {list}");
    };
    assert_eq!(root["type"], "ROOT");
    let shown = &intermediate["certificates"][0];
    assert_eq!(shown["ski"], ski(&certificate));
    assert_eq!(intermediate["authorityInstanceId"], ski(&certificate));
    assert_eq!(shown["aki"], root["authorityInstanceId"]);
    assert_eq!(shown["rotationState"], "ACTIVE");
    let end = chrono::DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0);
    let end = end.unwrap().format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    assert_eq!(shown["expirationDate"], end);

    let profiles = client
        .jamf("/JSSResource/osxconfigurationprofiles")
        .await
        .json();
    let trust = profiles["os_x_configuration_profiles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|profile| profile["name"] == "Okta Attestation trust")
        .unwrap();
    let path = format!("/JSSResource/osxconfigurationprofiles/id/{}", trust["id"]);
    let profile = client.jamf(&path).await.json();
    let payloads = profile["os_x_configuration_profile"]["general"]["payloads"]
        .as_str()
        .unwrap()
        .to_owned();
    use base64::Engine;
    let encoded = base64::prelude::BASE64_STANDARD.encode(&reply.bytes);
    assert!(
        payloads.contains(&format!("<data>{encoded}</data>")),
        "{payloads}"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_bundle_holds_the_authority_and_its_registration_authority() {
    let simulator = org().await;
    let reply = scep(&simulator, Mdm::Intune, "GetCACert").await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/x-x509-ca-ra-cert")
    );
    let found = unpack(&reply.bytes);
    let [authority, registration] = found.as_slice() else {
        panic!("two certificates, not {}", found.len());
    };
    let single = scep(&simulator, Mdm::Jamf, "GetCACert").await.bytes;
    assert_eq!(*authority, single);
    let (_, authority) = X509Certificate::from_der(authority).unwrap();
    let (_, registration) = X509Certificate::from_der(registration).unwrap();
    assert_eq!(registration.issuer(), authority.subject());
    registration
        .verify_signature(Some(authority.public_key()))
        .expect("signed by the authority");
    assert!(!registration.is_ca());
    let root = simulator
        .world()
        .with(|state| state.org.pki.authorities[0].certificates[0].der.clone());
    let (_, root) = X509Certificate::from_der(&root).unwrap();
    authority
        .verify_signature(Some(root.public_key()))
        .expect("signed by the root");
    root.verify_signature(None).expect("signed by itself");
    simulator.stop().await;
}

#[tokio::test]
async fn what_a_probe_must_never_do_stands_in_the_ledger() {
    let simulator = org().await;
    let url = simulator
        .world()
        .with(|state| state.org.scep_url(Mdm::Jamf, Issuer::Org));
    let looked = scep(&simulator, Mdm::Jamf, "GetCACaps").await;
    assert_eq!(looked.status, 200);
    assert!(simulator.ledger().effects().is_empty());
    let page = send("GET", &format!("{url}/challenge"), &[], "").await;
    assert!(page.text().contains("challenge password is: <B> "));
    let enrolment = send(
        "POST",
        &format!("{url}?operation=PKIOperation"),
        &[],
        "message",
    )
    .await;
    assert_eq!(enrolment.status, 400);
    let kinds: Vec<_> = simulator
        .ledger()
        .effects()
        .into_iter()
        .map(|effect| effect.kind)
        .collect();
    assert_eq!(kinds, ["forbidden.scep.challenge", "forbidden.scep.enrol"]);
    simulator.stop().await;
}

#[tokio::test]
async fn an_address_of_nothing_answers_a_page() {
    let simulator = org().await;
    let okta = &simulator.connection().okta.org_url;
    let url = format!(
        "{okta}/pki/{}/scep/racNothing?operation=GetCACaps",
        "0".repeat(40)
    );
    let reply = send("GET", &url, &[], "").await;
    assert_eq!(reply.status, 404);
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    simulator.stop().await;
}

#[tokio::test]
async fn early_access_can_be_off_in_four_ways() {
    let simulator = org().await;
    let client = WireClient::new(&simulator).await;
    let path = "/pki/api/v2/certificate-authorities";
    for (answers, status) in [
        (EarlyAccess::On, 200),
        (EarlyAccess::NotFound, 404),
        (EarlyAccess::NotEnabled, 401),
        (EarlyAccess::Forbidden, 403),
    ] {
        simulator.world().set_ca_api(answers);
        assert_eq!(client.okta(path).await.status, status, "{answers:?}");
    }
    simulator.world().set_ca_api(EarlyAccess::Empty);
    assert_eq!(client.okta(path).await.text(), r#"{"data":[]}"#);
    assert_eq!(client.okta("/api/v1/authenticators").await.status, 200);
    simulator.stop().await;
}

/// Renews the authority and moves the configurations of these MDMs onto the new certificate.
async fn renewed(moved: &[Mdm]) -> Simulator {
    let simulator = org().await;
    simulator.world().renew_certificate_authority();
    for mdm in moved {
        simulator.world().roll_over_scep(*mdm);
    }
    simulator
}

#[tokio::test]
async fn a_renewal_brings_another_certificate_at_the_same_address() {
    let before = org().await;
    let old = scep(&before, Mdm::Jamf, "GetCACert").await.bytes;
    let simulator = renewed(&[Mdm::Jamf]).await;
    let new = scep(&simulator, Mdm::Jamf, "GetCACert").await.bytes;
    assert_ne!(new, old);
    let (_, old) = X509Certificate::from_der(&old).unwrap();
    let (_, new) = X509Certificate::from_der(&new).unwrap();
    assert_eq!(new.subject(), old.subject());
    assert_ne!(new.public_key(), old.public_key());

    let client = WireClient::new(&simulator).await;
    let list = client
        .okta("/pki/api/v2/certificate-authorities?type=INTERMEDIATE&caType=OKTA_AS_CA&expand=certificates")
        .await
        .json();
    let authority = &list["data"][0];
    let states: Vec<_> = authority["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|certificate| (&certificate["rotationState"], &certificate["ski"]))
        .collect();
    let (old, new) = (ski(&old).into(), ski(&new).into());
    assert_eq!(
        states,
        [(&"RETIRING".into(), &old), (&"ACTIVE".into(), &new)]
    );
    let id = authority["authorityInstanceId"].as_str().unwrap();
    let path = format!("/pki/api/v2/certificate-authorities/{id}/registration-authorities");
    let configurations = client.okta(&path).await.json();
    let [jamf, intune] = configurations["data"].as_array().unwrap().as_slice() else {
        panic!("two configurations: {configurations}");
    };
    assert_eq!((&jamf["aki"], &intune["aki"]), (&new, &old));
    assert_eq!(intune["configInfo"]["provider"], "INTUNE");
    let one = format!("/pki/api/v2/certificate-authorities/{id}/certificates");
    assert_eq!(
        client
            .okta(&format!("{one}/{}", new.as_str().unwrap()))
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .okta(&format!("{one}/{}", "0".repeat(40)))
            .await
            .status,
        404
    );
    simulator.stop().await;
    before.stop().await;
}
