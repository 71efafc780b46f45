//! What an incomplete observation may and may not say.

use simulator::{Fault, FleetOptions, Mdm, ScriptedDevice, Server as Vendor};
use unstuck::wording::why_not_word;

use crate::support::{Wish, World};

async fn two_macs_and_a_pc() -> World {
    let devices = vec![
        ScriptedDevice::new("cert_expired", Mdm::Jamf),
        ScriptedDevice::new("cert_expired", Mdm::Intune),
        ScriptedDevice::new("healthy", Mdm::Jamf),
        ScriptedDevice::new("healthy", Mdm::Intune),
    ];
    World::start(Wish {
        fleet: FleetOptions::scripted(devices),
        ..Wish::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_mdm_that_is_down_holds_back_its_own_devices_only() {
    let world = two_macs_and_a_pc().await;
    world
        .sim
        .faults()
        .inject(Vendor::Jamf, "GET", "/", 10_000, Fault::Status(400));
    let document = world.sweep().await;
    assert!(!document.sweep.complete);
    let sources: Vec<&str> = document
        .sweep
        .incomplete
        .iter()
        .map(|one| one.source.as_str())
        .collect();
    assert_eq!(sources, ["jamf"]);
    for finding in &document.findings {
        let is_mac = finding.platform == unstuck::domain::Platform::Macos;
        let why = finding.why_not.map(why_not_word);
        assert_eq!(
            why.as_deref() == Some("source_incomplete"),
            is_mac,
            "{finding:?}"
        );
    }
    assert!(
        document
            .proposals
            .iter()
            .all(|one| one.targets.iter().all(|target| target
                .mdm
                .as_ref()
                .is_some_and(|mdm| mdm.as_str() == "intune")))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_stops_every_proposal() {
    let world = two_macs_and_a_pc().await;
    world.sim.faults().inject(
        Vendor::Okta,
        "GET",
        "/api/v1/logs",
        10_000,
        Fault::Status(400),
    );
    let document = world.sweep().await;
    assert!(
        document
            .sweep
            .incomplete
            .iter()
            .any(|one| one.source == "log"),
        "{:?}",
        document.sweep.incomplete
    );
    assert!(document.proposals.is_empty());
    assert!(
        document
            .findings
            .iter()
            .all(|one| one.why_not.map(why_not_word).as_deref() == Some("source_incomplete"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_cut_off_makes_the_list_incomplete() {
    let world = two_macs_and_a_pc().await;
    world.sim.faults().inject(
        Vendor::Okta,
        "GET",
        "/api/v1/devices?",
        10_000,
        Fault::Truncated,
    );
    let document = world.sweep().await;
    assert!(
        document
            .sweep
            .incomplete
            .iter()
            .any(|one| one.source == "okta"),
        "{:?}",
        document.sweep.incomplete
    );
    assert!(document.proposals.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sweep_of_the_same_fleet_proposes_nothing_new() {
    let world = two_macs_and_a_pc().await;
    let first = world.sweep().await;
    let second = world.sweep().await;
    let ids = |document: &unstuck::report::SweepDocument| {
        document
            .proposals
            .iter()
            .map(|one| (one.id.clone(), one.revision))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ids(&second));
    let posts = world.sim.slack().messages(&world.channel()).len();
    assert_eq!(posts, first.proposals.len(), "one card each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing_and_shows_what_would_be_proposed() {
    let world = two_macs_and_a_pc().await;
    let document = world
        .server
        .sweeper
        .dry_run(&connectors::NoProgress)
        .await
        .expect("a dry run");
    assert!(document.sweep.dry_run);
    assert!(!document.proposals.is_empty());
    assert!(document.proposals.iter().all(|one| one.id.is_none()));
    assert!(world.proposals().await.is_empty());
    assert!(
        world
            .server
            .store
            .last_sweep()
            .await
            .expect("sweeps")
            .is_none()
    );
    assert!(world.sim.ledger().effects().is_empty());
}
