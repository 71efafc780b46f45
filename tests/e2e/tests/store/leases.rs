//! Leases and schedules: one node acts.

use unstuck::store::{OBSERVER_LEASE, OpenMode, StoreError, node_lease};

use super::database::on_each;
use super::samples::minute;

#[tokio::test]
async fn two_nodes_never_hold_one_lease() {
    on_each(async |db| {
        let other = db.reopened(OpenMode::ReadWrite).await;
        for round in 0..10 {
            let name = format!("lease-{round}");
            let (one, two) = tokio::join!(
                db.store.acquire_lease(&name, "a"),
                other.acquire_lease(&name, "b")
            );
            let holders: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
            assert_eq!(holders.len(), 1, "{name}");
        }
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_beats_is_not_taken_over() {
    on_each(async |db| {
        let store = &db.store;
        let held = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let seen = store.observe_lease(OBSERVER_LEASE).await.unwrap().unwrap();
        assert_eq!(store.beat("a").await.unwrap(), [OBSERVER_LEASE]);
        assert_eq!(store.take_over_lease(&seen, "b").await.unwrap(), None);
        assert_eq!(
            store
                .observe_lease(OBSERVER_LEASE)
                .await
                .unwrap()
                .unwrap()
                .owner
                .as_deref(),
            Some("a")
        );
        assert!(store.release_lease(&held).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_node_that_was_taken_over_from_changes_nothing() {
    on_each(async |db| {
        let store = &db.store;
        let old = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let seen = store.observe_lease(OBSERVER_LEASE).await.unwrap().unwrap();
        let new = store.take_over_lease(&seen, "b").await.unwrap().unwrap();
        assert!(new.token() > old.token());
        assert_eq!(store.beat("a").await.unwrap(), Vec::<String>::new());
        let refused = store.begin_sweep(&old, "S1", minute(0)).await;
        assert!(
            matches!(refused, Err(StoreError::LeaseLost { .. })),
            "{refused:?}"
        );
        assert_eq!(store.running_sweep().await.unwrap(), None);
        assert!(!store.release_lease(&old).await.unwrap());
        store.begin_sweep(&new, "S2", minute(0)).await.unwrap();
        assert_eq!(store.running_sweep().await.unwrap().unwrap().id, "S2");
        assert_eq!(new.name(), OBSERVER_LEASE);
    })
    .await;
}

#[tokio::test]
async fn the_same_node_holds_a_released_lease_under_a_new_token() {
    on_each(async |db| {
        let store = &db.store;
        let first = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        assert!(store.release_lease(&first).await.unwrap());
        let second = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        assert!(second.token() > first.token());
        assert!(!store.release_lease(&first).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn only_the_silent_node_is_ended() {
    on_each(async |db| {
        let store = &db.store;
        store
            .acquire_lease(&node_lease("a"), "a")
            .await
            .unwrap()
            .unwrap();
        store
            .acquire_lease(&node_lease("b"), "b")
            .await
            .unwrap()
            .unwrap();
        let seen = store.node_leases().await.unwrap();
        assert_eq!(
            seen.iter()
                .map(|lease| lease.name.as_str())
                .collect::<Vec<_>>(),
            ["node:a", "node:b"]
        );
        store.beat("b").await.unwrap();
        assert!(store.end_lease(&seen[0]).await.unwrap());
        assert!(!store.end_lease(&seen[1]).await.unwrap());
        let left = store.node_leases().await.unwrap();
        assert_eq!(
            left.iter()
                .map(|lease| lease.name.as_str())
                .collect::<Vec<_>>(),
            ["node:b"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_tick_runs_once() {
    on_each(async |db| {
        let store = &db.store;
        assert_eq!(store.last_tick("weekday-sweep").await.unwrap(), None);
        assert!(store.insert_tick("weekday-sweep", minute(0)).await.unwrap());
        assert!(!store.insert_tick("weekday-sweep", minute(0)).await.unwrap());
        assert!(
            store
                .insert_tick("weekday-sweep", minute(60))
                .await
                .unwrap()
        );
        assert!(
            store
                .finish_tick("weekday-sweep", minute(60), "skipped")
                .await
                .unwrap()
        );
        assert!(
            !store
                .finish_tick("weekday-sweep", minute(61), "skipped")
                .await
                .unwrap()
        );
        let last = store.last_tick("weekday-sweep").await.unwrap().unwrap();
        assert_eq!(
            (last.due_at, last.outcome.as_deref()),
            (minute(60), Some("skipped"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_counter_never_passes_its_cap() {
    on_each(async |db| {
        let store = &db.store;
        assert!(
            store
                .take("first_messages", "2026-11-23", 150, 200, minute(0))
                .await
                .unwrap()
        );
        assert!(
            !store
                .take("first_messages", "2026-11-23", 51, 200, minute(0))
                .await
                .unwrap()
        );
        assert!(
            store
                .take("first_messages", "2026-11-23", 50, 200, minute(0))
                .await
                .unwrap()
        );
        assert!(
            store
                .take("first_messages", "2026-11-24", 1, 200, minute(0))
                .await
                .unwrap()
        );
        assert_eq!(
            store.used("first_messages", "2026-11-23").await.unwrap(),
            200
        );
        assert!(
            store
                .give_back("first_messages", "2026-11-23", 20)
                .await
                .unwrap()
        );
        assert!(
            !store
                .give_back("first_messages", "2026-11-23", 181)
                .await
                .unwrap()
        );
        assert_eq!(
            store.used("first_messages", "2026-11-23").await.unwrap(),
            180
        );
        assert_eq!(store.used("first_messages", "2026-11-25").await.unwrap(), 0);
    })
    .await;
}
