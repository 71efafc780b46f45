//! Many rows in one statement: the rows travel as one JSON text, which both databases can unfold.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::rows::json;

/// Rows of one transaction at most.
pub(super) const BATCH: usize = 500;

/// A time as sqlx writes it to SQLite, so that text order stays the order of time.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// The JSON text that `bulk!` binds, or `None` if there is nothing to write.
pub(super) fn rows<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Option<String> {
    let rows: Vec<T> = rows.into_iter().collect();
    (!rows.is_empty()).then(|| json(&rows))
}

/// Inserts rows from one JSON array of objects: `bulk!(tx, rows, "table", [column TYPE, …], "ON CONFLICT …")`.
/// The types are PostgreSQL's; SQLite takes them from the JSON. Both texts come from the one list of columns.
macro_rules! bulk {
    ($tx:expr, $rows:expr, $table:literal, [$first:ident $first_type:ident $(, $column:ident $type:ident)* $(,)?], $conflict:literal) => {
        match $tx.engine() {
            crate::store::engine::Engine::Sqlite(executor) => sqlx::query(concat!(
                "INSERT INTO ", $table, " (", stringify!($first) $(, ", ", stringify!($column))*, ") SELECT ",
                "value ->> '", stringify!($first), "'" $(, ", value ->> '", stringify!($column), "'")*,
                " FROM json_each($1) WHERE TRUE ", $conflict
            ))
            .bind($rows)
            .execute(executor)
            .await
            .map(|done| done.rows_affected()),
            crate::store::engine::Engine::Postgres(executor) => sqlx::query(concat!(
                "INSERT INTO ", $table, " (", stringify!($first) $(, ", ", stringify!($column))*, ") SELECT ",
                stringify!($first) $(, ", ", stringify!($column))*,
                " FROM json_to_recordset($1::json) AS r(", stringify!($first), " ", stringify!($first_type)
                $(, ", ", stringify!($column), " ", stringify!($type))*, ") WHERE TRUE ", $conflict
            ))
            .bind($rows)
            .execute(executor)
            .await
            .map(|done| done.rows_affected()),
        }
        .map_err(crate::store::StoreError::from)
    };
}
