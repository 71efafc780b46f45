//! A fresh, migrated database per claim and engine.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use unstuck::store::{OpenMode, Store};

/// A database of one claim on one engine.
pub(super) struct Database {
    pub(super) store: Store,
    pub(super) url: String,
    server: Option<(String, String)>,
    _folder: Option<TempDir>,
}

/// Runs one body on every engine at hand, each time with a database of its own.
pub(super) async fn on_each(body: impl AsyncFn(&Database)) {
    for database in each_empty().await {
        database.store.migrate().await.expect("migrations apply");
        database
            .store
            .check_schema()
            .await
            .expect("schema is current");
        body(&database).await;
        database.drop().await;
    }
}

/// A database without tables on every engine at hand.
pub(super) async fn each_empty() -> Vec<Database> {
    let mut databases = vec![Database::sqlite().await];
    if let Some(server) = postgres_server() {
        databases.push(Database::postgres(server).await);
    }
    databases
}

#[expect(
    clippy::disallowed_methods,
    reason = "the runner of the tests says where the server is; settings are not involved"
)]
fn postgres_server() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

impl Database {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let url = format!("sqlite://{}", folder.path().join("unstuck.db").display());
        let store = Store::open(&url, OpenMode::ReadWrite)
            .await
            .expect("SQLite opens");
        Self {
            store,
            url,
            server: None,
            _folder: Some(folder),
        }
    }

    async fn postgres(server: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "unstuck_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let mut connection = PgConnection::connect(&server)
            .await
            .expect("the server answers");
        for statement in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ] {
            sqlx::query(AssertSqlSafe(statement))
                .execute(&mut connection)
                .await
                .expect("a database can be made");
        }
        let (address, _) = server.rsplit_once('/').expect("the URL names a database");
        let url = format!("{address}/{name}");
        let store = Store::open(&url, OpenMode::ReadWrite)
            .await
            .expect("PostgreSQL opens");
        Self {
            store,
            url,
            server: Some((server, name)),
            _folder: None,
        }
    }

    /// Another node's view of the same database.
    pub(super) async fn reopened(&self, mode: OpenMode) -> Store {
        Store::open(&self.url, mode).await.expect("it opens again")
    }

    /// Runs SQL behind the store's back. Returns how many rows it changed.
    pub(super) async fn tamper(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.store {
            Store::Sqlite { writer, .. } => sqlx::raw_sql(sql)
                .execute(writer)
                .await
                .expect("the SQL is right")
                .rows_affected(),
            Store::Postgres(pool) => sqlx::raw_sql(sql)
                .execute(pool)
                .await
                .expect("the SQL is right")
                .rows_affected(),
        }
    }

    /// Number of rows that a condition finds.
    pub(super) async fn count(&self, from: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {from}"));
        match &self.store {
            Store::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_one(readers).await,
            Store::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        }
        .expect("the SQL is right")
    }

    async fn drop(self) {
        self.store.close().await;
        if let Some((server, name)) = self.server {
            let mut connection = PgConnection::connect(&server)
                .await
                .expect("the server answers");
            sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
                .execute(&mut connection)
                .await
                .expect("the database can be dropped");
        }
    }
}
