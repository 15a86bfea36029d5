//! All rows of a database as they are at one moment, and a database made of such rows. Both say nothing of the engine:
//! what was kept in one of them is loaded into the other.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use sqlx::any::AnyArguments;
use sqlx::{AnyConnection, Arguments as _, AssertSqlSafe, Connection as _, Row as _};

use super::connect::connection;
use super::engine::DbEngine;
use super::told::{Cell, cell};
use super::{DatabaseUrl, DbError, migrate};
use crate::privacy::map::Table;

/// Values of one statement: SQLite takes 32 766, PostgreSQL 65 535.
const VALUES: usize = 8_192;

/// Bytes of one statement.
const BYTES: usize = 1 << 20;

/// A database as it is at one moment, whatever is written meanwhile.
pub struct Snapshot {
    connection: AnyConnection,
    /// The version of its schema.
    pub version: i64,
}

impl Snapshot {
    /// Looks at a database that is there. Its hosts may go on.
    ///
    /// # Errors
    /// [`DbError`] when it can't be reached, or is none of ours.
    pub async fn of(url: &DatabaseUrl) -> Result<Self, DbError> {
        let mut connection = connection(url).await?;
        let begin: &[&str] = match url.engine {
            // The first thing read settles the moment.
            DbEngine::Sqlite => &["BEGIN"],
            DbEngine::Postgres => &[
                "SET statement_timeout = 0",
                "SET idle_in_transaction_session_timeout = 0",
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            ],
        };
        for statement in begin {
            sqlx::query(*statement).execute(&mut connection).await?;
        }
        let row = sqlx::query("SELECT MAX(version) FROM _sqlx_migrations WHERE success").fetch_one(&mut connection);
        let version = row.await?.try_get(0)?;
        Ok(Self { connection, version })
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn count(&mut self, table: &Table) -> Result<u64, DbError> {
        let text = format!("SELECT COUNT(*) FROM {}", table.name);
        let row = sqlx::query(AssertSqlSafe(text)).fetch_one(&mut self.connection).await?;
        u64::try_from(row.try_get::<i64, _>(0)?).map_err(DbError::corrupt)
    }

    /// Hands on each row of a table, with its columns in the order of the data map.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer, or what `take` returned.
    pub async fn each<E: From<DbError>>(
        &mut self,
        table: &Table,
        mut take: impl FnMut(Vec<Cell>) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let text = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        let mut rows = sqlx::query(AssertSqlSafe(text)).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(DbError::from)? {
            take((0..row.len()).map(|column| cell(&row, column)).collect::<Result<_, DbError>>()?)?;
        }
        Ok(())
    }
}

/// A database that is being made of rows, all of them in one transaction: it has them all, or is empty.
pub struct Load {
    connection: AnyConnection,
    begun: BTreeSet<String>,
    columns: (String, Vec<String>),
    waiting: Vec<Vec<Cell>>,
    waiting_bytes: usize,
}

impl Load {
    /// Makes the tables as they were at a version, in a database that has nothing in it.
    ///
    /// # Errors
    /// [`DbError::NotEmpty`] when there is something in it.
    pub async fn into(url: &DatabaseUrl, version: i64) -> Result<Self, DbError> {
        migrate::migrate_to(url, version).await?;
        let mut connection = connection(url).await?;
        if url.engine == DbEngine::Postgres {
            sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
            sqlx::query("SET idle_in_transaction_session_timeout = 0").execute(&mut connection).await?;
        }
        sqlx::query(url.engine.begin()).execute(&mut connection).await?;
        // Whatever has served once has agreed on something.
        if sqlx::query("SELECT 1 FROM settings LIMIT 1").fetch_optional(&mut connection).await?.is_some() {
            return Err(DbError::NotEmpty);
        }
        let begun = BTreeSet::new();
        Ok(Self { connection, begun, columns: Default::default(), waiting: Vec::new(), waiting_bytes: 0 })
    }

    /// Adds a row. Tables that others refer to come first.
    ///
    /// # Errors
    /// [`DbError`] when the database refuses it, or one before it.
    pub async fn insert(&mut self, table: &str, columns: &[String], row: Vec<Cell>) -> Result<(), DbError> {
        if self.columns.0 != table || self.columns.1 != columns {
            self.flush().await?;
            if let Some(name) = columns.iter().map(String::as_str).chain([table]).find(|name| !is_plain(name)) {
                return Err(DbError::corrupt(format!("`{name}` is the name of no table or column")));
            }
            self.columns = (table.to_owned(), columns.to_owned());
            if self.begun.insert(table.to_owned()) {
                // A row that the schema comes with is among those to come.
                let text = format!("DELETE FROM {table}");
                sqlx::query(AssertSqlSafe(text)).execute(&mut self.connection).await?;
            }
        }
        if row.len() != columns.len() {
            return Err(DbError::corrupt(format!("a row of {table} has {} of {} values", row.len(), columns.len())));
        }
        self.waiting_bytes += row.iter().map(Cell::bytes).sum::<usize>();
        self.waiting.push(row);
        if self.waiting.len() * columns.len() >= VALUES || self.waiting_bytes >= BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), DbError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (table, columns) = &self.columns;
        let mut text = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
        let (mut arguments, mut place) = (AnyArguments::default(), 0);
        for (number, row) in self.waiting.drain(..).enumerate() {
            text.push_str(if number == 0 { "(" } else { "), (" });
            for (column, cell) in row.into_iter().enumerate() {
                if column > 0 {
                    text.push_str(", ");
                }
                // A NULL that is bound needs a type, and the row does not say it.
                let added = match cell {
                    Cell::Null => {
                        text.push_str("NULL");
                        continue;
                    }
                    Cell::Text(text) => arguments.add(text),
                    Cell::Number(number) => arguments.add(number),
                    Cell::Bytes(bytes) => arguments.add(bytes),
                };
                added.map_err(DbError::corrupt)?;
                place += 1;
                text.push_str(&format!("${place}"));
            }
        }
        text.push(')');
        self.waiting_bytes = 0;
        sqlx::query_with(AssertSqlSafe(text), arguments).persistent(false).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Keeps what was added.
    ///
    /// # Errors
    /// [`DbError`] when the database refuses; it is empty then.
    pub async fn commit(mut self) -> Result<(), DbError> {
        self.flush().await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }
}

/// Whether a name that came from elsewhere can stand in a statement as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
