//! What can go wrong with the database, by what callers do about it.

/// A question to the database that was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The lease was taken over; whoever held it must stop acting.
    #[error("lease {name} is no longer held by {owner}")]
    LeaseLost {
        /// Which lease.
        name: String,
        /// Who held it.
        owner: String,
    },
    /// Busy, locked, or the connection broke. Trying again may help.
    #[error("database is busy or unreachable")]
    Transient(#[source] sqlx::Error),
    /// The address cannot be used.
    #[error("cannot use database address: {reason}")]
    Address {
        /// Why.
        reason: String,
    },
    /// The schema is older than this release.
    #[error("database schema is at {found}, this release needs {needed}: run `unstuck migrate`")]
    SchemaTooOld {
        /// What the database has; 0 if it was never migrated.
        found: i64,
        /// What this release was built for.
        needed: i64,
    },
    /// A newer release changed the schema in a way that this one cannot work with.
    #[error(
        "database needs a release of schema {needed} or newer, this one is of {code}: upgrade it"
    )]
    CodeTooOld {
        /// Oldest schema number of code that may work with it.
        needed: i64,
        /// Schema number of this code.
        code: i64,
    },
    /// A migration failed.
    #[error("cannot migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A file of the database cannot be used.
    #[error("cannot use database file {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A stored value does not read back.
    #[error("stored {what} is unreadable")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The database refused a statement.
    #[error("database refused a statement")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    pub(super) fn unreadable(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Unreadable { what, source }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let transient = match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
            // SQLITE_BUSY and SQLITE_LOCKED with their extended codes; serialisation failure, deadlock, lock
            // not available, idle transaction ended, shutdown and too many connections of PostgreSQL.
            sqlx::Error::Database(database) => database.code().is_some_and(|code| {
                matches!(
                    &*code,
                    "5" | "261"
                        | "517"
                        | "773"
                        | "6"
                        | "262"
                        | "40001"
                        | "40P01"
                        | "55P03"
                        | "25P03"
                        | "57P01"
                        | "53300"
                )
            }),
            _ => false,
        };
        if transient {
            Self::Transient(error)
        } else {
            Self::Database(error)
        }
    }
}
