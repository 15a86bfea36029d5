//! Where the two engines differ, and what each is told.

/// The database engine behind a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DbEngine {
    Sqlite,
    Postgres,
}

impl DbEngine {
    /// The statement that begins a write transaction. SQLite must take its write lock at once: a deferred
    /// transaction that finds another writer in its way can only fail.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// What each new connection is told first.
    pub(super) const fn preamble(self) -> &'static [&'static str] {
        match self {
            // FULL makes a commit wait for the disk in WAL mode too; erased pages are overwritten.
            Self::Sqlite => &[
                "PRAGMA busy_timeout = 10000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA secure_delete = ON",
                // With every commit SQLite goes through all of its cache; the kernel's is beside it anyway.
                "PRAGMA cache_size = -4096",
            ],
            // A host that freezes within a transaction holds up the others no longer than that.
            Self::Postgres => &[
                "SET synchronous_commit = on",
                "SET statement_timeout = '30s'",
                "SET idle_in_transaction_session_timeout = '10s'",
            ],
        }
    }
}
