//! Brings the schema up to date. The migrations are part of the binary.

use std::sync::Arc;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection as _, Executor as _};

use super::DbError;
use super::connect::{DatabaseUrl, connection};
use super::engine::DbEngine;

/// The schema's steps, which each engine has under the same name.
macro_rules! migrations {
    ($($number:literal $name:literal),+ $(,)?) => {
        const SQLITE: &[(i64, &str, &str)] =
            &[$(($number, $name, include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")))),+];
        const POSTGRES: &[(i64, &str, &str)] =
            &[$(($number, $name, include_str!(concat!("../../../migrations/postgres/", $name, ".sql")))),+];
    };
}

migrations! {
    1 "0001_foundation",
    2 "0002_answered_requests",
    3 "0003_credentials",
    4 "0004_key_versions",
    5 "0005_chain_order",
    6 "0006_accounts",
    7 "0007_letters",
    8 "0008_payments",
    9 "0009_history",
    10 "0010_spending",
    11 "0011_request_batches",
    12 "0012_upkeep",
    13 "0013_regions",
    14 "0014_erasures",
    15 "0015_exports",
    16 "0016_rights",
    17 "0017_support_and_breaches",
    18 "0018_audit",
    19 "0019_retention",
    20 "0020_statistics",
    21 "0021_by_account",
}

pub(super) async fn migrate(url: &DatabaseUrl) -> Result<(), DbError> {
    migrate_to(url, i64::MAX).await
}

/// No further than to a version, for rows of that time.
pub(super) async fn migrate_to(url: &DatabaseUrl, last: i64) -> Result<(), DbError> {
    let steps = match url.engine {
        DbEngine::Sqlite => SQLITE,
        DbEngine::Postgres => POSTGRES,
    };
    let migrations = steps
        .iter()
        .filter(|(version, ..)| *version <= last)
        .map(|&(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    let mut connection = connection(url).await?;
    if url.engine == DbEngine::Postgres {
        // An index of a large table takes its time.
        connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0").await?;
    }
    let outcome = Migrator::with_migrations(migrations).run_direct(None, &mut connection, false).await;
    connection.close().await?;
    outcome.map_err(|error| DbError::Migration(Arc::new(error)))
}

/// The version that this release brings a schema to.
#[must_use]
pub fn newest() -> i64 {
    SQLITE.last().map_or(0, |(version, ..)| *version)
}
