//! A database of a test's own, which goes with the test.

use std::sync::Arc;

use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

/// A database on the PostgreSQL server that the suite runs on. It is dropped with its last owner, also when the
/// test fails, so that a server which outlives the suite stays clean.
#[derive(Clone)]
pub struct Database(Arc<Owned>);

struct Owned {
    server: String,
    name: String,
    ours: bool,
}

impl Database {
    /// A fresh one; none when the suite runs on SQLite, whose database is a file in the folder. It sorts as
    /// English readers do, so that a query that relies on the order of bytes without saying so is noticed.
    pub async fn fresh() -> Option<Self> {
        let server = std::env::var("AAASP_TEST_DATABASE_URL").ok()?;
        // The URL may name a database; ours are beside it.
        let place = server.find("://")? + 3;
        let server = server[place..].find('/').map_or(server.as_str(), |path| &server[..place + path]).to_owned();
        let random = TempDir::new().unwrap();
        let unique: String = random.path().file_name()?.to_str()?.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("test_{}", unique.to_lowercase() + &std::process::id().to_string());
        let database = Self(Arc::new(Owned { server, name, ours: true }));
        let name = &database.0.name;
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'");
        database.0.ask(&create).await.unwrap();
        Some(database)
    }

    /// One that somebody else keeps.
    pub fn of_server(server: &str, name: &str) -> Self {
        Self(Arc::new(Owned { server: server.to_owned(), name: name.to_owned(), ours: false }))
    }

    /// Ends every connection to it but the one that asks, whatever they are at.
    pub async fn disconnect_all(&self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.0.ask(end).await.unwrap();
    }

    pub fn url(&self) -> String {
        format!("{}/{}", self.0.server, self.0.name)
    }
}

impl Owned {
    async fn ask(&self, statement: &str) -> Result<(), sqlx::Error> {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&format!("{}/postgres", self.server)).await?;
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
        connection.close().await
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.ours {
            return;
        }
        // A test's own runtime can't be waited for from within it; a thread has none.
        let dropped = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                // Whatever is still connected is the test's, which is over.
                let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
                runtime.block_on(self.ask(&drop)).map_err(std::io::Error::other)
            });
            thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread panicked")))
        });
        if let Err(error) = dropped {
            eprintln!("the database {} is left behind: {error}", self.name);
        }
    }
}
