//! Support: threads of messages between an account's owner and operators.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, OperatorKeyId, SupportMessageId, SupportThreadId};
use crate::words::words;

words! {
    /// Where a thread is.
    ThreadState {
        /// It waits for an operator.
        Open = "open",
        /// It waits for the account's owner, who may say more.
        Answered = "answered",
        /// It is over; whoever says more opens it again.
        Closed = "closed",
    }

    /// Who says something.
    SaidBy {
        /// The account's owner.
        Owner = "owner",
        /// An operator.
        Operator = "operator",
    }
}

/// A thread.
#[derive(Clone, Debug)]
pub struct StoredThread {
    /// Its id.
    pub id: SupportThreadId,
    /// Whose it is.
    pub account: AccountId,
    /// What it is about, sealed.
    pub sealed_subject: Vec<u8>,
    /// Where it is.
    pub state: ThreadState,
    /// When it began.
    pub created_at: Micros,
    /// When something was said last, or it was closed.
    pub changed_at: Micros,
}

/// A message.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its id.
    pub id: SupportMessageId,
    /// Who says it.
    pub by: SaidBy,
    /// The key of the operator who does.
    pub operator: Option<OperatorKeyId>,
    /// What, sealed.
    pub sealed_text: Vec<u8>,
    /// When.
    pub at: Micros,
}

/// Threads of an account that may wait for an operator, and messages of one thread: nobody fills the database with them.
const MOST_OPEN: i64 = 20;
const MOST_MESSAGES: i64 = 500;

/// Begins a thread.
///
/// # Errors
/// [`DbError::Limit`] when as many of the account wait as may.
pub async fn insert(tx: &mut WriteTx<'_>, thread: &StoredThread) -> Result<(), DbError> {
    let open = "SELECT COUNT(*) FROM support_threads WHERE account_id = $1 AND state = 'open'";
    let open: i64 = sqlx::query(open).bind(thread.account.to_string()).fetch_one(&mut **tx).await?.try_get(0)?;
    if open >= MOST_OPEN {
        return Err(DbError::Limit { limit: "support_threads", value: MOST_OPEN.unsigned_abs() });
    }
    sqlx::query(
        "INSERT INTO support_threads (id, account_id, sealed_subject, state, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(thread.id.to_string())
    .bind(thread.account.to_string())
    .bind(thread.sealed_subject.as_slice())
    .bind(thread.state.as_str())
    .bind(thread.created_at.0)
    .bind(thread.changed_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Adds a message to a thread, whose turn it is the other's then.
///
/// # Errors
/// [`DbError::Limit`] when the thread is as long as it may be.
pub async fn say(
    tx: &mut WriteTx<'_>,
    (account, thread): (AccountId, SupportThreadId),
    message: &StoredMessage,
) -> Result<(), DbError> {
    let count = "SELECT COUNT(*) FROM support_messages WHERE thread_id = $1";
    let count: i64 = sqlx::query(count).bind(thread.to_string()).fetch_one(&mut **tx).await?.try_get(0)?;
    if count >= MOST_MESSAGES {
        return Err(DbError::Limit { limit: "support_messages", value: MOST_MESSAGES.unsigned_abs() });
    }
    sqlx::query(
        "INSERT INTO support_messages (id, account_id, thread_id, said_by, operator_key_id, sealed_text, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(message.id.to_string())
    .bind(account.to_string())
    .bind(thread.to_string())
    .bind(message.by.as_str())
    .bind(message.operator.map(|operator| operator.to_string()))
    .bind(message.sealed_text.as_slice())
    .bind(message.at.0)
    .execute(&mut **tx)
    .await?;
    let state = if message.by == SaidBy::Owner { ThreadState::Open } else { ThreadState::Answered };
    set_state(tx, (account, thread), state, message.at).await.map(drop)
}

/// Sets where a thread is. False when it is there, or there is none.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_state(
    tx: &mut WriteTx<'_>,
    (account, thread): (AccountId, SupportThreadId),
    state: ThreadState,
    at: Micros,
) -> Result<bool, DbError> {
    let known = sqlx::query("SELECT state FROM support_threads WHERE account_id = $1 AND id = $2");
    let known = known.bind(account.to_string()).bind(thread.to_string()).fetch_optional(&mut **tx).await?;
    let before: String = known.ok_or(DbError::Missing("thread"))?.try_get(0)?;
    sqlx::query("UPDATE support_threads SET state = $3, changed_at = $4 WHERE account_id = $1 AND id = $2")
        .bind(account.to_string())
        .bind(thread.to_string())
        .bind(state.as_str())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(before != state.as_str())
}

const COLUMNS: &str = "SELECT id, account_id, sealed_subject, state, created_at, changed_at FROM support_threads";

/// Threads of an account, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn of_account(
    db: &Db,
    account: AccountId,
    before: Option<SupportThreadId>,
    limit: i64,
) -> Result<Vec<StoredThread>, DbError> {
    let text = format!("{COLUMNS} WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// Threads of accounts that this host serves, of a state or all, latest first: for operators.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    state: Option<ThreadState>,
    before: Option<SupportThreadId>,
    limit: i64,
) -> Result<Vec<StoredThread>, DbError> {
    let served = served!("support_threads.account_id", "$4");
    let text = format!("{COLUMNS} WHERE ($1 = '' OR state = $1) AND id < $2 AND {served} ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(state.map_or("", ThreadState::as_str))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .bind(db.region())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// A thread of an account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, thread: SupportThreadId) -> Result<Option<StoredThread>, DbError> {
    let text = format!("{COLUMNS} WHERE account_id = $1 AND id = $2");
    let question = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(thread.to_string());
    question.fetch_optional(&db.pool).await?.as_ref().map(stored).transpose()
}

/// Whose a thread is: for operators.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn account_of(db: &Db, thread: SupportThreadId) -> Result<Option<AccountId>, DbError> {
    let question = sqlx::query("SELECT account_id FROM support_threads WHERE id = $1").bind(thread.to_string());
    let row = question.fetch_optional(&db.pool).await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

/// What was said in a thread of an account, in its order.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn messages(db: &Db, account: AccountId, thread: SupportThreadId) -> Result<Vec<StoredMessage>, DbError> {
    let rows = sqlx::query(
        "SELECT id, said_by, operator_key_id, sealed_text, created_at FROM support_messages
         WHERE account_id = $1 AND thread_id = $2 ORDER BY id",
    )
    .bind(account.to_string())
    .bind(thread.to_string())
    .fetch_all(&db.pool)
    .await?;
    rows.iter()
        .map(|row| {
            let operator: Option<String> = row.try_get(2)?;
            let by: String = row.try_get(1)?;
            Ok(StoredMessage {
                id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
                by: if by == SaidBy::Owner.as_str() { SaidBy::Owner } else { SaidBy::Operator },
                operator: operator.map(|id| id.parse()).transpose().map_err(DbError::corrupt)?,
                sealed_text: row.try_get(3)?,
                at: Micros(row.try_get(4)?),
            })
        })
        .collect()
}

fn stored(row: &AnyRow) -> Result<StoredThread, DbError> {
    let word: String = row.try_get(3)?;
    let state = ThreadState::of_word(&word);
    Ok(StoredThread {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        sealed_subject: row.try_get(2)?,
        state: state.ok_or_else(|| DbError::corrupt(format!("the unknown state `{word}` of a thread")))?,
        created_at: Micros(row.try_get(4)?),
        changed_at: Micros(row.try_get(5)?),
    })
}
