//! Every rung, every refusal, affected sets and order.

use super::samples::{
    MAC, PC, World, candidate, hours, now, numbered, one_action, outline, shipped,
};
use super::*;
use crate::{AccessCheck, ManagementStatus, Platform, ProfileState};

fn redeliver(world: &World, device: &str) -> String {
    match world.plan(&one_action("mdm.redeliver_profile"), device) {
        Ok(repair) => outline(&repair),
        Err(not_planned) => format!("{:?}: {}", not_planned.why, not_planned.detail),
    }
}

fn refused(world: &World, action: &str, device: &str) -> (WhyNot, String) {
    let not_planned = world
        .plan(&one_action(action), device)
        .expect_err("it is refused");
    (not_planned.why, not_planned.detail)
}

fn failed() -> ProfileState {
    ProfileState::Failed {
        error: "timed out".to_owned(),
    }
}

fn state(device: &mut MdmDevice, state: ProfileState) {
    device.profiles.as_mut().unwrap()[0].state = state;
}

/// Without the script, and with user groups in scope unless a test says otherwise.
fn intune_without_script() -> World {
    let mut world = World::new();
    world.intune().targets.cleanup_script = None;
    world
}

#[test]
fn jamf_push_that_is_off_is_turned_on_first() {
    let mut world = World::new();
    world.mac().push_enabled = Some(false);
    state(world.mac(), failed());
    insta::assert_snapshot!(redeliver(&world, MAC), @r"
    rung jamf-enable-push
    push.1 enable_push
    push.2 sync
    push.3 wait profile_installed 12 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uAnn
    ");
}

#[test]
fn jamf_failed_command_is_flushed() {
    let mut world = World::new();
    state(world.mac(), failed());
    insta::assert_snapshot!(redeliver(&world, MAC), @r"
    rung jamf-flush-failed
    push.1 flush_failed_commands
    push.2 sync
    push.3 wait profile_installed 12 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uAnn
    ");
}

#[test]
fn jamf_installed_profile_with_a_bad_certificate_is_held_out_and_given_back() {
    insta::assert_snapshot!(redeliver(&World::new(), MAC), @r"
    rung jamf-hold-group (removes)
    push.1 set_device_group group=hold hold=true present=true
    push.2 wait profile_removed 12 7200s else restore
    push.3 set_device_group group=hold hold=true present=false
    push.4 wait profile_installed 12 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uAnn
    ");
}

#[test]
fn intune_missing_certificate_needs_a_sync_only() {
    let mut world = World::new();
    world.cause = Cause::CertMissing;
    world.pc().certificates = Some(Vec::new());
    insta::assert_snapshot!(redeliver(&world, PC), @r"
    rung intune-sync
    push.1 sync
    push.2 wait checked_in 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uBob
    ");
}

#[test]
fn intune_bad_certificate_on_windows_is_removed_by_the_prepared_script() {
    insta::assert_snapshot!(redeliver(&World::new(), PC), @r"
    rung intune-clean-up-script (removes)
    push.1 run_cleanup_script script=script-1
    push.2 wait script_finished 86400s else fail
    push.3 sync
    push.4 wait checked_in 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uBob
    ");
}

#[test]
fn intune_profile_of_device_groups_is_held_by_group_without_an_early_sync() {
    insta::assert_snapshot!(redeliver(&intune_without_script(), PC), @r"
    rung intune-hold-group (removes)
    push.1 set_device_group group=hold hold=true present=true
    push.2 wait elapsed 300s else continue
    push.3 sync
    push.4 wait profile_removed aa 86400s else restore
    push.5 set_device_group group=hold hold=true present=false
    push.6 wait elapsed 300s else continue
    push.7 sync
    push.8 wait profile_installed aa 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uBob
    ");
}

#[test]
fn intune_profile_of_user_groups_is_held_by_category_and_the_old_one_returns() {
    let mut world = intune_without_script();
    world.intune().profiles[0].scope.user_groups = vec!["everybody".into()];
    insta::assert_snapshot!(redeliver(&world, PC), @r"
    rung intune-hold-category (removes)
    push.1 set_device_category category=reissue hold=true
    push.2 sync
    push.3 wait profile_removed aa 86400s else restore
    push.4 set_device_category category=office hold=false
    push.5 sync
    push.6 wait profile_installed aa 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uBob
    ");
}

#[test]
fn a_rung_whose_target_is_not_configured_or_does_not_fit_says_so() {
    let mut world = World::new();
    world.jamf().targets.hold_group = None;
    assert_eq!(
        redeliver(&world, MAC),
        "RepairNotConfigured: no hold_group is set for jamf"
    );

    let mut world = World::new();
    world.jamf().profiles[0].scope.excluded_groups.clear();
    assert_eq!(
        redeliver(&world, MAC),
        "RepairNotConfigured: the hold group hold is not among the exclusions of profile Okta SCEP 12"
    );

    let mut world = intune_without_script();
    world.intune().profiles[0].scope.user_groups = vec!["everybody".into()];
    world.intune().profiles[0].scope.excluded_categories.clear();
    assert_eq!(
        redeliver(&world, PC),
        "RepairNotConfigured: no cleanup_script is set for intune; no exclude filter of profile Okta SCEP aa names the category reissue"
    );
}

#[test]
fn a_removing_rung_is_refused_where_more_hangs_on_the_profile_or_that_is_unknown() {
    type Change = fn(&mut crate::AttestationProfile);
    let changes: [(Change, &str); 4] = [
        (|profile| profile.other_payloads = None, "cannot be read"),
        (
            |profile| profile.other_payloads = Some(vec!["com.apple.wifi.managed".to_owned()]),
            "also carries com.apple.wifi.managed",
        ),
        (|profile| profile.network_uses = None, "cannot be read"),
        (
            |profile| profile.network_uses = Some(vec!["Office Wi-Fi".to_owned()]),
            "Office Wi-Fi use the certificate",
        ),
    ];
    for (change, reason) in changes {
        let mut world = World::new();
        change(&mut world.jamf().profiles[0]);
        change(&mut world.intune().profiles[0]);
        for device in [MAC, PC] {
            let (why, detail) = refused(&world, "mdm.redeliver_profile", device);
            assert_eq!(why, WhyNot::NotPossibleHere, "{detail}");
            assert!(detail.contains(reason), "{detail}");
        }
        world.cause = Cause::SharedUserStoreOnly;
        let (why, detail) = refused(&world, "mdm.move_to_machine_store", MAC);
        assert_eq!(why, WhyNot::NotPossibleHere);
        assert!(detail.contains(reason), "{detail}");
    }
}

#[test]
fn a_rung_that_cannot_be_undone_or_addressed_is_refused() {
    let mut world = intune_without_script();
    world.intune().profiles[0].scope.user_groups = vec!["everybody".into()];
    world.intune().targets.cleanup_script = Some("script-1".to_owned());
    world.intune().devices[0].platform = Platform::Windows;
    world.intune().targets.cleanup_script = None;
    world.intune().targets.hold_group = None;
    world.pc().category = None;
    let (why, detail) = refused(&world, "mdm.redeliver_profile", PC);
    assert_eq!(
        why,
        WhyNot::RepairNotConfigured,
        "the script would still help"
    );
    assert_eq!(detail, "no cleanup_script is set for intune");

    let mut world = World::new();
    world.mac().groups = Some(vec!["hold".into()]);
    assert!(
        refused(&world, "mdm.redeliver_profile", MAC)
            .1
            .contains("in the hold group already")
    );

    let mut world = World::new();
    state(world.mac(), failed());
    world.mac().management_id = None;
    assert!(
        refused(&world, "mdm.redeliver_profile", MAC)
            .1
            .contains("no management id")
    );
}

#[test]
fn a_good_certificate_is_pushed_again_only_where_the_cause_is_unexplained() {
    let mut world = World::new();
    World::renew(world.mac());
    assert_eq!(
        refused(&world, "mdm.redeliver_profile", MAC).0,
        WhyNot::NotPossibleHere
    );
    world.cause = Cause::Unexplained;
    assert!(redeliver(&world, MAC).starts_with("rung jamf-hold-group"));
}

#[test]
fn lost_management_and_weak_or_absent_records_are_refused() {
    let mut world = World::new();
    world.mac().enrolment = crate::Enrolment::Broken {
        fact: "remoteManagement.managed".to_owned(),
        value: "false".to_owned(),
    };
    for action in [
        "mdm.sync",
        "mdm.redeliver_profile",
        "mdm.move_to_machine_store",
        "mdm.assign_profile",
    ] {
        assert!(
            refused(&world, action, MAC)
                .1
                .contains("management of the computer is lost"),
            "{action}"
        );
    }
    let mut world = World::new();
    world.jamf().devices.clear();
    assert_eq!(refused(&world, "mdm.sync", MAC).0, WhyNot::NoMatch);
}

#[test]
fn resend_needs_a_failed_delivery() {
    let mut world = World::new();
    assert_eq!(
        refused(&world, "mdm.resend_failed_profile", MAC).0,
        WhyNot::NotPossibleHere
    );
    state(world.mac(), failed());
    state(world.pc(), failed());
    let playbook = one_action("mdm.resend_failed_profile");
    assert!(
        outline(&world.plan(&playbook, MAC).unwrap()).starts_with(
            "push.1 flush_failed_commands\npush.2 sync\npush.3 wait profile_installed"
        )
    );
    assert!(
        outline(&world.plan(&playbook, PC).unwrap())
            .starts_with("push.1 sync\npush.2 wait profile_installed")
    );
}

#[test]
fn move_to_machine_store_waits_for_both_profiles_and_the_gone_user_certificate() {
    let world = World::new();
    let playbook = one_action("mdm.move_to_machine_store");
    insta::assert_snapshot!(outline(&world.plan(&playbook, MAC).unwrap()), @r"
    push.1 set_device_group group=machines hold=false present=true
    push.2 wait profile_removed 12 86400s else restore
    push.3 wait profile_installed machine 86400s else restore
    push.4 refresh_inventory
    push.5 wait expression subject.certificate.in_user_store == false 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uAnn
    ");
    insta::assert_snapshot!(outline(&world.plan(&playbook, PC).unwrap()), @r"
    push.1 set_device_group group=machines hold=false present=true
    push.2 wait elapsed 300s else continue
    push.3 sync
    push.4 wait profile_removed aa 86400s else restore
    push.5 wait profile_installed machine 86400s else restore
    push.6 refresh_inventory
    push.7 wait expression subject.certificate.in_user_store == false 86400s else fail
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uBob
    ");
}

#[test]
fn move_to_machine_store_needs_everything_a_person_prepared() {
    type Change = fn(&mut MdmObservation);
    let changes: [(Change, WhyNot, &str); 8] = [
        (
            |mdm| mdm.targets.machine_group = None,
            WhyNot::RepairNotConfigured,
            "not both set",
        ),
        (
            |mdm| mdm.targets.machine_profile = None,
            WhyNot::RepairNotConfigured,
            "not both set",
        ),
        (
            |mdm| drop(mdm.profiles.pop()),
            WhyNot::RepairNotConfigured,
            "was not found",
        ),
        (
            |mdm| mdm.profiles[1].store = None,
            WhyNot::RepairNotConfigured,
            "not proved to be computer-level",
        ),
        (
            |mdm| mdm.profiles[1].scope.device_groups.clear(),
            WhyNot::RepairNotConfigured,
            "not in scope of the machine profile",
        ),
        (
            |mdm| mdm.profiles[0].scope.excluded_groups.clear(),
            WhyNot::RepairNotConfigured,
            "not among the exclusions of the user profile",
        ),
        (
            |mdm| mdm.devices[0].groups = Some(vec!["machines".into()]),
            WhyNot::NotPossibleHere,
            "in the machine group already",
        ),
        (
            |mdm| mdm.shows.store = false,
            WhyNot::NotPossibleHere,
            "does not show the store",
        ),
    ];
    for (change, why, reason) in changes {
        let mut world = World::new();
        change(world.jamf());
        let refused = refused(&world, "mdm.move_to_machine_store", MAC);
        assert_eq!(refused.0, why, "{}", refused.1);
        assert!(refused.1.contains(reason), "{}", refused.1);
    }
    let mut world = World::new();
    world.intune().profiles[0].scope.user_groups = vec!["everybody".into()];
    assert!(
        refused(&world, "mdm.move_to_machine_store", PC)
            .1
            .contains("does not let a device group exclude")
    );
}

#[test]
fn assign_profile_uses_the_prepared_group_and_looks_at_exclusions_first() {
    let mut world = World::new();
    state(world.mac(), ProfileState::NotAssigned);
    let playbook = one_action("mdm.assign_profile");
    assert!(outline(&world.plan(&playbook, MAC).unwrap()).starts_with("push.1 set_device_group group=staff hold=false present=true\npush.2 wait profile_installed 12 86400s else restore"));
    world.mac().groups = Some(vec!["hold".into()]);
    assert!(
        refused(&world, "mdm.assign_profile", MAC)
            .1
            .contains("excludes")
    );
    world.mac().groups = Some(vec!["staff".into()]);
    assert!(
        refused(&world, "mdm.assign_profile", MAC)
            .1
            .contains("already")
    );
    world.mac().groups = Some(Vec::new());
    world.jamf().profiles[0].scope.device_groups.clear();
    assert_eq!(
        refused(&world, "mdm.assign_profile", MAC).0,
        WhyNot::RepairNotConfigured
    );
    world.jamf().targets.target_group = None;
    assert_eq!(
        refused(&world, "mdm.assign_profile", MAC),
        (
            WhyNot::RepairNotConfigured,
            "no target_group is set for jamf".to_owned()
        )
    );
}

#[test]
fn fastpass_group_needs_a_proved_certificate_and_okta_verify_and_affects_all_devices_of_the_user() {
    let mut world = World::new();
    world.add_device(
        "guoPhone",
        Platform::Other,
        "PHONE",
        &[("00uAnn", ManagementStatus::Managed)],
    );
    assert!(
        refused(&world, "okta.assign_fastpass_group", MAC)
            .1
            .contains("no valid certificate")
    );
    World::renew(world.mac());
    world.observations.okta.fastpass_access.clear();
    assert_eq!(
        refused(&world, "okta.assign_fastpass_group", MAC),
        (
            WhyNot::NotPossibleHere,
            "it was not simulated whether the user keeps every app".to_owned()
        )
    );
    let access = &mut world.observations.okta.fastpass_access;
    access.insert("00uAnn".into(), AccessCheck::Kept);
    let repair = world
        .plan(&one_action("okta.assign_fastpass_group"), MAC)
        .unwrap();
    assert!(
        outline(&repair)
            .starts_with("push.1 set_user_group group=00gFastpass present=true user=00uAnn")
    );
    let affected: Vec<(&str, bool)> = repair
        .affected
        .iter()
        .map(|one| (one.device_id.as_str(), one.managed))
        .collect();
    assert_eq!(affected, [(MAC, false), ("guoPhone", true)]);

    world.mac().okta_verify_installed = Some(false);
    assert!(
        refused(&world, "okta.assign_fastpass_group", MAC)
            .1
            .contains("Okta Verify")
    );
    world.mac().okta_verify_installed = Some(true);
    world.fastpass_group = None;
    assert_eq!(
        refused(&world, "okta.assign_fastpass_group", MAC).0,
        WhyNot::RepairNotConfigured
    );
}

#[test]
fn mdm_steps_affect_every_user_of_the_computer_managed_ones_too() {
    let mut world = World::new();
    let shared = [
        ("00uAnn", ManagementStatus::NotManaged),
        ("00uCara", ManagementStatus::Managed),
    ];
    world
        .observations
        .okta
        .devices
        .retain(|device| device.id.as_str() != MAC);
    world.add_device(MAC, Platform::Macos, "C02MAC", &shared);
    let repair = world.plan(&one_action("mdm.sync"), MAC).unwrap();
    let affected: Vec<(&str, bool)> = repair
        .affected
        .iter()
        .map(|one| (one.user_id.as_str(), one.managed))
        .collect();
    assert_eq!(affected, [("00uAnn", false), ("00uCara", true)]);
    assert_eq!(repair.subjects.len(), 1);
}

#[test]
fn an_affected_set_that_was_not_read_gives_no_plan() {
    let mut world = World::new();
    World::renew(world.mac());
    world.observations.okta.devices.push(OktaDevice {
        okta_verify_version: None,
        id: "guoUnread".into(),
        users: None,
        platform: Platform::Other,
        serial_number: None,
        ..world.observations.okta.devices[0].clone()
    });
    let (why, detail) = refused(&world, "okta.assign_fastpass_group", MAC);
    assert_eq!(why, WhyNot::NotPossibleHere);
    assert!(detail.contains("guoUnread"), "{detail}");
}

#[test]
fn a_user_who_cannot_be_asked_gets_no_repair() {
    let mut world = World::new();
    world.user_of(MAC).last_login = Some(now() - hours(15 * 24));
    let (why, detail) = refused(&world, "mdm.sync", MAC);
    assert_eq!(why, WhyNot::UserUnreachable);
    assert_eq!(detail, "the user last signed in on 2026-11-09");
}

#[test]
fn subjects_of_one_computer_are_one_repair_with_one_message_each() {
    let mut world = World::new();
    world
        .observations
        .okta
        .devices
        .retain(|device| device.id.as_str() != MAC);
    let shared = [
        ("00uCara", ManagementStatus::NotManaged),
        ("00uAnn", ManagementStatus::NotManaged),
    ];
    world.add_device(MAC, Platform::Macos, "C02MAC", &shared);
    let repair = world.plan(&one_action("mdm.sync"), MAC).unwrap();
    let users: Vec<&str> = repair
        .subjects
        .iter()
        .map(|subject| subject.user_id.as_str())
        .collect();
    assert_eq!(users, ["00uAnn", "00uCara"]);
    insta::assert_snapshot!(outline(&repair), @r"
    push.1 sync
    ask_user.1 direct_message purpose=request_fastpass_sign_in user=00uAnn
    ask_user.2 direct_message purpose=request_fastpass_sign_in user=00uCara
    ");
    assert_eq!(repair.preconditions.management_status.len(), 2);
}

#[test]
fn preconditions_name_what_was_read() {
    let repair = World::new()
        .plan(&shipped("redeliver-scep-profile"), MAC)
        .unwrap();
    insta::assert_json_snapshot!(repair.preconditions, @r#"
    {
      "management_status": [
        "NOT_MANAGED"
      ],
      "device_status": [
        "ACTIVE"
      ],
      "mdm_serial": "C02MAC",
      "profile": "12",
      "profile_state": "installed",
      "certificate": "0A42",
      "certificate_store": "user"
    }
    "#);
}

#[test]
fn only_the_first_micro_step_of_a_step_carries_its_condition() {
    let text = "name: one\ntitle: One\nsummary: S\nrisk: low\nmatch:\n  causes: [cert_expired]\nsteps:\n  - { id: push, action: mdm.redeliver_profile, if: \"subject.blocked\", on_error: continue }\n  - { id: ask_user, action: user.request_fastpass_sign_in }\n";
    let repair = World::new()
        .plan(&crate::playbook::load("one", text).unwrap(), MAC)
        .unwrap();
    let conditions: Vec<Option<&str>> = repair
        .steps
        .iter()
        .map(|step| step.condition.as_deref())
        .collect();
    assert_eq!(
        conditions,
        [Some("subject.blocked"), None, None, None, None]
    );
    assert_eq!(repair.steps[3].on_error, crate::OnError::Continue);
}

#[test]
fn planning_twice_gives_the_same_plan() {
    let playbook = shipped("redeliver-scep-profile");
    for device in [MAC, PC] {
        assert_eq!(
            World::new().plan(&playbook, device),
            World::new().plan(&playbook, device)
        );
    }
}

#[test]
fn a_plan_is_ordered_by_blocked_then_longest_stuck_then_device() {
    let mut candidates: Vec<Candidate> = (0..5).map(numbered).map(candidate).collect();
    candidates[4].blocked = true;
    candidates[3].stuck_since = Some(now() - hours(500));
    candidates[0].stuck_since = None;
    candidates.reverse();
    let plan = assemble(
        &shipped("redeliver-scep-profile"),
        Cause::CertExpired,
        candidates,
    );
    let order: Vec<&str> = plan
        .repairs
        .iter()
        .map(|repair| repair.subjects[0].device_id.as_str())
        .collect();
    assert_eq!(
        order,
        ["guo0004", "guo0003", "guo0001", "guo0002", "guo0000"]
    );
}

#[test]
fn an_affected_set_that_comes_out_empty_is_an_error() {
    let world = World::new();
    let correlated = world.correlated();
    let mut subject = correlated.subjects[0].clone();
    subject.hardware = HardwareKey::of_serial("NOBODY");
    let context = PlanContext {
        cause: world.cause,
        fastpass_group: None,
        sign_in_app: None,
        fleet: &correlated.fleet,
    };
    let refused = plan_repair(&one_action("mdm.sync"), &[subject], &context).unwrap_err();
    assert!(
        refused.detail.contains("look-up must have failed"),
        "{refused}"
    );
}
