//! The audit: entries that are only ever inserted, each chained to the one before it, and what they are about.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::region::served;
use super::sets::SetStatement;
use super::{Db, DbError, WriteTx};
use crate::audit::{Content, End, Entry, Head, Link, NewEntry};
use crate::clock::Micros;
use crate::ids::AccountId;

/// Entries that one question of a verification brings.
pub const PAGE: i64 = 1_000;

static INSERT_CONTENTS: SetStatement = SetStatement::new(
    "INSERT INTO audit_contents (id, account_id, salt, sealed_content, content)
     VALUES {rows} ON CONFLICT DO NOTHING",
    5,
);

static INSERT_ENTRIES: SetStatement = SetStatement::new(
    "INSERT INTO audit_entries (position, id, at, actor, act, digest, chain)
     VALUES {rows} ON CONFLICT DO NOTHING",
    7,
);

/// An entry with its place in the chain.
struct Chained<'a> {
    entry: &'a NewEntry,
    id: String,
    actor: String,
    digest: [u8; 32],
    end: End,
}

/// Writes entries, each chained to the one before.
///
/// What they are about is written first, since it may wait for accounts. Then the end of the chain is read behind its
/// lock: a process that was killed may have left a COMMIT that PostgreSQL has yet to finish.
pub(super) async fn append(connection: &mut AnyConnection, entries: &[NewEntry]) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    INSERT_CONTENTS
        .execute(connection, entries, |query, entry| {
            query
                .bind(entry.id.to_string())
                .bind(entry.content.account.as_deref())
                .bind(entry.content.salt.as_slice())
                .bind(entry.content.sealed.as_deref())
                .bind(entry.content.open.as_deref())
        })
        .await?;
    let text = "UPDATE audit_end SET position = position WHERE one = 1 RETURNING position, chain";
    let mut end = end_of(&sqlx::query(text).fetch_one(&mut *connection).await?)?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let (id, actor, digest) = (entry.id.to_string(), entry.actor.to_string(), entry.content.digest());
        end = end.followed_by(&Link { at: entry.at, words: [&id, &actor, entry.act.as_str()], digest: &digest });
        rows.push(Chained { entry, id, actor, digest, end });
    }
    let written = INSERT_ENTRIES
        .execute(connection, &rows, |query, row| {
            query
                .bind(row.end.position)
                .bind(row.id.as_str())
                .bind(row.entry.at.0)
                .bind(row.actor.as_str())
                .bind(row.entry.act.as_str())
                .bind(row.digest.as_slice())
                .bind(row.end.chain.as_slice())
        })
        .await?;
    if written != rows.len() as u64 {
        return Err(DbError::corrupt("the audit has entries behind its end; verify it with `aaasp audit verify`"));
    }
    sqlx::query("UPDATE audit_end SET position = $1, chain = $2 WHERE one = 1")
        .bind(end.position)
        .bind(end.chain.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// The end of the chain.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn end(db: &Db) -> Result<End, DbError> {
    let row = sqlx::query("SELECT position, chain FROM audit_end WHERE one = 1").fetch_one(&db.pool).await?;
    end_of(&row)
}

fn end_of(row: &AnyRow) -> Result<End, DbError> {
    Ok(End { position: row.try_get(0)?, chain: hash(row, 1)? })
}

fn hash(row: &AnyRow, column: usize) -> Result<[u8; 32], DbError> {
    let hash: Vec<u8> = row.try_get(column)?;
    hash.as_slice().try_into().map_err(|_| DbError::corrupt("a hash of the audit is not 32 bytes"))
}

/// Keeps a signed head, unless the chain has one there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn keep_head(tx: &mut WriteTx<'_>, head: &Head) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO audit_heads (position, chain, at, signature) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(head.position)
    .bind(head.chain.as_slice())
    .bind(head.at.0)
    .bind(head.signature.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The signed heads behind a position, in order; none when there are no more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn heads(db: &Db, after: i64, limit: i64) -> Result<Vec<Head>, DbError> {
    sqlx::query("SELECT position, chain, at, signature FROM audit_heads WHERE position > $1 ORDER BY position LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(&db.pool)
        .await?
        .iter()
        .map(stored_head)
        .collect()
}

/// The newest signed head.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn newest_head(db: &Db) -> Result<Option<Head>, DbError> {
    let row = sqlx::query("SELECT position, chain, at, signature FROM audit_heads ORDER BY position DESC LIMIT 1")
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_head).transpose()
}

fn stored_head(row: &AnyRow) -> Result<Head, DbError> {
    Ok(Head {
        position: row.try_get(0)?,
        chain: row.try_get(1)?,
        at: Micros(row.try_get(2)?),
        signature: row.try_get(3)?,
    })
}

/// Entries behind a position, in order, whatever was done to them since; none when there are no more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn entries(db: &Db, after: i64) -> Result<Vec<Entry>, DbError> {
    let rows = sqlx::query(
        "SELECT audit_entries.position, audit_entries.id, at, actor, act, digest, chain, audit_contents.id, account_id,
             salt, sealed_content, content
         FROM audit_entries LEFT JOIN audit_contents ON audit_contents.id = audit_entries.id
         WHERE position > $1 ORDER BY position LIMIT $2",
    )
    .bind(after)
    .bind(PAGE)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored).collect()
}

/// Contents whose entry is not there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn contents_of_none(db: &Db) -> Result<Vec<String>, DbError> {
    let rows = sqlx::query(
        "SELECT id FROM audit_contents
         WHERE NOT EXISTS (SELECT 1 FROM audit_entries WHERE audit_entries.id = audit_contents.id)
         ORDER BY id LIMIT $1",
    )
    .bind(PAGE)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Which part of the audit is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// All of it.
    #[default]
    All,
    /// What operators did.
    Operators,
    /// What operators looked at, or may look at.
    Looks,
    /// What operators did about requests about rights.
    Rights,
}

/// Which entries are asked for.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Only those about this account.
    pub account: Option<AccountId>,
    /// Only this act.
    pub act: Option<&'static str>,
    /// Only a part of all.
    pub only: Only,
    /// Only those before this position.
    pub before: Option<i64>,
}

macro_rules! listed {
    ($from:literal, $which:literal) => {
        concat!(
            "SELECT audit_entries.position, audit_entries.id, at, actor, act, digest, chain, audit_contents.id,
                 account_id, salt, sealed_content, content
             FROM ",
            $from,
            " ON audit_contents.id = audit_entries.id WHERE position < $1 AND ",
            $which,
            " AND ($3 = '' OR act = $3)
               AND ($4 = 0 OR ($4 = 1 AND actor NOT IN ('owner', 'system'))
                    OR ($4 = 2 AND act IN ('access', 'look'))
                    OR ($4 = 3 AND act IN ('rights_open', 'rights_identify', 'rights_extend', 'rights_close')))
               AND ",
            served!("audit_contents.account_id", "$5"),
            " ORDER BY position DESC LIMIT $6"
        )
    };
}

/// Entries, latest first; of accounts that other hosts serve, nothing.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, filter: &EntryFilter, limit: i64) -> Result<Vec<Entry>, DbError> {
    // An absent filter is the empty text, which no act is. What is about an account is found by it.
    let text = match filter.account {
        Some(_) => listed!("audit_contents JOIN audit_entries", "account_id = $2"),
        None => listed!("audit_entries LEFT JOIN audit_contents", "$2 = ''"),
    };
    let rows = sqlx::query(text)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.account.map(|account| account.to_string()).unwrap_or_default())
        .bind(filter.act.unwrap_or_default())
        .bind(filter.only as i64)
        .bind(db.region())
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<Entry, DbError> {
    let content = match row.try_get::<Option<String>, _>(7)? {
        Some(_) => Some(Content {
            account: row.try_get(8)?,
            salt: row.try_get(9)?,
            sealed: row.try_get(10)?,
            open: row.try_get(11)?,
        }),
        None => None,
    };
    Ok(Entry {
        position: row.try_get(0)?,
        id: row.try_get(1)?,
        at: Micros(row.try_get(2)?),
        actor: row.try_get(3)?,
        act: row.try_get(4)?,
        digest: row.try_get(5)?,
        chain: row.try_get(6)?,
        content,
    })
}
