//! The System Log's ledger and by-id confirmations.

use unstuck::store::{LogCursor, OBSERVER_LEASE, OrgChange, StoreError};
use unstuck_domain::{
    Coverage, DeviceChange, DeviceConfirmation, DeviceId, EventClass, FastPassSeen, LifecycleSeen,
    LogFacts, RevocationSeen, Seen, UserId,
};

use super::database::on_each;
use super::samples::minute;

fn page(at: i64) -> LogFacts {
    let device = DeviceId::from("guo1");
    let user = UserId::from("00u1");
    let mut facts = LogFacts::default();
    facts.coverage.insert(
        EventClass::CertificateBound,
        Coverage {
            covered_from: Some(minute(-9_000)),
            last_seen: Some(minute(at)),
        },
    );
    facts
        .coverage
        .insert(EventClass::OrgChange, Coverage::default());
    facts.fastpass.insert(
        (device.clone(), user.clone()),
        FastPassSeen {
            last_resistant: None,
            last_not_resistant: None,
            success: Some(Seen::once(minute(at))),
            last_managed: None,
            last_unmanaged: Some(minute(at)),
            last_failure: None,
        },
    );
    facts.sign_ins.insert(user, minute(at));
    facts.binds.insert(device.clone(), Seen::once(minute(at)));
    facts.bound_to.insert("0a1b".into(), device.clone());
    facts
        .issued
        .insert("cn=managementattestation".into(), Seen::once(minute(at)));
    let revocation = RevocationSeen {
        at: minute(at),
        event_type: "pki.cert.revoke".into(),
    };
    facts.revoked.insert("0a1b".into(), revocation.clone());
    facts.revoked_subjects.insert("0a1b".into(), revocation);
    let seen = LifecycleSeen {
        change: DeviceChange::Deleted,
        device: device.clone(),
        at: minute(at),
        actor: None,
    };
    facts.lifecycle.insert(device, seen.clone());
    facts.deletions.insert(
        "C02XYZ".into(),
        LifecycleSeen {
            actor: Some("ann".into()),
            ..seen
        },
    );
    facts
}

fn cursor(text: &str, at: i64) -> LogCursor {
    LogCursor {
        scope: "poll".into(),
        cursor: text.into(),
        reached_at: minute(at),
    }
}

/// All maps of two ledgers are equal.
#[track_caller]
fn assert_same(left: &LogFacts, right: &LogFacts) {
    assert_eq!(left.coverage, right.coverage);
    assert_eq!(left.fastpass, right.fastpass);
    assert_eq!(left.sign_ins, right.sign_ins);
    assert_eq!(left.binds, right.binds);
    assert_eq!(left.bound_to, right.bound_to);
    assert_eq!(left.issued, right.issued);
    assert_eq!(left.revoked, right.revoked);
    assert_eq!(left.revoked_subjects, right.revoked_subjects);
    assert_eq!(left.lifecycle, right.lifecycle);
    assert_eq!(left.deletions, right.deletions);
}

#[tokio::test]
async fn facts_read_back_equal() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.log_cursor("poll").await.unwrap(), None);
        assert_same(&store.load_log_facts().await.unwrap(), &LogFacts::default());
        for _ in 0..2 {
            store
                .record_log_facts(&proof, &page(5), &[], &cursor("next-1", 5))
                .await
                .unwrap();
            assert_same(&store.load_log_facts().await.unwrap(), &page(5));
        }
        assert_eq!(
            store.log_cursor("poll").await.unwrap(),
            Some(cursor("next-1", 5))
        );
    })
    .await;
}

#[tokio::test]
async fn firsts_move_back_and_lasts_move_forward_in_any_order_of_pages() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        for at in [5, -7, 3, 9] {
            store
                .record_log_facts(&proof, &page(at), &[], &cursor("next", at))
                .await
                .unwrap();
        }
        let mut expected = page(9);
        let seen = Seen {
            first: minute(-7),
            last: minute(9),
        };
        expected
            .fastpass
            .values_mut()
            .for_each(|kept| kept.success = Some(seen));
        expected.binds.values_mut().for_each(|kept| *kept = seen);
        expected.issued.values_mut().for_each(|kept| *kept = seen);
        assert_same(&store.load_log_facts().await.unwrap(), &expected);
    })
    .await;
}

#[tokio::test]
async fn a_page_without_a_fact_keeps_the_fact() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        store
            .record_log_facts(&proof, &page(5), &[], &cursor("next", 5))
            .await
            .unwrap();
        let mut failure = LogFacts::default();
        failure.fastpass.insert(
            (DeviceId::from("guo1"), UserId::from("00u1")),
            FastPassSeen {
                last_resistant: None,
                last_not_resistant: None,
                success: None,
                last_managed: None,
                last_unmanaged: None,
                last_failure: Some(minute(6)),
            },
        );
        store
            .record_log_facts(&proof, &failure, &[], &cursor("next", 6))
            .await
            .unwrap();
        let mut expected = page(5);
        expected
            .fastpass
            .values_mut()
            .for_each(|kept| kept.last_failure = Some(minute(6)));
        assert_same(&store.load_log_facts().await.unwrap(), &expected);
    })
    .await;
}

#[tokio::test]
async fn a_page_and_its_cursor_are_one_transaction() {
    on_each(async |db| {
        let store = &db.store;
        let old = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        store.release_lease(&old).await.unwrap();
        let refused = store
            .record_log_facts(&old, &page(5), &[], &cursor("next", 5))
            .await;
        assert!(matches!(refused, Err(StoreError::LeaseLost { .. })));
        assert_same(&store.load_log_facts().await.unwrap(), &LogFacts::default());
        assert_eq!(store.log_cursor("poll").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_org_change_read_twice_is_one_change() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let change = OrgChange {
            uuid: "e1".into(),
            at: minute(3),
            event_type: "policy.rule.update".into(),
            actor: Some("ann".into()),
            target: None,
        };
        for _ in 0..2 {
            let changes = std::slice::from_ref(&change);
            store
                .record_log_facts(&proof, &LogFacts::default(), changes, &cursor("next", 3))
                .await
                .unwrap();
        }
        assert_eq!(store.org_changes_since(minute(3)).await.unwrap(), [change]);
        assert_eq!(store.org_changes_since(minute(4)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_ledger_larger_than_a_batch_reads_back_whole() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let mut facts = LogFacts::default();
        for number in 0..1_200 {
            facts
                .sign_ins
                .insert(UserId::from(format!("00u{number}")), minute(number));
        }
        store
            .record_log_facts(&proof, &facts, &[], &cursor("next", 0))
            .await
            .unwrap();
        assert_same(&store.load_log_facts().await.unwrap(), &facts);
    })
    .await;
}

#[tokio::test]
async fn the_newest_confirmation_is_kept() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let confirmation = |at| DeviceConfirmation {
            read_at: minute(at),
            last_updated: Some(minute(at - 1)),
            users: None,
        };
        let device = DeviceId::from("guo1");
        let both = [
            (device.clone(), confirmation(4)),
            (device.clone(), confirmation(2)),
        ];
        store.save_confirmations(&proof, &both).await.unwrap();
        store
            .save_confirmations(&proof, &[(device.clone(), confirmation(3))])
            .await
            .unwrap();
        assert_eq!(
            store.confirmation(&device).await.unwrap(),
            Some(confirmation(4))
        );
        assert_eq!(
            store.confirmations_since(minute(4)).await.unwrap()[&device],
            confirmation(4)
        );
        assert!(
            store
                .confirmations_since(minute(5))
                .await
                .unwrap()
                .is_empty()
        );
        store
            .forget_devices(std::slice::from_ref(&device))
            .await
            .unwrap();
        assert_eq!(store.confirmation(&device).await.unwrap(), None);
    })
    .await;
}
