//! Requests under an idempotency key: each is done once, and known by what it was answered.

use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Db, DbError};
use crate::clock::Micros;
use crate::ids::AccountId;

/// A request that its caller may make again.
#[derive(Clone, Debug)]
pub struct Once {
    /// Whose key it is: an account's or an operator's id.
    pub caller: String,
    /// The key.
    pub name: String,
    /// What was asked, so that another request under the same key is noticed.
    pub digest: [u8; 32],
}

/// What is known of the request that used a key first.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The account that it was about.
    pub account: AccountId,
    /// The id of what it made.
    pub subject: String,
    /// The answer, sealed; none where the subject shows it.
    pub sealed_answer: Option<Vec<u8>>,
}

/// Takes the key for a request that is about to be done, or says what the same request did before.
///
/// # Errors
/// [`DbError::KeyReused`] when the key was used for another request.
pub async fn claim(
    connection: &mut AnyConnection,
    once: &Once,
    account: AccountId,
    subject: &str,
    sealed_answer: Option<&[u8]>,
    at: Micros,
) -> Result<Option<Earlier>, DbError> {
    let inserted = sqlx::query(
        "INSERT INTO answered_requests (caller_id, name, account_id, request_digest, subject, sealed_answer, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(&once.caller)
    .bind(&once.name)
    .bind(account.to_string())
    .bind(once.digest.as_slice())
    .bind(subject)
    .bind(sealed_answer)
    .bind(at.0)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query(EARLIER).bind(&once.caller).bind(&once.name).fetch_one(connection).await?;
    known(&row, once).map(Some)
}

/// What the same request did before, if it was made before.
///
/// # Errors
/// [`DbError::KeyReused`] when the key was used for another request.
pub async fn earlier(db: &Db, once: &Once) -> Result<Option<Earlier>, DbError> {
    let row = sqlx::query(EARLIER).bind(&once.caller).bind(&once.name).fetch_optional(&db.pool).await?;
    row.map(|row| known(&row, once)).transpose()
}

const EARLIER: &str = "SELECT request_digest, account_id, subject, sealed_answer FROM answered_requests
     WHERE caller_id = $1 AND name = $2";

fn known(row: &AnyRow, once: &Once) -> Result<Earlier, DbError> {
    if row.try_get::<Vec<u8>, _>(0)? != once.digest {
        return Err(DbError::KeyReused);
    }
    Ok(Earlier {
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        subject: row.try_get(2)?,
        sealed_answer: row.try_get(3)?,
    })
}

/// Keeps the answer of a request whose key was taken before the answer was known.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn keep(connection: &mut AnyConnection, once: &Once, sealed_answer: &[u8]) -> Result<(), DbError> {
    sqlx::query("UPDATE answered_requests SET sealed_answer = $3 WHERE caller_id = $1 AND name = $2")
        .bind(&once.caller)
        .bind(&once.name)
        .bind(sealed_answer)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives the key of a refused request back.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn forget(connection: &mut AnyConnection, once: &Once) -> Result<(), DbError> {
    sqlx::query("DELETE FROM answered_requests WHERE caller_id = $1 AND name = $2")
        .bind(&once.caller)
        .bind(&once.name)
        .execute(connection)
        .await?;
    Ok(())
}
