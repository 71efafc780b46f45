//! How fast Slack is spoken to: one post a second per channel, 40 updates a minute. "Rate limits" of Slack's documents.
//!
//! The limits are real time; our own clock may run faster, so that the pauses are scaled with it.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

const BETWEEN_POSTS: TimeDelta = TimeDelta::milliseconds(1_000);
const UPDATES: usize = 40;
const UPDATES_WITHIN: TimeDelta = TimeDelta::seconds(60);

/// What was sent lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    posts: HashMap<String, DateTime<Utc>>,
    updates: VecDeque<DateTime<Utc>>,
    paused_until: Option<DateTime<Utc>>,
}

impl Pace {
    /// Slack asked to wait.
    pub(super) fn pause(&mut self, until: DateTime<Utc>) {
        self.paused_until = Some(until);
    }

    /// Until when nothing is sent at all.
    pub(super) fn paused_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.paused_until.filter(|until| *until > now)
    }

    /// When a post to this recipient may go out; `None`: now.
    pub(super) fn post_after(
        &self,
        recipient: &str,
        now: DateTime<Utc>,
        speed: f64,
    ) -> Option<DateTime<Utc>> {
        let last = self.posts.get(recipient)?;
        // A clock that was set back must not hold anything up.
        let free = *last + scaled(BETWEEN_POSTS, speed);
        (*last <= now && free > now).then_some(free)
    }

    /// When an update may go out; `None`: now.
    pub(super) fn update_after(&mut self, now: DateTime<Utc>, speed: f64) -> Option<DateTime<Utc>> {
        let window = scaled(UPDATES_WITHIN, speed);
        self.updates.retain(|at| *at <= now && *at + window > now);
        (self.updates.len() >= UPDATES).then(|| self.updates[0] + window)
    }

    /// A post goes out.
    pub(super) fn posted(&mut self, recipient: &str, now: DateTime<Utc>) {
        self.posts.insert(recipient.to_owned(), now);
    }

    /// An update goes out.
    pub(super) fn updated(&mut self, now: DateTime<Utc>) {
        self.updates.push_back(now);
    }
}

fn scaled(span: TimeDelta, speed: f64) -> TimeDelta {
    TimeDelta::milliseconds((span.num_milliseconds() as f64 * speed) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_795_420_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn one_post_a_second_per_channel() {
        let mut pace = Pace::default();
        pace.posted("channel", at(0));
        assert_eq!(pace.post_after("channel", at(300), 1.0), Some(at(1_000)));
        assert_eq!(pace.post_after("slack:U1", at(300), 1.0), None);
        assert_eq!(pace.post_after("channel", at(1_000), 1.0), None);
    }

    #[test]
    fn a_fast_clock_waits_just_as_long_in_real_time() {
        let mut pace = Pace::default();
        pace.posted("channel", at(0));
        assert_eq!(
            pace.post_after("channel", at(1_000), 600.0),
            Some(at(600_000))
        );
    }

    #[test]
    fn forty_updates_a_minute_and_no_more() {
        let mut pace = Pace::default();
        for index in 0..40 {
            assert_eq!(pace.update_after(at(index), 1.0), None);
            pace.updated(at(index));
        }
        assert_eq!(pace.update_after(at(40), 1.0), Some(at(60_000)));
        assert_eq!(pace.update_after(at(60_000), 1.0), None);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut pace = Pace::default();
        pace.posted("channel", at(10_000));
        assert_eq!(pace.post_after("channel", at(0), 1.0), None);
    }
}
