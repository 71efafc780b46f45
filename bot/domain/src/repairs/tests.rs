//! Legal moves, illegal moves, and what the repairs of a run add up to.

use chrono::{TimeZone, Utc};

use super::*;

fn deadline() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 9, 0, 0).unwrap()
}

fn waiting_step(step: usize) -> RepairState {
    RepairState::Waiting {
        on: WaitingOn::Step { step },
        deadline: deadline(),
    }
}

fn waiting_hop(hop: Hop) -> RepairState {
    RepairState::Waiting {
        on: WaitingOn::Hop { hop },
        deadline: deadline(),
    }
}

fn dropped() -> RepairState {
    RepairState::Dropped {
        reason: String::new(),
    }
}

fn human() -> RepairState {
    RepairState::NeedsHuman {
        reason: String::new(),
    }
}

fn not_fixed() -> RepairState {
    RepairState::NotFixed {
        hop: Hop::CertPresent,
    }
}

fn events() -> Vec<RepairEvent> {
    vec![
        RepairEvent::PreflightBegan,
        RepairEvent::Dropped {
            reason: String::new(),
        },
        RepairEvent::Cured,
        RepairEvent::StepBegan { step: 1 },
        RepairEvent::WaitBegan {
            step: 1,
            deadline: deadline(),
        },
        RepairEvent::HopAwaited {
            hop: Hop::CertBound,
            deadline: deadline(),
        },
        RepairEvent::Proved,
        RepairEvent::NotFixed {
            hop: Hop::CertPresent,
        },
        RepairEvent::Undone,
        RepairEvent::NeedsHuman {
            reason: String::new(),
        },
        RepairEvent::Stopped,
    ]
}

/// One row per state, one letter per event in the order of [`events`]: what becomes of it, `-` refused.
fn row(state: &RepairState) -> String {
    let outcome = |event| match apply(state.clone(), event) {
        Ok(state) => state.word().to_owned(),
        Err(_) => "-".to_owned(),
    };
    events()
        .into_iter()
        .map(outcome)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_state_and_event_has_its_outcome() {
    let states = [
        RepairState::Queued,
        RepairState::Preflight,
        RepairState::Acting { step: 1 },
        waiting_step(1),
        waiting_hop(Hop::CertBound),
        RepairState::Managed,
        not_fixed(),
        RepairState::Undone,
        human(),
        dropped(),
        RepairState::CuredByItself,
        RepairState::Stopped,
    ];
    let table: Vec<String> = states
        .iter()
        .map(|state| format!("{}: {}", state.word(), row(state)))
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    queued: preflight dropped cured_by_itself - - - - - - needs_human stopped
    preflight: preflight dropped cured_by_itself acting waiting waiting - - - needs_human stopped
    acting: - dropped - acting waiting waiting managed not_fixed undone needs_human stopped
    waiting: - dropped - acting waiting waiting managed not_fixed undone needs_human stopped
    waiting: - - - - - waiting managed not_fixed undone needs_human stopped
    managed: - - - - - - - - - - -
    not_fixed: - - - - - - - - undone needs_human -
    undone: - - - - - - - - - - -
    needs_human: - - - - - - - - undone - -
    dropped: - - - - - - - - - - -
    cured_by_itself: - - - - - - - - - - -
    stopped: - - - - - - - - undone needs_human -
    ");
}

#[test]
fn steps_only_move_forward() {
    assert!(
        apply(
            RepairState::Acting { step: 3 },
            RepairEvent::StepBegan { step: 2 }
        )
        .is_err()
    );
    assert!(apply(waiting_step(3), RepairEvent::StepBegan { step: 3 }).is_ok());
    assert!(
        apply(
            waiting_hop(Hop::Managed),
            RepairEvent::StepBegan { step: 9 }
        )
        .is_err()
    );
}

#[test]
fn a_refusal_names_state_and_event() {
    let error = apply(RepairState::Managed, RepairEvent::StepBegan { step: 0 }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a repair that is managed cannot take the begin of a step"
    );
}

#[test]
fn a_run_is_as_far_as_its_slowest_repair_and_as_bad_as_its_worst() {
    use ProposalState as P;
    use RepairState::{CuredByItself, Managed, Preflight, Queued, Stopped, Undone};
    let sign_in = || waiting_hop(Hop::Managed);
    let table: Vec<(Vec<RepairState>, P)> = vec![
        (vec![Queued, Queued], P::Approved),
        (vec![Queued, Managed], P::Running),
        (vec![Preflight, sign_in()], P::Running),
        (vec![waiting_hop(Hop::CertPresent)], P::Running),
        (vec![sign_in(), Managed, not_fixed()], P::WaitingForSignIn),
        (vec![Managed, CuredByItself, dropped()], P::Done),
        (vec![Managed, not_fixed()], P::DoneWithFailures),
        (vec![dropped()], P::DoneWithFailures),
        (vec![CuredByItself, CuredByItself], P::Cured),
        (vec![Managed, not_fixed(), Undone], P::Undone),
        (vec![Managed, Undone, Stopped], P::Stopped),
        (vec![Managed, Undone, Stopped, human()], P::NeedsHuman),
    ];
    for (repairs, expected) in table {
        assert_eq!(fold(&repairs), expected, "{repairs:?}");
        assert_eq!(
            fold(repairs.iter().rev()),
            expected,
            "the order does not matter"
        );
    }
}
