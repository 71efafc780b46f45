//! Puts the document of a sweep together.

use chrono::{DateTime, Utc};

use super::{Sweeper, usage};
use crate::{
    domain::{
        EventClass, ProposalState, decide::Decided, digest, fleet_gate::Phase,
        guard::ProposalChange,
    },
    observer::Observed,
    report::{FleetFinding, ProposalSummary, SweepDocument, SweepHead},
};

impl Sweeper {
    pub(super) async fn document(
        &self,
        id: &str,
        started_at: DateTime<Utc>,
        dry_run: bool,
        observed: &Observed,
        decided: Decided,
    ) -> anyhow::Result<SweepDocument> {
        // Every undecided proposal, old and new; in a dry run the new ones have no id.
        let mut proposals: Vec<ProposalSummary> = self
            .store
            .undecided_proposals()
            .await?
            .into_iter()
            .map(|one| {
                ProposalSummary::new(Some(one.id), one.revision, &one.plan, one.digest, one.state)
            })
            .collect();
        if dry_run {
            for change in &decided.guard.changes {
                let (plan, revision) = match change {
                    ProposalChange::Open { plan } => (plan, 1),
                    ProposalChange::Revise { plan, revision, .. } => (plan, *revision),
                    ProposalChange::Keep { .. } => continue,
                };
                let digest = digest::digest(plan);
                proposals.push(ProposalSummary::new(
                    None,
                    revision,
                    plan,
                    digest,
                    ProposalState::DryRun,
                ));
            }
        }
        proposals.sort_by(|a, b| (&a.devices, &a.playbook).cmp(&(&b.devices, &b.playbook)));
        Ok(SweepDocument {
            sweep: SweepHead {
                id: id.into(),
                started_at,
                finished_at: self.clock.now(),
                complete: observed.incomplete.is_empty(),
                incomplete: observed.incomplete.clone(),
                dry_run,
                log_covers_from: observed
                    .observations
                    .log
                    .coverage(EventClass::CertificateIssued)
                    .covered_from,
            },
            counts: decided.counts,
            findings: decided.findings,
            unlinked: decided.unlinked,
            upcoming: decided.upcoming,
            fleet_findings: decided
                .fleet
                .findings
                .iter()
                .filter(|finding| finding.phase != Phase::Closed)
                .map(FleetFinding::new)
                .collect(),
            proposals,
            api: usage(&self.observer),
        })
    }
}
