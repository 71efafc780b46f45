//! `unstuck migrate`: brings the database up to date.

use anyhow::Context as _;
use clap::Args;

use super::{
    Outcome,
    output::{Context, line},
};
use crate::store::{OpenMode, Store};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {}

/// Runs the command.
pub(super) async fn run(context: &Context, _: MigrateArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = Store::open(&settings.database_url(), OpenMode::ReadWrite)
        .await
        .context("cannot open the database")?;
    store
        .migrate()
        .await
        .context("cannot bring the database up to date")?;
    store.check_schema().await?;
    let version = store.schema_version().await?;
    store.close().await;
    line(&format!("the database is up to date: schema {version}"));
    Ok(Outcome::Done)
}
