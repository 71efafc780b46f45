//! Fleet findings: what a sweep and a person write at the same time, members, and what is usual.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use unstuck::store::{FleetChange, FleetRecord, OBSERVER_LEASE, Together};
use unstuck_domain::{
    Cause, Confidence, DeviceId, OrgChangeSeen, UserId,
    fleet_gate::{Attribute, Member, Phase},
};

use super::database::on_each;
use super::samples::{entry, message, minute};

fn member(number: usize) -> Member {
    (
        DeviceId::from(format!("guo{number}")),
        UserId::from(format!("00u{number}")),
    )
}

fn change(phase: Phase, before: Option<Phase>, members: usize, released: usize) -> FleetChange {
    let number = |count: usize| u32::try_from(count).expect("a small number");
    FleetChange {
        record: FleetRecord {
            id: "F-7F3K2Q".into(),
            cause: Cause::CaStaticSecretRotated,
            confidence: Confidence::Medium,
            attribute: Attribute::Profile,
            value: "Okta SCEP (jamf)".into(),
            phase,
            since: Some(minute(-60)),
            change: Some(OrgChangeSeen {
                at: minute(-60),
                event_type: "device.platform.secret_key.reset".into(),
                actor: Some("Carla".into()),
                target: None,
            }),
            evidence: Vec::new(),
            affected: number(members),
            computers: number(members),
            held: number(members - released),
            released: number(released),
            managed: 0,
            opened_at: minute(0),
            seen_at: minute(0),
            reopened_at: None,
            marked: None,
            closed_at: (phase == Phase::Closed).then(|| minute(9)),
        },
        before,
        members: (0..members).map(member).collect(),
        released: (0..released).map(member).collect(),
    }
}

#[tokio::test]
async fn a_fleet_finding_reads_back_and_holds_its_members() {
    on_each(async |db| {
        let observer = db
            .store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let new = change(Phase::Open, None, 3, 0);
        let (messages, audit) = ([message("fleet:F-7F3K2Q", 1)], [entry("F-7F3K2Q")]);
        let together = Together {
            messages: &messages,
            audit: &audit,
        };
        assert!(
            db.store
                .save_fleet_finding(&observer, &new, together)
                .await
                .unwrap()
        );
        let id = new.record.id.clone();
        assert_eq!(
            db.store.fleet_finding(&id).await.unwrap(),
            Some(new.record.clone())
        );
        let members = db.store.fleet_members(&id).await.unwrap();
        assert_eq!(members.len(), 3);
        assert!(members.values().all(|released| !released));
        let (device, user) = member(1);
        assert_eq!(
            db.store
                .held_by_fleet_finding(&device, &user)
                .await
                .unwrap(),
            Some(id)
        );
        let (device, user) = member(7);
        assert_eq!(
            db.store
                .held_by_fleet_finding(&device, &user)
                .await
                .unwrap(),
            None
        );
        assert_eq!(db.count("outbox").await, 1);
        assert_eq!(db.count("audit_entries").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_mark_during_a_sweep_is_not_undone_by_it() {
    on_each(async |db| {
        let observer = db
            .store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let new = change(Phase::Open, None, 3, 0);
        let id = new.record.id.clone();
        db.store
            .save_fleet_finding(&observer, &new, Together::default())
            .await
            .unwrap();
        let marked = |at| {
            db.store
                .mark_fleet_finding_fixed(&id, "user:U1", at, Together::default())
        };
        assert!(marked(minute(1)).await.unwrap());
        assert!(
            !marked(minute(2)).await.unwrap(),
            "the second person was slower"
        );
        // The sweep began when it was open, and found two more.
        let late = change(Phase::Open, Some(Phase::Open), 5, 0);
        assert!(
            !db.store
                .save_fleet_finding(&observer, &late, Together::default())
                .await
                .unwrap()
        );
        let read = db.store.fleet_finding(&id).await.unwrap().unwrap();
        assert_eq!((read.phase, read.affected), (Phase::MarkedFixed, 5));
        assert_eq!(read.marked, Some(("user:U1".into(), minute(1))));
    })
    .await;
}

#[tokio::test]
async fn whoever_is_let_go_is_no_longer_held_until_it_opens_again() {
    on_each(async |db| {
        let observer = db
            .store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let id = change(Phase::Open, None, 3, 0).record.id;
        let held = async |number| {
            let (device, user) = member(number);
            db.store
                .held_by_fleet_finding(&device, &user)
                .await
                .unwrap()
                .is_some()
        };
        let save = async |change: FleetChange| {
            db.store
                .save_fleet_finding(&observer, &change, Together::default())
                .await
                .unwrap()
        };
        assert!(save(change(Phase::Open, None, 3, 0)).await);
        assert!(
            db.store
                .mark_fleet_finding_fixed(&id, "user:U1", minute(1), Together::default())
                .await
                .unwrap()
        );
        assert!(save(change(Phase::Canary, Some(Phase::MarkedFixed), 3, 1)).await);
        assert_eq!((held(0).await, held(1).await), (false, true));
        assert!(save(change(Phase::Open, Some(Phase::Canary), 3, 0)).await);
        assert_eq!((held(0).await, held(1).await), (true, true));
        assert!(save(change(Phase::Closed, Some(Phase::Open), 0, 0)).await);
        assert_eq!((held(0).await, held(1).await), (false, false));
        let ended = db.store.fleet_findings_since(minute(0)).await.unwrap();
        assert_eq!(ended.len(), 1);
        assert!(
            db.store
                .fleet_findings_since(minute(10))
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_usual_is_the_most_that_was_seen_of_each_day() {
    on_each(async |db| {
        let observer = db
            .store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        let today = minute(0).date_naive();
        let key = (Cause::ProfileFailed, Attribute::Model, "Mac14,2".to_owned());
        let faults = |day, number| BTreeMap::from([((day, key.clone()), number)]);
        let yesterday = today - TimeDelta::days(1);
        for (day, number) in [(yesterday, 2), (yesterday, 3), (yesterday, 1), (today, 4)] {
            db.store
                .save_usual_faults(&observer, &faults(day, number))
                .await
                .unwrap();
        }
        let before = db
            .store
            .usual_faults(today - TimeDelta::days(14), today)
            .await
            .unwrap();
        assert_eq!(before.get(&key), Some(&3));
        let with_today = db
            .store
            .usual_faults(yesterday, today + TimeDelta::days(1))
            .await
            .unwrap();
        assert_eq!(with_today.get(&key), Some(&7));
        assert_eq!(db.store.first_complete_sweep_at().await.unwrap(), None);
    })
    .await;
}
