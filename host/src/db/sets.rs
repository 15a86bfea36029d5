//! Statements over sets of rows: `VALUES ($1, $2), ($3, $4), …`, a power of two of them.
//!
//! On SQLite the parameters of the rows are plain `?`: it finds the name of a numbered one by walking a list,
//! for each bind, which took a sixth of the whole host's time under load.
//!
//! A set is padded to the next power of two by repeating its last row, so that the few texts stay in the
//! connection's statement cache. Every statement here is one that a repeated row does not change: inserts
//! skip a row that exists, updates set the same values again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::DbError;

/// The largest set of one statement. 256 rows of 20 columns stay well below SQLite's 32 766 parameters.
const LARGEST: usize = 256;

pub(super) type SetQuery<'q> = Query<'q, sqlx::Any, AnyArguments>;

/// The texts made so far, by number of rows and whether their parameters are numbered.
type Texts = HashMap<(usize, bool), Arc<str>>;

/// A statement whose text holds the rows at `{rows}`.
pub(super) struct SetStatement {
    text: &'static str,
    columns: usize,
    texts: Mutex<Option<Texts>>,
}

impl SetStatement {
    pub(super) const fn new(text: &'static str, columns: usize) -> Self {
        Self { text, columns, texts: Mutex::new(None) }
    }

    /// Runs the statement over the rows; returns how many rows it changed.
    pub(super) async fn execute<T: Sync>(
        &self,
        connection: &mut AnyConnection,
        rows: &[T],
        bind: impl for<'q> Fn(SetQuery<'q>, &'q T) -> SetQuery<'q> + Send + Sync,
    ) -> Result<u64, DbError> {
        let mut changed = 0;
        let numbered = is_numbered(connection);
        for rows in rows.chunks(LARGEST) {
            let text = self.text_for(rows.len(), numbered);
            let done = Self::bound(&text, rows, &bind).execute(&mut *connection).await?;
            changed += done.rows_affected();
        }
        Ok(changed)
    }

    /// Runs the statement over the rows; returns what it returns.
    pub(super) async fn fetch<T: Sync>(
        &self,
        connection: &mut AnyConnection,
        rows: &[T],
        bind: impl for<'q> Fn(SetQuery<'q>, &'q T) -> SetQuery<'q> + Send + Sync,
    ) -> Result<Vec<AnyRow>, DbError> {
        let mut returned = Vec::with_capacity(rows.len());
        let numbered = is_numbered(connection);
        for rows in rows.chunks(LARGEST) {
            let text = self.text_for(rows.len(), numbered);
            returned.extend(Self::bound(&text, rows, &bind).fetch_all(&mut *connection).await?);
        }
        Ok(returned)
    }

    fn bound<'q, T>(
        text: &Arc<str>,
        rows: &'q [T],
        bind: &impl for<'b> Fn(SetQuery<'b>, &'b T) -> SetQuery<'b>,
    ) -> SetQuery<'q> {
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(text)));
        for position in 0..rows.len().next_power_of_two() {
            query = bind(query, &rows[position.min(rows.len() - 1)]);
        }
        query
    }

    fn text_for(&self, rows: usize, numbered: bool) -> Arc<str> {
        let rows = rows.next_power_of_two();
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts
            .get_or_insert_default()
            .entry((rows, numbered))
            .or_insert_with(|| self.text.replace("{rows}", &values(rows, self.columns, numbered)).into());
        Arc::clone(text)
    }
}

fn is_numbered(connection: &AnyConnection) -> bool {
    connection.backend_name() != "SQLite"
}

/// `($1, $2), ($3, $4)` for two rows of two columns, or `(?, ?), (?, ?)`.
fn values(rows: usize, columns: usize, numbered: bool) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            text.push_str(if column == 1 { "" } else { ", " });
            let _ = if numbered { write!(text, "${}", row * columns + column) } else { write!(text, "?") };
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_padded_to_a_power_of_two() {
        let statement = SetStatement::new("INSERT INTO t VALUES {rows}", 2);
        let numbered = "INSERT INTO t VALUES ($1, $2), ($3, $4), ($5, $6), ($7, $8)";
        assert_eq!(&*statement.text_for(3, true), numbered);
        assert_eq!(&*statement.text_for(2, false), "INSERT INTO t VALUES (?, ?), (?, ?)");
    }
}
