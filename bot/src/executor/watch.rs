//! When a repair that waits for nothing but a sign-in has to be read by id again.
//!
//! A sign-in, a bind and every change of a device record show in Okta's log, which is polled anyway. So while that log
//! is up to date and says nothing new, no request is spent on the computer. Proof stays a by-id read.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Executor, repair::Walk};
use crate::domain::{LogFacts, PlannedSubject};

/// Longest time between two by-id reads.
const AT_LEAST_EVERY: TimeDelta = TimeDelta::hours(6);
/// A log that was read up to a time this long ago is behind.
const LOG_BEHIND: TimeDelta = TimeDelta::minutes(5);
/// Device records may follow the log with a delay: for so long after an event they are read at every look.
const RECORDS_FOLLOW_WITHIN: TimeDelta = TimeDelta::hours(1);

/// The last by-id read of a repair that waits for its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByIdRead {
    /// When, on our own clock.
    pub at: DateTime<Utc>,
    /// The newest event in the log about its device-users then, in Okta's time.
    pub newest_event: Option<DateTime<Utc>>,
}

impl ByIdRead {
    pub(super) fn now(at: DateTime<Utc>, subjects: &[PlannedSubject], log: &LogFacts) -> Self {
        Self {
            at,
            newest_event: newest_event(subjects, log),
        }
    }
}

impl Executor {
    /// When to look at the log again, if a by-id read would show nothing that the log does not.
    pub(super) async fn log_suffices_until(
        &self,
        walk: &Walk<'_>,
        log: &LogFacts,
        deadline: DateTime<Utc>,
    ) -> anyhow::Result<Option<DateTime<Utc>>> {
        let (now, okta_now) = (self.clock.now(), self.source_time(None));
        let Some(read) = &walk.progress.read_by_id else {
            return Ok(None);
        };
        let read_again_at = deadline.min(read.at + AT_LEAST_EVERY);
        let newest = newest_event(&walk.planned.subjects, log);
        let quiet = newest == read.newest_event
            && newest.is_none_or(|at| at + RECORDS_FOLLOW_WITHIN <= okta_now);
        if !walk.record.state.waits_for_sign_in() || now >= read_again_at || !quiet {
            return Ok(None);
        }
        for scope in ["changes", "sign_ins"] {
            let reached = self.store.log_cursor(scope).await?;
            if reached.is_none_or(|cursor| cursor.reached_at + LOG_BEHIND < okta_now) {
                return Ok(None);
            }
        }
        // The log poll brings the look forward; this one is for a log that falls behind.
        Ok(Some((now + TimeDelta::minutes(15)).min(read_again_at)))
    }
}

/// The newest event of any kind about these device-users.
fn newest_event(subjects: &[PlannedSubject], log: &LogFacts) -> Option<DateTime<Utc>> {
    let of_subject = |subject: &PlannedSubject| {
        let key = (subject.device_id.clone(), subject.user_id.clone());
        let sign_ins = log.fastpass.get(&key).copied().unwrap_or_default();
        [
            sign_ins.success.map(|seen| seen.last),
            sign_ins.last_failure,
            log.binds.get(&subject.device_id).map(|seen| seen.last),
            log.lifecycle.get(&subject.device_id).map(|seen| seen.at),
        ]
        .into_iter()
        .flatten()
        .max()
    };
    subjects.iter().filter_map(of_subject).max()
}
