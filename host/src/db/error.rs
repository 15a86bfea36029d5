//! What can go wrong below: the database, or what was found in it.

use std::sync::Arc;

use crate::ledger::Microcredits;
use crate::names::Name;
use crate::vault::SealError;

/// How the engines say that their disk is full: SQLite's FULL and IOERR_SHMSIZE (<https://sqlite.org/rescode.html>),
/// and PostgreSQL's `disk_full` (appendix A of its manual).
const DISK_FULL: [&str; 3] = ["13", "4874", "53100"];

/// Why a question to the database has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DbError {
    /// The database can't be reached, or refused the statement. Trying again may help.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The disk that the database writes to is full. Nothing was written.
    #[error("the database's disk is full: {0}; free some space")]
    DiskFull(#[source] Arc<sqlx::Error>),
    /// The schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migration(#[source] Arc<sqlx::migrate::MigrateError>),
    /// The URL is not one of a database that we know.
    #[error("{0}")]
    Url(String),
    /// A stored value is not what it must be.
    #[error("the database holds a value that it can't hold: {0}")]
    Corrupt(String),
    /// A sealed value doesn't open.
    #[error("a sealed value of {table} doesn't open: {source}")]
    Sealed {
        /// The table.
        table: &'static str,
        /// Why.
        source: SealError,
    },
    /// A name or an address is taken.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// There is no such thing, or it is another account's.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// A limit of the account is reached.
    #[error("the limit `{limit}` of {value} is reached")]
    Limit {
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        value: u64,
    },
    /// There is less than should be taken away.
    #[error("only {available} credits are there")]
    Insufficient {
        /// What could be taken.
        available: Microcredits,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Something else uses it.
    #[error("it is in use by {}", .0.join(", "))]
    InUse(Vec<String>),
    /// Something was in the way for too long. Trying again may help.
    #[error("{0}")]
    Busy(&'static str),
    /// A credential always has a version that is in use.
    #[error("it is the credential's only version; delete the credential instead, or set another value first")]
    OnlyVersion,
    /// The account is one of another region.
    #[error(
        "the account is in the region `{region}`, and this host serves another{}",
        .url.as_ref().map(|url| format!("; ask {url}")).unwrap_or_default()
    )]
    Elsewhere {
        /// Its region.
        region: Name,
        /// Where that is reached, if the operator's file says so.
        url: Option<String>,
    },
    /// A database that should be empty is not.
    #[error("the database is not empty; make a new one, or drop what is in it, if it is really not needed any more")]
    NotEmpty,
    /// The writer has stopped.
    #[error("the host is shutting down")]
    Closed,
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        if code.is_some_and(|code| DISK_FULL.contains(&code.as_ref())) {
            return Self::DiskFull(Arc::new(error));
        }
        Self::Unavailable(Arc::new(error))
    }
}

impl DbError {
    /// Whether the same may succeed later, with nothing changed here.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::DiskFull(_))
    }

    /// Shorthand for a stored value that can't be read as what it must be.
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    /// Shorthand for a sealed value of a table that doesn't open.
    pub(crate) fn sealed(table: &'static str) -> impl Fn(SealError) -> Self {
        move |source| Self::Sealed { table, source }
    }
}
