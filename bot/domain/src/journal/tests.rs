//! Step events, takeover, waits, skips, and what is given back.

use chrono::{TimeDelta, TimeZone};

use super::*;
use crate::planning::samples::{MAC, PC, World, one_action, shipped};

fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 9, 0, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn event(step: usize, kind: StepEventKind) -> StepEvent {
    StepEvent {
        step,
        kind,
        at: at(i64::try_from(step).unwrap()),
    }
}

use StepEventKind::{Intended, Skipped, Succeeded, TimedOut};

fn failed() -> StepEventKind {
    StepEventKind::Failed {
        reason: "403".to_owned(),
    }
}

fn unclear() -> StepEventKind {
    StepEventKind::Unclear {
        reason: "time-out".to_owned(),
    }
}

/// Hold in, wait removed, hold out, wait installed, ask the user.
fn hold_plan() -> PlannedRepair {
    World::new()
        .plan(&one_action("mdm.redeliver_profile"), MAC)
        .unwrap()
}

fn category_plan() -> PlannedRepair {
    let mut world = World::new();
    world.intune().targets.cleanup_script = None;
    world.intune().profiles[0].scope.user_groups = vec!["everybody".into()];
    world
        .plan(&one_action("mdm.redeliver_profile"), PC)
        .unwrap()
}

fn replay<'p>(plan: &'p PlannedRepair, events: &[(usize, StepEventKind)]) -> Journal<'p> {
    let events: Vec<StepEvent> = events
        .iter()
        .map(|(step, kind)| event(*step, kind.clone()))
        .collect();
    Journal::replay(plan, &events).unwrap()
}

fn refused(
    plan: &PlannedRepair,
    before: &[(usize, StepEventKind)],
    step: usize,
    kind: StepEventKind,
) -> JournalError {
    replay(plan, before).apply(&event(step, kind)).unwrap_err()
}

/// Every step up to `end` done.
fn done(end: usize) -> Vec<(usize, StepEventKind)> {
    (0..end)
        .flat_map(|step| [(step, Intended), (step, Succeeded)])
        .collect()
}

#[test]
fn a_repair_goes_step_by_step_to_its_proof() {
    let plan = hold_plan();
    for end in 0..plan.steps.len() {
        assert_eq!(replay(&plan, &done(end)).next(), Next::Begin { step: end });
    }
    assert_eq!(replay(&plan, &done(plan.steps.len())).next(), Next::Verify);
}

#[test]
fn after_a_takeover_an_intent_is_read_back_and_a_wait_goes_on() {
    let plan = hold_plan();
    assert_eq!(
        replay(&plan, &[(0, Intended)]).next(),
        Next::ReadBack {
            step: 0,
            may_repeat: true
        }
    );
    let mut events = done(1);
    events.push((1, Intended));
    assert_eq!(
        replay(&plan, &events).next(),
        Next::Wait {
            step: 1,
            since: at(1)
        }
    );
    let mut events = done(4);
    events.extend([(4, Intended), (4, unclear())]);
    assert_eq!(
        replay(&plan, &events).next(),
        Next::ReadBack {
            step: 4,
            may_repeat: false
        },
        "a message is sent once"
    );
}

#[test]
fn what_converges_may_be_sent_again_after_an_unclear_answer_and_a_message_may_not() {
    let plan = hold_plan();
    let journal = replay(
        &plan,
        &[(0, Intended), (0, unclear()), (0, Intended), (0, Succeeded)],
    );
    assert_eq!(journal.steps()[0].attempt, 2);
    let mut events = done(4);
    events.extend([(4, Intended), (4, unclear())]);
    assert_eq!(
        refused(&plan, &events, 4, Intended),
        JournalError::SentTwice { step: 4 }
    );
}

#[test]
fn illegal_transitions_are_refused() {
    let plan = hold_plan();
    let illegal = |error| matches!(error, JournalError::IllegalTransition { .. });
    assert!(illegal(refused(&plan, &[], 0, Succeeded)));
    assert!(illegal(refused(&plan, &[], 0, failed())));
    assert!(illegal(refused(&plan, &[(0, Intended)], 0, Intended)));
    assert!(illegal(refused(&plan, &[(0, Intended)], 0, Skipped)));
    assert!(
        illegal(refused(&plan, &[(0, Intended)], 0, TimedOut)),
        "a call does not time out, it is unclear"
    );
    assert!(illegal(refused(&plan, &done(1), 0, Succeeded)));
    let mut waiting = done(1);
    waiting.push((1, Intended));
    assert!(
        illegal(refused(&plan, &waiting, 1, unclear())),
        "a wait is never unclear"
    );
    assert_eq!(
        refused(&plan, &[], 9, Intended),
        JournalError::NoSuchStep { step: 9 }
    );
    assert_eq!(
        refused(&plan, &[], 1, Intended),
        JournalError::OutOfOrder { step: 1, before: 0 }
    );
}

#[test]
fn a_removal_that_times_out_ends_the_repair_and_the_hold_is_given_back() {
    let plan = hold_plan();
    let mut events = done(1);
    events.extend([(1, Intended), (1, TimedOut)]);
    let journal = replay(&plan, &events);
    assert!(matches!(journal.next(), Next::End { step: 1, .. }));
    let restore = journal.to_restore();
    assert!(
        matches!(
            restore.as_slice(),
            [VendorCall::SetDeviceGroup {
                present: false,
                hold: true,
                ..
            }]
        ),
        "{restore:?}"
    );
}

#[test]
fn a_hold_is_given_back_wherever_the_repair_ends_and_only_until_it_is() {
    let plan = hold_plan();
    for (events, held) in [
        (vec![], false),
        (vec![(0, Intended)], true),
        (vec![(0, Intended), (0, unclear())], true),
        (vec![(0, Intended), (0, failed())], true),
        (done(1), true),
        (done(2), true),
        ([done(2), vec![(2, Intended)]].concat(), true),
        (done(3), false),
        (done(5), false),
    ] {
        let journal = replay(&plan, &events);
        assert_eq!(!journal.to_restore().is_empty(), held, "{events:?}");
    }
}

#[test]
fn a_category_goes_back_to_the_one_in_the_plan() {
    let plan = category_plan();
    let restore = replay(&plan, &done(2)).to_restore();
    assert!(
        matches!(restore.as_slice(), [VendorCall::SetDeviceCategory { category: Some(old), hold: false, .. }] if old == "office"),
        "{restore:?}"
    );
    assert!(replay(&plan, &done(4)).to_restore().is_empty());
}

#[test]
fn undo_takes_back_memberships_and_nothing_that_lasts_no_longer() {
    let plan = World::new()
        .plan(&one_action("mdm.move_to_machine_store"), MAC)
        .unwrap();
    let journal = replay(&plan, &done(plan.steps.len()));
    assert!(
        journal.to_restore().is_empty(),
        "a machine group is no hold"
    );
    assert!(matches!(
        journal.to_undo().as_slice(),
        [VendorCall::SetDeviceGroup {
            present: false,
            hold: false,
            ..
        }]
    ));
    let sync = World::new().plan(&one_action("mdm.sync"), MAC).unwrap();
    assert!(replay(&sync, &done(2)).to_undo().is_empty());
}

#[test]
fn a_false_condition_skips_the_whole_step() {
    let text = "name: one\ntitle: One\nsummary: S\nrisk: low\nmatch:\n  causes: [cert_expired]\nsteps:\n  - { id: push, action: mdm.redeliver_profile, if: \"subject.blocked\" }\n  - { id: ask_user, action: user.request_fastpass_sign_in }\n";
    let plan = World::new()
        .plan(&crate::playbook::load("one", text).unwrap(), MAC)
        .unwrap();
    let journal = replay(&plan, &[(0, Skipped)]);
    assert_eq!(journal.next(), Next::Begin { step: 4 });
    assert!(journal.to_restore().is_empty());
}

#[test]
fn a_step_that_may_fail_does_not_end_the_repair() {
    let plan = World::new()
        .plan(&shipped("redeliver-scep-profile"), MAC)
        .unwrap();
    let journal = replay(&plan, &[(0, Intended), (0, failed())]);
    assert_eq!(
        journal.next(),
        Next::Begin { step: 1 },
        "the announcement may fail"
    );
    let journal = replay(
        &plan,
        &[(0, Intended), (0, failed()), (1, Intended), (1, failed())],
    );
    assert!(
        matches!(journal.next(), Next::End { step: 1, .. }),
        "the hold may not"
    );
}

#[test]
fn a_pause_ends_at_its_deadline_and_the_repair_goes_on() {
    let mut world = World::new();
    world.intune().targets.cleanup_script = None;
    let plan = world
        .plan(&one_action("mdm.redeliver_profile"), PC)
        .unwrap();
    let journal = replay(
        &plan,
        &[(0, Intended), (0, Succeeded), (1, Intended), (1, TimedOut)],
    );
    assert_eq!(journal.next(), Next::Begin { step: 2 });
}
