//! Ways to answer people, as far as this process received them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Ways to answer a person, kept in memory only: they are credentials. Slack takes them for 30 minutes.
#[derive(Default)]
pub struct ReplyPaths {
    known: Mutex<HashMap<String, (Instant, Option<String>)>>,
}

const PATH_AGE: Duration = Duration::from_secs(30 * 60);

impl ReplyPaths {
    /// Keeps the way to answer one event.
    pub fn remember(&self, dedupe_key: &str, response_url: Option<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (since, _)| since.elapsed() < PATH_AGE);
        known
            .entry(dedupe_key.to_owned())
            .or_insert((Instant::now(), response_url));
    }

    pub(super) fn holds(&self, dedupe_key: &str) -> bool {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(dedupe_key)
    }

    pub(super) fn take(&self, dedupe_key: &str) -> Option<String> {
        let taken = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(dedupe_key);
        taken.and_then(|(_, url)| url)
    }
}
