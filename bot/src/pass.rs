//! Background work: a pass takes no input, looks at the store, does what is due, and says when it is due again.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// One kind of background work. A wake-up says "look now", never what to find.
#[async_trait]
pub trait Pass: Send + Sync {
    /// Name for logs.
    fn name(&self) -> &'static str;
    /// Longest real time between two looks: the database may have been changed by another process.
    fn looks_every(&self) -> Duration {
        Duration::from_secs(2)
    }
    /// Does what is due at `now`; returns when to look again on our own clock, `None`: only when woken.
    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>>;
}
