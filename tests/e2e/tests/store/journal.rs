//! The journal: what was begun is known after any crash, and what was taken away is given back.

use serde_json::json;
use unstuck::store::{
    HoldKind, HoldState, NewHold, NewStep, RepairChange, RepairRecord, StepOutcome, Together,
};
use unstuck_domain::{Hop, MdmDeviceId, MdmName, RepairState, StepId, StepState, WaitingOn};

use super::database::on_each;
use super::samples::{claimed_run, entry, hops, message, minute, node, repair};

fn step(name: &str, attempt: u32) -> NewStep {
    NewStep {
        step: StepId::from(name),
        attempt,
        action: "mdm.sync".into(),
        state: StepState::Intended,
        inputs: json!({ "device": "7" }),
        hold: None,
    }
}

fn outcome(name: &str, attempt: u32, state: StepState) -> StepOutcome {
    StepOutcome {
        step: StepId::from(name),
        attempt,
        state,
        outputs: json!({ "ok": 1 }),
        requests: json!(["POST"]),
    }
}

fn change(repair: &RepairRecord, state: RepairState) -> RepairChange {
    RepairChange::new(repair.id.clone(), repair.version, state, hops(), minute(20))
}

fn hold() -> NewHold {
    NewHold {
        mdm: MdmName::from("jamf"),
        device: MdmDeviceId::from("7"),
        management_id: Some("m-7".into()),
        kind: HoldKind::Group,
        target: "42".into(),
        prior: None,
        since: minute(20),
        deadline: minute(140),
    }
}

#[tokio::test]
async fn outcome_and_next_intent_are_one_transaction() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        let run = claimed_run(store, &proof, "P-1", &["a"]).await;
        let queued = repair(store, "P-1-a").await;
        let mut begin = change(&queued, RepairState::Acting { step: 0 });
        begin.steps = vec![step("sync.1", 1)];
        begin.next_look_at = Some(minute(21));
        assert_eq!(
            store
                .change_repair(&proof, &begin, Together::default())
                .await
                .unwrap(),
            Some(1)
        );
        let unsettled = store.unsettled_steps(&proof).await.unwrap();
        assert_eq!(
            (unsettled[0].step.as_str(), unsettled[0].state),
            ("sync.1", StepState::Intended)
        );

        // The next intent repeats a step that is in the journal, so that nothing of the change may happen.
        let acting = repair(store, "P-1-a").await;
        let mut broken = change(&acting, RepairState::Acting { step: 1 });
        broken.outcomes = vec![outcome("sync.1", 1, StepState::Succeeded)];
        broken.steps = vec![step("sync.1", 1)];
        let (messages, audit) = ([message("m", 1)], [entry("P-1-a")]);
        let together = Together {
            messages: &messages,
            audit: &audit,
        };
        assert_eq!(
            store
                .change_repair(&proof, &broken, together)
                .await
                .unwrap(),
            None
        );
        assert_eq!(repair(store, "P-1-a").await, acting);
        assert_eq!(store.steps(&acting.id).await.unwrap(), unsettled);
        assert_eq!(store.message("m").await.unwrap(), None);
        assert_eq!(store.audit_about("P-1-a").await.unwrap(), []);

        let mut good = broken;
        good.steps = vec![
            NewStep {
                state: StepState::Skipped,
                ..step("settle.1", 1)
            },
            step("push.1", 1),
        ];
        assert_eq!(
            store.change_repair(&proof, &good, together).await.unwrap(),
            Some(2)
        );
        let steps = store.steps_of_run(&run.id).await.unwrap();
        let seen: Vec<_> = steps
            .iter()
            .map(|step| (step.step.as_str(), step.state))
            .collect();
        let expected = [
            ("sync.1", StepState::Succeeded),
            ("settle.1", StepState::Skipped),
            ("push.1", StepState::Intended),
        ];
        assert_eq!(seen, expected);
        assert_eq!(
            (&steps[0].outputs, &steps[0].requests),
            (&Some(json!({ "ok": 1 })), &Some(json!(["POST"])))
        );
        assert_eq!(
            (steps[0].finished_at, steps[2].finished_at),
            (Some(minute(20)), None)
        );
        assert!(store.message("m").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn an_outcome_needs_a_step_under_way() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        let queued = repair(store, "P-1-a").await;
        let mut orphan = change(&queued, RepairState::Acting { step: 0 });
        orphan.outcomes = vec![outcome("sync.1", 1, StepState::Succeeded)];
        assert_eq!(
            store
                .change_repair(&proof, &orphan, Together::default())
                .await
                .unwrap(),
            None
        );

        let mut begin = change(&queued, RepairState::Acting { step: 0 });
        begin.steps = vec![step("sync.1", 1)];
        store
            .change_repair(&proof, &begin, Together::default())
            .await
            .unwrap()
            .unwrap();
        let mut unclear = change(
            &repair(store, "P-1-a").await,
            RepairState::Acting { step: 0 },
        );
        unclear.outcomes = vec![outcome("sync.1", 1, StepState::Unclear)];
        store
            .change_repair(&proof, &unclear, Together::default())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            store.unsettled_steps(&proof).await.unwrap()[0].state,
            StepState::Unclear
        );
        let mut failed = change(
            &repair(store, "P-1-a").await,
            RepairState::Acting { step: 0 },
        );
        failed.outcomes = vec![outcome("sync.1", 1, StepState::Failed)];
        failed.steps = vec![step("sync.1", 2)];
        store
            .change_repair(&proof, &failed, Together::default())
            .await
            .unwrap()
            .unwrap();
        let mut twice = change(
            &repair(store, "P-1-a").await,
            RepairState::Acting { step: 0 },
        );
        twice.outcomes = vec![outcome("sync.1", 1, StepState::Succeeded)];
        assert_eq!(
            store
                .change_repair(&proof, &twice, Together::default())
                .await
                .unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_change_decided_on_an_old_version_changes_nothing() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        let old = repair(store, "P-1-a").await;
        let waiting = RepairState::Waiting {
            on: WaitingOn::Hop { hop: Hop::Managed },
            deadline: minute(9_000),
        };
        let mut first = change(&old, waiting.clone());
        first.next_look_at = Some(minute(35));
        assert_eq!(
            store
                .change_repair(&proof, &first, Together::default())
                .await
                .unwrap(),
            Some(1)
        );
        let late = change(&old, RepairState::CuredByItself);
        assert_eq!(
            store
                .change_repair(&proof, &late, Together::default())
                .await
                .unwrap(),
            None
        );
        let stored = repair(store, "P-1-a").await;
        assert_eq!(
            (stored.state, stored.version, stored.hops),
            (waiting, 1, hops())
        );
        assert_eq!(stored.next_look_at, Some(minute(35)));
    })
    .await;
}

#[tokio::test]
async fn a_repair_that_has_ended_stays_ended() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        let reason = "serial number differs".to_owned();
        let end = change(
            &repair(store, "P-1-a").await,
            RepairState::Dropped { reason },
        );
        store
            .change_repair(&proof, &end, Together::default())
            .await
            .unwrap()
            .unwrap();
        let ended = repair(store, "P-1-a").await;
        assert_eq!(
            (ended.finished_at, ended.next_look_at),
            (Some(minute(20)), None)
        );
        let again = change(&ended, RepairState::Queued);
        assert_eq!(
            store
                .change_repair(&proof, &again, Together::default())
                .await
                .unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_hold_is_written_with_its_intent_and_keeps_the_devices_own_value() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        let queued = repair(store, "P-1-a").await;
        let mut begin = change(&queued, RepairState::Acting { step: 0 });
        begin.steps = vec![NewStep {
            hold: Some(hold()),
            ..step("hold.1", 1)
        }];
        store
            .change_repair(&proof, &begin, Together::default())
            .await
            .unwrap()
            .unwrap();
        let mut again = change(
            &repair(store, "P-1-a").await,
            RepairState::Acting { step: 0 },
        );
        again.outcomes = vec![outcome("hold.1", 1, StepState::Unclear)];
        let later = NewHold {
            prior: Some("42".into()),
            deadline: minute(200),
            ..hold()
        };
        again.steps = vec![NewStep {
            hold: Some(later),
            ..step("hold.1", 2)
        }];
        store
            .change_repair(&proof, &again, Together::default())
            .await
            .unwrap()
            .unwrap();

        let open = store.open_holds().await.unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(
            open[0].hold,
            NewHold {
                deadline: minute(200),
                ..hold()
            }
        );
        assert_eq!(
            (open[0].state, open[0].owner.as_deref()),
            (HoldState::Open, Some("a"))
        );

        assert!(
            store
                .note_hold_out(open[0].id, Some(minute(60)))
                .await
                .unwrap()
        );
        assert_eq!(
            store.open_holds().await.unwrap()[0].seen_out_at,
            Some(minute(60))
        );
        let mut end = change(&repair(store, "P-1-a").await, RepairState::Undone);
        end.restored_holds = vec![open[0].id];
        store
            .change_repair(&proof, &end, Together::default())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.open_holds().await.unwrap(), []);
        let all = store
            .holds_of_device(&MdmName::from("jamf"), &MdmDeviceId::from("7"))
            .await
            .unwrap();
        assert_eq!(
            (all[0].state, all[0].closed_at),
            (HoldState::Restored, Some(minute(20)))
        );
        assert_eq!(store.holds_of_repair(&queued.id).await.unwrap(), all);
        assert!(!store.note_hold_out(open[0].id, None).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_hold_without_a_node_in_force_has_no_owner_and_moves_once() {
    on_each(async |db| {
        let store = &db.store;
        let proof = node(store, "a").await;
        claimed_run(store, &proof, "P-1", &["a"]).await;
        let mut begin = change(
            &repair(store, "P-1-a").await,
            RepairState::Acting { step: 0 },
        );
        begin.steps = vec![NewStep {
            hold: Some(hold()),
            ..step("hold.1", 1)
        }];
        store
            .change_repair(&proof, &begin, Together::default())
            .await
            .unwrap()
            .unwrap();
        store.release_lease(&proof).await.unwrap();
        let held = store.open_holds().await.unwrap().remove(0);
        assert_eq!(held.owner, None);
        let none = Together::default();
        let restoring = (HoldState::Open, HoldState::Restoring);
        assert!(
            store
                .move_hold(held.id, restoring.0, restoring.1, minute(90), none)
                .await
                .unwrap()
        );
        assert!(
            !store
                .move_hold(held.id, restoring.0, restoring.1, minute(90), none)
                .await
                .unwrap()
        );
        let human = store
            .move_hold(
                held.id,
                HoldState::Restoring,
                HoldState::NeedsHuman,
                minute(91),
                none,
            )
            .await;
        assert!(human.unwrap());
        assert_eq!(store.open_holds().await.unwrap(), []);
    })
    .await;
}
