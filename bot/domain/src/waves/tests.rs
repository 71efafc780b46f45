//! Wave arithmetic: sizes, gate, pause, failures.

use chrono::{TimeDelta, TimeZone};

use super::*;
use crate::{WaitingOn, WaveSize};

fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 9, 0, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn rollout() -> Rollout {
    Rollout {
        waves: vec![
            WaveSize::Count(1),
            WaveSize::Count(5),
            WaveSize::Percent(20),
            WaveSize::Percent(100),
        ],
        gate: Hop::CertPresent,
        gate_within_seconds: 3600,
        pause_seconds: 600,
        stop_when_failed: WaveSize::Percent(20),
    }
}

fn queued() -> WaveRepair {
    WaveRepair {
        state: RepairState::Queued,
        began_at: None,
        passed_at: None,
    }
}

fn begun(state: RepairState) -> WaveRepair {
    WaveRepair {
        state,
        began_at: Some(at(0)),
        passed_at: None,
    }
}

fn acting() -> WaveRepair {
    begun(RepairState::Acting { step: 0 })
}

fn passed(minutes: i64) -> WaveRepair {
    WaveRepair {
        passed_at: Some(at(minutes)),
        ..acting()
    }
}

fn sign_in() -> WaveRepair {
    begun(RepairState::Waiting {
        on: WaitingOn::Hop { hop: Hop::Managed },
        deadline: at(9999),
    })
}

fn failed() -> WaveRepair {
    begun(RepairState::NotFixed {
        hop: Hop::CertPresent,
    })
}

/// `begun` computers in front of as many queued ones as make `total`.
fn run(begun: Vec<WaveRepair>, total: usize) -> Vec<WaveRepair> {
    let rest = total - begun.len();
    begun
        .into_iter()
        .chain((0..rest).map(|_| queued()))
        .collect()
}

fn decide(begun: Vec<WaveRepair>, total: usize, minutes: i64) -> WaveDecision {
    open(&rollout(), &run(begun, total), at(minutes))
}

#[test]
fn the_first_wave_is_open_at_once() {
    let decision = decide(Vec::new(), 40, 0);
    assert_eq!((decision.wave, decision.may_start), (0, vec![0]));
}

#[test]
fn sizes_are_cumulative_rounded_up_and_end_with_everybody() {
    assert_eq!(sizes(&rollout(), 41), [1, 5, 9, 41]);
    assert_eq!(sizes(&rollout(), 20), [1, 5, 20]);
    assert_eq!(sizes(&rollout(), 3), [1, 3]);
    assert_eq!(sizes(&rollout(), 1), [1]);
    assert_eq!(sizes(&rollout(), 0), Vec::<usize>::new());
    let short = Rollout {
        waves: vec![WaveSize::Count(2)],
        ..rollout()
    };
    assert_eq!(sizes(&short, 9), [2, 9]);
}

#[test]
fn the_next_wave_waits_for_gate_and_pause() {
    assert_eq!(
        decide(vec![acting()], 40, 10).status,
        WaveStatus::AtGate {
            passed: 0,
            needed: 1,
            until: at(60)
        }
    );
    assert_eq!(
        decide(vec![passed(20)], 40, 25).status,
        WaveStatus::Pausing { until: at(30) }
    );
    let opened = decide(vec![passed(20)], 40, 30);
    assert_eq!(
        (opened.wave, opened.may_start, opened.status),
        (1, vec![1, 2, 3, 4], WaveStatus::Open)
    );
}

#[test]
fn a_wave_that_is_partly_begun_goes_on() {
    let decision = decide(vec![passed(1), acting(), acting()], 40, 2);
    assert_eq!((decision.wave, decision.may_start), (1, vec![3, 4]));
}

#[test]
fn four_of_five_pass_the_gate_and_three_do_not() {
    let four = vec![passed(1), passed(2), passed(3), passed(40), acting()];
    assert_eq!(
        decide(four.clone(), 40, 49).status,
        WaveStatus::Pausing { until: at(50) }
    );
    assert_eq!(decide(four, 40, 50).may_start, [5, 6, 7]);
    let three = vec![passed(1), passed(2), passed(3), acting(), acting()];
    assert_eq!(
        decide(three.clone(), 40, 59).status,
        WaveStatus::AtGate {
            passed: 3,
            needed: 4,
            until: at(60)
        }
    );
    let missed = decide(three, 40, 60).status;
    assert_eq!(
        missed,
        WaveStatus::GateMissed {
            passed: 3,
            needed: 4
        }
    );
    assert!(missed.is_halted());
}

#[test]
fn waiting_for_a_sign_in_neither_passes_nor_fails() {
    let waves = vec![passed(1), passed(1), passed(1), sign_in(), sign_in()];
    assert_eq!(decide(waves, 40, 20).may_start, [5, 6, 7]);
    let with_one_open = vec![passed(1), passed(1), acting(), sign_in(), sign_in()];
    assert_eq!(
        decide(with_one_open, 40, 20).status,
        WaveStatus::AtGate {
            passed: 2,
            needed: 3,
            until: at(60)
        }
    );
}

#[test]
fn dropped_and_cured_computers_do_not_count() {
    let canary = vec![begun(RepairState::CuredByItself)];
    assert_eq!(decide(canary, 40, 10).may_start, [1, 2, 3, 4]);
    let dropped = vec![begun(RepairState::Dropped {
        reason: String::new(),
    })];
    assert_eq!(decide(dropped, 40, 10).may_start, [1, 2, 3, 4]);
}

#[test]
fn a_failed_canary_never_opens_the_second_wave() {
    assert_eq!(
        decide(vec![failed()], 40, 60).status,
        WaveStatus::GateMissed {
            passed: 0,
            needed: 1
        }
    );
}

#[test]
fn too_many_failures_halt_a_wave_that_is_open() {
    let waves = vec![passed(1), passed(1), passed(1), failed(), failed()];
    assert_eq!(
        decide(waves, 40, 2).status,
        WaveStatus::TooManyFailed {
            failed: 2,
            allowed: 1
        }
    );
    let within = vec![passed(1), passed(1), passed(1), passed(1), failed()];
    assert_eq!(decide(within, 40, 30).may_start, [5, 6, 7]);
}

#[test]
fn everybody_begun_is_the_end() {
    assert_eq!(
        decide(vec![acting(), acting()], 2, 0).status,
        WaveStatus::AllBegun
    );
}

#[test]
fn the_gate_falls_back_to_what_the_mdm_can_prove() {
    assert_eq!(gate_of(&rollout(), |_| true), Hop::CertPresent);
    assert_eq!(
        gate_of(&rollout(), |hop| hop == Hop::ProfileDelivered),
        Hop::ProfileDelivered
    );
    assert_eq!(
        gate_of(&rollout(), |hop| hop == Hop::CheckedIn),
        Hop::CheckedIn
    );
    assert_eq!(gate_of(&rollout(), |_| false), Hop::Managed);
}

proptest::proptest! {
    #[test]
    fn nobody_begins_twice_and_everybody_begins_if_all_pass(total in 1usize..300) {
        let mut repairs = run(Vec::new(), total);
        let mut now = 0;
        for _ in 0..10 {
            let decision = open(&rollout(), &repairs, at(now));
            for index in decision.may_start {
                assert_eq!(repairs[index].state, RepairState::Queued);
                repairs[index] = WaveRepair { state: RepairState::Managed, began_at: Some(at(now)), passed_at: Some(at(now)) };
            }
            now += 11;
        }
        assert!(repairs.iter().all(has_begun));
    }
}
