//! What all hosts of one database agree on.

use sqlx::Row as _;

use super::{Db, DbError};

/// Stores a setting unless it has a value, and returns the value that it has.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn agree(db: &Db, name: &'static str, value: String) -> Result<String, DbError> {
    db.write(move |tx| {
        let value = value.clone();
        Box::pin(async move {
            sqlx::query("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(name)
                .bind(value)
                .execute(&mut **tx)
                .await?;
            let row = sqlx::query("SELECT value FROM settings WHERE name = $1").bind(name).fetch_one(&mut **tx).await?;
            Ok(row.try_get(0)?)
        })
    })
    .await
}

/// Puts a value in the place of another. False when that is not there any more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn swap(db: &Db, name: &'static str, before: String, after: String) -> Result<bool, DbError> {
    db.write(move |tx| {
        let (before, after) = (before.clone(), after.clone());
        Box::pin(async move {
            let done = sqlx::query("UPDATE settings SET value = $3 WHERE name = $1 AND value = $2")
                .bind(name)
                .bind(before)
                .bind(after)
                .execute(&mut **tx)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    })
    .await
}
