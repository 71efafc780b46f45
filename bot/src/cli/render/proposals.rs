//! Proposals as people read them: what, how many, how risky, in which steps, and whom it touches.

use std::fmt::Write;

use owo_colors::OwoColorize;

use super::{View, word};
use crate::{
    domain::{Affected, CertificateStore, ManagementStatus, PlannedRepair, Preconditions},
    store::{DecisionRecord, ProposalRecord, Verdict},
    wording,
    words::count,
};

/// Most computers that are shown one by one before only their names are.
const MOST_SHOWN: usize = 5;

/// One row per proposal.
pub(in crate::cli) fn list(proposals: &[ProposalRecord], view: &View) -> String {
    if proposals.is_empty() {
        return "no proposal in the last 90 days".into();
    }
    let rows = proposals
        .iter()
        .map(|proposal| {
            let until = match proposal.state.is_undecided() {
                true => format!(
                    "until {}",
                    view.time(proposal.snoozed_until.unwrap_or(proposal.expires_at))
                ),
                false => proposal
                    .decided_at
                    .map_or_else(String::new, |at| view.when(at)),
            };
            let mut cells = vec![
                proposal.id.to_string(),
                wording::proposal_state(proposal.state).to_owned(),
                until,
                proposal.plan.repairs.len().to_string(),
                proposal.cause.name().to_owned(),
            ];
            if view.is_wide() {
                cells.push(proposal.playbook.to_string());
            }
            cells
        })
        .collect();
    let header = [
        "proposal",
        "state",
        "when",
        "computers",
        "cause",
        "playbook",
    ];
    let columns = if view.is_wide() { 6 } else { 5 };
    view.table(&header[..columns], &[3], rows)
}

/// One proposal, whole.
pub(in crate::cli) fn show(
    proposal: &ProposalRecord,
    decisions: &[DecisionRecord],
    view: &View,
) -> String {
    let plan = &proposal.plan;
    let mut out = format!(
        "{} · {}: {}, risk {}\n\n",
        proposal.id.bold(),
        plan.title,
        count(plan.repairs.len(), "computer"),
        word(&plan.risk)
    );
    let mut field = |name: &str, text: String| {
        let _ = writeln!(out, "{}", view.hanging(&format!("  {name:<10} "), &text));
    };
    let groups: Vec<String> = plan
        .approval
        .groups
        .iter()
        .map(|group| format!("@{group}"))
        .collect();
    field("state", wording::proposal_state(proposal.state).to_owned());
    if let Some(reason) = &proposal.reason {
        field("because", reason.clone());
    }
    if proposal.state.is_undecided() {
        field(
            "decided by",
            format!(
                "{} of {}, until {}",
                plan.approval.required,
                groups.join(", "),
                view.time(proposal.expires_at)
            ),
        );
    }
    for decision in decisions {
        let verdict = match decision.verdict {
            Verdict::Approve => "approved",
            Verdict::Deny => "denied",
        };
        let reason = decision
            .reason
            .as_ref()
            .map_or(String::new(), |reason| format!(": {reason}"));
        field(
            verdict,
            format!(
                "by {} {}, revision {}{reason}",
                decision.person,
                view.when(decision.at),
                decision.revision
            ),
        );
    }
    field(
        "cause",
        format!("{} ({})", plan.cause.name(), plan.cause.title()),
    );
    field("playbook", plan.playbook.to_string());
    if proposal.batch_count > 1 {
        field(
            "batch",
            format!("{} of {}", proposal.batch_number, proposal.batch_count),
        );
    }
    field(
        "revision",
        format!(
            "{}, made {}",
            proposal.revision,
            view.when(proposal.revised_at)
        ),
    );
    let hops: Vec<&str> = plan
        .verify
        .hops
        .iter()
        .map(|hop| wording::hop(*hop))
        .collect();
    field("proved by", hops.join(", "));
    field("digest", proposal.digest.to_string());
    for repair in plan.repairs.iter().take(MOST_SHOWN) {
        let _ = write!(out, "\n{}", self::repair(repair, view));
    }
    let more: Vec<&str> = plan
        .repairs
        .iter()
        .skip(MOST_SHOWN)
        .map(|repair| repair.device_name.as_str())
        .collect();
    if !more.is_empty() {
        let text = format!("{} (each in --json)", more.join(", "));
        let _ = writeln!(
            out,
            "\n{}",
            view.hanging(&format!("  and {} more: ", more.len()), &text)
        );
    }
    out.trim_end().to_owned()
}

fn repair(repair: &PlannedRepair, view: &View) -> String {
    let logins: Vec<&str> = repair
        .subjects
        .iter()
        .map(|subject| subject.login.as_str())
        .collect();
    let mut out = format!(
        "  {}\n",
        format!("{} · {}", repair.device_name, logins.join(", ")).bold()
    );
    let mut field = |name: &str, text: String| {
        let _ = writeln!(out, "{}", view.hanging(&format!("    {name:<8} "), &text));
    };
    let serial = repair
        .serial_number
        .clone()
        .unwrap_or_else(|| "no serial number".into());
    let record = match (&repair.mdm, &repair.mdm_device_id) {
        (Some(mdm), Some(id)) => format!("{mdm} {id}"),
        _ => "no MDM record".into(),
    };
    field("is", format!("{serial}, {record}"));
    if let Some(rung) = &repair.rung {
        let removes = if rung.removes {
            "; takes the profile away for a while"
        } else {
            ""
        };
        field("way", format!("{}: {}{removes}", rung.name, rung.because));
    }
    for (index, step) in repair.steps.iter().enumerate() {
        let condition = step
            .condition
            .as_ref()
            .map_or(String::new(), |condition| format!(", if {condition}"));
        field(
            &format!("{:>3}.", index + 1),
            format!("{}{condition}", wording::step(&step.kind)),
        );
    }
    let affected: Vec<String> = repair.affected.iter().map(one_affected).collect();
    field("affects", affected.join(", "));
    field("only if", preconditions(&repair.preconditions));
    out
}

fn one_affected(affected: &Affected) -> String {
    let status = if affected.managed {
        "managed today"
    } else {
        "not managed"
    };
    format!("{} ({status})", affected.login)
}

fn preconditions(preconditions: &Preconditions) -> String {
    let mut parts = Vec::new();
    let not_managed = preconditions
        .management_status
        .iter()
        .all(|status| *status == ManagementStatus::NotManaged);
    parts.push(if not_managed {
        "still not managed".to_owned()
    } else {
        "management status as it was".to_owned()
    });
    if let Some(serial) = &preconditions.mdm_serial {
        parts.push(format!("serial number {serial} in the MDM"));
    }
    if let Some(profile) = &preconditions.profile {
        let state = preconditions
            .profile_state
            .as_ref()
            .map_or(String::new(), |state| format!(" still {state}"));
        parts.push(format!("profile {profile}{state}"));
    }
    match (&preconditions.certificate, preconditions.certificate_store) {
        (Some(certificate), Some(CertificateStore::User)) => {
            parts.push(format!("newest certificate {certificate} (user store)"))
        }
        (Some(certificate), _) => parts.push(format!("newest certificate {certificate}")),
        (None, _) => parts.push("still no certificate listed".into()),
    }
    parts.join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::testing::{plain, view};
    use super::*;

    /// A proposal for one Mac, from the JSON that the store keeps.
    pub(in crate::cli) fn proposal() -> ProposalRecord {
        let repair = json!({
            "hardware": "mdm:jamf:42", "device_name": "MBP-0114", "serial_number": "C02XL0GQJGH5", "mdm": "jamf",
            "mdm_kind": "jamf", "mdm_device_id": "42", "management_id": "m-42",
            "subjects": [{"device_id": "guo001", "user_id": "00u001", "login": "ann@acme.com", "email": null, "name": "Ann"}],
            "preconditions": {"management_status": ["NOT_MANAGED"], "device_status": ["ACTIVE"],
                "mdm_serial": "C02XL0GQJGH5", "profile": "17", "profile_state": "installed",
                "certificate": "3F:A1:00:17", "certificate_store": "user"},
            "rung": {"name": "jamf-hold-group", "because": "the profile is installed and its certificate expired", "removes": true},
            "steps": [
                {"id": "push.1", "step": "push", "action": "mdm.redeliver_profile", "condition": null,
                    "kind": {"type": "call", "with": {"call": "set_device_group", "mdm": "jamf", "group": "9",
                        "device": "42", "management_id": null, "present": true, "hold": true}}, "on_error": "fail"},
                {"id": "push.2", "step": "push", "action": "mdm.redeliver_profile", "condition": null,
                    "kind": {"type": "call", "with": {"call": "set_device_group", "mdm": "jamf", "group": "9",
                        "device": "42", "management_id": null, "present": false, "hold": true}}, "on_error": "fail"}
            ],
            "affected": [{"device_id": "guo001", "user_id": "00u001", "login": "ann@acme.com", "managed": false},
                {"device_id": "guo002", "user_id": "00u002", "login": "bob@acme.com", "managed": true}]
        });
        let plan = serde_json::from_value(json!({
            "playbook": "redeliver-scep-profile", "playbook_version": "00", "title": "Re-push the SCEP profile",
            "risk": "low", "cause": "cert_expired", "repairs": [repair],
            "rollout": {"waves": [{"count": 1}], "gate": "cert_present", "gate_within_seconds": 172_800,
                "pause_seconds": 900, "stop_when_failed": {"percent": 20}},
            "approval": {"required": 1, "groups": ["oncall"], "expires_seconds": 86_400,
                "valid_for_seconds": 604_800, "self_approval": false},
            "verify": {"hops": ["profile_delivered", "cert_present", "cert_bound", "managed"], "within_seconds": 864_000}
        }))
        .unwrap();
        let at = |text: &str| text.parse().unwrap();
        ProposalRecord {
            id: "P-7F3K2Q".into(),
            state: crate::domain::ProposalState::AwaitingApproval,
            revision: 2,
            digest: crate::domain::digest::digest(&plan),
            playbook: plan.playbook.clone(),
            cause: plan.cause,
            plan_text: serde_json::to_string(&plan).unwrap(),
            plan,
            evidence: json!({}),
            batch_number: 1,
            batch_count: 1,
            created_at: at("2026-11-23T10:02:00Z"),
            revised_at: at("2026-11-24T07:00:00Z"),
            expires_at: at("2026-11-25T07:00:00Z"),
            snoozed_until: None,
            snoozed_by: None,
            decided_at: None,
            reason: None,
        }
    }

    #[test]
    fn a_proposal_says_what_how_many_how_risky_and_whom_it_touches() {
        assert_snapshot!(plain(&show(&proposal(), &[], &view(80)), 80));
    }

    #[test]
    fn a_proposal_grows_with_the_terminal() {
        assert_snapshot!(plain(&show(&proposal(), &[], &view(120)), 120));
    }

    #[test]
    fn the_queue_fits_80_columns() {
        assert_snapshot!(plain(&list(&[proposal()], &view(80)), 80));
    }
}
