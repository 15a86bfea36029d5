//! Rows of an account from any table that the data map names, page by page.

use futures::TryStreamExt as _;
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AssertSqlSafe, Row as _, ValueRef as _};

use super::{Db, DbError};
use crate::ids::AccountId;
use crate::privacy::map::{About, Table};

/// A value as it is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Cell {
    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        16 + match self {
            Self::Null | Self::Number(_) => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// Which rows of a table are an account's, with the account as the first parameter.
fn owned(table: &Table) -> Option<&'static str> {
    match table.about {
        About::Account => Some("account_id = $1"),
        About::Itself => Some("id = $1"),
        About::Tenant => Some("tenant = (SELECT tenant FROM tenants WHERE account_id = $1)"),
        About::Nobody => None,
    }
}

/// The columns of a table's key that tell rows of one account apart.
#[must_use]
pub fn order(table: &Table) -> Vec<&'static str> {
    let owner = match table.about {
        About::Account => "account_id",
        About::Itself => "id",
        About::Tenant => "tenant",
        About::Nobody => "",
    };
    table.key.iter().copied().filter(|column| *column != owner).collect()
}

/// How many rows of a table are about an account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn count(db: &Db, table: &Table, account: AccountId) -> Result<u64, DbError> {
    let Some(owned) = owned(table) else { return Ok(0) };
    let text = format!("SELECT COUNT(*) FROM {} WHERE {owned}", table.name);
    let row = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).fetch_one(&db.pool).await?;
    u64::try_from(row.try_get::<i64, _>(0)?).map_err(DbError::corrupt)
}

/// Rows of a table about an account, behind the one with that order, and whether there are no more; at most so many, and
/// no more once they take so many bytes. Each row is the values of these columns.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn page(
    db: &Db,
    (table, columns): (&Table, &[&'static str]),
    account: AccountId,
    after: Option<&[Cell]>,
    (limit, most_bytes): (i64, usize),
) -> Result<(Vec<Vec<Cell>>, bool), DbError> {
    let Some(owned) = owned(table) else { return Ok((Vec::new(), true)) };
    let (order, columns) = (order(table), columns.join(", "));
    let mut name = table.name.to_owned();
    if let Some(beside) = table.beside {
        name.push_str(&format!(" JOIN {} USING (id)", beside.table));
    }
    if order.is_empty() && after.is_some() {
        return Ok((Vec::new(), true));
    }
    let mut text = format!("SELECT {columns} FROM {name} WHERE {owned}");
    if after.is_some() {
        let places: Vec<_> = (0..order.len()).map(|place| format!("${}", place + 3)).collect();
        text.push_str(&format!(" AND ({}) > ({})", order.join(", "), places.join(", ")));
    }
    if !order.is_empty() {
        text.push_str(&format!(" ORDER BY {}", order.join(", ")));
    }
    text.push_str(" LIMIT $2");
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(limit);
    for cell in after.unwrap_or_default() {
        query = match cell {
            Cell::Null => query.bind(None::<String>),
            Cell::Text(text) => query.bind(text.as_str()),
            Cell::Number(number) => query.bind(*number),
            Cell::Bytes(bytes) => query.bind(bytes.as_slice()),
        };
    }
    let mut found = query.fetch(&db.pool);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.try_next().await? {
        let cells: Vec<Cell> = (0..row.len()).map(|column| cell(&row, column)).collect::<Result<_, _>>()?;
        bytes += cells.iter().map(Cell::bytes).sum::<usize>();
        rows.push(cells);
        if bytes >= most_bytes {
            return Ok((rows, false));
        }
    }
    let is_over = (rows.len() as i64) < limit;
    Ok((rows, is_over))
}

pub(super) fn cell(row: &AnyRow, column: usize) -> Result<Cell, DbError> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match value.type_info().kind() {
        AnyTypeInfoKind::Text => Cell::Text(row.try_get(column)?),
        AnyTypeInfoKind::Blob => Cell::Bytes(row.try_get(column)?),
        _ => Cell::Number(row.try_get(column)?),
    })
}
