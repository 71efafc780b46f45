//! `unstuck runs list|show`: what was done, step by step.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json as value};

use super::{
    Outcome,
    database::for_reading,
    output::{Context, json, line},
    render::{View, runs as render},
};
use crate::{
    app::Parts,
    domain::{
        DeviceId, Plan, PlaybookName, ProposalId, ProposalState, RepairId, RepairState, RunId,
    },
    executor::Progress,
    settings::Settings,
    store::{RepairRecord, RunRecord, StepRecord, Store},
    wording,
};

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// Every run, newest first
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One run, computer by computer and step by step
    Show {
        /// Id of the run, or of its proposal
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

impl RunsCommand {
    /// Whether stdout holds JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List { json } | Self::Show { json, .. } => *json,
        }
    }
}

/// One run of the list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunSummary {
    /// Its id.
    pub(super) id: RunId,
    /// Its proposal.
    pub(super) proposal_id: ProposalId,
    /// Its playbook.
    pub(super) playbook: PlaybookName,
    /// Its state.
    pub(super) state: ProposalState,
    /// Okta devices, sorted.
    pub(super) device_ids: Vec<DeviceId>,
    /// When it was approved.
    pub(super) started_at: DateTime<Utc>,
    /// When it ended.
    pub(super) finished_at: Option<DateTime<Utc>>,
}

/// One run with everything that was done.
#[derive(Debug)]
pub(super) struct Opened {
    /// The run.
    pub(super) run: RunSummary,
    /// Its plan, if the proposal is still kept.
    pub(super) plan: Option<Plan>,
    /// Its repairs, in the order of the plan.
    pub(super) repairs: Vec<RepairRecord>,
    /// Their journals.
    pub(super) steps: HashMap<RepairId, Vec<StepRecord>>,
}

/// Runs the command. Exit 1 if the run is not found.
pub(super) async fn run(context: &Context, command: RunsCommand) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    match command {
        RunsCommand::List { json } => list(&settings, json).await,
        RunsCommand::Show { id, json } => show(&settings, &id, json).await,
    }
}

async fn list(settings: &Settings, as_json: bool) -> anyhow::Result<Outcome> {
    let store = for_reading(settings).await?;
    let mut runs = Vec::new();
    for run in store.runs_since(DateTime::UNIX_EPOCH).await? {
        let repairs = store.repairs(&run.id).await?;
        runs.push(summary(&run, &repairs));
    }
    store.close().await;
    if as_json {
        json(&value!({ "runs": runs }))?;
    } else {
        line(&render::list(
            &runs,
            &View::here(Parts::of(settings).clock.now()),
        ));
    }
    Ok(Outcome::Done)
}

async fn show(settings: &Settings, id: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let store = for_reading(settings).await?;
    let opened = open(&store, id.trim()).await?;
    store.close().await;
    if as_json {
        json(&document(&opened))?;
    } else {
        line(&render::show(
            &opened,
            &View::here(Parts::of(settings).clock.now()),
        ));
    }
    Ok(Outcome::Done)
}

async fn open(store: &Store, id: &str) -> anyhow::Result<Opened> {
    let run = match store.run(&RunId::from(id)).await? {
        Some(run) => Some(run),
        None => {
            store
                .run_of_proposal(&ProposalId::from(id.to_ascii_uppercase()))
                .await?
        }
    };
    let Some(run) = run else {
        anyhow::bail!("there is no run {id}; `unstuck runs list` shows all");
    };
    let repairs = store.repairs(&run.id).await?;
    let mut steps: HashMap<RepairId, Vec<StepRecord>> = HashMap::new();
    for step in store.steps_of_run(&run.id).await? {
        steps.entry(step.repair.clone()).or_default().push(step);
    }
    let plan = store
        .proposal(&run.proposal)
        .await?
        .map(|proposal| proposal.plan);
    Ok(Opened {
        run: summary(&run, &repairs),
        plan,
        repairs,
        steps,
    })
}

fn summary(run: &RunRecord, repairs: &[RepairRecord]) -> RunSummary {
    let mut device_ids: Vec<DeviceId> = repairs
        .iter()
        .flat_map(|repair| &repair.subjects)
        .map(|subject| subject.device_id.clone())
        .collect();
    device_ids.sort();
    device_ids.dedup();
    RunSummary {
        id: run.id.clone(),
        proposal_id: run.proposal.clone(),
        playbook: run.playbook.clone(),
        state: run.state,
        device_ids,
        started_at: run.started_at,
        finished_at: run.finished_at,
    }
}

/// One entry per device-user, queued ones included. A step that has not begun is not in the journal.
fn document(opened: &Opened) -> Value {
    let mut devices = Vec::new();
    for repair in &opened.repairs {
        let steps: Vec<Value> = opened
            .steps
            .get(&repair.id)
            .into_iter()
            .flatten()
            .map(step)
            .collect();
        for subject in &repair.subjects {
            devices.push(value!({
                "device_id": subject.device_id, "user_id": subject.user_id, "state": repair.state.word(),
                "reason": reason(repair), "hops": progress(repair).hops, "steps": steps,
            }));
        }
    }
    value!({ "run": opened.run, "devices": devices })
}

fn step(step: &StepRecord) -> Value {
    value!({
        "id": step.step, "action": step.action, "state": step.state, "attempt": step.attempt,
        "inputs": step.inputs, "outputs": step.outputs, "requests": step.requests,
        "started_at": step.started_at, "finished_at": step.finished_at,
    })
}

/// The executor's word on the proof.
pub(super) fn progress(repair: &RepairRecord) -> Progress {
    serde_json::from_value(repair.hops.clone()).unwrap_or_default()
}

/// Why a repair stands where it stands, if there is more to say than its state.
pub(super) fn reason(repair: &RepairRecord) -> Option<String> {
    progress(repair).because.or_else(|| match &repair.state {
        RepairState::NeedsHuman { reason } | RepairState::Dropped { reason } => {
            Some(reason.clone())
        }
        RepairState::NotFixed { .. } | RepairState::Waiting { .. } => {
            Some(wording::repair_state(&repair.state))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::render::runs::tests::opened, *};

    #[test]
    fn the_document_lists_every_device_user_and_only_steps_that_began() {
        let document = document(&opened());
        assert_eq!(document["run"]["proposal_id"], "P-7F3K2Q");
        assert_eq!(document["devices"].as_array().unwrap().len(), 2);
        assert_eq!(document["devices"][0]["state"], "waiting");
        assert_eq!(
            document["devices"][0]["hops"][0]["hop"],
            "profile_delivered"
        );
        assert_eq!(document["devices"][0]["steps"][0]["id"], "push.1");
        assert_eq!(document["devices"][1]["state"], "queued");
        assert_eq!(document["devices"][1]["steps"], value!([]));
    }
}
