//! Our own clock: deadlines, cron, pauses. Vendor time is [`connectors::SourceClock`]; time-outs and leases are monotonic.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Wall time that may be scaled or stepped.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in milliseconds, so that both databases give it back unchanged.
    fn now(&self) -> DateTime<Utc>;
    /// Returns at or after `at`; early after a change of the clock is allowed.
    async fn sleep_until(&self, at: DateTime<Utc>);
    /// How many seconds pass here in one real second; 1 in production.
    fn speed(&self) -> f64;
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The system's clock, or a faster one against simulators.
pub struct SystemClock {
    start: DateTime<Utc>,
    began: std::time::Instant,
    speed: f64,
}

impl SystemClock {
    /// `speed` is `[clock] speed`.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the system's clock"
    )]
    pub fn new(speed: f64) -> Self {
        Self {
            start: Utc::now(),
            began: std::time::Instant::now(),
            speed,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the system's clock"
    )]
    fn read(&self) -> DateTime<Utc> {
        if self.speed == 1.0 {
            return Utc::now();
        }
        self.start
            + TimeDelta::milliseconds(
                (self.began.elapsed().as_secs_f64() * 1000.0 * self.speed) as i64,
            )
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        self.read().trunc_subsecs(3)
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        let left = (at - self.now()).num_milliseconds().max(0) as f64 / self.speed;
        // At most an hour at a time: the system's clock may be set.
        tokio::time::sleep(Duration::from_millis(left as u64).min(Duration::from_secs(3_600)))
            .await;
    }

    fn speed(&self) -> f64 {
        self.speed
    }
}
