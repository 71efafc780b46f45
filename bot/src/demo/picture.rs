//! What the bot's store says at one moment. Story, funnel and judgement are functions of it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use crate::{
    domain::{DeviceId, Finding, PlannedRepair, ProposalId, RepairState, RunId, UserId},
    executor::Progress,
    report::SweepDocument,
    store::{DecisionRecord, ProposalRecord, RepairRecord, RunRecord, Store},
};

/// The store at one moment.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Picture {
    /// The last sweep's document.
    pub(super) sweep: Option<Arc<SweepDocument>>,
    /// The one that runs now.
    pub(super) sweeping: Option<String>,
    /// Every proposal, oldest first.
    pub(super) proposals: Vec<ProposalRecord>,
    /// Decisions on them.
    pub(super) decisions: HashMap<ProposalId, Vec<DecisionRecord>>,
    /// Every run, oldest first.
    pub(super) runs: Vec<RunRecord>,
    /// Every repair.
    pub(super) repairs: Vec<RepairRecord>,
}

/// A repair with the plan it follows.
#[derive(Clone, Copy)]
pub(super) struct Planned<'a> {
    /// As it stands.
    pub(super) record: &'a RepairRecord,
    /// As it was approved.
    pub(super) plan: &'a PlannedRepair,
    /// What its proposal does, for people.
    pub(super) title: &'a str,
    /// Its run.
    pub(super) run: &'a RunRecord,
}

impl Picture {
    /// Reads everything that may have changed since `before`.
    pub(super) async fn read(store: &Store, before: &Self) -> anyhow::Result<Self> {
        let long_ago = DateTime::<Utc>::UNIX_EPOCH;
        let sweep = match store.last_sweep().await? {
            None => None,
            Some(record) => match before
                .sweep
                .as_ref()
                .filter(|sweep| sweep.sweep.id == record.id)
            {
                Some(known) => Some(Arc::clone(known)),
                None => record
                    .document
                    .map(serde_json::from_value)
                    .transpose()?
                    .map(Arc::new),
            },
        };
        let mut proposals = store.proposals_since(long_ago).await?;
        proposals.reverse();
        let mut decisions = HashMap::new();
        for proposal in &proposals {
            decisions.insert(proposal.id.clone(), store.decisions(&proposal.id).await?);
        }
        let mut runs = store.runs_since(long_ago).await?;
        runs.reverse();
        let mut repairs = Vec::new();
        for run in &runs {
            repairs.extend(store.repairs(&run.id).await?);
        }
        Ok(Self {
            sweep,
            sweeping: store.running_sweep().await?.map(|sweep| sweep.id),
            proposals,
            decisions,
            runs,
            repairs,
        })
    }

    /// Findings of the last sweep.
    pub(super) fn findings(&self) -> &[Finding] {
        self.sweep.as_ref().map_or(&[], |sweep| &sweep.findings)
    }

    /// One proposal.
    pub(super) fn proposal(&self, id: &ProposalId) -> Option<&ProposalRecord> {
        self.proposals.iter().find(|proposal| proposal.id == *id)
    }

    fn run(&self, id: &RunId) -> Option<&RunRecord> {
        self.runs.iter().find(|run| run.id == *id)
    }

    /// A repair with its plan.
    pub(super) fn planned<'a>(&'a self, record: &'a RepairRecord) -> Option<Planned<'a>> {
        let run = self.run(&record.run)?;
        let proposal = self.proposal(&run.proposal)?;
        let plan = proposal.plan.repairs.get(record.position)?;
        Some(Planned {
            record,
            plan,
            title: &proposal.plan.title,
            run,
        })
    }

    /// Every repair with its plan.
    pub(super) fn all_planned(&self) -> impl Iterator<Item = Planned<'_>> {
        self.repairs
            .iter()
            .filter_map(|record| self.planned(record))
    }

    /// The newest repair of a device-user.
    pub(super) fn repair_of(&self, device: &DeviceId, user: &UserId) -> Option<&RepairRecord> {
        self.repairs.iter().rev().find(|repair| {
            repair
                .subjects
                .iter()
                .any(|subject| subject.device_id == *device && subject.user_id == *user)
        })
    }

    /// How many repairs stand like this.
    pub(super) fn count(&self, stands: impl Fn(&RepairState) -> bool) -> usize {
        self.repairs
            .iter()
            .filter(|repair| stands(&repair.state))
            .count()
    }

    /// Computers in proposals of which `which` holds.
    pub(super) fn computers(&self, which: impl Fn(&ProposalRecord) -> bool) -> usize {
        let proposals = self.proposals.iter().filter(|proposal| which(proposal));
        let hardware: HashSet<&str> = proposals
            .flat_map(|one| &one.plan.repairs)
            .map(|repair| repair.hardware.as_str())
            .collect();
        hardware.len()
    }
}

/// The executor's word on a repair's proof.
pub(super) fn progress(record: &RepairRecord) -> Progress {
    serde_json::from_value(record.hops.clone()).unwrap_or_default()
}
