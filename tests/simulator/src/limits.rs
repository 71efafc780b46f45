//! Request budgets over windows of real time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Counts requests per key in windows that begin with the first request. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateWindows {
    windows: Arc<Mutex<HashMap<String, Window>>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    used: u64,
}

/// Where a budget stands after a request was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub limit: u64,
    pub remaining: u64,
    /// Real seconds until the window ends, rounded up.
    pub reset_in: u64,
    pub exceeded: bool,
}

impl RateWindows {
    /// Counts one request against `key`.
    pub(crate) fn take(&self, key: &str, limit: u64, length: Duration) -> Budget {
        self.take_at(key, limit, length, Instant::now())
    }

    fn take_at(&self, key: &str, limit: u64, length: Duration, now: Instant) -> Budget {
        let mut windows = self
            .windows
            .lock()
            .expect("no code panics while it counts requests");
        let window = windows.entry(key.to_owned()).or_insert(Window {
            began: now,
            used: 0,
        });
        if now.duration_since(window.began) >= length {
            *window = Window {
                began: now,
                used: 0,
            };
        }
        let exceeded = window.used >= limit;
        if !exceeded {
            window.used += 1;
        }
        let left = length.saturating_sub(now.duration_since(window.began));
        Budget {
            limit,
            remaining: limit - window.used.min(limit),
            reset_in: left.as_secs() + u64::from(left.subsec_nanos() > 0),
            exceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_whole_again_after_its_window() {
        let windows = RateWindows::default();
        let minute = Duration::from_secs(60);
        let start = Instant::now();
        let take = |after: u64| windows.take_at("k", 2, minute, start + Duration::from_secs(after));
        assert_eq!(take(0).remaining, 1);
        assert!(!take(1).exceeded);
        let refused = take(20);
        assert!(refused.exceeded);
        assert_eq!((refused.remaining, refused.reset_in), (0, 40));
        assert_eq!(take(60).remaining, 1);
    }
}
