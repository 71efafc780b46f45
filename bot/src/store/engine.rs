//! One body for both databases: [`Store`] and [`Tx`] are enums, and `on_pool!` expands a body for each arm.

use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::StoreError;

/// The database: a SQLite file or a PostgreSQL server.
#[derive(Debug, Clone)]
pub enum Store {
    /// Embedded: one writer connection and a few readers on one file.
    Sqlite {
        /// The only connection that writes.
        writer: SqlitePool,
        /// Connections that read beside it.
        readers: SqlitePool,
    },
    /// A server that several nodes share.
    Postgres(PgPool),
}

/// A writing transaction. Dropped without [`Tx::commit`], it rolls back.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// What a query runs on, one variant per database.
pub(super) enum Engine<S, P> {
    Sqlite(S),
    Postgres(P),
}

impl Store {
    /// Begins a writing transaction. SQLite takes the write lock at once: a read that upgrades fails whatever
    /// `busy_timeout` says.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    pub(super) fn engine(&self) -> Engine<&SqlitePool, &PgPool> {
        match self {
            Self::Sqlite { readers, .. } => Engine::Sqlite(readers),
            Self::Postgres(pool) => Engine::Postgres(pool),
        }
    }

    /// Closes every connection after the queries under way.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(super) fn engine(&mut self) -> Engine<&mut SqliteConnection, &mut PgConnection> {
        match self {
            Self::Sqlite(tx) => Engine::Sqlite(tx),
            Self::Postgres(tx) => Engine::Postgres(tx),
        }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Expands one body for both databases; `$executor` is what the query runs on.
macro_rules! on_pool {
    ($on:expr, $executor:ident => $body:expr) => {
        match $on.engine() {
            crate::store::engine::Engine::Sqlite($executor) => $body,
            crate::store::engine::Engine::Postgres($executor) => $body,
        }
    };
}

/// All rows of one query, on a [`Store`] or in a [`Tx`].
macro_rules! fetch_all {
    ($on:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        on_pool!($on, executor => sqlx::query_as($sql)$(.bind($value))*.fetch_all(executor).await)
            .map_err(crate::store::StoreError::from)
    };
}

/// The first row of one query, if there is one.
macro_rules! fetch_optional {
    ($on:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        on_pool!($on, executor => sqlx::query_as($sql)$(.bind($value))*.fetch_optional(executor).await)
            .map_err(crate::store::StoreError::from)
    };
}

/// Runs one writing statement in a [`Tx`] and says how many rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        on_pool!($tx, executor => sqlx::query($sql)$(.bind($value))*.execute(executor).await
            .map(|done| done.rows_affected()))
            .map_err(crate::store::StoreError::from)
    };
}
