//! Accounts, their data keys and their place in the ledger.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Db, DbError, WriteTx, ledger};
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::ledger::Tenant;

/// An account as it is stored.
#[derive(Clone, Debug)]
pub struct StoredAccount {
    /// The account.
    pub id: AccountId,
    /// The email address, sealed.
    pub sealed_email: Vec<u8>,
    /// The plan's name.
    pub plan: String,
    /// `active`, or why it isn't.
    pub status: String,
    /// When it was made.
    pub created_at: Micros,
    /// Its place in the ledger.
    pub tenant: Tenant,
    /// Version of the data key.
    pub key_version: u32,
    /// The data key, wrapped.
    pub wrapped_key: Vec<u8>,
}

/// An account to make.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The account.
    pub id: AccountId,
    /// The email address, sealed.
    pub sealed_email: Vec<u8>,
    /// The keyed digest by which the address is found.
    pub email_lookup: [u8; 32],
    /// The plan's name.
    pub plan: String,
    /// The data key, wrapped: version 1.
    pub wrapped_key: Vec<u8>,
    /// Now.
    pub at: Micros,
}

/// Makes an account with its data key and its place in the ledger.
///
/// # Errors
/// [`DbError::Exists`] when the address is taken.
pub async fn insert(tx: &mut WriteTx<'_>, account: &NewAccount) -> Result<Tenant, DbError> {
    let done = sqlx::query(
        "INSERT INTO accounts (id, sealed_email, email_lookup, plan, status, created_at)
         VALUES ($1, $2, $3, $4, 'active', $5) ON CONFLICT DO NOTHING",
    )
    .bind(account.id.to_string())
    .bind(account.sealed_email.as_slice())
    .bind(account.email_lookup.as_slice())
    .bind(account.plan.as_str())
    .bind(account.at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(DbError::Exists("an account with this email address"));
    }
    sqlx::query("INSERT INTO data_keys (account_id, version, wrapped, created_at) VALUES ($1, 1, $2, $3)")
        .bind(account.id.to_string())
        .bind(account.wrapped_key.as_slice())
        .bind(account.at.0)
        .execute(&mut **tx)
        .await?;
    ledger::open_tenant(tx, account.id).await
}

const SELECT: &str = "SELECT accounts.id, accounts.sealed_email, accounts.plan, accounts.status, accounts.created_at,
         tenants.tenant, data_keys.version, data_keys.wrapped
     FROM accounts
     JOIN tenants ON tenants.account_id = accounts.id
     JOIN data_keys ON data_keys.account_id = accounts.id
     WHERE data_keys.version = (SELECT MAX(version) FROM data_keys WHERE account_id = accounts.id)";

/// One account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId) -> Result<Option<StoredAccount>, DbError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND accounts.id = $1")))
        .bind(account.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_account).transpose()
}

/// All accounts, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, before: Option<AccountId>, limit: i64) -> Result<Vec<StoredAccount>, DbError> {
    let text = format!("{SELECT} AND accounts.id < $1 ORDER BY accounts.id DESC LIMIT $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored_account).collect()
}

/// Sets an account's status.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn set_status(tx: &mut WriteTx<'_>, account: AccountId, status: &str) -> Result<(), DbError> {
    let done = sqlx::query("UPDATE accounts SET status = $2 WHERE id = $1")
        .bind(account.to_string())
        .bind(status)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("account")) }
}

fn stored_account(row: &AnyRow) -> Result<StoredAccount, DbError> {
    Ok(StoredAccount {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        sealed_email: row.try_get(1)?,
        plan: row.try_get(2)?,
        status: row.try_get(3)?,
        created_at: Micros(row.try_get(4)?),
        tenant: Tenant(row.try_get(5)?),
        key_version: u32::try_from(row.try_get::<i64, _>(6)?).map_err(DbError::corrupt)?,
        wrapped_key: row.try_get(7)?,
    })
}
