//! The daily check-up of `serve`: what turned from ok to failing is told in the channel, once.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Check, Reader, Report, Status, examine};
use crate::{chat::messages, pass::Pass, store::NewMessage};

const EVERY: TimeDelta = TimeDelta::days(1);
/// The tick that says which node looks today.
const TICK: &str = "doctor";

/// A node that has just started has other things to do first.
const FIRST_AFTER: TimeDelta = TimeDelta::hours(1);

/// Looks once a day.
pub struct DoctorPass {
    reader: Reader,
    started_at: DateTime<Utc>,
}

impl DoctorPass {
    /// Looks an hour after the start at the earliest.
    pub fn new(reader: Reader, started_at: DateTime<Utc>) -> Self {
        Self { reader, started_at }
    }
}

#[async_trait]
impl Pass for DoctorPass {
    fn name(&self) -> &'static str {
        "doctor"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let Some(store) = &self.reader.store else {
            return Ok(None);
        };
        let last = store.last_tick(TICK).await?;
        let next = last.map_or(DateTime::UNIX_EPOCH, |tick| tick.due_at + EVERY);
        let next = next.max(self.started_at + FIRST_AFTER);
        if next > now {
            return Ok(Some(next));
        }
        if !store.insert_tick(TICK, now).await? {
            return Ok(Some(now + EVERY));
        }
        let report = examine(&self.reader.read().await?);
        let before = store.check_statuses().await?;
        let messages = news(&report, &before, now);
        store
            .save_checks(&statuses(&report), &messages, now)
            .await?;
        store.finish_tick(TICK, now, &summary(&report)).await?;
        Ok(Some(now + EVERY))
    }
}

fn statuses(report: &Report) -> BTreeMap<String, String> {
    let checks = report.checks.iter();
    // A check that was skipped today says nothing about yesterday's answer.
    checks
        .filter(|check| check.status != Status::Skipped)
        .map(|check| (check.id.clone(), word(check.status).to_owned()))
        .collect()
}

/// What turned from ok, or from a warning, to failing since the last time. The first look tells nothing: whoever set the
/// bot up has run the command.
fn news(report: &Report, before: &BTreeMap<String, String>, now: DateTime<Utc>) -> Vec<NewMessage> {
    let failing = |check: &&Check| {
        check.status == Status::Failure
            && before
                .get(&check.id)
                .is_some_and(|status| status != word(Status::Failure))
    };
    report
        .checks
        .iter()
        .filter(failing)
        .map(|check| {
            let key = format!("doctor:{}:{}", check.id, now.timestamp());
            messages::notice(&key, &sentence(check), now)
        })
        .collect()
}

fn sentence(check: &Check) -> String {
    let mut text = format!("Set-up: {} fails now: {}.", check.id, check.saw);
    if !check.advice.is_empty() {
        text.push_str(&format!(" To do: {}.", check.advice));
    }
    text
}

fn summary(report: &Report) -> String {
    format!(
        "{} ok, {} warnings, {} failed",
        report.count(Status::Ok),
        report.count(Status::Warning),
        report.count(Status::Failure)
    )
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failure => "failure",
        Status::Skipped => "skipped",
    }
}
