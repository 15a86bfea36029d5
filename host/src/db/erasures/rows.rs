//! What erasure does to rows, as the data map says.

use sqlx::AssertSqlSafe;

use crate::clock::Micros;
use crate::db::engine::DbEngine;
use crate::db::pace::Pace;
use crate::db::retention::in_batches;
use crate::db::{Db, DbError, WriteTx};
use crate::faults;
use crate::ids::AccountId;
use crate::privacy::map::Table;

/// The most rows of one commit; fewer where they take long.
const ROWS: i64 = 500;

/// Makes the account that nobody has, under whose id is kept what the law asks for.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert_pseudonym(tx: &mut WriteTx<'_>, pseudonym: AccountId, lookup: [u8; 32]) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO accounts (id, sealed_email, email_lookup, plan, status, created_at)
         VALUES ($1, $2, $3, '', 'closed', 0) ON CONFLICT DO NOTHING",
    )
    .bind(pseudonym.to_string())
    .bind(Vec::new())
    .bind(lookup.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes the rows of an account, at a pace that others hardly notice.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_rows(db: &Db, table: &'static Table, account: AccountId) -> Result<(), DbError> {
    let text = deletion(table);
    let mut pace = Pace::up_to(ROWS);
    let deleted = in_batches(db, &mut pace, move |tx, size| {
        let text = text.clone();
        Box::pin(async move {
            let done = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(size).execute(&mut **tx).await?;
            Ok(done.rows_affected())
        })
    });
    deleted.await.map(drop)
}

fn deletion(table: &Table) -> String {
    let (name, key) = (table.name, table.key.join(", "));
    format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE account_id = $1 LIMIT $2)")
}

/// Gives the account's rows to the pseudonym.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn give_rows(
    tx: &mut WriteTx<'_>,
    table: &Table,
    account: AccountId,
    pseudonym: AccountId,
) -> Result<(), DbError> {
    let text = format!("UPDATE {} SET account_id = $2 WHERE account_id = $1", table.name);
    let statement = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(pseudonym.to_string());
    statement.execute(&mut **tx).await?;
    Ok(())
}

/// Ends what is asked for by an account that is erased, and forgets whose it was.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn forget_whose(tx: &mut WriteTx<'_>, account: AccountId, at: Micros) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE rights_requests SET account_id = NULL, state = CASE WHEN state = 'open' THEN 'done' ELSE state END,
             ended_at = COALESCE(ended_at, $2)
         WHERE account_id = $1",
    )
    .bind(account.to_string())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes the row of the account itself.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn delete_account(tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), DbError> {
    sqlx::query("DELETE FROM accounts WHERE id = $1").bind(account.to_string()).execute(&mut **tx).await?;
    Ok(())
}

/// Frees the room of rows that were deleted from tables. SQLite overwrites them as it deletes; there only the WAL has to
/// be emptied, which [`crate::db::data_keys::wipe`] does.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn vacuum(db: &Db, tables: &[&str]) -> Result<(), DbError> {
    faults::step();
    if db.url.engine == DbEngine::Postgres {
        for table in tables {
            sqlx::query(AssertSqlSafe(format!("VACUUM {table}"))).execute(&db.pool).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::plans::Plans;
    use crate::privacy::map::{self, About};

    #[tokio::test]
    async fn an_index_finds_the_rows_of_an_account_in_every_table() {
        let plans = Plans::new().await;
        let mut looked_at = 0;
        for table in map::tables().filter(|table| table.about == About::Account) {
            plans.by_index(&deletion(table)).await;
            looked_at += 1;
        }
        assert!(looked_at > 25, "{looked_at}");
    }
}
