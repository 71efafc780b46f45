//! The Web API's rate tiers as token buckets over real time.

use std::collections::HashMap;
use std::time::Instant;

use super::config::RateLimits;

/// Fill levels by what is limited.
#[derive(Default)]
pub(super) struct Buckets {
    levels: HashMap<String, (f64, Instant)>,
}

impl Buckets {
    /// Counts one call; `Err` holds the seconds after which to try again.
    pub(super) fn take(
        &mut self,
        limits: RateLimits,
        method: &str,
        channel: &str,
    ) -> Result<(), u32> {
        if !limits.enforced {
            return Ok(());
        }
        let per_minute = f64::from(per_minute(method) * limits.generosity);
        let key = if method == "chat.postMessage" {
            format!("{method}/{channel}")
        } else {
            method.to_owned()
        };
        let now = Instant::now();
        let (level, at) = self.levels.entry(key).or_insert((per_minute, now));
        *level =
            (*level + now.duration_since(*at).as_secs_f64() * per_minute / 60.0).min(per_minute);
        *at = now;
        if *level >= 1.0 {
            *level -= 1.0;
            return Ok(());
        }
        let wait = ((1.0 - *level) * 60.0 / per_minute).ceil();
        // A whole number of seconds of at least one, as the header has it.
        Err(wait.max(1.0) as u32)
    }
}

/// Calls a minute that the reference pages promise ("Rate limits"); messages count per channel.
fn per_minute(method: &str) -> u32 {
    match method {
        "apps.connections.open" => 20,
        "usergroups.list" | "usergroups.users.list" | "users.list" | "conversations.list" => 20,
        "chat.update" | "chat.delete" | "users.lookupByEmail" | "conversations.open" => 50,
        "conversations.history" | "conversations.replies" | "conversations.info" | "team.info" => {
            50
        }
        "chat.postMessage" => 60,
        "auth.test" | "chat.getPermalink" => 600,
        _ => 100,
    }
}
