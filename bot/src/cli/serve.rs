//! `unstuck serve`: scheduler, Slack, executor and web until SIGTERM.

use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{Outcome, output::Context, sweep::interrupted};
use crate::app::Parts;

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Bring a PostgreSQL database up to date first; SQLite always is
    #[arg(long)]
    migrate: bool,
}

/// Runs the command until SIGTERM or Ctrl-C.
pub(super) async fn run(context: &Context, args: ServeArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let parts = Parts::of(&settings);
    let stop = CancellationToken::new();
    let signals = tokio::spawn({
        let stop = stop.clone();
        async move {
            interrupted().await;
            tracing::info!("asked to stop; parking what is under way");
            stop.cancel();
        }
    });
    let result = crate::serve::run(
        Arc::new(settings),
        &context.environment,
        parts,
        args.migrate,
        stop,
    )
    .await;
    signals.abort();
    result.map(|()| Outcome::Done)
}
