//! Sweeps, subjects and findings.

use std::collections::BTreeMap;

use serde_json::json;
use unstuck::store::{
    FindingChange, FindingRecord, FinishedSweep, HistoryEntry, LeaseProof, OBSERVER_LEASE, Store,
    SubjectRecord,
};
use unstuck_domain::{Cause, DeviceId, Finding, MdmDeviceId, MdmName, UserId};

use super::database::on_each;
use super::samples::minute;

async fn observer(store: &Store) -> LeaseProof {
    store
        .acquire_lease(OBSERVER_LEASE, "a")
        .await
        .expect("the store answers")
        .expect("the lease is free")
}

fn finished(id: &str, at: i64, complete: bool) -> FinishedSweep {
    FinishedSweep {
        id: id.into(),
        finished_at: minute(at),
        complete,
        incomplete: json!([]),
        counts: json!({ "stuck": at }),
        causes: BTreeMap::from([("cert_expired".into(), 6)]),
        source_counts: BTreeMap::from([("okta".into(), 100 + at.unsigned_abs())]),
        document: json!({ "sweep": { "id": id } }),
    }
}

async fn sweep(store: &Store, proof: &LeaseProof, id: &str, at: i64, complete: bool) {
    store
        .begin_sweep(proof, id, minute(at - 1))
        .await
        .expect("the store answers");
    assert!(
        store
            .finish_sweep(proof, &finished(id, at, complete))
            .await
            .expect("the store answers")
    );
}

#[tokio::test]
async fn the_last_sweep_and_the_last_complete_one_keep_their_documents() {
    on_each(async |db| {
        let store = &db.store;
        let proof = observer(store).await;
        assert_eq!(store.last_sweep().await.unwrap(), None);
        for (id, at, complete) in [
            ("S1", 10, true),
            ("S2", 20, true),
            ("S3", 30, false),
            ("S4", 40, false),
        ] {
            sweep(store, &proof, id, at, complete).await;
        }
        let last = store.last_sweep().await.unwrap().unwrap();
        assert_eq!((last.id.as_str(), last.complete), ("S4", false));
        assert_eq!(last.document, Some(json!({ "sweep": { "id": "S4" } })));
        let complete = store.last_complete_sweep().await.unwrap().unwrap();
        assert_eq!(complete.document, Some(json!({ "sweep": { "id": "S2" } })));
        assert_eq!(complete.causes["cert_expired"], 6);
        for id in ["S1", "S3"] {
            assert_eq!(
                store.sweep(id).await.unwrap().unwrap().document,
                None,
                "{id}"
            );
        }
        let since = store.complete_sweeps_since(minute(10)).await.unwrap();
        assert_eq!(
            since
                .iter()
                .map(|sweep| sweep.id.as_str())
                .collect::<Vec<_>>(),
            ["S1", "S2"]
        );
        assert_eq!(since[1].counts, json!({ "stuck": 20 }));
        assert_eq!(store.complete_sweeps_since(minute(21)).await.unwrap(), []);
        assert_eq!(store.incomplete_in_a_row().await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_sweep_whose_node_died_is_abandoned_by_the_next() {
    on_each(async |db| {
        let store = &db.store;
        let proof = observer(store).await;
        store.begin_sweep(&proof, "S1", minute(0)).await.unwrap();
        store.begin_sweep(&proof, "S2", minute(5)).await.unwrap();
        assert_eq!(store.running_sweep().await.unwrap().unwrap().id, "S2");
        assert!(
            !store
                .finish_sweep(&proof, &finished("S1", 6, true))
                .await
                .unwrap()
        );
        assert_eq!(store.last_sweep().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_accepted_shrink_is_used_up_by_a_whole_read() {
    on_each(async |db| {
        let store = &db.store;
        let proof = observer(store).await;
        store
            .accept_shrink("okta", "cli:ann", minute(1))
            .await
            .unwrap();
        store
            .accept_shrink("jamf", "cli:ann", minute(1))
            .await
            .unwrap();
        store
            .accept_shrink("jamf", "cli:bob", minute(2))
            .await
            .unwrap();
        assert_eq!(store.accepted_shrinks().await.unwrap(), ["jamf", "okta"]);
        sweep(store, &proof, "S1", 10, true).await;
        assert_eq!(store.accepted_shrinks().await.unwrap(), ["jamf"]);
        let counts = store.source_counts().await.unwrap();
        assert_eq!(
            (
                counts[0].source.as_str(),
                counts[0].count,
                counts[0].counted_at
            ),
            ("okta", 110, minute(10))
        );
    })
    .await;
}

fn subject(number: u32, hash: &str) -> SubjectRecord {
    SubjectRecord {
        key: format!("guo{number}/00u{number}"),
        device_id: Some(DeviceId::from(format!("guo{number}"))),
        user_id: Some(UserId::from(format!("00u{number}"))),
        login: Some(format!("{number}@example.com")),
        serial_number: Some(format!("C02{number}")),
        mdm: Some(MdmName::from(if number.is_multiple_of(2) {
            "jamf"
        } else {
            "intune"
        })),
        mdm_device_id: Some(MdmDeviceId::from(format!("m{number}"))),
        hash: hash.into(),
        document: json!({ "quote": "a \"b\" é", "hash": hash }),
        changed_at: minute(1),
    }
}

#[tokio::test]
async fn a_subject_is_written_only_when_its_hash_changed() {
    on_each(async |db| {
        let store = &db.store;
        let proof = observer(store).await;
        let mut subjects: Vec<SubjectRecord> =
            (0..1_001).map(|number| subject(number, "h1")).collect();
        assert_eq!(store.save_subjects(&proof, &subjects).await.unwrap(), 1_001);
        subjects[7] = subject(7, "h2");
        subjects[8].changed_at = minute(99);
        assert_eq!(store.save_subjects(&proof, &subjects).await.unwrap(), 1);
        let hashes = store.subject_hashes().await.unwrap();
        assert_eq!((hashes.len(), hashes["guo7/00u7"].as_str()), (1_001, "h2"));
        assert_eq!(
            store.find_subjects("C028", "-", "-").await.unwrap(),
            [subject(8, "h1")]
        );
        assert_eq!(
            store.find_subjects("-", "guo7", "-").await.unwrap(),
            [subject(7, "h2")]
        );
        assert_eq!(
            store.find_subjects("-", "m9", "-").await.unwrap(),
            [subject(9, "h1")]
        );
        assert_eq!(
            store
                .find_subjects("-", "-", "3@example.com")
                .await
                .unwrap(),
            [subject(3, "h1")]
        );
        assert_eq!(
            store
                .subjects_known_to(&MdmName::from("jamf"))
                .await
                .unwrap()
                .len(),
            501
        );
        assert_eq!(
            store
                .remove_subjects(&proof, &["guo7/00u7".to_owned()])
                .await
                .unwrap(),
            1
        );
        assert_eq!(store.find_subjects("-", "guo7", "-").await.unwrap(), []);
    })
    .await;
}

fn finding(cause: &str) -> Finding {
    serde_json::from_value(json!({
        "device_id": "guo1", "user_id": "00u1", "serial_number": "C02XYZ", "platform": "MACOS", "mdm": "jamf",
        "mdm_device_id": "7", "match_strength": "strong", "stage": "cert_present", "cause": cause,
        "confidence": "high", "confirmed": true, "blocked": false,
        "evidence": [{ "source": "jamf", "fact": "certificate.expires_at", "value": "…",
                       "observed_at": minute(0), "about": null }],
        "playbook": "redeliver-scep-profile", "why_not": "settling", "why_not_detail": null, "retry_at": minute(60)
    }))
    .expect("the fixed shape of a finding")
}

#[tokio::test]
async fn a_finding_reads_back_with_its_history() {
    on_each(async |db| {
        let store = &db.store;
        let proof = observer(store).await;
        let mut record = FindingRecord {
            key: "guo1/00u1".into(),
            opened_at: minute(0),
            first_cause: Cause::CertExpired,
            agreements: 1,
            agreed_at: minute(0),
            last_seen_at: minute(0),
            closed_at: None,
            closed_reason: None,
            finding: finding("cert_expired"),
        };
        let entry = |at, change: &str, cause| HistoryEntry {
            at: minute(at),
            change: change.into(),
            cause,
            detail: Some("seen by id".into()),
        };
        let opened = entry(0, "opened", Cause::CertExpired);
        let changes = [FindingChange {
            record: record.clone(),
            history: Some(opened.clone()),
        }];
        store.save_findings(&proof, &changes).await.unwrap();
        assert_eq!(
            store.finding(&record.key).await.unwrap(),
            Some(record.clone())
        );
        let keys = [record.key.clone(), "unknown".to_owned()];
        assert_eq!(
            store
                .touch_findings(&proof, &keys, minute(60))
                .await
                .unwrap(),
            1
        );
        record.last_seen_at = minute(60);
        assert_eq!(store.open_findings().await.unwrap()[&record.key], record);

        record.finding = finding("cert_missing");
        record.closed_at = Some(minute(90));
        record.closed_reason = Some("managed by id".into());
        let closed = entry(90, "closed", Cause::CertMissing);
        let changes = [FindingChange {
            record: record.clone(),
            history: Some(closed.clone()),
        }];
        store.save_findings(&proof, &changes).await.unwrap();
        assert!(store.open_findings().await.unwrap().is_empty());
        assert_eq!(
            store
                .touch_findings(&proof, &keys, minute(95))
                .await
                .unwrap(),
            0,
            "absence reopens nothing"
        );
        assert_eq!(
            store.finding(&record.key).await.unwrap(),
            Some(record.clone())
        );
        assert_eq!(
            store.finding_history(&record.key).await.unwrap(),
            [opened, closed]
        );
        assert_eq!(store.finding("unknown").await.unwrap(), None);
    })
    .await;
}
