//! Proposals and decisions: only a decision on what is on the card counts.

use unstuck::store::{Decision, DecisionOutcome, Denial, NewRevision, Store, Together, Verdict};
use unstuck_domain::{PlanDigest, ProposalId, ProposalState, RunId};

use super::database::on_each;
use super::samples::{approval, entry, message, minute, new_proposal, new_run, plan};

fn id() -> ProposalId {
    ProposalId::from("P-1")
}

fn revision(replaces: u32) -> NewRevision {
    NewRevision {
        id: id(),
        replaces,
        plan_text: serde_json::to_string(&plan()).expect("a plan is JSON"),
        digest: PlanDigest::from("digest-2"),
        evidence: serde_json::json!({}),
        at: minute(20),
        expires_at: minute(2_000),
    }
}

async fn decide(store: &Store, decision: &Decision, state: ProposalState) -> DecisionOutcome {
    let audit = [entry("P-1")];
    let together = Together {
        audit: &audit,
        ..Together::default()
    };
    store
        .record_decision(decision, None, together, |_| state)
        .await
        .expect("the store answers")
}

async fn propose(store: &Store) {
    let inserted = store
        .insert_proposal(&new_proposal("P-1"), Together::default())
        .await;
    assert!(inserted.expect("the store answers"));
}

#[tokio::test]
async fn a_proposal_reads_back_byte_for_byte_with_its_card() {
    on_each(async |db| {
        let store = &db.store;
        let new = new_proposal("P-1");
        let (messages, audit) = ([message("proposal:P-1", 1)], [entry("P-1")]);
        let together = Together {
            messages: &messages,
            audit: &audit,
        };
        assert!(store.insert_proposal(&new, together).await.unwrap());
        assert!(!store.insert_proposal(&new, together).await.unwrap());
        let stored = store.proposal(&new.id).await.unwrap().unwrap();
        assert_eq!(stored.plan_text, new.plan_text);
        assert_eq!(
            (&stored.plan, &stored.digest, &stored.evidence),
            (&new.plan, &new.digest, &new.evidence)
        );
        assert_eq!(
            (stored.state, stored.revision),
            (ProposalState::AwaitingApproval, 1)
        );
        assert_eq!(
            (stored.created_at, stored.expires_at),
            (new.created_at, new.expires_at)
        );
        assert_eq!((stored.batch_number, stored.batch_count), (1, 17));
        assert!(store.message("proposal:P-1").await.unwrap().is_some());
        assert_eq!(store.audit_about("P-1").await.unwrap().len(), 1);
        let only = std::slice::from_ref(&stored);
        assert_eq!(store.undecided_proposals().await.unwrap(), only);
        assert_eq!(store.proposals_since(minute(0)).await.unwrap(), only);
        assert_eq!(store.proposals_since(minute(1)).await.unwrap(), []);
        assert_eq!(store.open_proposals().await.unwrap(), []);
        assert_eq!(
            store.proposal(&ProposalId::from("P-2")).await.unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_decision_on_an_old_revision_changes_nothing() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        assert!(
            store
                .revise_proposal(&revision(1), Together::default())
                .await
                .unwrap()
        );
        assert!(
            !store
                .revise_proposal(&revision(1), Together::default())
                .await
                .unwrap()
        );
        let before = store.proposal(&id()).await.unwrap();
        let outcome = decide(store, &approval("P-1", "user:U1"), ProposalState::Approved).await;
        assert_eq!(outcome, DecisionOutcome::Stale { revision: 2 });
        assert_eq!(store.proposal(&id()).await.unwrap(), before);
        assert_eq!(store.decisions(&id()).await.unwrap(), []);
        assert_eq!(store.audit_about("P-1").await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_decision_on_another_digest_changes_nothing() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        let forged = Decision {
            digest: PlanDigest::from("other"),
            ..approval("P-1", "user:U1")
        };
        let outcome = decide(store, &forged, ProposalState::Approved).await;
        assert_eq!(outcome, DecisionOutcome::Stale { revision: 1 });
        assert_eq!(store.decisions(&id()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn each_person_counts_once_per_revision() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        let first = decide(
            store,
            &approval("P-1", "user:U1"),
            ProposalState::PartlyApproved,
        )
        .await;
        assert_eq!(
            first,
            DecisionOutcome::Recorded {
                state: ProposalState::PartlyApproved
            }
        );
        let again = decide(store, &approval("P-1", "user:U1"), ProposalState::Approved).await;
        assert_eq!(again, DecisionOutcome::AlreadyCounted);
        assert_eq!(
            store.proposal(&id()).await.unwrap().unwrap().state,
            ProposalState::PartlyApproved
        );

        assert!(
            store
                .revise_proposal(&revision(1), Together::default())
                .await
                .unwrap()
        );
        let proposal = store.proposal(&id()).await.unwrap().unwrap();
        assert_eq!(
            (proposal.state, proposal.revision),
            (ProposalState::AwaitingApproval, 2)
        );
        let on_second = Decision {
            revision: 2,
            digest: PlanDigest::from("digest-2"),
            ..approval("P-1", "user:U1")
        };
        let seen = std::sync::Mutex::new(0);
        let outcome = store
            .record_decision(&on_second, None, Together::default(), |decisions| {
                *seen.lock().unwrap() = decisions.len();
                ProposalState::Approved
            })
            .await
            .unwrap();
        assert_eq!(
            outcome,
            DecisionOutcome::Recorded {
                state: ProposalState::Approved
            }
        );
        assert_eq!(
            seen.into_inner().unwrap(),
            1,
            "approvals of the old revision do not count"
        );
        assert_eq!(store.decisions(&id()).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn of_two_decisions_at_once_one_decides() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        let (one, two) = (approval("P-1", "user:U1"), approval("P-1", "user:U2"));
        let (one, two) = tokio::join!(
            decide(store, &one, ProposalState::Approved),
            decide(store, &two, ProposalState::Approved)
        );
        let recorded = DecisionOutcome::Recorded {
            state: ProposalState::Approved,
        };
        let refused = DecisionOutcome::AlreadyDecided {
            state: ProposalState::Approved,
        };
        assert!(
            [(&recorded, &refused), (&refused, &recorded)].contains(&(&one, &two)),
            "{one:?} {two:?}"
        );
        assert_eq!(store.decisions(&id()).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_late_decision_and_one_on_nothing_are_told_so() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        let late = Decision {
            at: minute(1440),
            ..approval("P-1", "user:U1")
        };
        assert_eq!(
            decide(store, &late, ProposalState::Approved).await,
            DecisionOutcome::Expired
        );
        let unknown = approval("P-2", "user:U1");
        assert_eq!(
            decide(store, &unknown, ProposalState::Approved).await,
            DecisionOutcome::NotFound
        );
        assert_eq!(store.audit_about("P-1").await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn approval_and_run_are_one_transaction() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        let run = new_run("P-1", &["a", "b"]);
        let partly = approval("P-1", "user:U1");
        store
            .record_decision(&partly, Some(&run), Together::default(), |_| {
                ProposalState::PartlyApproved
            })
            .await
            .unwrap();
        assert_eq!(store.run(&run.id).await.unwrap(), None);
        assert!(
            !store.create_run(&run, Together::default()).await.unwrap(),
            "not approved yet"
        );
        store
            .record_decision(
                &approval("P-1", "user:U2"),
                Some(&run),
                Together::default(),
                |_| ProposalState::Approved,
            )
            .await
            .unwrap();
        assert_eq!(
            store.run_of_proposal(&id()).await.unwrap().unwrap().id,
            run.id
        );
        assert_eq!(store.repairs(&run.id).await.unwrap().len(), 2);
        assert_eq!(store.open_proposals().await.unwrap().len(), 1);
        assert!(
            !store.create_run(&run, Together::default()).await.unwrap(),
            "it has one"
        );
    })
    .await;
}

#[tokio::test]
async fn an_approved_proposal_gets_one_run() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        decide(
            store,
            &approval("P-1", "policy:redeliver-scep-profile"),
            ProposalState::Approved,
        )
        .await;
        let run = new_run("P-1", &["a"]);
        assert!(store.create_run(&run, Together::default()).await.unwrap());
        assert!(!store.create_run(&run, Together::default()).await.unwrap());
        assert_eq!(
            store
                .run(&RunId::from("R-P-1"))
                .await
                .unwrap()
                .unwrap()
                .state,
            ProposalState::Approved
        );
    })
    .await;
}

#[tokio::test]
async fn a_denial_is_remembered_until_its_time() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        let denial = |key: &str, until| Denial {
            key: key.into(),
            proposal_id: "P-1".into(),
            denied_by: "user:U1".into(),
            denied_at: minute(10),
            until,
            evidence_hash: Some("h1".into()),
            reason: Some("on leave".into()),
        };
        let decision = Decision {
            verdict: Verdict::Deny,
            reason: Some("on leave".into()),
            denials: vec![denial("a", Some(minute(100))), denial("b", None)],
            ..approval("P-1", "user:U1")
        };
        decide(store, &decision, ProposalState::Denied).await;
        let proposal = store.proposal(&id()).await.unwrap().unwrap();
        assert_eq!(
            (proposal.state, proposal.reason.as_deref()),
            (ProposalState::Denied, Some("on leave"))
        );
        assert_eq!(proposal.decided_at, Some(minute(10)));
        assert_eq!(
            store.denials(minute(99)).await.unwrap(),
            [denial("a", Some(minute(100))), denial("b", None)]
        );
        assert_eq!(
            store.denials(minute(100)).await.unwrap(),
            [denial("b", None)]
        );
        assert!(store.lift_denial("b", Together::default()).await.unwrap());
        assert!(!store.lift_denial("b", Together::default()).await.unwrap());
        assert_eq!(store.denials(minute(100)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_snoozed_proposal_wakes_with_its_approvals() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        assert_eq!(store.next_proposal_due().await.unwrap(), Some(minute(1440)));
        decide(
            store,
            &approval("P-1", "user:U1"),
            ProposalState::PartlyApproved,
        )
        .await;
        assert!(
            !store
                .snooze_proposal(&id(), 2, minute(60), "user:U1", Together::default())
                .await
                .unwrap()
        );
        assert!(
            store
                .snooze_proposal(&id(), 1, minute(60), "user:U1", Together::default())
                .await
                .unwrap()
        );
        assert_eq!(store.next_proposal_due().await.unwrap(), Some(minute(60)));
        assert_eq!(store.proposals_due(minute(59)).await.unwrap(), []);
        assert_eq!(store.proposals_due(minute(60)).await.unwrap().len(), 1);
        assert!(
            store
                .wake_proposal(&id(), Together::default())
                .await
                .unwrap()
        );
        assert!(
            !store
                .wake_proposal(&id(), Together::default())
                .await
                .unwrap()
        );
        let proposal = store.proposal(&id()).await.unwrap().unwrap();
        assert_eq!(
            (proposal.state, proposal.snoozed_until),
            (ProposalState::PartlyApproved, None)
        );
        assert_eq!(proposal.snoozed_by.as_deref(), Some("user:U1"));
    })
    .await;
}

#[tokio::test]
async fn a_decided_proposal_neither_expires_nor_changes() {
    on_each(async |db| {
        let store = &db.store;
        propose(store).await;
        assert_eq!(store.proposals_due(minute(1440)).await.unwrap().len(), 1);
        decide(store, &approval("P-1", "user:U1"), ProposalState::Approved).await;
        assert_eq!(store.proposals_due(minute(1440)).await.unwrap(), []);
        let none = Together::default();
        assert!(
            !store
                .close_proposal(&id(), 1, ProposalState::Expired, "late", minute(1440), none)
                .await
                .unwrap()
        );
        assert!(!store.revise_proposal(&revision(1), none).await.unwrap());
        assert!(
            !store
                .snooze_proposal(&id(), 1, minute(60), "user:U1", none)
                .await
                .unwrap()
        );

        assert!(
            store
                .insert_proposal(&new_proposal("P-2"), none)
                .await
                .unwrap()
        );
        let second = ProposalId::from("P-2");
        assert!(
            !store
                .close_proposal(
                    &second,
                    2,
                    ProposalState::Expired,
                    "late",
                    minute(1440),
                    none
                )
                .await
                .unwrap()
        );
        assert!(
            store
                .close_proposal(
                    &second,
                    1,
                    ProposalState::Expired,
                    "late",
                    minute(1440),
                    none
                )
                .await
                .unwrap()
        );
        assert_eq!(
            store.proposal(&second).await.unwrap().unwrap().state,
            ProposalState::Expired
        );
    })
    .await;
}
