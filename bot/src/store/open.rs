//! Opening and migrating. Old nodes run beside new ones, so that migrations of a newer release are no error;
//! the row in `schema_compat` says whether this release may still work with them.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Store, StoreError};

/// Schema number that this code was written for: the number of the newest migration.
const SCHEMA: i64 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const SQLITE_READERS: u32 = 4;
/// Rows that a reader's thread hands over at a time; sqlx's 50 makes a large table a ping-pong of two threads.
const SQLITE_ROWS_AHEAD: usize = 2_000;
const POSTGRES_CONNECTIONS: u32 = 16;

/// Whether the database may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Created if missing (SQLite), read and written.
    ReadWrite,
    /// Must exist; every writing statement is refused by the database itself.
    ReadOnly,
}

impl Store {
    /// Opens `sqlite://FILE` or `postgres://…`. Neither migrates nor checks the schema.
    pub async fn open(url: &str, mode: OpenMode) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            open_sqlite(url, mode).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url, mode).await
        } else {
            Err(StoreError::Address {
                reason: "it begins with neither sqlite:// nor postgres://".into(),
            })
        }
    }

    /// Brings the schema up to this release. Nodes that start together take turns: SQLite under a file lock,
    /// PostgreSQL under an advisory lock that sqlx takes.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let options = writer.connect_options();
                let lock = lock_file(options.get_filename()).await?;
                let migrated = sqlite_migrations().run(writer).await;
                drop(lock);
                migrated.map_err(StoreError::Migrate)
            }
            Self::Postgres(pool) => postgres_migrations()
                .run(pool)
                .await
                .map_err(StoreError::Migrate),
        }
    }

    /// Refuses a database that this release cannot work with.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let row: Result<Option<(i64, i64)>, StoreError> = fetch_optional!(
            self,
            "SELECT schema_version, oldest_code FROM schema_compat WHERE id = 1"
        );
        let (version, oldest_code) = match row {
            Ok(row) => row.unwrap_or_default(),
            Err(StoreError::Database(sqlx::Error::Database(error)))
                if is_missing_table(&*error) =>
            {
                (0, 0)
            }
            Err(error) => return Err(error),
        };
        if version < SCHEMA {
            return Err(StoreError::SchemaTooOld {
                found: version,
                needed: SCHEMA,
            });
        }
        if oldest_code > SCHEMA {
            return Err(StoreError::CodeTooOld {
                needed: oldest_code,
                code: SCHEMA,
            });
        }
        Ok(())
    }

    /// Number of the newest migration that the database has; 0 before the first.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let row: Option<(i64,)> = fetch_optional!(
            self,
            "SELECT schema_version FROM schema_compat WHERE id = 1"
        )?;
        Ok(row.map_or(0, |(version,)| version))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let _: Option<(i64,)> = fetch_optional!(
            self,
            "SELECT schema_version FROM schema_compat WHERE id = 1"
        )?;
        Ok(())
    }

    /// Writes a consistent copy of a SQLite database while it is in use. `false` for PostgreSQL, which has tools
    /// of its own.
    pub async fn back_up_to(&self, file: &Path) -> Result<bool, StoreError> {
        let Self::Sqlite { writer, .. } = self else {
            return Ok(false);
        };
        sqlx::query("VACUUM INTO $1")
            .bind(file.to_string_lossy().into_owned())
            .execute(writer)
            .await?;
        Ok(true)
    }
}

async fn open_sqlite(url: &str, mode: OpenMode) -> Result<Store, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(address)?;
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Address {
            reason: "each connection of a pool would have a memory database of its own".into(),
        });
    }
    let options = options.busy_timeout(BUSY_TIMEOUT).foreign_keys(true);
    let readers_of = |options: SqliteConnectOptions| {
        SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.read_only(true).row_buffer_size(SQLITE_ROWS_AHEAD))
    };
    if mode == OpenMode::ReadOnly {
        let readers = readers_of(options);
        readers.acquire().await?;
        return Ok(Store::Sqlite {
            writer: readers.clone(),
            readers,
        });
    }
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    // The writer comes first: it creates the file and turns it to WAL, which a reader cannot.
    let writer = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone().create_if_missing(true))
        .await?;
    let reading = SqliteConnectOptions::from_str(url)
        .map_err(address)?
        .busy_timeout(BUSY_TIMEOUT);
    Ok(Store::Sqlite {
        writer,
        readers: readers_of(reading),
    })
}

async fn open_postgres(url: &str, mode: OpenMode) -> Result<Store, StoreError> {
    let mut options = PgConnectOptions::from_str(url)
        .map_err(address)?
        .application_name("unstuck")
        // A node that is paused in a transaction must not keep its successor from taking over.
        .options([("idle_in_transaction_session_timeout", "5000")]);
    if mode == OpenMode::ReadOnly {
        options = options.options([("default_transaction_read_only", "on")]);
    }
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(Store::Postgres(pool))
}

fn sqlite_migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("../migrations/sqlite");
    migrator.set_ignore_missing(true);
    migrator
}

fn postgres_migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("../migrations/postgres");
    migrator.set_ignore_missing(true);
    migrator
}

/// A lock that ends with the returned file. It stands beside the database: closing any handle of the database
/// file itself would drop the locks that SQLite holds on it.
async fn lock_file(database: &Path) -> Result<std::fs::File, StoreError> {
    let mut path = PathBuf::from(database).into_os_string();
    path.push("-migrate");
    let path = PathBuf::from(path);
    let shown = path.display().to_string();
    let locked = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::create(path)?;
        file.lock()?;
        Ok(file)
    })
    .await
    .unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    locked.map_err(|source| StoreError::File {
        path: shown,
        source,
    })
}

fn address(error: sqlx::Error) -> StoreError {
    StoreError::Address {
        reason: error.to_string(),
    }
}

fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
}
