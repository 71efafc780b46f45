//! Who changes the record and chains it anew is found by signature or by a kept head, without any vendor.

use serde_json::json;

use super::*;
use crate::{
    node::Node,
    pass::Pass,
    settings::{Environment, Problems, Settings, load},
    store::{NewAuditEntry, OpenMode, Together},
};

struct Place {
    folder: tempfile::TempDir,
    settings: Settings,
    store: Store,
}

async fn place(extra: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("unstuck.toml");
    let text = "[okta]\norg_url = \"http://127.0.0.1:9\"\napi_token = \"env:OKTA_API_TOKEN\"\n";
    std::fs::write(&file, format!("{text}{extra}")).unwrap();
    let settings = load(&file, &Environment::default()).unwrap();
    let store = Store::open(&settings.database_url(), OpenMode::ReadWrite)
        .await
        .unwrap();
    store.migrate().await.unwrap();
    Place {
        folder,
        settings,
        store,
    }
}

impl Place {
    /// Writes entries and seals them with the key of the settings, which is made at the first time.
    async fn sealed(&self, abouts: &[&str]) -> AuditKey {
        self.sealed_by("a", self.key().await.unwrap(), abouts).await;
        self.key().await.unwrap()
    }

    async fn key(&self) -> anyhow::Result<AuditKey> {
        AuditKey::read_or_make(&self.settings, &Environment::default(), &self.store).await
    }

    async fn sealed_by(&self, node: &str, key: AuditKey, abouts: &[&str]) {
        self.write(abouts).await;
        let node = Node::new(self.store.clone(), node);
        let sealer = Sealer::new(self.store.clone(), node.clone(), key);
        sealer.run(at()).await.unwrap();
        node.give_back(crate::store::SEALER_LEASE).await.unwrap();
    }

    async fn write(&self, abouts: &[&str]) {
        let audit: Vec<NewAuditEntry> = abouts.iter().map(|about| entry(about)).collect();
        let together = Together {
            audit: &audit,
            ..Together::default()
        };
        self.store.record(together).await.unwrap();
    }

    async fn change(&self, sql: &'static str) {
        let Store::Sqlite { writer, .. } = &self.store else {
            unreachable!()
        };
        let done = sqlx::raw_sql(sql).execute(writer).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql}");
    }

    async fn first_bad(&self, kept: Option<&KeptHead>) -> Option<i64> {
        let key = self.key().await.unwrap();
        let found = verify(&self.store, Some(&key), kept).await.unwrap();
        assert_eq!(found.ok, found.first_bad.is_none());
        found.first_bad
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.folder.path().join("audit.key")
    }
}

fn at() -> chrono::DateTime<chrono::Utc> {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

fn entry(about: &str) -> NewAuditEntry {
    NewAuditEntry {
        kind: "proposal.approved".into(),
        about: about.into(),
        at: at(),
        payload: json!({ "by": "cli:ann" }),
    }
}

async fn head_of(place: &Place) -> KeptHead {
    let found = verify(&place.store, Some(&place.key().await.unwrap()), None).await;
    let printed = serde_json::to_string_pretty(&found.unwrap()).unwrap();
    KeptHead::parse(&printed).unwrap()
}

#[tokio::test]
async fn the_sealer_seals_everything_that_waits_and_the_record_is_whole() {
    let place = place("").await;
    let many: Vec<String> = (0..1_203).map(|number| format!("P-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let key = place.sealed(&many).await;
    assert_eq!(place.store.audit_waiting().await.unwrap(), 0);
    let found = verify(&place.store, Some(&key), None).await.unwrap();
    assert_eq!((found.ok, found.entries), (true, 1_203));
    let last = place.store.last_audit_seal().await.unwrap().unwrap();
    assert_eq!(found.head, Some(last.head));
}

#[tokio::test]
async fn the_key_is_made_once_and_only_we_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = place("").await;
    let first = place.key().await.unwrap();
    let mode = std::fs::metadata(place.key_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(place.key().await.unwrap().public(), first.public());
}

#[tokio::test]
async fn no_second_key_is_made_for_a_record_that_bears_seals() {
    let place = place("").await;
    place.sealed(&["P-1"]).await;
    std::fs::remove_file(place.key_file()).unwrap();
    let Err(error) = place.key().await else {
        panic!("a second key was made")
    };
    assert!(error.is::<Problems>(), "{error:#}");
    assert!(!place.key_file().exists());
}

#[tokio::test]
async fn a_key_that_is_none_is_a_problem_that_does_not_show_it() {
    let place = place("").await;
    std::fs::write(place.key_file(), "hunter2").unwrap();
    let Err(error) = place.key().await else {
        panic!("it is no key")
    };
    let told = format!("{error:#}");
    assert!(
        told.contains("64 hex digits") && !told.contains("hunter2"),
        "{told}"
    );
}

#[tokio::test]
async fn a_machine_with_another_key_seals_nothing() {
    let place = place("").await;
    place.sealed(&["P-1"]).await;
    place.write(&["P-2"]).await;
    let node = Node::new(place.store.clone(), "b");
    let sealer = Sealer::new(place.store.clone(), node, AuditKey::of_byte(2));
    let error = sealer.run(at()).await.unwrap_err();
    assert!(error.to_string().contains("another key"), "{error:#}");
    assert_eq!(place.store.audit_waiting().await.unwrap(), 1);
}

#[tokio::test]
async fn only_the_holder_of_the_lease_seals() {
    let place = place("").await;
    place.write(&["P-1"]).await;
    let first = Node::new(place.store.clone(), "a");
    assert!(
        first
            .take(crate::store::SEALER_LEASE)
            .await
            .unwrap()
            .is_some()
    );
    let second = Node::new(place.store.clone(), "b");
    let sealer = Sealer::new(place.store.clone(), second, AuditKey::of_byte(1));
    assert_eq!(sealer.run(at()).await.unwrap(), None);
    assert_eq!(place.store.audit_waiting().await.unwrap(), 1);
}

#[tokio::test]
async fn changed_removed_reordered_and_cut_off_entries_are_found() {
    for (sql, first_bad) in [
        ("UPDATE audit_entries SET about = 'P-9' WHERE seq = 2", 2),
        ("UPDATE audit_entries SET payload = '{}' WHERE seq = 3", 3),
        ("DELETE FROM audit_entries WHERE seq = 2", 2),
        (
            "UPDATE audit_entries SET seq = -1 WHERE seq = 2; UPDATE audit_entries SET seq = 2 WHERE seq = 3; \
             UPDATE audit_entries SET seq = 3 WHERE seq = -1",
            2,
        ),
        ("DELETE FROM audit_entries WHERE seq > 2", 3),
        // The seals of the end are gone: what they covered stands there unsigned.
        ("DELETE FROM audit_seals WHERE last_seq > 2", 3),
        ("DELETE FROM audit_seals", 1),
        // Pushed in before the beginning.
        (
            "INSERT INTO audit_entries (seq, kind, about, recorded_at, payload_hash, chain_hash) \
             VALUES (0, 'x', 'y', '2026-11-24T10:00:00+00:00', '', '')",
            5,
        ),
    ] {
        let place = place("").await;
        place.sealed(&["P-1", "P-2"]).await;
        place.sealed(&["P-3", "P-4"]).await;
        assert_eq!(place.first_bad(None).await, None);
        place.change(sql).await;
        assert_eq!(place.first_bad(None).await, Some(first_bad), "{sql}");
    }
}

#[tokio::test]
async fn a_record_that_was_chained_anew_is_found_by_its_signatures() {
    let place = place("").await;
    let key = place.sealed(&["P-1", "P-2"]).await;
    place.sealed(&["P-3"]).await;
    // The same chain under somebody else's signature.
    let last = place.store.last_audit_seal().await.unwrap().unwrap();
    let forged = AuditKey::of_byte(7).sign(&AuditSeal::signed_text(last.last_seq, &last.head));
    let Store::Sqlite { writer, .. } = &place.store else {
        unreachable!()
    };
    sqlx::query("UPDATE audit_seals SET signature = $1 WHERE last_seq = 3")
        .bind(forged)
        .execute(writer)
        .await
        .unwrap();
    let found = verify(&place.store, Some(&key), None).await.unwrap();
    assert_eq!((found.ok, found.first_bad), (false, Some(3)));
}

#[tokio::test]
async fn a_record_cut_off_together_with_its_seals_is_found_by_a_kept_head() {
    let place = place("").await;
    place.sealed(&["P-1", "P-2"]).await;
    let early = head_of(&place).await;
    place.sealed(&["P-3", "P-4"]).await;
    let late = head_of(&place).await;
    assert_eq!(place.first_bad(Some(&early)).await, None);
    assert_eq!(place.first_bad(Some(&late)).await, None);
    place
        .change(
            "DELETE FROM audit_entries WHERE seq > 2; DELETE FROM audit_seals WHERE last_seq > 2",
        )
        .await;
    assert_eq!(place.first_bad(None).await, None, "it looks whole");
    assert_eq!(place.first_bad(Some(&early)).await, None);
    assert_eq!(place.first_bad(Some(&late)).await, Some(3));
    // Sealed anew with the right key, and as long as before.
    place.sealed(&["P-5", "P-6"]).await;
    assert_eq!(place.first_bad(None).await, None, "it looks whole");
    assert_eq!(place.first_bad(Some(&late)).await, Some(4));
}

#[test]
fn a_head_is_read_from_a_whole_record_only() {
    let whole = r#"{"ok":true,"entries":2,"head":"ab","first_bad":null}"#;
    let kept = KeptHead::parse(whole).unwrap();
    assert_eq!((kept.entries, kept.head.as_str()), (2, "ab"));
    assert_eq!(KeptHead::parse(&whole.replace("true", "false")), None);
    assert_eq!(KeptHead::parse(&whole.replace("\"ab\"", "null")), None);
    assert_eq!(KeptHead::parse("deadbeef"), None);
}

#[tokio::test]
async fn an_export_is_checked_with_sha256_and_ed25519_alone() {
    use ring::{
        digest::{SHA256, digest},
        signature::{ED25519, UnparsedPublicKey},
    };
    let sha256 = |text: &str| hex::encode(digest(&SHA256, text.as_bytes()));
    let place = place("").await;
    let key = place.sealed(&["P-1", "P-2"]).await;
    place.sealed(&["P-3"]).await;
    // Not sealed: not exported.
    place.write(&["P-4"]).await;
    let mut lines: Vec<serde_json::Value> = Vec::new();
    export(&place.store, Some(&key), |line| {
        lines.push(serde_json::from_str(line).unwrap());
    })
    .await
    .unwrap();
    let public = hex::decode(lines.remove(0)["public_key"].as_str().unwrap()).unwrap();
    let (mut head, mut seals) = (String::new(), Vec::new());
    for line in &lines {
        if let Some(entry) = line.get("entry") {
            assert_eq!(entry["payload_hash"], sha256(&entry["payload"].to_string()));
            let fields = ["seq", "at", "kind", "about", "payload_hash"].map(|name| &entry[name]);
            let [seq, at, kind, about, payload_hash] = fields;
            head = sha256(&json!([head, seq, at, kind, about, payload_hash]).to_string());
            assert_eq!(entry["chain_hash"], head);
            continue;
        }
        let seal = &line["seal"];
        assert_eq!(seal["head"], head);
        let signed = format!("unstuck audit {} {head}", seal["last_seq"]);
        let signature = hex::decode(seal["signature"].as_str().unwrap()).unwrap();
        UnparsedPublicKey::new(&ED25519, &public)
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        seals.push(seal["last_seq"].as_i64().unwrap());
    }
    assert_eq!(seals, [2, 3]);
    assert_eq!(lines.len(), 5);
}
