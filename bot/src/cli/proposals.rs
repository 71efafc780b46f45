//! `unstuck proposals list|show|approve|deny`.

use std::sync::Arc;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use connectors::OktaReader;
use serde_json::{Value, json as value};

use super::{
    Outcome,
    database::for_reading,
    output::{Context, json, line},
    person::name,
    render::{View, proposals as render},
};
use crate::{
    app::{self, Parts, Vendors},
    approvals::{Decider, decide_from_cli},
    domain::{ProposalId, approval::Verdict},
    report::ProposalSummary,
    store::{DecisionRecord, ProposalRecord, Store},
    wording,
};

/// How far back the list goes.
const LISTED: TimeDelta = TimeDelta::days(90);

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum ProposalsCommand {
    /// Every proposal of the last 90 days
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One proposal: what would be done, to whom, and who decided
    Show {
        /// Its id: P-7F3K2Q
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Approve as the user of this operating system
    Approve(DecisionArgs),
    /// Deny as the user of this operating system
    Deny(DecisionArgs),
}

/// A decision.
#[derive(Debug, Args)]
pub(super) struct DecisionArgs {
    /// Its id: P-7F3K2Q
    id: String,
    /// Why; it is posted to the channel and kept
    #[arg(long)]
    reason: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ProposalsCommand {
    /// Whether stdout holds JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List { json } | Self::Show { json, .. } => *json,
            Self::Approve(args) | Self::Deny(args) => args.json,
        }
    }
}

/// Runs the command. Exit 1 if the proposal is not found or the decision refused.
pub(super) async fn run(context: &Context, command: ProposalsCommand) -> anyhow::Result<Outcome> {
    match command {
        ProposalsCommand::List { json } => list(context, json).await,
        ProposalsCommand::Show { id, json } => show(context, &id, json).await,
        ProposalsCommand::Approve(args) => decide(context, args, Verdict::Approve).await,
        ProposalsCommand::Deny(args) => decide(context, args, Verdict::Deny).await,
    }
}

async fn list(context: &Context, as_json: bool) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = for_reading(&settings).await?;
    let now = Parts::of(&settings).clock.now();
    let proposals = store.proposals_since(now - LISTED).await?;
    store.close().await;
    if as_json {
        let proposals: Vec<ProposalSummary> = proposals.iter().map(summary).collect();
        json(&value!({ "proposals": proposals }))?;
    } else {
        line(&render::list(&proposals, &View::here(now)));
    }
    Ok(Outcome::Done)
}

async fn show(context: &Context, id: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = for_reading(&settings).await?;
    let now = Parts::of(&settings).clock.now();
    let (proposal, decisions) = read(&store, &proposal_id(id)).await?;
    store.close().await;
    if as_json {
        json(&document(&proposal, &decisions))?;
    } else {
        line(&render::show(&proposal, &decisions, &View::here(now)));
    }
    Ok(Outcome::Done)
}

async fn decide(
    context: &Context,
    args: DecisionArgs,
    verdict: Verdict,
) -> anyhow::Result<Outcome> {
    let settings = Arc::new(context.settings()?);
    let vendors = Vendors::build(&settings, &context.environment)?;
    let store = app::open_store(&settings, false).await?;
    let parts = Parts::of(&settings);
    let decider = Decider {
        store: store.clone(),
        okta: vendors.okta.clone() as Arc<dyn OktaReader>,
        settings: Arc::clone(&settings),
        ids: Arc::clone(&parts.ids),
    };
    let id = proposal_id(&args.id);
    let person = name(&context.environment);
    let decided = decide_from_cli(
        &decider,
        &id,
        verdict,
        &person,
        &args.reason,
        parts.clock.now(),
    )
    .await;
    let after = read(&store, &id).await;
    store.close().await;
    let outcome = decided.map_err(|refused| anyhow::anyhow!("{id} is as it was: {refused}"))?;
    let (proposal, decisions) = after?;
    if args.json {
        json(&document(&proposal, &decisions))?;
    } else {
        let counted = if outcome.required > 1 {
            format!(" ({} of {} approvals)", outcome.approvals, outcome.required)
        } else {
            String::new()
        };
        line(&format!(
            "{id} {}{counted}",
            wording::proposal_state(outcome.state)
        ));
        if outcome.run.is_some() {
            line(
                "any `unstuck serve` on this database carries it out; follow it with `unstuck runs list`",
            );
        }
    }
    Ok(Outcome::Done)
}

/// Ids are written in capitals.
fn proposal_id(text: &str) -> ProposalId {
    ProposalId::from(text.trim().to_ascii_uppercase())
}

async fn read(
    store: &Store,
    id: &ProposalId,
) -> anyhow::Result<(ProposalRecord, Vec<DecisionRecord>)> {
    let Some(proposal) = store.proposal(id).await? else {
        anyhow::bail!(
            "there is no proposal {id}; `unstuck proposals list` shows those of the last 90 days"
        );
    };
    let decisions = store.decisions(id).await?;
    Ok((proposal, decisions))
}

fn summary(proposal: &ProposalRecord) -> ProposalSummary {
    let id = Some(proposal.id.clone());
    ProposalSummary::new(
        id,
        proposal.revision,
        &proposal.plan,
        proposal.digest.clone(),
        proposal.state,
    )
}

fn document(proposal: &ProposalRecord, decisions: &[DecisionRecord]) -> Value {
    let decisions: Vec<Value> = decisions
        .iter()
        .map(|decision| {
            value!({
                "revision": decision.revision, "person": decision.person, "verdict": decision.verdict,
                "reason": decision.reason, "at": decision.at,
            })
        })
        .collect();
    value!({
        "proposal": summary(proposal), "plan": proposal.plan, "decisions": decisions,
        "created_at": proposal.created_at, "revised_at": proposal.revised_at, "expires_at": proposal.expires_at,
        "snoozed_until": proposal.snoozed_until, "decided_at": proposal.decided_at, "reason": proposal.reason,
    })
}
