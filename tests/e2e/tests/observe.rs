//! What an incomplete observation may and may not say.

use chrono::TimeDelta;
use simulator::{Fault, FleetOptions, Mdm, ScriptedDevice, Server as Vendor};
use unstuck::wording::why_not_word;

use crate::support::{Wish, World};

/// These computers beside a healthy one in each MDM.
fn scripted(mut devices: Vec<ScriptedDevice>) -> Wish {
    devices.extend([Mdm::Jamf, Mdm::Intune].map(|mdm| ScriptedDevice::new("healthy", mdm)));
    Wish {
        fleet: FleetOptions::scripted(devices),
        ..Wish::default()
    }
}

async fn two_macs_and_a_pc() -> World {
    let devices = [Mdm::Jamf, Mdm::Intune].map(|mdm| ScriptedDevice::new("cert_expired", mdm));
    World::start(scripted(devices.to_vec())).await
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

#[tokio::test(flavor = "multi_thread")]
async fn with_two_confirmations_the_first_card_waits_for_two_complete_sweeps_an_hour_apart() {
    let world = World::start(Wish {
        settings: "[detect]\nconfirmations = 2\n".to_owned(),
        ..scripted(vec![ScriptedDevice::new("cert_expired", Mdm::Jamf)])
    })
    .await;
    let waits = async |what: &str| {
        let document = world.sweep().await;
        assert_eq!(document.findings.len(), 1, "{what}: it shows at once");
        let why = document.findings[0].why_not.map(why_not_word);
        assert_eq!(why.as_deref(), Some("settling"), "{what}");
        assert!(document.findings[0].playbook.is_some(), "{what}");
        assert!(document.proposals.is_empty(), "{what}");
    };
    waits("no sweep before").await;
    world.sim.advance(TimeDelta::minutes(59)).await;
    waits("too soon").await;
    world.sim.advance(TimeDelta::minutes(2)).await;
    world
        .sim
        .faults()
        .inject(Vendor::Graph, "GET", "/", 10_000, Fault::Status(400));
    waits("not complete").await;
    world.sim.faults().clear();
    let document = world.sweep().await;
    assert!(document.sweep.complete, "{:?}", document.sweep.incomplete);
    assert_eq!(document.proposals.len(), 1, "{:?}", document.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_mdm_knew_is_remembered_while_it_is_down() {
    let world = two_macs_and_a_pc().await;
    let known = async || {
        let known = world.server.store.subjects_known_to(&"jamf".into()).await;
        known.expect("subjects")
    };
    world.sweep().await;
    let before = known().await;
    assert_eq!(before.len(), 2, "the Macs: {before:?}");
    assert!(before.values().all(Option::is_some));
    world
        .sim
        .faults()
        .inject(Vendor::Jamf, "GET", "/", 10_000, Fault::Status(400));
    for _ in 0..2 {
        let document = world.sweep().await;
        assert_eq!(document.sweep.incomplete.len(), 1);
        assert_eq!(known().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_an_excluded_group_is_out_of_scope_and_who_may_be_is_not_proposed() {
    let device = |owner: &str| {
        ScriptedDevice::new("cert_expired", Mdm::Jamf).owner(&format!("{owner}@acme.example"))
    };
    let world = World::start(Wish {
        settings: "[exclusions]\ngroups = [\"$FASTPASS_GROUP\"]\n".to_owned(),
        ..scripted(vec![device("vip"), device("ann")])
    })
    .await;
    let group = world.sim.connection().okta.fastpass_group.clone();
    // Everybody is in it but Ann.
    world
        .sim
        .world()
        .set_group_member(&group, "ann@acme.example", false);
    world.sim.faults().inject(
        Vendor::Okta,
        "GET",
        "/api/v1/users/",
        10_000,
        Fault::Status(400),
    );
    let document = world.sweep().await;
    let why: Vec<_> = document
        .findings
        .iter()
        .map(|one| one.why_not.map(why_not_word))
        .collect();
    assert_eq!(
        why,
        [
            Some("condition_unknown".into()),
            Some("condition_unknown".into())
        ]
    );
    assert!(document.proposals.is_empty());

    world.sim.faults().clear();
    let document = world.sweep().await;
    let logins: Vec<_> = document
        .findings
        .iter()
        .map(|one| one.login.clone())
        .collect();
    assert_eq!(logins, [Some("ann@acme.example".into())]);
    assert_eq!(document.counts.out_of_scope, 1);
    assert_eq!(document.proposals[0].devices.len(), 1);
}
