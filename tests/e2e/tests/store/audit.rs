//! The audit is found whole, or the first place where it is not.

use unstuck::store::{AuditReport, AuditSeal, NewAuditEntry, SEALER_LEASE, Together};

use super::database::{Database, on_each};
use super::samples::{entry, minute};

/// Five entries under two seals.
async fn sealed(db: &Database) -> AuditSeal {
    let sealer = db
        .store
        .acquire_lease(SEALER_LEASE, "a")
        .await
        .expect("it answers")
        .expect("it is free");
    for batch in [&["P-1", "P-2", "P-3"][..], &["R-1", "R-2"]] {
        let entries: Vec<NewAuditEntry> = batch.iter().map(|about| entry(about)).collect();
        let together = Together {
            audit: &entries,
            ..Together::default()
        };
        db.store.record(together).await.expect("it answers");
        db.store
            .seal_audit(&sealer, minute(1), |text| format!("signed {text}"))
            .await
            .expect("it answers");
    }
    let none = db
        .store
        .seal_audit(&sealer, minute(2), |_| unreachable!("nothing waits"))
        .await;
    assert_eq!(none.expect("it answers"), None);
    db.store
        .audit_seals()
        .await
        .expect("it answers")
        .pop()
        .expect("two seals")
}

async fn first_bad_after(sql: &'static str) -> Vec<Option<i64>> {
    let found = std::sync::Mutex::new(Vec::new());
    on_each(async |db| {
        sealed(db).await;
        assert!(db.store.verify_audit().await.expect("it answers").ok);
        assert!(db.tamper(sql).await > 0, "{sql}");
        let report = db.store.verify_audit().await.expect("it answers");
        assert_eq!(report.ok, report.first_bad.is_none());
        found.lock().expect("one thread").push(report.first_bad);
    })
    .await;
    let mut found = found.into_inner().expect("one thread");
    found.dedup();
    found
}

#[tokio::test]
async fn an_untouched_audit_is_whole() {
    on_each(async |db| {
        let empty = db.store.verify_audit().await.unwrap();
        assert_eq!(
            empty,
            AuditReport {
                ok: true,
                entries: 0,
                head: None,
                first_bad: None
            }
        );
        let seal = sealed(db).await;
        assert_eq!(seal.last_seq, 5);
        assert_eq!(
            seal.signature,
            format!("signed {}", AuditSeal::signed_text(5, &seal.head))
        );
        let report = db.store.verify_audit().await.unwrap();
        assert_eq!(
            report,
            AuditReport {
                ok: true,
                entries: 5,
                head: Some(seal.head.clone()),
                first_bad: None
            }
        );
        assert_eq!(db.store.audit_hash(5).await.unwrap(), Some(seal.head));
        assert_eq!(db.store.audit_hash(6).await.unwrap(), None);
        let after = db.store.audit_entries_after(3, 10).await.unwrap();
        assert_eq!(
            after
                .iter()
                .map(|entry| entry.about.as_str())
                .collect::<Vec<_>>(),
            ["R-1", "R-2"]
        );
        let about = db.store.audit_about("P-2").await.unwrap();
        assert_eq!(about[0].payload, Some(entry("P-2").payload));
        assert_eq!((about[0].seq, about[0].at), (Some(2), minute(0)));
    })
    .await;
}

#[tokio::test]
async fn a_changed_audit_entry_is_found() {
    assert_eq!(
        first_bad_after("UPDATE audit_entries SET payload = '{}' WHERE seq = 2").await,
        [Some(2)]
    );
    assert_eq!(
        first_bad_after("UPDATE audit_entries SET kind = 'other' WHERE seq = 3").await,
        [Some(3)]
    );
    assert_eq!(
        first_bad_after("UPDATE audit_entries SET payload_hash = 'x' WHERE seq = 1").await,
        [Some(1)]
    );
}

#[tokio::test]
async fn a_removed_audit_entry_is_found() {
    assert_eq!(
        first_bad_after("DELETE FROM audit_entries WHERE seq = 2").await,
        [Some(2)]
    );
}

#[tokio::test]
async fn reordered_audit_entries_are_found() {
    let swap = "UPDATE audit_entries SET seq = -1 WHERE seq = 2; UPDATE audit_entries SET seq = 2 WHERE seq = 4; \
                UPDATE audit_entries SET seq = 4 WHERE seq = -1";
    assert_eq!(first_bad_after(swap).await, [Some(2)]);
}

#[tokio::test]
async fn a_cut_off_audit_is_found() {
    assert_eq!(
        first_bad_after("DELETE FROM audit_entries WHERE seq > 3").await,
        [Some(4)]
    );
    assert_eq!(
        first_bad_after("DELETE FROM audit_entries").await,
        [Some(1)]
    );
}

#[tokio::test]
async fn a_removed_payload_leaves_the_audit_whole() {
    assert_eq!(
        first_bad_after("UPDATE audit_entries SET payload = NULL WHERE seq = 2").await,
        [None]
    );
}
