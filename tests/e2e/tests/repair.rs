//! The whole loop against the simulated vendors: sweep, card, click, repair, proof, and every way in which it ends.

use chrono::TimeDelta;
use simulator::{Fault, FleetOptions, Mdm, Persona, ScriptedDevice, Server as Vendor};
use unstuck::domain::{PlannedSubject, ProposalId, ProposalState, RepairState};

use crate::support::{Wish, World, ended, reason};

/// These computers beside a healthy one in each MDM: an MDM without any record is not read whole at the first sweep.
fn scripted(mut devices: Vec<ScriptedDevice>) -> Wish {
    devices.extend([Mdm::Jamf, Mdm::Intune].map(|mdm| ScriptedDevice::new("healthy", mdm)));
    Wish {
        fleet: FleetOptions::scripted(devices),
        ..Wish::default()
    }
}

/// Sweeps and returns the one proposal of a playbook.
async fn proposed(world: &World, playbook: &str) -> ProposalId {
    let document = world.sweep().await;
    assert!(document.sweep.complete, "{:?}", document.sweep.incomplete);
    let proposals: Vec<_> = document
        .proposals
        .iter()
        .filter(|one| one.playbook.as_str() == playbook)
        .collect();
    let held: Vec<_> = document
        .findings
        .iter()
        .map(|one| (one.cause.name(), one.why_not, one.why_not_detail.clone()))
        .collect();
    assert_eq!(proposals.len(), 1, "one proposal for {playbook}: {held:?}");
    proposals[0].id.clone().expect("an id")
}

/// One computer with one cause is repaired with its playbook and proved managed.
async fn is_repaired(cause: &str, mdm: Mdm, playbook: &str) -> World {
    let world = World::start(scripted(vec![
        ScriptedDevice::new(cause, mdm).owner("ann@acme.example"),
    ]))
    .await;
    let id = proposed(&world, playbook).await;
    world.approve(&id).await;
    let state = world.finish(&id, 14).await;
    let repair = world.repair(&id).await;
    assert_eq!(
        ended(&repair),
        "managed",
        "{cause}: {state:?}, {}, {:#?}",
        reason(&repair),
        repair.hops
    );
    assert_eq!(state, ProposalState::Done);
    world
        .pass(TimeDelta::minutes(20), TimeDelta::minutes(5))
        .await;
    world.assert_safe().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_on_a_mac_is_renewed_through_the_hold_group_and_proved() {
    let world = is_repaired("cert_expired", Mdm::Jamf, "redeliver-scep-profile").await;
    let kinds: Vec<String> = world
        .sim
        .ledger()
        .effects()
        .into_iter()
        .map(|effect| effect.kind)
        .collect();
    let position = |kind: &str| {
        kinds
            .iter()
            .position(|one| one == kind)
            .unwrap_or_else(|| panic!("no {kind} in {kinds:?}"))
    };
    assert!(position("jamf.group.member.add") < position("jamf.group.member.remove"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_sign_in_is_asked_for_and_proved() {
    is_repaired(
        "fastpass_no_signin_since_cert",
        Mdm::Jamf,
        "request-fastpass-sign-in",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_on_a_pc_is_renewed_and_proved() {
    is_repaired("cert_expired", Mdm::Intune, "redeliver-scep-profile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_profile_is_sent_once_more() {
    is_repaired("profile_failed", Mdm::Jamf, "resend-failed-profile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mac_outside_the_scope_gets_the_profile() {
    is_repaired("profile_not_in_scope", Mdm::Jamf, "assign-scep-profile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_outside_the_rule_is_added_to_the_fastpass_group() {
    is_repaired(
        "policy_user_out_of_scope",
        Mdm::Jamf,
        "assign-fastpass-policy",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_the_fastpass_group_where_the_loss_of_apps_cannot_be_simulated() {
    let device = ScriptedDevice::new("policy_user_out_of_scope", Mdm::Jamf);
    let world = World::start(scripted(vec![device])).await;
    let simulate = |fault| {
        let path = "/api/v1/policies/simulate";
        world
            .sim
            .faults()
            .inject(Vendor::Okta, "POST", path, 10_000, fault);
    };
    simulate(Fault::Status(403));
    let document = world.sweep().await;
    let why = document.findings[0]
        .why_not
        .map(unstuck::wording::why_not_word);
    assert_eq!(why.as_deref(), Some("not_possible_here"));
    let detail = document.findings[0].why_not_detail.clone();
    assert!(
        detail
            .as_ref()
            .is_some_and(|detail| detail.contains("not provable here")),
        "{detail:?}"
    );
    assert!(document.proposals.is_empty());

    world.sim.faults().clear();
    let id = proposed(&world, "assign-fastpass-policy").await;
    simulate(Fault::Malformed);
    world.approve(&id).await;
    world.finish(&id, 2).await;
    let repair = world.repair(&id).await;
    assert_eq!(ended(&repair), "dropped");
    assert!(reason(&repair).contains("every app"), "{}", reason(&repair));
    assert!(world.sim.ledger().effects_of("okta").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_never_signs_in_leaves_a_named_end() {
    let device =
        ScriptedDevice::new("fastpass_no_signin_since_cert", Mdm::Jamf).persona(Persona::Never);
    let world = World::start(scripted(vec![device])).await;
    let id = proposed(&world, "request-fastpass-sign-in").await;
    world.approve(&id).await;
    let state = world.finish(&id, 30).await;
    let repair = world.repair(&id).await;
    assert_eq!(ended(&repair), "not_fixed");
    assert_eq!(state, ProposalState::DoneWithFailures);
    world.assert_safe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mac_that_goes_offline_inside_the_hold_group_is_taken_out_again() {
    let device = ScriptedDevice::new("cert_expired", Mdm::Jamf).serial("C02OFFLINE1");
    let world = World::start(scripted(vec![device])).await;
    let id = proposed(&world, "redeliver-scep-profile").await;
    world.approve(&id).await;
    // Until the device is in the hold group; then it is gone.
    world.sim.world().take_offline("C02OFFLINE1");
    world.finish(&id, 20).await;
    let repair = world.repair(&id).await;
    assert_eq!(ended(&repair), "not_fixed", "{}", reason(&repair));
    world
        .pass(TimeDelta::minutes(20), TimeDelta::minutes(1))
        .await;
    let hold = world.sim.connection().jamf.hold_group.clone();
    assert!(
        !world.sim.world().is_mdm_group_member(&hold, "C02OFFLINE1"),
        "it is still held"
    );
    world.assert_safe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_changed_after_approval_is_dropped_with_the_reason() {
    let device = ScriptedDevice::new("cert_expired", Mdm::Jamf).serial("C02DRIFT01");
    let world = World::start(scripted(vec![device])).await;
    let id = proposed(&world, "redeliver-scep-profile").await;
    let plan = world.proposal(&id).await.plan;
    world
        .sim
        .world()
        .suspend_device(plan.repairs[0].subjects[0].device_id.as_str());
    world.approve(&id).await;
    let state = world.finish(&id, 2).await;
    let repair = world.repair(&id).await;
    assert_eq!(ended(&repair), "dropped");
    assert!(
        reason(&repair).to_lowercase().contains("suspended"),
        "{}",
        reason(&repair)
    );
    assert_eq!(state, ProposalState::DoneWithFailures);
    assert_eq!(
        world.sim.ledger().effects_of("jamf"),
        vec![],
        "nothing was changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_canary_keeps_the_rest_untouched() {
    let stuck = (0..4)
        .map(|n| ScriptedDevice::new("cert_expired", Mdm::Jamf).serial(&format!("C02CANARY{n}")));
    // Enough healthy ones that two per cent of the fleet may be repaired at once.
    let healthy = (0..200).map(|_| ScriptedDevice::new("healthy", Mdm::Jamf));
    let world = World::start(scripted(stuck.chain(healthy).collect())).await;
    let id = proposed(&world, "redeliver-scep-profile").await;
    for n in 0..4 {
        world.sim.world().take_offline(&format!("C02CANARY{n}"));
    }
    world.approve(&id).await;
    world.finish(&id, 20).await;
    let repairs = world.repairs(&id).await;
    let count = |word: &str| {
        repairs
            .iter()
            .filter(|repair| ended(repair) == word)
            .count()
    };
    assert_eq!(
        (count("not_fixed"), count("dropped")),
        (1, 3),
        "{:?}",
        repairs
            .iter()
            .map(|r| (ended(r), reason(r)))
            .collect::<Vec<_>>()
    );
    let touched: std::collections::BTreeSet<String> = world
        .sim
        .ledger()
        .effects_of("jamf.group")
        .into_iter()
        .map(|effect| effect.target)
        .collect();
    assert!(
        touched.len() <= 1,
        "only the canary was touched: {touched:?}"
    );
    world.assert_safe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_restores_what_was_begun() {
    let device = ScriptedDevice::new("cert_expired", Mdm::Jamf).serial("C02STOPPED");
    let world = World::start(scripted(vec![device])).await;
    let id = proposed(&world, "redeliver-scep-profile").await;
    world.approve(&id).await;
    world.sim.world().take_offline("C02STOPPED");
    let hold = world.sim.connection().jamf.hold_group.clone();
    for _ in 0..40 {
        if world.sim.world().is_mdm_group_member(&hold, "C02STOPPED") {
            break;
        }
        world
            .pass(TimeDelta::minutes(2), TimeDelta::minutes(1))
            .await;
    }
    assert!(
        world.sim.world().is_mdm_group_member(&hold, "C02STOPPED"),
        "it never got into the hold group"
    );
    let approver = world.approver();
    world
        .sim
        .slack()
        .slash(
            &approver,
            &world.channel(),
            &format!("/unstuck stop {id} looks wrong"),
        )
        .await
        .expect("a reply");
    world
        .until("the stop", async || {
            (!world
                .server
                .store
                .active_stops()
                .await
                .expect("stops")
                .is_empty())
            .then_some(())
        })
        .await;
    let state = world.finish(&id, 2).await;
    let repair = world.repair(&id).await;
    assert_eq!(
        (ended(&repair), state),
        ("stopped", ProposalState::Stopped),
        "{}",
        reason(&repair)
    );
    assert!(
        !world.sim.world().is_mdm_group_member(&hold, "C02STOPPED"),
        "it is still held"
    );
    world
        .pass(TimeDelta::minutes(20), TimeDelta::minutes(1))
        .await;
    world.assert_safe().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_computer_that_was_cured_before_its_repair_is_left_alone() {
    let device =
        ScriptedDevice::new("fastpass_no_signin_since_cert", Mdm::Jamf).owner("cured@acme.example");
    let world = World::start(scripted(vec![device])).await;
    let id = proposed(&world, "request-fastpass-sign-in").await;
    let subject = world.proposal(&id).await.plan.repairs[0].subjects[0].clone();
    world
        .sim
        .world()
        .sign_in_with_fastpass(subject.user_id.as_str(), subject.device_id.as_str());
    world.approve(&id).await;
    world.finish(&id, 2).await;
    assert_eq!(world.repair(&id).await.state, RepairState::CuredByItself);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_works_with_a_service_app_and_dpop() {
    let device = ScriptedDevice::new("fastpass_no_signin_since_cert", Mdm::Jamf);
    let world = World::start(Wish {
        oauth: true,
        ..scripted(vec![device])
    })
    .await;
    let document = world.sweep().await;
    assert!(document.sweep.complete, "{:?}", document.sweep.incomplete);
    assert_eq!(document.proposals.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_joined_an_excluded_group_after_the_approval_is_left_alone() {
    let device = ScriptedDevice::new("policy_user_out_of_scope", Mdm::Jamf);
    let settings = "[exclusions]\ngroups = [\"$FASTPASS_GROUP\"]\n".to_owned();
    let world = World::start(Wish {
        settings,
        ..scripted(vec![device])
    })
    .await;
    let id = proposed(&world, "assign-fastpass-policy").await;
    let subject = world.proposal(&id).await.plan.repairs[0].subjects[0].clone();
    let group = world.sim.connection().okta.fastpass_group.clone();
    world
        .sim
        .world()
        .set_group_member(&group, subject.user_id.as_str(), true);
    world.approve(&id).await;
    world.finish(&id, 2).await;
    let repair = world.repair(&id).await;
    assert_eq!(ended(&repair), "dropped");
    assert!(
        reason(&repair).contains("excluded group"),
        "{}",
        reason(&repair)
    );
    let asked = world.sim.ledger().effects();
    assert!(
        asked.iter().all(|effect| effect.request.is_none()),
        "{asked:?}"
    );
}

/// A repair that waits for a sign-in alone, of a person who does not sign in by themselves.
async fn waits_for_a_sign_in() -> (World, ProposalId, PlannedSubject) {
    let device = ScriptedDevice::new("fastpass_no_signin_since_cert", Mdm::Jamf)
        .owner("kim@acme.example")
        .persona(Persona::Never);
    let world = World::start(scripted(vec![device])).await;
    let id = proposed(&world, "request-fastpass-sign-in").await;
    world.approve(&id).await;
    world
        .pass(TimeDelta::minutes(30), TimeDelta::minutes(1))
        .await;
    let repair = world.repair(&id).await;
    assert!(repair.state.waits_for_sign_in(), "{:?}", repair.state);
    let subject = repair.subjects[0].clone();
    (world, id, subject)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_only_a_sign_in_is_missing_the_log_is_watched_instead_of_the_computer() {
    let (world, id, subject) = waits_for_a_sign_in().await;
    let reads = || {
        let path = format!("/api/v1/devices/{}", subject.device_id);
        world
            .sim
            .ledger()
            .requests_to(Vendor::Okta, "GET", &path)
            .len()
    };
    let before = reads();
    world.pass(TimeDelta::hours(3), TimeDelta::minutes(1)).await;
    assert_eq!(reads(), before, "the log has nothing new to tell");
    // A log that is not read for two hours says nothing about them.
    let sweeping = world.server.node.observer_turn().lock().await;
    world.sim.advance(TimeDelta::hours(2)).await;
    let okta = &world.server.sweeper.observer.okta;
    okta.organization().await.expect("Okta's time");
    world.settle().await;
    assert_eq!(reads(), before + 2, "one read of the record and its users");
    drop(sweeping);
    world.pass(TimeDelta::hours(2), TimeDelta::minutes(1)).await;
    assert_eq!(reads(), before + 2);

    world
        .sim
        .world()
        .sign_in_with_fastpass(subject.user_id.as_str(), subject.device_id.as_str());
    world
        .pass(TimeDelta::seconds(70), TimeDelta::seconds(10))
        .await;
    assert_eq!(ended(&world.repair(&id).await), "managed");
    assert_eq!(reads(), before + 4, "the proof is a read by id");
}

#[tokio::test(flavor = "multi_thread")]
async fn not_my_device_ends_the_repair_with_the_reason() {
    let (world, id, _) = waits_for_a_sign_in().await;
    let slack = world.sim.slack();
    let users = slack.users();
    let kim = users
        .iter()
        .find(|user| user.email.as_deref() == Some("kim@acme.example"))
        .expect("an account");
    let asked = slack.ims(&kim.id).pop().expect("the request");
    slack
        .click(&kim.id, &asked.channel, &asked.ts, "s.not_mine")
        .await
        .expect("a click");
    world
        .until("the end of the repair", async || {
            world.repair(&id).await.state.is_end().then_some(())
        })
        .await;
    let repair = world.repair(&id).await;
    assert_eq!(ended(&repair), "needs_human");
    assert!(
        reason(&repair).contains("kim@acme.example says that it is not theirs"),
        "{}",
        reason(&repair)
    );
    assert_eq!(world.proposal(&id).await.state, ProposalState::NeedsHuman);
    world.settle().await;
    let (ts, _) = world.card(&id).await;
    let thread = slack.thread(&world.channel(), &ts);
    assert!(
        thread
            .iter()
            .any(|said| said.text.contains("is not theirs")),
        "{thread:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_proof_why_says_managed_and_by_what_before_the_next_sweep() {
    let (world, id, subject) = waits_for_a_sign_in().await;
    let why = async || {
        let command = format!("/unstuck why {}", subject.login);
        let slack = world.sim.slack();
        let said = slack
            .slash(&world.approver(), &world.channel(), &command)
            .await;
        format!("{:?}", said.expect("a reply"))
    };
    assert!(why().await.contains("*: not managed"), "{}", why().await);
    world
        .sim
        .world()
        .sign_in_with_fastpass(subject.user_id.as_str(), subject.device_id.as_str());
    world.finish(&id, 1).await;
    assert_eq!(ended(&world.repair(&id).await), "managed");
    let told = why().await;
    assert!(told.contains("*: managed"), "{told}");
    assert!(
        told.contains("proved managed on Mon 23 Nov") && told.contains("a FastPass sign-in"),
        "{told}"
    );
    assert!(told.contains(id.as_str()), "{told}");
}
