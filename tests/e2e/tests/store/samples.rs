//! Values that the claims are made of.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use unstuck::store::{
    Decision, LeaseProof, NewAuditEntry, NewMessage, NewProposal, NewRepair, NewRun, RepairRecord,
    RunRecord, Store, Together, Verdict, node_lease,
};
use unstuck_domain::{
    ApprovalRule, Cause, DeviceId, HardwareKey, Hop, MdmName, Plan, PlanDigest, PlannedSubject,
    PlaybookName, ProposalId, ProposalState, RepairId, Risk, Rollout, RunId, UserId, VerifyRule,
    WaveSize,
};

/// Minutes after a Monday morning, with milliseconds.
pub(super) fn minute(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_420_800_123).expect("a time of our era")
        + TimeDelta::minutes(minutes)
}

pub(super) fn plan() -> Plan {
    Plan {
        playbook: PlaybookName::from("redeliver-scep-profile"),
        playbook_version: "v1".into(),
        title: "Re-push the SCEP profile".into(),
        risk: Risk::Low,
        cause: Cause::CertExpired,
        repairs: Vec::new(),
        rollout: Rollout {
            waves: vec![WaveSize::Count(1), WaveSize::Percent(100)],
            gate: Hop::CertPresent,
            gate_within_seconds: 172_800,
            pause_seconds: 900,
            stop_when_failed: WaveSize::Percent(20),
        },
        approval: ApprovalRule {
            required: 1,
            groups: vec!["oncall".into()],
            expires_seconds: 86_400,
            valid_for_seconds: 604_800,
            self_approval: false,
        },
        verify: VerifyRule {
            hops: vec![Hop::CertPresent, Hop::Managed],
            within_seconds: 864_000,
        },
    }
}

pub(super) fn new_proposal(id: &str) -> NewProposal {
    let plan = plan();
    NewProposal {
        id: ProposalId::from(id),
        // A space that no serialiser would write: the text must come back byte for byte.
        plan_text: serde_json::to_string(&plan)
            .expect("a plan is JSON")
            .replacen(':', ": ", 1),
        plan,
        digest: PlanDigest::from("digest-1"),
        evidence: json!({ "cert": "expired" }),
        batch_number: 1,
        batch_count: 17,
        created_at: minute(0),
        expires_at: minute(1440),
    }
}

pub(super) fn message(key: &str, revision: i64) -> NewMessage {
    NewMessage {
        key: key.into(),
        kind: "card".into(),
        recipient: "channel:C01".into(),
        thread: None,
        payload: json!({ "revision": revision }),
        revision,
        at: minute(0),
        due_at: minute(revision),
    }
}

pub(super) fn entry(about: &str) -> NewAuditEntry {
    NewAuditEntry {
        kind: "sample".into(),
        about: about.into(),
        at: minute(0),
        payload: json!({ "about": about }),
    }
}

pub(super) fn approval(id: &str, person: &str) -> Decision {
    Decision {
        proposal: ProposalId::from(id),
        revision: 1,
        digest: PlanDigest::from("digest-1"),
        person: person.into(),
        verdict: Verdict::Approve,
        reason: None,
        at: minute(10),
        denials: Vec::new(),
    }
}

pub(super) fn new_run(proposal: &str, computers: &[&str]) -> NewRun {
    NewRun {
        id: RunId::from(format!("R-{proposal}")),
        proposal: ProposalId::from(proposal),
        playbook: PlaybookName::from("redeliver-scep-profile"),
        cause: Cause::CertExpired,
        repairs: computers
            .iter()
            .map(|computer| NewRepair {
                id: RepairId::from(format!("{proposal}-{computer}")),
                hardware: HardwareKey::of_serial(computer),
                mdm: Some(MdmName::from("jamf")),
                subjects: vec![subject(computer)],
            })
            .collect(),
        at: minute(10),
        valid_until: minute(10_000),
    }
}

pub(super) fn subject(computer: &str) -> PlannedSubject {
    PlannedSubject {
        device_id: DeviceId::from(format!("guo-{computer}")),
        user_id: UserId::from(format!("00u-{computer}")),
        login: format!("{computer}@example.com"),
        email: None,
        name: None,
    }
}

pub(super) fn hops() -> Value {
    json!([{ "hop": "cert_present", "state": "waiting" }])
}

pub(super) async fn node(store: &Store, name: &str) -> LeaseProof {
    store
        .acquire_lease(&node_lease(name), name)
        .await
        .expect("the store answers")
        .expect("the lease is free")
}

/// An approved proposal with its run, claimed by `node`.
pub(super) async fn claimed_run(
    store: &Store,
    node: &LeaseProof,
    proposal: &str,
    computers: &[&str],
) -> RunRecord {
    let inserted = store
        .insert_proposal(&new_proposal(proposal), Together::default())
        .await;
    assert!(inserted.expect("the store answers"));
    let run = new_run(proposal, computers);
    store
        .record_decision(
            &approval(proposal, "user:U1"),
            Some(&run),
            Together::default(),
            |_| ProposalState::Approved,
        )
        .await
        .expect("the store answers");
    let claimed = store.claim_runs(node).await.expect("the store answers");
    claimed
        .into_iter()
        .find(|claimed| claimed.id == run.id)
        .expect("the run is claimed")
}

pub(super) async fn repair(store: &Store, id: &str) -> RepairRecord {
    store
        .repair(&RepairId::from(id))
        .await
        .expect("the store answers")
        .expect("the repair is there")
}
