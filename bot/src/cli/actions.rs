//! `unstuck actions`: what a playbook's step may do.

use clap::Args;
use serde::Serialize;

use super::{
    Outcome,
    output::{json, line, width},
    render::playbooks as render,
};
use crate::domain::playbook::{Action, action::Declaration};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct ActionsArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Document {
    actions: Vec<Declaration>,
}

/// Runs the command.
pub(super) fn run(args: &ActionsArgs) -> anyhow::Result<Outcome> {
    let actions: Vec<Declaration> = Action::ALL
        .iter()
        .map(|action| action.declaration())
        .collect();
    if args.json {
        json(&Document { actions })?;
    } else {
        line(&render::actions(&actions, width()));
    }
    Ok(Outcome::Done)
}
