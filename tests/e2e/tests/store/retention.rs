//! What is old goes, what is open stays.

use serde_json::json;
use unstuck::store::{
    Keep, NewInboxMessage, NewStep, OBSERVER_LEASE, PostedMessage, RepairChange, RunStateChange,
    SEALER_LEASE, SENDER_LEASE, SendResult, Together,
};
use unstuck_domain::{LogFacts, ProposalState, RepairState, StepId, StepState};

use super::database::on_each;
use super::samples::{claimed_run, entry, hops, message, minute, node, repair};

fn keep_since(at: i64) -> Keep {
    Keep {
        sweeps_since: minute(at),
        findings_since: minute(at),
        runs_since: minute(at),
        messages_since: minute(at),
        audit_payloads_since: minute(at),
    }
}

#[tokio::test]
async fn an_ended_run_goes_with_its_journal_and_an_open_one_stays() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        let ended = claimed_run(store, &proof, "P-1", &["a"]).await;
        claimed_run(store, &proof, "P-2", &["b"]).await;
        let queued = repair(store, "P-1-a").await;
        let mut end = RepairChange::new(
            queued.id,
            queued.version,
            RepairState::Managed,
            hops(),
            minute(20),
        );
        end.steps = vec![NewStep {
            step: StepId::from("sync.1"),
            attempt: 1,
            action: "mdm.sync".into(),
            state: StepState::Skipped,
            inputs: json!({}),
            hold: None,
        }];
        store
            .change_repair(&proof, &end, Together::default())
            .await
            .unwrap()
            .unwrap();
        let done = RunStateChange {
            run: ended.id.clone(),
            expected: ProposalState::Approved,
            state: ProposalState::Done,
            at: minute(20),
        };
        assert!(
            store
                .set_run_state(&proof, &done, Together::default())
                .await
                .unwrap()
        );
        let early = store.delete_old(&keep_since(5)).await.unwrap();
        assert_eq!((early.runs, early.proposals), (0, 0));
        let deleted = store.delete_old(&keep_since(9_999)).await.unwrap();
        assert_eq!((deleted.runs, deleted.proposals), (1, 1));
        assert_eq!(store.run(&ended.id).await.unwrap(), None);
        assert_eq!(db.count("steps").await, 0);
        assert_eq!(db.count("decisions").await, 1);
        assert_eq!(store.open_runs().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_unread_or_unsent_stays() {
    on_each(async |db| {
        let store = &db.store;
        let sender = store
            .acquire_lease(SENDER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        for number in 0..1_101 {
            let new = NewInboxMessage {
                dedupe_key: format!("k{number}"),
                kind: "click".into(),
                payload: json!({}),
                received_at: minute(0),
            };
            store.receive(&new).await.unwrap();
        }
        db.tamper(
            "UPDATE inbox SET done_at = received_at, outcome = 'done' WHERE dedupe_key <> 'k7'",
        )
        .await;
        store
            .put_messages(&[message("sent", 1), message("pending", 1)])
            .await
            .unwrap();
        store
            .begin_sending(&sender, "sent", minute(1))
            .await
            .unwrap()
            .unwrap();
        let posted = PostedMessage {
            channel: "C01".into(),
            ts: "1.2".into(),
        };
        store
            .finish_sending(&sender, "sent", 1, &SendResult::Sent { posted }, minute(1))
            .await
            .unwrap();
        store
            .take("first_messages", "day", 1, 9, minute(0))
            .await
            .unwrap();
        for tick in 0..3 {
            store
                .insert_tick("weekday-sweep", minute(tick))
                .await
                .unwrap();
        }
        let deleted = store.delete_old(&keep_since(9_999)).await.unwrap();
        assert_eq!((deleted.messages, deleted.marks), (1_101, 3));
        assert_eq!(store.unread(10).await.unwrap()[0].message.dedupe_key, "k7");
        assert!(store.message("pending").await.unwrap().is_some());
        assert_eq!(
            store
                .last_tick("weekday-sweep")
                .await
                .unwrap()
                .unwrap()
                .due_at,
            minute(2)
        );
    })
    .await;
}

#[tokio::test]
async fn retention_leaves_the_audit_whole_and_unsealed_payloads_alone() {
    on_each(async |db| {
        let store = &db.store;
        let sealer = store
            .acquire_lease(SEALER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let audit = [entry("P-1")];
        let together = Together {
            audit: &audit,
            ..Together::default()
        };
        store.record(together).await.unwrap();
        store
            .seal_audit(&sealer, minute(1), |_| String::new())
            .await
            .unwrap()
            .unwrap();
        store.record(together).await.unwrap();
        assert_eq!(
            store
                .delete_old(&keep_since(9_999))
                .await
                .unwrap()
                .audit_payloads,
            1
        );
        let left = store.audit_about("P-1").await.unwrap();
        assert_eq!((&left[0].payload, left[1].payload.is_some()), (&None, true));
        assert!(store.verify_audit().await.unwrap().ok);
    })
    .await;
}

#[tokio::test]
async fn an_empty_database_loses_nothing_and_answers() {
    on_each(async |db| {
        let store = &db.store;
        store.ping().await.unwrap();
        assert_eq!(
            store.delete_old(&keep_since(0)).await.unwrap(),
            unstuck::store::Deleted::default()
        );
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let cursor = unstuck::store::LogCursor {
            scope: "s".into(),
            cursor: "c".into(),
            reached_at: minute(0),
        };
        store
            .record_log_facts(
                &proof,
                &LogFacts::default(),
                &unstuck::store::LogEvents::default(),
                &cursor,
            )
            .await
            .unwrap();
        store.save_subjects(&proof, &[]).await.unwrap();
        store.save_findings(&proof, &[]).await.unwrap();
        store.save_confirmations(&proof, &[]).await.unwrap();
    })
    .await;
}
