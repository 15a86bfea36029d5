//! Database URLs, and connections made from them.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _};

use super::DbError;
use super::engine::DbEngine;

/// Connections that only read. SQLite readers don't wait for each other or for the writer.
const READERS: u32 = 8;

/// Where the database is.
#[derive(Clone)]
pub struct DatabaseUrl {
    text: String,
    pub(super) engine: DbEngine,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl DatabaseUrl {
    /// The embedded database in a file, which is made when it does not exist.
    #[must_use]
    pub fn sqlite(path: &Path) -> Self {
        Self { text: format!("sqlite://{}?mode=rwc", path.display()), engine: DbEngine::Sqlite }
    }

    /// A PostgreSQL database.
    ///
    /// # Errors
    /// [`DbError::Url`] when the URL is not PostgreSQL's.
    pub fn parse(text: &str) -> Result<Self, DbError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self { text: text.to_owned(), engine: DbEngine::Postgres });
        }
        Err(DbError::Url("the database URL must begin with postgres://; leave it out for the embedded one".to_owned()))
    }

    /// True for the embedded database.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.engine == DbEngine::Sqlite
    }

    /// The URL without its password.
    #[must_use]
    pub fn redacted(&self) -> String {
        let Some((scheme, rest)) = self.text.split_once("://") else { return String::new() };
        match rest.rsplit_once('@') {
            Some((credentials, place)) => {
                let user = credentials.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{place}")
            }
            None => format!("{scheme}://{}", rest.split('?').next().unwrap_or_default()),
        }
    }
}

/// One connection of its own.
pub(super) async fn connection(url: &DatabaseUrl) -> Result<AnyConnection, DbError> {
    install_drivers();
    let mut connection = AnyConnection::connect(&url.text).await?;
    for statement in url.engine.preamble() {
        connection.execute(*statement).await?;
    }
    Ok(connection)
}

/// The pool of readers.
pub(super) async fn pool(url: &DatabaseUrl) -> Result<AnyPool, DbError> {
    install_drivers();
    let engine = url.engine;
    let pool = AnyPoolOptions::new()
        .max_connections(READERS)
        // A caller is told soon that there is no database.
        .acquire_timeout(Duration::from_secs(2))
        // A ping for every read would double its cost; a dead connection shows itself by its error.
        .test_before_acquire(engine == DbEngine::Postgres)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for statement in engine.preamble() {
                    connection.execute(*statement).await?;
                }
                Ok(())
            })
        })
        .connect(&url.text)
        .await?;
    Ok(pool)
}

fn install_drivers() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(sqlx::any::install_default_drivers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let url = DatabaseUrl::parse("postgres://me:s3cret@db.example/aaasp").unwrap();
        assert_eq!(format!("{url:?}"), "postgres://me@db.example/aaasp");
        assert!(DatabaseUrl::parse("mysql://x").is_err());
    }
}
