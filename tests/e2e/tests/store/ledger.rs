//! The System Log's ledger and by-id confirmations.

use unstuck::store::{LogCursor, LogEvents, Look, LookKind, OBSERVER_LEASE, OrgChange, StoreError};
use unstuck_domain::{
    Coverage, DeviceChange, DeviceConfirmation, DeviceId, EventClass, FastPassSeen, LifecycleSeen,
    LogFact, LogFactKind, LogFacts, OtherSignIn, Platform, RevocationSeen, Seen, UserId,
    ledger::APPS_KEPT,
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
            last_resistant: Some(minute(at)),
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
                .record_log_facts(
                    &proof,
                    &page(5),
                    &LogEvents::default(),
                    &cursor("next-1", 5),
                )
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
                .record_log_facts(
                    &proof,
                    &page(at),
                    &LogEvents::default(),
                    &cursor("next", at),
                )
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
            .record_log_facts(&proof, &page(5), &LogEvents::default(), &cursor("next", 5))
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
        let unnamed = Coverage {
            covered_from: None,
            last_seen: Some(minute(6)),
        };
        failure
            .coverage
            .insert(EventClass::CertificateBound, unnamed);
        store
            .record_log_facts(&proof, &failure, &LogEvents::default(), &cursor("next", 6))
            .await
            .unwrap();
        let mut expected = page(5);
        let kept = expected.coverage.get_mut(&EventClass::CertificateBound);
        kept.unwrap().last_seen = Some(minute(6));
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
            .record_log_facts(&old, &page(5), &LogEvents::default(), &cursor("next", 5))
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
        let events = LogEvents {
            org_changes: vec![change.clone()],
            ..LogEvents::default()
        };
        for _ in 0..2 {
            store
                .record_log_facts(&proof, &LogFacts::default(), &events, &cursor("next", 3))
                .await
                .unwrap();
        }
        let loaded = store.load_log_facts().await.unwrap().org_changes;
        assert_eq!(loaded.len(), 1);
        assert_eq!(
            (&loaded[0].event_type, loaded[0].at),
            (&change.event_type, change.at)
        );
        assert_eq!(store.org_changes_since(minute(3)).await.unwrap(), [change]);
        assert_eq!(store.org_changes_since(minute(4)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn details_of_the_users_asked_for_are_loaded_and_no_others() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let [ann, bob] = ["00u1", "00u2"].map(UserId::from);
        let sign_in = |at, platform| OtherSignIn {
            at: minute(at),
            device: Some(DeviceId::from("guo1")),
            platform,
            device_session: true,
        };
        let device = DeviceId::from("guo1");
        let attempt = |at| FastPassSeen {
            last_failure: Some(minute(at)),
            ..FastPassSeen::default()
        };
        // The later page comes first.
        for (at, platform, browser) in [
            (9, Some(Platform::Macos), "SAFARI 18"),
            (5, None, "CHROME 129"),
        ] {
            let mut page = LogFacts::default();
            for user in [&ann, &bob] {
                page.other_sign_ins
                    .insert(user.clone(), sign_in(at, platform));
                page.add_app(user.clone(), format!("0oa{at}"), minute(at));
                let key = (device.clone(), user.clone());
                page.fastpass.insert(key.clone(), attempt(at));
                page.browsers.insert(key, browser.to_owned());
            }
            store
                .record_log_facts(&proof, &page, &LogEvents::default(), &cursor("next", at))
                .await
                .unwrap();
        }
        let mut log = store.load_log_facts().await.unwrap();
        assert!(
            log.other_sign_ins.is_empty() && log.apps_opened.is_empty() && log.browsers.is_empty()
        );
        store
            .load_log_details(std::slice::from_ref(&ann), &mut log)
            .await
            .unwrap();
        assert_eq!(log.other_sign_ins.len(), 1);
        assert_eq!(log.other_sign_ins[&ann], sign_in(9, Some(Platform::Macos)));
        assert_eq!(log.apps_opened[&ann].len(), 2);
        assert_eq!(log.browsers[&(device.clone(), ann.clone())], "SAFARI 18");
        assert_eq!((log.apps_opened.len(), log.browsers.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn the_latest_apps_of_a_user_stay() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let ann = UserId::from("00u1");
        for at in 0..20 {
            let mut page = LogFacts::default();
            page.add_app(ann.clone(), format!("0oa{at:02}"), minute(at));
            page.add_app(UserId::from("00u2"), "0oa00".into(), minute(at));
            store
                .record_log_facts(&proof, &page, &LogEvents::default(), &cursor("next", at))
                .await
                .unwrap();
        }
        let mut log = LogFacts::default();
        store
            .load_log_details(std::slice::from_ref(&ann), &mut log)
            .await
            .unwrap();
        let apps = &log.apps_opened[&ann];
        assert_eq!(apps.len(), APPS_KEPT);
        assert_eq!(apps["0oa19"], minute(19));
        let rows = i64::try_from(APPS_KEPT).unwrap() + 1;
        assert_eq!(db.count("log_apps_opened").await, rows, "the others went");
    })
    .await;
}

#[tokio::test]
async fn an_enrolment_read_twice_is_one_enrolment() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let enrolled = |at| LogFact {
            uuid: format!("e{at}"),
            at: minute(at),
            kind: LogFactKind::DeviceLifecycle {
                change: DeviceChange::Enrolled,
                device: DeviceId::from("guo1"),
                serial_number: Some("c02 xyz".into()),
                actor: None,
            },
        };
        for page in [[1, 5], [5, 3]] {
            let events = LogEvents::of(&page.map(enrolled));
            store
                .record_log_facts(&proof, &LogFacts::default(), &events, &cursor("next", 5))
                .await
                .unwrap();
        }
        let seen = store.load_log_facts().await.unwrap().enrolments["C02XYZ"];
        assert_eq!(seen.count, 3);
        assert_eq!((seen.seen.first, seen.seen.last), (minute(1), minute(5)));
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_found_while_it_is_fresh_and_a_look_into_a_log_for_ever() {
    on_each(async |db| {
        let store = &db.store;
        let proof = store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let look = |kind, at, since: Option<i64>| Look {
            kind,
            subject: "00u1".into(),
            read_at: minute(at),
            since: since.map(minute),
            answer: format!("[{at}]"),
        };
        let groups = |at| look(LookKind::UserGroups, at, None);
        let log = |at, since| look(LookKind::UserLog, at, Some(since));
        store
            .save_looks(&proof, &[groups(5), log(5, -900)], &page(5))
            .await
            .unwrap();
        store
            .save_looks(
                &proof,
                &[groups(4), log(6, -30), log(6, -60)],
                &LogFacts::default(),
            )
            .await
            .unwrap();
        let mut found = store.looks_since(minute(5)).await.unwrap();
        found.sort_by_key(|look| look.since);
        assert_eq!(
            found,
            [groups(5), log(6, -900)],
            "the later answer, the longer look"
        );
        let later = store.looks_since(minute(60)).await.unwrap();
        assert_eq!(later, [log(6, -900)]);
        let ledger = store.load_log_facts().await.unwrap();
        assert_eq!(
            ledger.fastpass,
            page(5).fastpass,
            "what was told is in the ledger"
        );
        assert_eq!(ledger.binds, page(5).binds);
        assert!(ledger.coverage.is_empty(), "one user's log covers no class");
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
            .record_log_facts(&proof, &facts, &LogEvents::default(), &cursor("next", 0))
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
