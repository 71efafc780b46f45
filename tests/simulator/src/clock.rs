//! The simulated time. World effects, `Date` headers and every time stamp on the wire come from
//! here; protocol deadlines (token lifetimes, rate windows) stay on the monotonic real clock.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::watch;

/// A clock that runs in real time, faster, or only when told to. Clones share one time.
#[derive(Clone, Debug)]
pub struct SimClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    anchor: Mutex<Anchor>,
    changed: watch::Sender<u64>,
}

/// The simulated time at a known real instant, and how fast it has run since.
#[derive(Debug)]
struct Anchor {
    at: DateTime<Utc>,
    since: Instant,
    speed: f64,
    paused: bool,
}

impl Anchor {
    fn now(&self) -> DateTime<Utc> {
        if self.paused || self.speed == 0.0 {
            return self.at;
        }
        let elapsed = self.since.elapsed().as_secs_f64() * self.speed;
        self.at + Duration::microseconds((elapsed * 1e6) as i64)
    }

    fn settle(&mut self) {
        self.at = self.now();
        self.since = Instant::now();
    }
}

impl SimClock {
    /// The wall clock of this machine.
    pub fn real() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the simulator reads the wall clock"
        )]
        let start = Utc::now();
        Self::scaled(start, 1.0)
    }

    /// A clock that starts at `start` and runs `speed` times as fast as real time.
    pub fn scaled(start: DateTime<Utc>, speed: f64) -> Self {
        let (changed, _) = watch::channel(0);
        let anchor = Anchor {
            at: start,
            since: Instant::now(),
            speed,
            paused: false,
        };
        Self {
            shared: Arc::new(Shared {
                anchor: Mutex::new(anchor),
                changed,
            }),
        }
    }

    /// A clock that stands still until it is advanced.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::scaled(start, 0.0)
    }

    /// The simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.anchor().now()
    }

    /// Moves the time forward; works whether the clock runs or stands.
    pub fn advance(&self, by: Duration) {
        self.change(|anchor| anchor.at += by);
    }

    /// Makes the clock run `speed` times as fast as real time from now on.
    pub fn set_speed(&self, speed: f64) {
        self.change(|anchor| anchor.speed = speed);
    }

    /// How many simulated seconds pass in one real second.
    pub fn speed(&self) -> f64 {
        self.anchor().speed
    }

    /// Stops the time.
    pub fn pause(&self) {
        self.change(|anchor| anchor.paused = true);
    }

    /// Lets the time run again at the speed it had.
    pub fn resume(&self) {
        self.change(|anchor| anchor.paused = false);
    }

    /// Whether the time is stopped by [`SimClock::pause`].
    pub fn is_paused(&self) -> bool {
        self.anchor().paused
    }

    /// A counter that moves at every advance and every change of speed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn change(&self, apply: impl FnOnce(&mut Anchor)) {
        {
            let mut anchor = self.anchor();
            anchor.settle();
            apply(&mut anchor);
        }
        self.shared.changed.send_modify(|count| *count += 1);
    }

    fn anchor(&self) -> MutexGuard<'_, Anchor> {
        self.shared
            .anchor
            .lock()
            .expect("no code panics while it holds the clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn start() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 2, 8, 0, 0).unwrap()
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = SimClock::manual(start());
        let seen = clock.subscribe();
        assert_eq!(clock.now(), start());
        clock.advance(Duration::days(3));
        assert_eq!(clock.now(), start() + Duration::days(3));
        assert!(seen.has_changed().unwrap());
    }

    #[test]
    fn a_paused_clock_keeps_its_speed() {
        let clock = SimClock::scaled(start(), 600.0);
        clock.pause();
        let stopped = clock.now();
        assert_eq!(clock.now(), stopped);
        clock.resume();
        assert_eq!(clock.speed(), 600.0);
        assert!(clock.now() >= stopped);
    }
}
