//! Pacing per rate-limit bucket: an even flow below the limit, and a gate that stays closed as long as the vendor asks.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// All buckets of one client.
#[derive(Debug)]
pub(super) struct Pacer {
    buckets: Mutex<HashMap<&'static str, Bucket>>,
    learn_limits: bool,
}

#[derive(Debug, Default, Clone)]
struct Bucket {
    closed_until: Option<Instant>,
    fixed: Option<u32>,
    flow: Option<Flow>,
}

#[derive(Debug, Clone)]
struct Flow {
    per_minute: u32,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl Flow {
    fn new(per_minute: u32) -> Option<Self> {
        // No burst: a burst on top of an even flow would overrun the vendor's window.
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?).allow_burst(NonZeroU32::MIN);
        Some(Self {
            per_minute,
            limiter: Arc::new(RateLimiter::direct(quota)),
        })
    }
}

impl Pacer {
    pub(super) fn new(pace: &[(&'static str, u32)], learn_limits: bool) -> Self {
        let bucket = |&(name, per_minute): &(&'static str, u32)| {
            let bucket = Bucket {
                closed_until: None,
                fixed: Some(per_minute),
                flow: Flow::new(per_minute),
            };
            (name, bucket)
        };
        Self {
            buckets: Mutex::new(pace.iter().map(bucket).collect()),
            learn_limits,
        }
    }

    /// How long the vendor has asked to wait.
    pub(super) fn closed_for(&self, bucket: &'static str) -> Duration {
        self.lock()
            .get(bucket)
            .and_then(|bucket| bucket.closed_until)
            .map_or(Duration::ZERO, |until| {
                until.saturating_duration_since(Instant::now())
            })
    }

    /// Waits until a request may go out.
    pub(super) async fn ready(&self, bucket: &'static str) {
        loop {
            let flow = self.lock().get(bucket).and_then(|b| b.flow.clone());
            if let Some(flow) = flow {
                flow.limiter.until_ready().await;
            }
            // The gate may have been closed while this request stood in line.
            let closed = self.closed_for(bucket);
            if closed.is_zero() {
                return;
            }
            tokio::time::sleep(closed).await;
        }
    }

    /// Closes a bucket.
    pub(super) fn close(&self, bucket: &'static str, wait: Duration) {
        let until = Instant::now() + wait;
        let mut buckets = self.lock();
        let bucket = buckets.entry(bucket).or_default();
        bucket.closed_until = Some(bucket.closed_until.map_or(until, |old| old.max(until)));
    }

    /// Takes in the limit per minute that the vendor shows: half of it for us, or a fixed pace that stays below it.
    pub(super) fn learn(&self, bucket: &'static str, limit: u32) {
        if !self.learn_limits || limit == 0 {
            return;
        }
        let mut buckets = self.lock();
        let bucket = buckets.entry(bucket).or_default();
        let per_minute = match bucket.fixed {
            Some(fixed) => fixed.min(limit),
            None => (limit / 2).max(1),
        };
        if bucket.flow.as_ref().map(|flow| flow.per_minute) != Some(per_minute) {
            bucket.flow = Flow::new(per_minute);
        }
    }

    #[cfg(test)]
    pub(super) fn per_minute(&self, bucket: &'static str) -> Option<u32> {
        let buckets = self.lock();
        Some(buckets.get(bucket)?.flow.as_ref()?.per_minute)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_pace_stays_below_the_limit_and_others_take_half() {
        let pacer = Pacer::new(&[("devices", 50)], true);
        pacer.learn("devices", 100);
        pacer.learn("users", 600);
        assert_eq!(pacer.per_minute("devices"), Some(50));
        assert_eq!(pacer.per_minute("users"), Some(300));
        pacer.learn("devices", 20);
        assert_eq!(pacer.per_minute("devices"), Some(20));
    }

    #[test]
    fn a_concurrency_limit_of_zero_teaches_nothing() {
        let pacer = Pacer::new(&[], true);
        pacer.learn("users", 0);
        assert_eq!(pacer.per_minute("users"), None);
    }

    #[test]
    fn a_gate_is_never_opened_earlier_by_a_later_answer() {
        let pacer = Pacer::new(&[], false);
        pacer.close("all", Duration::from_secs(60));
        pacer.close("all", Duration::from_secs(1));
        assert!(pacer.closed_for("all") > Duration::from_secs(50));
        assert_eq!(pacer.closed_for("other"), Duration::ZERO);
    }
}
