//! What `doctor` remembers.

use std::collections::BTreeMap;

use serde_json::json;
use unstuck::{
    domain::Assumption,
    store::{OBSERVER_LEASE, StoredBelief, StoredProbe},
};

use super::database::on_each;
use super::samples::minute;

#[tokio::test]
async fn a_newer_answer_of_a_scep_server_replaces_the_older_one() {
    on_each(async |db| {
        let probe = |at: i64, answer: &str| StoredProbe {
            url: "https://acme.okta.com/pki/AB/scep/rac1".into(),
            asked_at: minute(at),
            answer: json!({ "unanswered": answer }),
        };
        db.store.save_probe(&probe(0, "first")).await.unwrap();
        db.store.save_probe(&probe(60, "second")).await.unwrap();
        assert_eq!(db.store.probes().await.unwrap(), [probe(60, "second")]);
    })
    .await;
}

#[tokio::test]
async fn checks_keep_their_last_status_and_bring_their_messages_along() {
    on_each(async |db| {
        let statuses = |word: &str| BTreeMap::from([("okta.org".to_owned(), word.to_owned())]);
        db.store
            .save_checks(&statuses("ok"), &[], minute(0))
            .await
            .unwrap();
        let told = unstuck::chat::messages::notice("doctor:okta.org", "it fails", minute(1));
        db.store
            .save_checks(&statuses("failure"), &[told], minute(1))
            .await
            .unwrap();
        assert_eq!(
            db.store.check_statuses().await.unwrap(),
            statuses("failure")
        );
        let due = db.store.due_messages(minute(1), 10).await.unwrap();
        assert_eq!(due.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn beliefs_are_counted_under_the_observers_lease_only() {
    on_each(async |db| {
        let belief = StoredBelief {
            belief: Assumption::BindEvents,
            confirmed: 41,
            contradicted: 1,
        };
        let proof = db
            .store
            .acquire_lease(OBSERVER_LEASE, "a")
            .await
            .unwrap()
            .unwrap();
        db.store
            .save_beliefs(&proof, &[belief], minute(0))
            .await
            .unwrap();
        assert_eq!(db.store.beliefs().await.unwrap(), [belief]);
        db.tamper("UPDATE leases SET token = token + 1").await;
        let late = StoredBelief {
            confirmed: 0,
            ..belief
        };
        assert!(
            db.store
                .save_beliefs(&proof, &[late], minute(1))
                .await
                .is_err()
        );
        assert_eq!(db.store.beliefs().await.unwrap(), [belief]);
    })
    .await;
}
