//! Runs as people read them: one block per computer with its state, its proof and its steps.

use std::fmt::Write;

use owo_colors::OwoColorize;

use super::View;
use crate::{
    cli::runs::{Opened, RunSummary, progress, reason},
    domain::{RepairState, StepState, verify::HopState},
    store::{RepairRecord, StepRecord},
    wording,
    words::count,
};

/// One row per run.
pub(in crate::cli) fn list(runs: &[RunSummary], view: &View) -> String {
    if runs.is_empty() {
        return "no run yet; a run begins when a proposal is approved".into();
    }
    let rows = runs
        .iter()
        .map(|run| {
            let mut cells = vec![
                run.proposal_id.to_string(),
                wording::proposal_state(run.state).to_owned(),
                run.device_ids.len().to_string(),
                view.when(run.started_at),
                run.finished_at
                    .map_or_else(|| "open".to_owned(), |at| view.when(at)),
                run.playbook.to_string(),
            ];
            // A run is found by its proposal too.
            if view.is_wide() {
                cells.push(run.id.to_string());
            }
            cells
        })
        .collect();
    let header = [
        "proposal", "state", "devices", "approved", "ended", "playbook", "run",
    ];
    let columns = if view.is_wide() { 7 } else { 6 };
    view.table(&header[..columns], &[2], rows)
}

/// One run, whole.
pub(in crate::cli) fn show(opened: &Opened, view: &View) -> String {
    let run = &opened.run;
    let ended = run
        .finished_at
        .map_or_else(String::new, |at| format!(", ended {}", view.when(at)));
    let head = format!(
        "{}: {} for {}, {}, approved {}{ended}",
        run.proposal_id,
        run.playbook,
        count(opened.repairs.len(), "computer"),
        wording::proposal_state(run.state),
        view.when(run.started_at)
    );
    let mut out = super::super::output::wrap(&head, view.width);
    let _ = write!(out, "\nrun {}", run.id);
    let rows = opened
        .repairs
        .iter()
        .map(|repair| {
            vec![
                name(opened, repair),
                wording::repair_state(&repair.state),
                proof(repair),
            ]
        })
        .collect();
    let _ = write!(
        out,
        "\n\n{}",
        view.table(&["computer", "state", "proof"], &[], rows)
    );
    for repair in &opened.repairs {
        let block = steps(opened, repair, view);
        if !block.is_empty() {
            let _ = write!(out, "\n\n{block}");
        }
    }
    out
}

fn name(opened: &Opened, repair: &RepairRecord) -> String {
    let planned = opened
        .plan
        .as_ref()
        .and_then(|plan| plan.repairs.get(repair.position));
    let device = planned.map_or_else(
        || repair.hardware.to_string(),
        |planned| planned.device_name.clone(),
    );
    let logins: Vec<&str> = repair
        .subjects
        .iter()
        .map(|subject| subject.login.as_str())
        .collect();
    format!("{device} · {}", logins.join(", "))
}

fn proof(repair: &RepairRecord) -> String {
    let hops = progress(repair).hops;
    if hops.is_empty() {
        return "not begun".into();
    }
    let parts: Vec<String> = hops
        .iter()
        .map(|record| {
            let state = match &record.state {
                HopState::Proved { .. } => "ok",
                HopState::Open => "open",
                HopState::NotProvableHere => "not provable here",
            };
            format!("{} {state}", wording::hop_word(record.hop))
        })
        .collect();
    parts.join(", ")
}

fn steps(opened: &Opened, repair: &RepairRecord, view: &View) -> String {
    let planned = opened
        .plan
        .as_ref()
        .and_then(|plan| plan.repairs.get(repair.position));
    let done: &[StepRecord] = opened.steps.get(&repair.id).map_or(&[], Vec::as_slice);
    if done.is_empty() && planned.is_none() {
        return String::new();
    }
    let mut out = format!("  {}", name(opened, repair).bold());
    if let Some(reason) = reason(repair) {
        let _ = write!(out, "\n{}", view.hanging("    because  ", &reason));
    }
    let what = |step: &StepRecord| {
        planned
            .and_then(|planned| planned.steps.iter().find(|one| one.id == step.step))
            .map_or_else(|| step.action.clone(), |one| wording::step(&one.kind))
    };
    for step in done {
        let again = if step.attempt > 1 {
            format!(", attempt {}", step.attempt)
        } else {
            String::new()
        };
        let at = view.when(step.finished_at.unwrap_or(step.started_at));
        let first = format!("    {:<9} {:<10} ", step.state.word(), step.step.as_str());
        let _ = write!(
            out,
            "\n{}",
            view.hanging(&first, &format!("{} ({at}{again})", what(step)))
        );
    }
    // What an ended repair did not do, it will not do.
    if !repair.state.is_end()
        && !matches!(
            repair.state,
            RepairState::Waiting {
                on: crate::domain::WaitingOn::Hop { .. },
                ..
            }
        )
    {
        let ahead = planned.map_or(&[][..], |planned| planned.steps.as_slice());
        for step in ahead
            .iter()
            .filter(|step| !done.iter().any(|one| one.step == step.id))
        {
            let first = format!(
                "    {:<9} {:<10} ",
                StepState::Planned.word(),
                step.id.as_str()
            );
            let _ = write!(
                out,
                "\n{}",
                view.hanging(&first, &wording::step(&step.kind))
            );
        }
    }
    out
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::{
        proposals::tests::proposal,
        testing::{plain, view},
    };
    use super::*;
    use crate::domain::{ProposalState, RepairId};

    /// A run of two computers: one waits for its owner, one is queued.
    pub(in crate::cli) fn opened() -> Opened {
        let mut plan = proposal().plan;
        let mut second = plan.repairs[0].clone();
        second.device_name = "MBP-0200".into();
        second.subjects[0].device_id = "guo900".into();
        second.subjects[0].login = "cleo@acme.com".into();
        plan.repairs.push(second);
        let at = |text: &str| text.parse().unwrap();
        let repair =
            |position: usize, state: serde_json::Value, hops: serde_json::Value| RepairRecord {
                id: RepairId::from(format!("r{position}")),
                run: "run-1".into(),
                position,
                hardware: plan.repairs[position].hardware.clone(),
                mdm: plan.repairs[position].mdm.clone(),
                subjects: plan.repairs[position].subjects.clone(),
                state: serde_json::from_value(state).unwrap(),
                hops,
                version: 1,
                next_look_at: None,
                started_at: (position == 0).then(|| at("2026-11-24T08:00:00Z")),
                finished_at: None,
            };
        let waiting = json!({"state": "waiting", "on": {"on": "hop", "hop": "cert_bound"}, "deadline": "2026-12-04T08:00:00Z"});
        let proved = json!({"hops": [
            {"hop": "profile_delivered", "hop_state": "proved", "at": "2026-11-24T08:20:00Z"},
            {"hop": "cert_present", "hop_state": "not_provable_here"},
            {"hop": "cert_bound", "hop_state": "open"}, {"hop": "managed", "hop_state": "open"}]});
        let repairs = vec![
            repair(0, waiting, proved),
            repair(1, json!({"state": "queued"}), json!({})),
        ];
        let step = |id: &str, minute: u32| StepRecord {
            repair: "r0".into(),
            step: id.into(),
            attempt: 1,
            action: "mdm.redeliver_profile".into(),
            state: StepState::Succeeded,
            inputs: json!({}),
            outputs: None,
            requests: None,
            started_at: at(&format!("2026-11-24T08:{minute:02}:00Z")),
            finished_at: Some(at(&format!("2026-11-24T08:{:02}:30Z", minute))),
        };
        Opened {
            run: RunSummary {
                id: "run-1".into(),
                proposal_id: "P-7F3K2Q".into(),
                playbook: plan.playbook.clone(),
                state: ProposalState::Running,
                device_ids: vec!["guo001".into(), "guo900".into()],
                started_at: at("2026-11-24T07:59:00Z"),
                finished_at: None,
            },
            repairs,
            steps: [("r0".into(), vec![step("push.1", 1), step("push.2", 10)])].into(),
            plan: Some(plan),
        }
    }

    #[test]
    fn a_run_shows_each_computer_with_its_proof_and_steps() {
        assert_snapshot!(plain(&show(&opened(), &view(80)), 80));
    }

    #[test]
    fn a_run_grows_with_the_terminal() {
        assert_snapshot!(plain(&show(&opened(), &view(120)), 120));
    }

    #[test]
    fn the_list_fits_80_columns() {
        assert_snapshot!(plain(&list(&[opened().run], &view(80)), 80));
    }
}
