//! The one list of cron entries. A tick is a row before it runs, so that several nodes run it once; after downtime one
//! catch-up runs if the latest missed tick is young, and the rest are recorded as skipped.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio_util::sync::CancellationToken;

use super::QUIET;
use crate::{cron::Crontab, pass::Pass, settings::Settings, store::Store, sweep::Sweeper};

/// The latest missed tick is caught up if it is younger than this.
const CATCH_UP: TimeDelta = TimeDelta::hours(6);
/// Most missed ticks recorded one by one.
const RECORDED: usize = 100;

/// Runs sweeps by the clock.
pub(super) struct Scheduler {
    entries: Vec<Entry>,
    store: Store,
    sweeper: Arc<Sweeper>,
    /// A schedule that has never run begins with this process.
    started_at: DateTime<Utc>,
}

struct Entry {
    name: String,
    crontab: Crontab,
    zone: Tz,
}

impl Scheduler {
    pub(super) fn new(
        settings: &Settings,
        store: &Store,
        sweeper: Arc<Sweeper>,
        started_at: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let entries = settings.schedule.iter().map(|schedule| {
            Ok(Entry {
                name: schedule.name.clone(),
                crontab: Crontab::parse(&schedule.cron).map_err(anyhow::Error::msg)?,
                zone: schedule
                    .timezone
                    .parse()
                    .with_context(|| format!("`{}` is no time zone", schedule.timezone))?,
            })
        });
        Ok(Self {
            entries: entries.collect::<anyhow::Result<_>>()?,
            store: store.clone(),
            sweeper,
            started_at,
        })
    }

    /// Claims what is due of one entry; `true`: a sweep is to run.
    async fn claim(
        &self,
        entry: &Entry,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<DateTime<Utc>>> {
        let last = self
            .store
            .last_tick(&entry.name)
            .await?
            .map_or(self.started_at, |tick| tick.due_at);
        let mut missed = Vec::new();
        let mut at = last;
        while let Some(due) = entry
            .crontab
            .next_after(at, entry.zone)
            .filter(|due| *due <= now)
        {
            missed.push(due);
            at = due;
        }
        let Some(latest) = missed.pop() else {
            return Ok(None);
        };
        for due in missed.iter().rev().take(RECORDED) {
            if self.store.insert_tick(&entry.name, *due).await? {
                self.store
                    .finish_tick(&entry.name, *due, "skipped: missed while not running")
                    .await?;
            }
        }
        if !self.store.insert_tick(&entry.name, latest).await? {
            return Ok(None);
        }
        if now - latest > CATCH_UP {
            self.store
                .finish_tick(&entry.name, latest, "skipped: missed by more than 6 h")
                .await?;
            return Ok(None);
        }
        Ok(Some(latest))
    }
}

#[async_trait]
impl Pass for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        for entry in &self.entries {
            let Some(due) = self.claim(entry, now).await? else {
                continue;
            };
            let outcome = match self.sweeper.sweep(&QUIET, &CancellationToken::new()).await {
                Ok(document) if document.sweep.complete => format!("sweep {}", document.sweep.id),
                Ok(document) => format!("sweep {} was incomplete", document.sweep.id),
                Err(error) => {
                    tracing::error!(schedule = %entry.name, error = %format!("{error:#}"), "a scheduled sweep failed");
                    format!("failed: {error:#}")
                }
            };
            self.store.finish_tick(&entry.name, due, &outcome).await?;
        }
        Ok(self
            .entries
            .iter()
            .filter_map(|entry| entry.crontab.next_after(now, entry.zone))
            .min())
    }
}
