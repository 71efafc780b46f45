//! A person says which MDM record an Okta record is.

use chrono::TimeDelta;
use simulator::{FleetOptions, Mdm, ScriptedDevice};
use unstuck::{
    approvals::links::{self, Refusal},
    domain::{Cause, Finding, MatchStrength},
    store::ManualLink,
};

use crate::support::{Wish, World};

/// A Mac whose serial number in Okta is not the MDM's, beside healthy ones.
async fn with_a_weak_match() -> (World, Finding) {
    let scripted = (0..12)
        .map(|_| ScriptedDevice::new("healthy", Mdm::Jamf))
        .chain([ScriptedDevice::new(
            "identity_serial_missing_or_mismatch",
            Mdm::Jamf,
        )])
        .collect();
    let world = World::start(Wish {
        fleet: FleetOptions::scripted(scripted),
        ..Wish::default()
    })
    .await;
    let document = world.sweep().await;
    let finding = document
        .findings
        .into_iter()
        .find(|finding| finding.cause == Cause::IdentitySerialMismatch)
        .expect("a weak match");
    (world, finding)
}

fn link_of(world: &World, finding: &Finding) -> ManualLink {
    ManualLink {
        device: finding.device_id.clone().expect("an Okta record"),
        mdm: finding.mdm.clone().expect("an MDM"),
        mdm_device: finding.mdm_device_id.clone().expect("its record"),
        reason: "compared both consoles".into(),
        by: "cli:tester".into(),
        at: world.now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_link_makes_a_weak_match_strong_and_undoing_it_weak_again() {
    let (world, weak) = with_a_weak_match().await;
    assert_eq!(weak.match_strength, MatchStrength::Weak);
    assert!(weak.why_not.is_some(), "nothing is done to a weak match");
    let link = link_of(&world, &weak);
    let store = &world.server.store;
    links::link(store, &link).await.expect("linked");

    let strength = async |world: &World| {
        let document = world.sweep().await;
        let same = document
            .findings
            .into_iter()
            .find(|finding| finding.device_id == weak.device_id)
            .expect("still not managed");
        (same.match_strength, same.cause)
    };
    let (linked, cause) = strength(&world).await;
    assert_eq!(linked, MatchStrength::Strong);
    assert_ne!(cause, Cause::IdentitySerialMismatch);

    links::unlink(store, &link.device, "cli:tester", "wrong Mac", world.now())
        .await
        .expect("undone");
    assert_eq!(strength(&world).await.0, MatchStrength::Weak);
    // Slack takes one post a second in a channel.
    world.sim.advance(TimeDelta::minutes(1)).await;
    world.settle().await;
    let told = format!("{:?}", world.sim.slack().messages(&world.channel()));
    assert!(told.contains("compared both consoles"), "{told}");
    assert!(told.contains("wrong Mac"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_what_no_sweep_has_seen_is_refused() {
    let (world, weak) = with_a_weak_match().await;
    let store = &world.server.store;
    let nowhere = ManualLink {
        mdm_device: "99999".into(),
        ..link_of(&world, &weak)
    };
    let refused = links::link(store, &nowhere).await;
    assert!(matches!(refused, Err(Refusal::UnknownRecord { .. })));
    let nobody = ManualLink {
        device: "guo404".into(),
        ..link_of(&world, &weak)
    };
    let refused = links::link(store, &nobody).await;
    assert!(matches!(refused, Err(Refusal::UnknownDevice(_))));
    let silent = ManualLink {
        reason: "  ".into(),
        ..link_of(&world, &weak)
    };
    let refused = links::link(store, &silent).await;
    assert!(matches!(refused, Err(Refusal::ReasonMissing)));
    assert!(store.links().await.expect("links").is_empty());
}
