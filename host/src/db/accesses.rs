//! Accesses: for how long an operator may look at what an account has.

use sqlx::Row as _;

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccessId, AccountId, OperatorKeyId};

/// An access.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Its id.
    pub id: AccessId,
    /// Whose data may be looked at.
    pub account: AccountId,
    /// Who may look.
    pub operator: OperatorKeyId,
    /// Whether inputs, outputs and what logs say may be looked at, too.
    pub contents: bool,
    /// When it was opened.
    pub at: Micros,
    /// Until when it lasts.
    pub until: Micros,
}

/// Opens an access.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, access: &Access) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO operator_accesses (id, account_id, operator_key_id, contents, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(access.id.to_string())
    .bind(access.account.to_string())
    .bind(access.operator.to_string())
    .bind(i64::from(access.contents))
    .bind(access.at.0)
    .bind(access.until.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The access that an operator has to an account now: one with contents, if there is one.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn open(
    db: &Db,
    account: AccountId,
    operator: OperatorKeyId,
    now: Micros,
) -> Result<Option<Access>, DbError> {
    let row = sqlx::query(
        "SELECT id, contents, created_at, expires_at FROM operator_accesses
         WHERE account_id = $1 AND operator_key_id = $2 AND expires_at > $3
         ORDER BY contents DESC, expires_at DESC LIMIT 1",
    )
    .bind(account.to_string())
    .bind(operator.to_string())
    .bind(now.0)
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| {
        Ok(Access {
            id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
            account,
            operator,
            contents: row.try_get::<i64, _>(1)? != 0,
            at: Micros(row.try_get(2)?),
            until: Micros(row.try_get(3)?),
        })
    })
    .transpose()
}

/// Notes that an access was used. True the first time.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note_used(tx: &mut WriteTx<'_>, access: AccessId, at: Micros) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE operator_accesses SET used_at = $2 WHERE id = $1 AND used_at IS NULL")
        .bind(access.to_string())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}
