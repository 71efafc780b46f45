//! One repair per computer and user; what is left alone; what is known of past repairs.

use unstuck::store::{BeginOutcome, LeaseProof, Quarantined, RepairChange, Store, Together};
use unstuck_domain::{HardwareKey, PlaybookName, RepairId, RepairState, RunId, WaitingOn};

use super::database::on_each;
use super::samples::{claimed_run, hops, minute, node, repair};

async fn begin(store: &Store, node: &LeaseProof, id: &str, at: i64) -> BeginOutcome {
    let queued = repair(store, id).await;
    store
        .begin_repair(node, &queued, minute(at), minute(at), Together::default())
        .await
        .expect("the store answers")
}

async fn end(store: &Store, node: &LeaseProof, id: &str, state: RepairState, at: i64) {
    let open = repair(store, id).await;
    let change = RepairChange::new(open.id, open.version, state, hops(), minute(at));
    let changed = store
        .change_repair(node, &change, Together::default())
        .await
        .expect("the store answers");
    assert!(changed.is_some());
}

#[tokio::test]
async fn one_repair_is_in_flight_per_computer() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        claimed_run(store, &proof, "P-2", &["a"]).await;
        assert_eq!(
            begin(store, &proof, "P-1-a", 20).await,
            BeginOutcome::Begun { version: 1 }
        );
        assert_eq!(
            begin(store, &proof, "P-1-a", 20).await,
            BeginOutcome::Changed
        );
        let refused = BeginOutcome::InFlight {
            by: RepairId::from("P-1-a"),
        };
        assert_eq!(begin(store, &proof, "P-2-a", 20).await, refused);
        assert_eq!(repair(store, "P-2-a").await.state, RepairState::Queued);
        let in_flight = store.in_flight().await.unwrap();
        assert_eq!(
            in_flight,
            [(HardwareKey::of_serial("a"), RepairId::from("P-1-a"))]
        );
        end(store, &proof, "P-1-a", RepairState::Managed, 30).await;
        assert_eq!(store.in_flight().await.unwrap(), []);
        assert_eq!(
            begin(store, &proof, "P-2-a", 40).await,
            BeginOutcome::Begun { version: 1 }
        );
    })
    .await;
}

#[tokio::test]
async fn one_repair_is_in_flight_per_user() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a", "b"]).await;
        let mut other = repair(store, "P-1-b").await;
        other.subjects = repair(store, "P-1-a").await.subjects;
        assert_eq!(
            begin(store, &proof, "P-1-a", 20).await,
            BeginOutcome::Begun { version: 1 }
        );
        let none = Together::default();
        let refused = store
            .begin_repair(&proof, &other, minute(20), minute(20), none)
            .await
            .unwrap();
        assert_eq!(
            refused,
            BeginOutcome::InFlight {
                by: RepairId::from("P-1-a")
            }
        );
        assert_eq!(
            store.in_flight().await.unwrap().len(),
            1,
            "the refused one left nothing behind"
        );
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_brings_the_look_forward() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        begin(store, &proof, "P-1-a", 20).await;
        let open = repair(store, "P-1-a").await;
        let waiting = RepairState::Waiting {
            on: WaitingOn::Step { step: 3 },
            deadline: minute(900),
        };
        let mut change = RepairChange::new(open.id, open.version, waiting, hops(), minute(21));
        change.next_look_at = Some(minute(36));
        store
            .change_repair(&proof, &change, Together::default())
            .await
            .unwrap()
            .unwrap();
        let id = "P-1-a".into();
        assert!(
            !store
                .look_at_repair(&"P-1-b".into(), minute(25))
                .await
                .unwrap()
        );
        assert!(store.look_at_repair(&id, minute(25)).await.unwrap());
        assert!(!store.look_at_repair(&id, minute(30)).await.unwrap());
        assert_eq!(repair(store, "P-1-a").await.next_look_at, Some(minute(25)));
    })
    .await;
}

#[tokio::test]
async fn past_repairs_and_fix_rates_are_counted_from_what_was_tried() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        let run = claimed_run(store, &proof, "P-1", &["a", "b", "c", "d"]).await;
        for id in ["P-1-a", "P-1-b", "P-1-c"] {
            begin(store, &proof, id, 20).await;
        }
        end(store, &proof, "P-1-a", RepairState::Managed, 58).await;
        end(
            store,
            &proof,
            "P-1-b",
            RepairState::NeedsHuman {
                reason: "unclear".into(),
            },
            60,
        )
        .await;
        end(
            store,
            &proof,
            "P-1-c",
            RepairState::Dropped {
                reason: "excluded".into(),
            },
            21,
        )
        .await;
        let past = store.repairs_since(minute(20)).await.unwrap();
        assert_eq!(past.len(), 3, "the queued one touched nothing");
        assert!(
            past.iter()
                .all(|past| past.run == run.id && past.started_at == minute(20))
        );
        assert_eq!(store.repairs_since(minute(21)).await.unwrap(), []);
        let rates = store.fix_rates(minute(0)).await.unwrap();
        assert_eq!(rates.len(), 1);
        assert_eq!(
            (rates[0].worked, rates[0].total, rates[0].median_minutes),
            (1, 2, Some(38))
        );
        assert_eq!(store.fix_rates(minute(61)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_computer_stays_in_quarantine_until_it_is_lifted() {
    on_each(async |db| {
        let store = &db.store;
        let quarantined = Quarantined {
            hardware: "serial:a".into(),
            reason: "two repairs failed".into(),
            repair_id: Some("P-1-a".into()),
            since: minute(1),
        };
        let none = Together::default();
        store.put_in_quarantine(&quarantined, none).await.unwrap();
        store
            .put_in_quarantine(
                &Quarantined {
                    since: minute(9),
                    ..quarantined.clone()
                },
                none,
            )
            .await
            .unwrap();
        assert_eq!(store.quarantined().await.unwrap(), [quarantined]);
        assert!(
            store
                .lift_quarantine(&HardwareKey::of_serial("a"), none)
                .await
                .unwrap()
        );
        assert!(
            !store
                .lift_quarantine(&HardwareKey::of_serial("a"), none)
                .await
                .unwrap()
        );
        assert_eq!(store.quarantined().await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_first_verified_batch_of_a_playbook_is_remembered() {
    on_each(async |db| {
        let store = &db.store;
        let playbook = PlaybookName::from("sync-silent-device");
        assert_eq!(store.verified_playbooks().await.unwrap(), []);
        assert!(
            store
                .mark_batch_verified(&playbook, &RunId::from("R-1"), minute(1))
                .await
                .unwrap()
        );
        assert!(
            !store
                .mark_batch_verified(&playbook, &RunId::from("R-2"), minute(2))
                .await
                .unwrap()
        );
        assert_eq!(store.verified_playbooks().await.unwrap(), [playbook]);
    })
    .await;
}
