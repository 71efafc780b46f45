//! A vendor's own time: its last `Date` header plus the monotonic time since.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use chrono::{DateTime, TimeDelta, Utc};

/// "Now" in a vendor's time. Whatever is compared with a vendor's time stamp uses this, never our own clock.
#[derive(Debug, Clone)]
pub struct SourceClock {
    inner: Arc<Mutex<Option<Reading>>>,
    speed: f64,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    date: DateTime<Utc>,
    at: Instant,
}

impl SourceClock {
    /// `speed` is `[clock] speed`: 1 but against simulators on loopback.
    pub fn new(speed: f64) -> Self {
        Self {
            inner: Arc::default(),
            speed,
        }
    }

    /// Notes a `Date` header that was received just now.
    pub fn observe(&self, date: DateTime<Utc>) {
        *self.lock() = Some(Reading {
            date,
            at: Instant::now(),
        });
    }

    /// The vendor's time; `None` before its first answer.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        let reading = (*self.lock())?;
        let elapsed = reading.at.elapsed().as_secs_f64() * self.speed;
        Some(reading.date + TimeDelta::milliseconds((elapsed * 1000.0) as i64))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Reading>> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
