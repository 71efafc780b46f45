//! `unstuck sweep`: looks at the whole fleet once and prints what is stuck.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{
    Outcome, Usage,
    database::DryRunStore,
    output::{Context, json, line},
    person::person,
    progress::SweepProgress,
    render::{View, sweep as render},
};
use crate::{
    app::{self, Parts, Vendors},
    cron::Crontab,
    domain::playbook::Playbook,
    node::Node,
    report::SweepDocument,
    settings::Settings,
    store::Store,
};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// Write nothing anywhere, and show what would be proposed
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Accept that a source became smaller: okta, log or the name of an MDM
    #[arg(long, value_name = "NAME", conflicts_with = "dry_run")]
    accept_shrink: Option<String>,
}

/// Runs the command. Exit 1 if a source could not be read to the end.
pub(super) async fn run(context: &Context, args: SweepArgs) -> anyhow::Result<Outcome> {
    let mut settings = context.settings()?;
    if let Some(source) = &args.accept_shrink {
        known_source(&settings, source)?;
    }
    if args.dry_run {
        // The other half is left to whatever serves this org meanwhile.
        settings.okta.requests_per_minute = (settings.okta.requests_per_minute / 2).max(1);
    }
    let settings = Arc::new(settings);
    let vendors = Vendors::build(&settings, &context.environment)?;
    let playbooks = Arc::new(app::load_playbooks(&settings)?);
    app::check_groups(&settings, &playbooks)?;
    let parts = Parts::of(&settings);
    let progress = Arc::new(SweepProgress::new());
    let stop = CancellationToken::new();
    let telling = tokio::spawn({
        let (progress, stop) = (Arc::clone(&progress), stop.child_token());
        async move { progress.tell(stop).await }
    });
    let work = Work {
        settings: &settings,
        vendors: &vendors,
        playbooks: &playbooks,
        parts: &parts,
        progress: &progress,
    };
    let result = tokio::select! {
        result = work.sweep(context, &args, &stop) => result,
        () = interrupted() => Err(anyhow::anyhow!("interrupted; nothing was proposed")),
    };
    stop.cancel();
    // It only prints; a panic in it must not hide the result.
    drop(telling.await);
    let read = progress.finish();
    let document = result?;
    if args.json {
        json(&document)?;
    } else {
        let now = parts.clock.now();
        let beside = render::Beside {
            read,
            approvers: approvers(&playbooks),
            next: next_sweep(&settings, now),
        };
        line(&render::sweep(&document, &beside, &View::here(now)));
    }
    Ok(if document.sweep.complete {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

/// What both kinds of sweep need.
struct Work<'a> {
    settings: &'a Arc<Settings>,
    vendors: &'a Vendors,
    playbooks: &'a Arc<Vec<Playbook>>,
    parts: &'a Parts,
    progress: &'a SweepProgress,
}

impl Work<'_> {
    async fn sweep(
        &self,
        context: &Context,
        args: &SweepArgs,
        stop: &CancellationToken,
    ) -> anyhow::Result<SweepDocument> {
        if args.dry_run {
            let dry = DryRunStore::open(self.settings, &*self.parts.ids).await?;
            let document = self
                .sweeper(&dry.store, &self.node(&dry.store))
                .dry_run(self.progress)
                .await;
            dry.close().await;
            return document;
        }
        let store = app::open_store(self.settings, false).await?;
        if let Some(source) = &args.accept_shrink {
            store
                .accept_shrink(
                    source,
                    &person(&context.environment),
                    self.parts.clock.now(),
                )
                .await?;
        }
        let node = self.node(&store);
        let stop = stop.child_token();
        let guard = stop.clone().drop_guard();
        let beats = tokio::spawn(Arc::clone(&node).run(stop.clone()));
        let document = self
            .sweeper(&store, &node)
            .sweep(self.progress, &stop)
            .await;
        drop(guard);
        // Gives the leases back before the connections go.
        drop(beats.await);
        store.close().await;
        document
    }

    fn node(&self, store: &Store) -> Arc<Node> {
        Node::new(store.clone(), self.parts.ids.unique())
    }

    fn sweeper(&self, store: &Store, node: &Arc<Node>) -> crate::sweep::Sweeper {
        app::sweeper(
            self.settings,
            self.vendors,
            store,
            node,
            self.playbooks,
            self.parts,
        )
    }
}

fn known_source(settings: &Settings, source: &str) -> Result<(), Usage> {
    let names: Vec<&str> = ["okta", "log"]
        .into_iter()
        .chain(settings.mdm.iter().map(|mdm| mdm.name.as_str()))
        .collect();
    if names.contains(&source) {
        return Ok(());
    }
    Err(Usage(format!(
        "--accept-shrink {source}: no such source; there are {}",
        names.join(", ")
    )))
}

/// `@oncall` per playbook.
fn approvers(playbooks: &[Playbook]) -> BTreeMap<String, String> {
    let groups = |playbook: &Playbook| {
        playbook
            .approval
            .groups
            .iter()
            .map(|group| format!("@{group}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    playbooks
        .iter()
        .map(|playbook| (playbook.name.to_string(), groups(playbook)))
        .collect()
}

/// The next scheduled sweep, in the schedule's own zone.
fn next_sweep(settings: &Settings, now: DateTime<Utc>) -> Option<String> {
    let next = settings.schedule.iter().filter_map(|schedule| {
        let zone: chrono_tz::Tz = schedule.timezone.parse().ok()?;
        Some((
            Crontab::parse(&schedule.cron).ok()?.next_after(now, zone)?,
            zone,
        ))
    });
    let (at, zone) = next.min_by_key(|(at, _)| *at)?;
    Some(format!(
        "{} {zone}",
        at.with_timezone(&zone).format("%a %-d %b %H:%M")
    ))
}

/// Returns when the process is asked to end.
pub(super) async fn interrupted() {
    let mut terminate =
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(_no_handler) => return std::future::pending().await,
        };
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending::<()>().await },
    }
}
