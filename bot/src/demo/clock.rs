//! The product's clock over the simulated time.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use simulator::SimClock;

use crate::clock::Clock;

/// Longest real sleep between two looks at the clock.
const AT_MOST: Duration = Duration::from_secs(3_600);

/// Our own clock, as the simulated company has it.
pub(super) struct DemoClock(SimClock);

impl DemoClock {
    pub(super) fn new(clock: SimClock) -> Self {
        Self(clock)
    }
}

#[async_trait]
impl Clock for DemoClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now().trunc_subsecs(3)
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        let mut changes = self.0.subscribe();
        loop {
            let left = (at - self.now()).num_milliseconds();
            if left <= 0 {
                return;
            }
            let stands = self.0.is_paused() || self.0.speed() <= 0.0;
            let wait = if stands {
                AT_MOST
            } else {
                // Rounded up: a sleep that ends a little early would spin.
                Duration::from_secs_f64(left as f64 / 1_000.0 / self.0.speed() + 0.001).min(AT_MOST)
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn speed(&self) -> f64 {
        self.0.speed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_time_is_moved() {
        let sim = SimClock::manual(super::super::monday_morning());
        let clock = Arc::new(DemoClock::new(sim.clone()));
        let wake_at = clock.now() + TimeDelta::hours(3);
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep_until(wake_at).await }
        });
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        sim.advance(TimeDelta::hours(4));
        sleeper.await.unwrap();
        assert!(clock.now() >= wake_at);
    }
}
