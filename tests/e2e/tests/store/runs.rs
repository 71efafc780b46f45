//! Runs: only their owner goes on with them.

use unstuck::store::{
    RepairChange, RepairRecord, RunStateChange, StoreError, Together, node_lease,
};
use unstuck_domain::{ProposalState, RepairId, RepairState, RunId, SourceTimes};

use super::database::on_each;
use super::samples::{claimed_run, hops, minute, node, repair};

fn change(repair: &RepairRecord, state: RepairState) -> RepairChange {
    RepairChange::new(repair.id.clone(), repair.version, state, hops(), minute(20))
}

#[tokio::test]
async fn a_run_reads_back_with_queued_repairs_in_the_order_of_the_plan() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        let run = claimed_run(store, &proof, "P-1", &["b", "a"]).await;
        assert_eq!(
            (run.state, run.owner.as_deref(), run.wave),
            (ProposalState::Approved, Some("a"), 0)
        );
        let repairs = store.repairs(&run.id).await.unwrap();
        assert_eq!(
            repairs
                .iter()
                .map(|repair| repair.id.as_str())
                .collect::<Vec<_>>(),
            ["P-1-b", "P-1-a"]
        );
        assert!(
            repairs
                .iter()
                .all(|repair| repair.state == RepairState::Queued && repair.next_look_at.is_none())
        );
        assert_eq!(store.open_repairs().await.unwrap(), repairs);
        let only = std::slice::from_ref(&run);
        assert_eq!(store.open_runs().await.unwrap(), only);
        assert_eq!(store.runs_since(minute(10)).await.unwrap(), only);
        assert_eq!(store.runs_since(minute(11)).await.unwrap(), []);
        assert_eq!(store.run(&RunId::from("R-0")).await.unwrap(), None);
        assert_eq!(store.repair(&RepairId::from("0")).await.unwrap(), None);
        let times = SourceTimes {
            began: [("okta".to_owned(), minute(11))].into(),
        };
        assert!(
            store
                .set_source_times(&proof, &run.id, &times)
                .await
                .unwrap()
        );
        assert_eq!(
            store.run(&run.id).await.unwrap().unwrap().source_times,
            times
        );
    })
    .await;
}

#[tokio::test]
async fn a_run_is_claimed_by_one_node_until_its_lease_ends() {
    on_each(async |db| {
        let store = &db.store;
        let (a, b) = (node(store, "a").await, node(store, "b").await);
        let run = claimed_run(store, &a, "P-1", &["a"]).await;
        assert_eq!(store.claim_runs(&b).await.unwrap(), []);
        let seen = store
            .observe_lease(&node_lease("a"))
            .await
            .unwrap()
            .unwrap();
        assert!(store.end_lease(&seen).await.unwrap());
        let claimed = store.claim_runs(&b).await.unwrap();
        assert_eq!(
            (&claimed[0].id, claimed[0].owner.as_deref()),
            (&run.id, Some("b"))
        );

        let before = repair(store, "P-1-a").await;
        let late = store
            .change_repair(
                &a,
                &change(&before, RepairState::Stopped),
                Together::default(),
            )
            .await;
        assert!(
            matches!(late, Err(StoreError::LeaseLost { .. })),
            "{late:?}"
        );
        assert_eq!(repair(store, "P-1-a").await, before);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_came_back_under_a_new_token_claims_its_runs_again() {
    on_each(async |db| {
        let store = &db.store;
        let old = node(store, "a").await;
        claimed_run(store, &old, "P-1", &["a"]).await;
        store.release_lease(&old).await.unwrap();
        let new = node(store, "a").await;
        let before = repair(store, "P-1-a").await;
        let early = store
            .change_repair(
                &new,
                &change(&before, RepairState::Stopped),
                Together::default(),
            )
            .await;
        assert_eq!(early.unwrap(), None, "the run still names the old token");
        assert_eq!(store.claim_runs(&new).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_wave_opens_once_and_makes_its_repairs_due() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        let run = claimed_run(store, &proof, "P-1", &["a", "b"]).await;
        assert_eq!(store.next_repair_due(&proof).await.unwrap(), None);
        let first = [RepairId::from("P-1-a")];
        assert!(
            store
                .open_wave(&proof, &run.id, 1, &first, minute(15), Together::default())
                .await
                .unwrap()
        );
        assert!(
            !store
                .open_wave(&proof, &run.id, 1, &first, minute(15), Together::default())
                .await
                .unwrap()
        );
        assert_eq!(
            store.next_repair_due(&proof).await.unwrap(),
            Some(minute(15))
        );
        assert_eq!(store.due_repairs(&proof, minute(14), 10).await.unwrap(), []);
        assert_eq!(
            store.due_repairs(&proof, minute(15), 10).await.unwrap()[0].id,
            first[0]
        );
        assert!(
            store
                .pass_wave(&proof, &run.id, 1, minute(30))
                .await
                .unwrap()
        );
        assert!(
            !store
                .pass_wave(&proof, &run.id, 1, minute(31))
                .await
                .unwrap()
        );
        let stored = store.run(&run.id).await.unwrap().unwrap();
        assert_eq!(stored.wave, 1);
        assert_eq!(
            (stored.wave_opened_at, stored.wave_passed_at),
            (Some(minute(15)), Some(minute(30)))
        );
    })
    .await;
}

#[tokio::test]
async fn run_and_proposal_share_their_state() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        let run = claimed_run(store, &proof, "P-1", &["a"]).await;
        let to = |expected, state| RunStateChange {
            run: run.id.clone(),
            expected,
            state,
            at: minute(50),
        };
        let none = Together::default();
        let running = to(ProposalState::Approved, ProposalState::Running);
        assert!(store.set_run_state(&proof, &running, none).await.unwrap());
        assert!(!store.set_run_state(&proof, &running, none).await.unwrap());
        assert_eq!(
            store.proposal(&run.proposal).await.unwrap().unwrap().state,
            ProposalState::Running
        );
        let stopped = to(ProposalState::Running, ProposalState::Stopped);
        assert!(store.set_run_state(&proof, &stopped, none).await.unwrap());
        assert_eq!(
            store.claim_runs(&proof).await.unwrap().len(),
            1,
            "a stopped run still restores"
        );
        assert!(
            !store
                .finish_run(&proof, &run.id, minute(60), none)
                .await
                .unwrap(),
            "a repair is open"
        );
        let open = repair(store, "P-1-a").await;
        store
            .change_repair(&proof, &change(&open, RepairState::Stopped), none)
            .await
            .unwrap()
            .unwrap();
        assert!(
            store
                .finish_run(&proof, &run.id, minute(60), none)
                .await
                .unwrap()
        );
        assert_eq!(
            store.run(&run.id).await.unwrap().unwrap().finished_at,
            Some(minute(60))
        );
        assert_eq!(store.claim_runs(&proof).await.unwrap(), []);
        assert_eq!(store.open_repairs().await.unwrap(), []);
    })
    .await;
}
