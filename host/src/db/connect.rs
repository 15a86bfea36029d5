//! Database URLs, and connections made from them.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
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

    /// A PostgreSQL database. Over the network it is spoken to by TLS, and has to prove that it is the one that is
    /// named, unless the URL says `sslmode=require` or `verify-ca`.
    ///
    /// # Errors
    /// [`DbError::Url`] when the URL is not PostgreSQL's, or lets others read along.
    pub fn parse(text: &str) -> Result<Self, DbError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            let reason = "the database URL must begin with postgres://; leave it out for the embedded one";
            return Err(DbError::Url(reason.to_owned()));
        }
        let refused =
            |reason: &dyn std::fmt::Display| DbError::Url(format!("the database URL can't be used: {reason}"));
        let mut url = url::Url::parse(text).map_err(|error| refused(&error))?;
        let options: PgConnectOptions = text.parse().map_err(|error| refused(&error))?;
        if !is_elsewhere(&options) {
            return Ok(Self { text: text.to_owned(), engine: DbEngine::Postgres });
        }
        let said = url.query_pairs().any(|(key, _)| matches!(&*key, "sslmode" | "ssl-mode"));
        if !said && std::env::var_os("PGSSLMODE").is_none() {
            url.query_pairs_mut().append_pair("sslmode", "verify-full");
            return Ok(Self { text: url.into(), engine: DbEngine::Postgres });
        }
        match options.get_ssl_mode() {
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => {
                Ok(Self { text: text.to_owned(), engine: DbEngine::Postgres })
            }
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => Err(refused(
                &"it lets others read what goes to another machine; leave out `sslmode`, which then is `verify-full`, \
                  and name the authority of the database's certificate with `sslrootcert=FILE` when it is your own",
            )),
        }
    }

    /// True for the embedded database.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.engine == DbEngine::Sqlite
    }

    /// The URL without its password, and without its query, which may hold one too.
    #[must_use]
    pub fn redacted(&self) -> String {
        let Some((scheme, rest)) = self.text.split_once("://") else { return String::new() };
        let rest = rest.split('?').next().unwrap_or_default();
        match rest.rsplit_once('@') {
            Some((credentials, place)) => {
                let user = credentials.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{place}")
            }
            None => format!("{scheme}://{rest}"),
        }
    }
}

/// Whether what is sent to a database leaves this machine.
fn is_elsewhere(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let local = host == "localhost" || host.starts_with('/') || address.is_ok_and(|address| address.is_loopback());
    options.get_socket().is_none() && !local
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

    #[test]
    fn a_database_on_another_machine_is_reached_by_tls_alone() {
        let parsed = |url: &str| DatabaseUrl::parse(url).map(|url| url.text);
        for url in [
            "postgres://127.0.0.1:5499/a",
            "postgres://localhost/a?sslmode=disable",
            "postgres://[::1]/a",
            "postgres://me@%2Fvar%2Frun%2Fpostgresql/a",
            "postgres:///a?host=/var/run/postgresql",
            "postgres://db.example/a?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://db.example/a?sslmode=require",
        ] {
            assert_eq!(parsed(url).unwrap(), url);
        }
        assert_eq!(parsed("postgres://db.example/a").unwrap(), "postgres://db.example/a?sslmode=verify-full");
        assert_eq!(parsed("postgres:///a?host=192.0.2.1").unwrap(), "postgres:///a?host=192.0.2.1&sslmode=verify-full");
        for mode in ["disable", "allow", "prefer"] {
            let error = parsed(&format!("postgres://me:s3cret@db.example/a?sslmode={mode}")).unwrap_err().to_string();
            assert!(error.contains("leave out `sslmode`") && !error.contains("s3cret"), "{error}");
        }
    }
}
