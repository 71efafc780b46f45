//! `unstuck stop` and `unstuck resume`.

use clap::Args;

use super::{
    Outcome,
    output::{Context, line},
    person::person,
};
use crate::{
    app::{self, Parts},
    approvals::stops,
    settings::Settings,
    store::{ScopeHold, StopScope, Store},
    words::{count, nearest},
};

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// `all`, the name of a playbook, or the id of a proposal
    what: String,
    /// Why; it is posted to the channel and kept
    #[arg(long)]
    reason: String,
    /// Also leave what was begun as it is; the computers held are listed
    #[arg(long)]
    freeze: bool,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// `all`, the name of a playbook, or the id of a proposal
    what: String,
    /// Why; it is posted to the channel and kept
    #[arg(long)]
    reason: String,
}

/// Runs `stop`. Exit 1 if it is stopped already.
pub(super) async fn stop(context: &Context, args: StopArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = app::open_store(&settings, false).await?;
    let held = set(context, &settings, &store, &args).await;
    store.close().await;
    let held = held?;
    let what = stops::name(&stops::scope(&args.what));
    line(&format!("stopped {what}: no new computer, no forward step"));
    if !args.freeze {
        line("what was taken away from a computer is still given back; --freeze halts that too");
    } else if !held.is_empty() {
        line(&format!(
            "{} left as it is until resumed:",
            count(held.len(), "computer")
        ));
    }
    for hold in held.iter().filter(|_| args.freeze) {
        line(&format!("  {} {}", hold.hold.mdm, hold.hold.device));
    }
    Ok(Outcome::Done)
}

/// Sets the stop; returns what is held now.
async fn set(
    context: &Context,
    settings: &Settings,
    store: &Store,
    args: &StopArgs,
) -> anyhow::Result<Vec<ScopeHold>> {
    let scope = stops::scope(&args.what);
    known(settings, store, &scope).await?;
    let now = Parts::of(settings).clock.now();
    stops::stop(
        store,
        scope,
        &person(&context.environment),
        &args.reason,
        args.freeze,
        now,
    )
    .await?;
    Ok(store.open_holds().await?)
}

/// Runs `resume`. Exit 1 if it is not stopped, or needs another person.
pub(super) async fn resume(context: &Context, args: ResumeArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = app::open_store(&settings, false).await?;
    let scope = stops::scope(&args.what);
    let now = Parts::of(&settings).clock.now();
    let resumed = stops::resume(
        &store,
        &scope,
        &person(&context.environment),
        &args.reason,
        now,
    )
    .await;
    store.close().await;
    resumed?;
    line(&format!("{} goes on", stops::name(&scope)));
    Ok(Outcome::Done)
}

/// A slip of the pen must not pass for a stop.
async fn known(settings: &Settings, store: &Store, scope: &StopScope) -> anyhow::Result<()> {
    match scope {
        StopScope::All => {}
        StopScope::Proposal(id) => {
            if store.proposal(id).await?.is_none() {
                anyhow::bail!("there is no proposal {id}; nothing is stopped");
            }
        }
        StopScope::Playbook(name) => {
            let playbooks = app::load_playbooks(settings)?;
            if !playbooks.iter().any(|playbook| playbook.name == *name) {
                let names = playbooks.iter().map(|playbook| playbook.name.as_str());
                let near = nearest(name.as_str(), names)
                    .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                anyhow::bail!(
                    "{name} is neither `all`, nor a playbook{near}, nor a proposal; nothing is stopped"
                );
            }
        }
    }
    Ok(())
}
