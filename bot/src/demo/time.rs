//! The simulated time and who may stop it.
//!
//! The fleet lives in simulated minutes, Okta's request budget in real ones. Where a repair is being carried out and
//! the bot has to wait for its budget, the company waits too: a hold of two hours must not pass while one request
//! stands in line. While repairs only wait for people, the time runs free; while nothing but a card's expiry could
//! happen, it waits for the visitor.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use simulator::SimClock;

use super::picture::{Picture, Planned};
use crate::{
    domain::{MicroStepKind, PlannedRepair, RepairState, VendorCall, WaitingOn},
    store::ProposalRecord,
};

/// How late the bot may look at a computer that something was taken from for a while.
const LATE_IN_HOLD: TimeDelta = TimeDelta::minutes(10);
/// How late it may begin.
const LATE_TO_BEGIN: TimeDelta = TimeDelta::hours(1);
/// Real time after which a repair that does not move is not waited for.
const PATIENCE: Duration = Duration::from_secs(45);
/// Real time after which a sweep is not waited for: its process may have been killed.
const SWEEP_PATIENCE: Duration = Duration::from_secs(150);
/// Simulated time until the company waits for a decision.
const READING_TIME: TimeDelta = TimeDelta::hours(6);
/// How much faster than asked for.
const FACTORS: [f64; 3] = [1.0, 3.0, 10.0];

/// The simulated time.
pub(super) struct Time {
    clock: SimClock,
    speed: f64,
    wish: Mutex<Wish>,
}

#[derive(Default)]
struct Wish {
    paused: bool,
    held: Option<&'static str>,
    factor: usize,
}

/// The time as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Shown {
    /// Now.
    pub(super) now: DateTime<Utc>,
    /// Simulated seconds in a real one, when it runs.
    pub(super) speed: f64,
    /// Stopped by the visitor.
    pub(super) paused: bool,
    /// Why the company waits.
    pub(super) held: Option<&'static str>,
}

impl Time {
    pub(super) fn new(clock: SimClock, speed: f64) -> Self {
        Self {
            clock,
            speed,
            wish: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn shown(&self) -> Shown {
        let wish = self.wish();
        Shown {
            now: self.clock.now(),
            speed: self.speed * FACTORS[wish.factor],
            paused: wish.paused,
            held: wish.held,
        }
    }

    /// The visitor stops the time.
    pub(super) fn pause(&self) {
        self.change(|wish| wish.paused = true);
    }

    /// The visitor lets it run.
    pub(super) fn resume(&self) {
        self.change(|wish| wish.paused = false);
    }

    /// The next of three speeds.
    pub(super) fn faster(&self) {
        self.change(|wish| wish.factor = (wish.factor + 1) % FACTORS.len());
        self.clock.set_speed(self.shown().speed);
    }

    /// The company waits.
    pub(super) fn hold(&self, why: &'static str) {
        self.change(|wish| wish.held = Some(why));
    }

    /// The company goes on.
    pub(super) fn release(&self) {
        self.change(|wish| wish.held = None);
    }

    fn change(&self, apply: impl FnOnce(&mut Wish)) {
        let mut wish = self.wish();
        apply(&mut wish);
        let stands = wish.paused || wish.held.is_some();
        if stands != self.clock.is_paused() {
            if stands {
                self.clock.pause()
            } else {
                self.clock.resume()
            }
        }
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides when the company waits for the bot, or for the visitor.
#[derive(Default)]
pub(super) struct Keeper {
    /// What was late last time, and since when nothing of it has moved.
    late: Vec<(String, i64, Option<DateTime<Utc>>)>,
    since: Option<Instant>,
    /// The sweep that runs, and since when.
    sweep: Option<(String, Instant)>,
}

impl Keeper {
    /// Holds or releases the time.
    pub(super) fn keep(&mut self, time: &Time, picture: &Picture) {
        match self.reason(picture, time.now(), Instant::now()) {
            Some(why) => time.hold(why),
            None => time.release(),
        }
    }

    fn reason(
        &mut self,
        picture: &Picture,
        now: DateTime<Utc>,
        real: Instant,
    ) -> Option<&'static str> {
        self.sweep = picture.sweeping.as_ref().map(|id| match self.sweep.take() {
            Some((known, since)) if known == *id => (known, since),
            _ => (id.clone(), real),
        });
        if self
            .sweep
            .as_ref()
            .is_some_and(|(_, since)| real.saturating_duration_since(*since) < SWEEP_PATIENCE)
        {
            return Some("a sweep reads the fleet at the vendors' pace");
        }
        if waits_for_the_visitor(picture, now) {
            return Some("a card waits for a decision");
        }
        let late: Vec<_> = picture
            .all_planned()
            .filter(|planned| latest_look(planned).is_some_and(|latest| latest < now))
            .map(|Planned { record, .. }| {
                (record.id.to_string(), record.version, record.next_look_at)
            })
            .collect();
        if late.is_empty() {
            self.since = None;
            self.late = late;
            return None;
        }
        if late != self.late || self.since.is_none() {
            self.since = Some(real);
            self.late = late;
        }
        let waited = self.since.map_or(Duration::ZERO, |since| {
            real.saturating_duration_since(since)
        });
        (waited < PATIENCE).then_some("the bot waits for Okta's request budget")
    }
}

/// Until when the bot may look at a repair that is carried out without changing how it ends; `None`: any time will do.
pub(super) fn latest_look(planned: &Planned<'_>) -> Option<DateTime<Utc>> {
    let due = planned.record.next_look_at?;
    let slack = match &planned.record.state {
        RepairState::Acting { step }
        | RepairState::Waiting {
            on: WaitingOn::Step { step },
            ..
        } if is_in_hold(planned.plan, *step) => LATE_IN_HOLD,
        RepairState::Waiting {
            on: WaitingOn::Step { .. },
            deadline,
        } => ((*deadline - due) / 4).max(LATE_IN_HOLD),
        RepairState::Acting { .. } | RepairState::Preflight | RepairState::Queued => LATE_TO_BEGIN,
        _ => return None,
    };
    Some(due + slack)
}

/// Whether something was taken from the computer before this step and not given back.
fn is_in_hold(plan: &PlannedRepair, step: usize) -> bool {
    plan.steps
        .iter()
        .take(step + 1)
        .fold(false, |held, step| match &step.kind {
            MicroStepKind::Call(call) if call.begins_hold() => true,
            MicroStepKind::Call(
                VendorCall::SetDeviceGroup { hold: true, .. }
                | VendorCall::SetDeviceCategory { .. },
            ) => false,
            _ => held,
        })
}

/// Whether all that could happen is a card's expiry: nobody has to hurry while reading.
fn waits_for_the_visitor(picture: &Picture, now: DateTime<Utc>) -> bool {
    let unread = |proposal: &ProposalRecord| {
        proposal.state.is_undecided() && now - proposal.created_at > READING_TIME
    };
    picture.repairs.iter().all(|repair| repair.state.is_end())
        && picture.proposals.iter().any(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visitors_pause_outlasts_a_hold() {
        let time = Time::new(
            SimClock::scaled(super::super::monday_morning(), 600.0),
            600.0,
        );
        time.hold("a sweep");
        time.pause();
        time.release();
        assert!(time.clock.is_paused());
        time.resume();
        assert!(!time.clock.is_paused());
    }

    #[test]
    fn three_presses_lead_back_to_the_first_speed() {
        let time = Time::new(
            SimClock::scaled(super::super::monday_morning(), 600.0),
            600.0,
        );
        let speeds: Vec<f64> = (0..3)
            .map(|_| {
                time.faster();
                time.clock.speed()
            })
            .collect();
        assert_eq!(speeds, [1800.0, 6000.0, 600.0]);
    }

    #[test]
    fn the_company_waits_for_a_sweep_but_not_for_a_dead_one() {
        let picture = Picture {
            sweeping: Some("s1".into()),
            ..Picture::default()
        };
        let (mut keeper, now, began) = (
            Keeper::default(),
            super::super::monday_morning(),
            Instant::now(),
        );
        assert!(keeper.reason(&picture, now, began).is_some());
        assert!(
            keeper
                .reason(&picture, now, began + SWEEP_PATIENCE)
                .is_none()
        );
        assert!(keeper.reason(&Picture::default(), now, began).is_none());
    }
}
