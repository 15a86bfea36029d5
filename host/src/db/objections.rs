//! Objections: accounts whose owners don't want their use to be analysed. What analyses looks at accounts that are active
//! and have no `objected_at`.

use sqlx::Row as _;

use super::rights::{self, RightsKind, RightsState};
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::AccountId;

/// Since when an account's owner objects to its use being analysed.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn since(db: &Db, account: AccountId) -> Result<Option<Micros>, DbError> {
    let question = sqlx::query("SELECT objected_at FROM accounts WHERE id = $1").bind(account.to_string());
    let row = question.fetch_optional(&db.pool).await?.ok_or(DbError::Missing("account"))?;
    Ok(row.try_get::<Option<i64>, _>(0)?.map(Micros))
}

/// Notes an objection; one that is there already stays as old as it is. False when it was there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put(tx: &mut WriteTx<'_>, account: AccountId, at: Micros) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE accounts SET objected_at = $2 WHERE id = $1 AND objected_at IS NULL")
        .bind(account.to_string())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    let is_new = done.rows_affected() == 1;
    if is_new {
        rights::register(tx, account, RightsKind::Objection, RightsState::Done, at).await?;
    }
    Ok(is_new)
}

/// Takes an objection back. False when there was none.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn withdraw(tx: &mut WriteTx<'_>, account: AccountId) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE accounts SET objected_at = NULL WHERE id = $1 AND objected_at IS NOT NULL")
        .bind(account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}
