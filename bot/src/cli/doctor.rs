//! `unstuck doctor`: is everything set up? Okta's own checklist, answered from the vendors.

use std::sync::Arc;

use clap::Args;

use super::{
    Outcome,
    output::{Context, json, line},
    render::{View, doctor as render},
};
use crate::{
    app::{self, Parts, Vendors},
    chat,
    doctor::{Reader, examine},
    settings::Settings,
    store::{OpenMode, Store},
};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Runs the command. Exit 1 if a check failed.
pub(super) async fn run(context: &Context, args: DoctorArgs) -> anyhow::Result<Outcome> {
    let settings = Arc::new(context.settings()?);
    let vendors = Vendors::build(&settings, &context.environment)?;
    let playbooks = Arc::new(app::load_playbooks(&settings)?);
    let clock = Parts::of(&settings).clock;
    let store = record(&settings).await?;
    let reader = Reader {
        slack: chat::client(&settings, &context.environment),
        vendors,
        store: store.clone(),
        playbooks,
        clock: Arc::clone(&clock),
        settings,
    };
    let report = examine(&reader.read().await?);
    if let Some(store) = store {
        store.close().await;
    }
    if args.json {
        json(&report)?;
    } else {
        line(&render::checklist(&report, &View::here(clock.now())));
    }
    Ok(if report.ok {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

/// The record, if there is one already: this command makes none.
async fn record(settings: &Settings) -> anyhow::Result<Option<Store>> {
    let url = settings.database_url();
    if let Some(file) = super::database::sqlite_file(&url)
        && !file.exists()
    {
        return Ok(None);
    }
    let store = Store::open(&url, OpenMode::ReadWrite).await?;
    store.check_schema().await?;
    Ok(Some(store))
}
