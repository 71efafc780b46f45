//! Opening, migrating and refusing.

use unstuck::store::{OpenMode, Store, StoreError};

use super::database::{each_empty, on_each};
use super::samples::minute;

/// One row per table, as an old node may have written them.
const SAMPLE_ROWS: &str = include_str!("sample_rows.sql");

#[tokio::test]
async fn migrations_apply_over_the_rows_of_every_table() {
    on_each(async |db| {
        db.tamper(SAMPLE_ROWS).await;
        db.store.migrate().await.unwrap();
        db.store.check_schema().await.unwrap();
        for table in tables(SAMPLE_ROWS) {
            assert_eq!(db.count(table).await, 1, "{table}");
        }
    })
    .await;
}

#[test]
fn every_table_has_sample_rows() {
    let schemas = [
        include_str!("../../../../migrations/sqlite/0001_first_release.sql"),
        include_str!("../../../../migrations/sqlite/0002_more_of_the_log.sql"),
        include_str!("../../../../migrations/sqlite/0003_fleet_findings.sql"),
        include_str!("../../../../migrations/sqlite/0004_doctor.sql"),
    ];
    let mut made: Vec<&str> = schemas
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next())
        .filter(|table| *table != "schema_compat")
        .collect();
    let mut sampled: Vec<&str> = tables(SAMPLE_ROWS).collect();
    made.sort_unstable();
    sampled.sort_unstable();
    assert_eq!(made, sampled);
}

/// Names of the tables that a script inserts into.
fn tables(script: &str) -> impl Iterator<Item = &str> {
    script
        .lines()
        .filter_map(|line| line.strip_prefix("INSERT INTO ")?.split(' ').next())
}

#[tokio::test]
async fn both_engines_have_the_same_migrations() {
    let names = |folder: &str| {
        let path = format!("{}/../../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[tokio::test]
async fn nodes_that_start_together_migrate_once() {
    for db in each_empty().await {
        let other = db.reopened(OpenMode::ReadWrite).await;
        let (one, two) = tokio::join!(db.store.migrate(), other.migrate());
        one.unwrap();
        two.unwrap();
        other.check_schema().await.unwrap();
        other.close().await;
    }
}

#[tokio::test]
async fn a_database_without_tables_asks_for_migrate() {
    for db in each_empty().await {
        let refused = db.store.check_schema().await;
        assert!(
            matches!(refused, Err(StoreError::SchemaTooOld { found: 0, .. })),
            "{refused:?}"
        );
        assert!(refused.unwrap_err().to_string().contains("unstuck migrate"));
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_only_if_it_says_so() {
    on_each(async |db| {
        db.tamper("UPDATE schema_compat SET schema_version = 99").await;
        db.tamper("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                   SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1")
            .await;
        db.store.migrate().await.unwrap();
        db.store.check_schema().await.unwrap();
        db.tamper("UPDATE schema_compat SET oldest_code = 99").await;
        let refused = db.store.check_schema().await;
        assert!(matches!(refused, Err(StoreError::CodeTooOld { needed: 99, .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_database_opened_read_only_is_not_written() {
    on_each(async |db| {
        let reader = db.reopened(OpenMode::ReadOnly).await;
        reader.check_schema().await.unwrap();
        assert!(
            reader
                .insert_tick("weekday-sweep", minute(0))
                .await
                .is_err()
        );
        assert!(reader.acquire_lease("observer", "a").await.is_err());
        assert_eq!(db.store.last_tick("weekday-sweep").await.unwrap(), None);
        reader.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_that_cannot_work_is_refused() {
    for address in [
        "mysql://localhost/unstuck",
        "sqlite::memory:",
        "sqlite://x?mode=memory",
    ] {
        let refused = Store::open(address, OpenMode::ReadWrite).await;
        assert!(
            matches!(refused, Err(StoreError::Address { .. })),
            "{address}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = format!("sqlite://{}", folder.path().join("none.db").display());
    assert!(Store::open(&missing, OpenMode::ReadOnly).await.is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_backup_of_sqlite_is_a_database() {
    on_each(async |db| {
        db.store
            .insert_tick("weekday-sweep", minute(0))
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.db");
        if !db.store.back_up_to(&file).await.unwrap() {
            assert!(db.url.starts_with("postgres"));
            return;
        }
        let copy = Store::open(&format!("sqlite://{}", file.display()), OpenMode::ReadWrite)
            .await
            .unwrap();
        copy.check_schema().await.unwrap();
        assert_eq!(
            copy.last_tick("weekday-sweep")
                .await
                .unwrap()
                .unwrap()
                .due_at,
            minute(0)
        );
        copy.close().await;
    })
    .await;
}
