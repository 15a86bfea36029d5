//! Accounts, their data keys and their place in the ledger.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::data_keys::StoredDataKey;
use super::region::served;
use super::{Db, DbError, WriteTx, data_keys, ledger, spending};
use crate::accounts::Status;
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::ledger::{Microcredits, Tenant};
use crate::names::Name;
use crate::vault::Wrapped;

/// An account as it is stored.
#[derive(Clone, Debug)]
pub struct StoredAccount {
    /// The account.
    pub id: AccountId,
    /// The email address, sealed.
    pub sealed_email: Vec<u8>,
    /// The plan's name.
    pub plan: String,
    /// Where its data stays; none is anywhere.
    pub region: Option<Name>,
    /// What its callers may do.
    pub status: Status,
    /// When it was made.
    pub created_at: Micros,
    /// What its owner lets it spend in a day.
    pub daily_spend: Option<Microcredits>,
    /// Its place in the ledger.
    pub tenant: Tenant,
    /// The versions of the data key, wrapped, oldest first.
    pub data_keys: Vec<(u32, Vec<u8>)>,
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
    /// Where its data stays; none is anywhere.
    pub region: Option<Name>,
    /// The data key, wrapped: version 1.
    pub wrapped_key: Wrapped,
    /// Until when it waits for its address to be confirmed; none is active from the start.
    pub pending_until: Option<Micros>,
    /// Now.
    pub at: Micros,
}

/// Makes an account with its data key and its place in the ledger.
///
/// # Errors
/// [`DbError::Exists`] when the address is taken.
pub async fn insert(tx: &mut WriteTx<'_>, account: &NewAccount) -> Result<Tenant, DbError> {
    let done = sqlx::query(
        "INSERT INTO accounts (id, sealed_email, email_lookup, plan, status, pending_until, created_at, region)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(account.id.to_string())
    .bind(account.sealed_email.as_slice())
    .bind(account.email_lookup.as_slice())
    .bind(account.plan.as_str())
    .bind(if account.pending_until.is_some() { Status::Pending } else { Status::Active }.as_str())
    .bind(account.pending_until.map(|until| until.0))
    .bind(account.at.0)
    .bind(account.region.as_ref().map(Name::as_str))
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(DbError::Exists("an account with this email address"));
    }
    let first = StoredDataKey { account: account.id, version: 1, wrapped: account.wrapped_key.clone() };
    data_keys::insert(tx, &first, account.at).await?;
    ledger::open_tenant(tx, account.id).await
}

/// A row for each version of the data key, those of one account together.
const COLUMNS: &str = "SELECT accounts.id, accounts.sealed_email, accounts.plan, accounts.status,
         accounts.created_at, tenants.tenant, data_keys.version, data_keys.wrapped,
         accounts.daily_spend, accounts.region";
const JOINED: &str = "JOIN tenants ON tenants.account_id = accounts.id
     JOIN data_keys ON data_keys.account_id = accounts.id
     ORDER BY accounts.id DESC, data_keys.version";

/// One account. None when it has no data key: then nothing of it opens.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId) -> Result<Option<StoredAccount>, DbError> {
    let text = format!("{COLUMNS} FROM (SELECT * FROM accounts WHERE id = $1) AS accounts {JOINED}");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(account.to_string()).fetch_all(&db.pool).await?;
    Ok(stored_accounts(&rows)?.pop())
}

/// An account's place in the ledger, which it has even when it has no data key.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn tenant(db: &Db, account: AccountId) -> Result<Tenant, DbError> {
    let row = sqlx::query("SELECT tenant FROM tenants WHERE account_id = $1")
        .bind(account.to_string())
        .fetch_optional(&db.pool)
        .await?;
    Ok(Tenant(row.ok_or(DbError::Missing("account"))?.try_get(0)?))
}

/// Whether there is such an account still, open or closed.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn is_there(db: &Db, account: AccountId) -> Result<bool, DbError> {
    let found = sqlx::query("SELECT 1 FROM accounts WHERE id = $1").bind(account.to_string());
    Ok(found.fetch_optional(&db.pool).await?.is_some())
}

/// The plans that accounts have.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn plans(db: &Db) -> Result<Vec<String>, DbError> {
    let rows = sqlx::query("SELECT DISTINCT plan FROM accounts ORDER BY plan").fetch_all(&db.pool).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The accounts that this host serves, latest first, but for those that are closed.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, before: Option<AccountId>, limit: i64) -> Result<Vec<StoredAccount>, DbError> {
    let served = served!("accounts.id", "$3");
    let text = format!(
        "{COLUMNS} FROM (SELECT * FROM accounts WHERE id < $1 AND status <> 'closed' AND {served}
             AND EXISTS (SELECT 1 FROM data_keys WHERE data_keys.account_id = accounts.id)
             ORDER BY id DESC LIMIT $2) AS accounts {JOINED}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .bind(db.region())
        .fetch_all(&db.pool)
        .await?;
    stored_accounts(&rows)
}

/// Puts an account's email address, sealed anew, in the place of the old one, if that is still there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn replace_email(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    old: &[u8],
    sealed: &[u8],
) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE accounts SET sealed_email = $3 WHERE id = $1 AND sealed_email = $2")
        .bind(account.to_string())
        .bind(old)
        .bind(sealed)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets what an account may spend in a day; none is as much as it has.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_daily_spend(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    most: Option<Microcredits>,
) -> Result<(), DbError> {
    sqlx::query("UPDATE accounts SET daily_spend = $2 WHERE id = $1")
        .bind(account.to_string())
        .bind(most.map(|most| most.0))
        .execute(&mut **tx)
        .await?;
    // What was spent while there was no cap has to count.
    spending::forget(tx, (account, None)).await
}

/// The status of an account, which nobody else changes until the transaction ends: whatever changes it begins with this,
/// so that two changes of one moment are as if one came after the other.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn lock(tx: &mut WriteTx<'_>, account: AccountId) -> Result<Status, DbError> {
    // An update that changes nothing takes the row's lock on PostgreSQL, where a select would not.
    let row = sqlx::query("UPDATE accounts SET status = status WHERE id = $1 RETURNING status")
        .bind(account.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.ok_or(DbError::Missing("account"))?.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)
}

/// Sets the status of an account that is [locked](lock).
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn set_status(tx: &mut WriteTx<'_>, account: AccountId, status: Status) -> Result<(), DbError> {
    let done = sqlx::query("UPDATE accounts SET status = $2 WHERE id = $1")
        .bind(account.to_string())
        .bind(status.as_str())
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("account")) }
}

/// The status of an account.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub(super) async fn status(connection: &mut AnyConnection, account: AccountId) -> Result<Status, DbError> {
    let row = sqlx::query("SELECT status FROM accounts WHERE id = $1")
        .bind(account.to_string())
        .fetch_optional(connection)
        .await?;
    row.ok_or(DbError::Missing("account"))?.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)
}

/// The account that has an email address, by the keyed digest of it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn id_by_email(db: &Db, lookup: &[u8; 32]) -> Result<Option<AccountId>, DbError> {
    let row = sqlx::query("SELECT id FROM accounts WHERE email_lookup = $1")
        .bind(lookup.as_slice())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

/// Makes a pending account active, from this moment on.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account that is pending.
pub async fn activate(tx: &mut WriteTx<'_>, account: AccountId, at: Micros) -> Result<(), DbError> {
    let done = sqlx::query(
        "UPDATE accounts SET status = 'active', pending_until = NULL, created_at = $2
         WHERE id = $1 AND status = 'pending'",
    )
    .bind(account.to_string())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("account that waits for its address")) }
}

/// Some accounts whose address was not confirmed in time, behind one of them.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn overdue(db: &Db, now: Micros, after: Option<AccountId>) -> Result<Vec<AccountId>, DbError> {
    let rows = sqlx::query(
        "SELECT id FROM accounts WHERE status = 'pending' AND pending_until < $1 AND id > $2
           AND ($3 = '' OR region IS NULL OR region = $3) ORDER BY id LIMIT 100",
    )
    .bind(now.0)
    .bind(after.map(|id| id.to_string()).unwrap_or_default())
    .bind(db.region())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).collect()
}

/// Deletes the account that waits for an address to be confirmed, if there is one: whoever signed up with it has not
/// shown that it is theirs, and keeps it from nobody who has.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn displace_pending(tx: &mut WriteTx<'_>, email_lookup: &[u8]) -> Result<(), DbError> {
    let row = sqlx::query("SELECT id FROM accounts WHERE email_lookup = $1 AND status = 'pending'")
        .bind(email_lookup)
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = row {
        let account = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
        delete_pending(tx, account, Micros(i64::MAX)).await?;
    }
    Ok(())
}

/// Deletes an account whose address was not confirmed in time, with all that it has: nothing has ever moved on it.
/// False when it is no such account any more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn delete_pending(tx: &mut WriteTx<'_>, account: AccountId, now: Micros) -> Result<bool, DbError> {
    let id = account.to_string();
    // The update takes the row's lock, so that nobody confirms meanwhile.
    let found = sqlx::query(
        "UPDATE accounts SET status = 'closed' WHERE id = $1 AND status = 'pending' AND pending_until < $2",
    )
    .bind(&id)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    if found.rows_affected() == 0 {
        return Ok(false);
    }
    ledger::close_tenant(tx, account).await?;
    for statement in [
        // That somebody was invited is still known, and by whom; not any more who, and why.
        "DELETE FROM audit_contents WHERE account_id = $1",
        "DELETE FROM links WHERE account_id = $1",
        "DELETE FROM letters WHERE account_id = $1",
        "DELETE FROM data_keys WHERE account_id = $1",
        "DELETE FROM accounts WHERE id = $1",
    ] {
        sqlx::query(statement).bind(&id).execute(&mut **tx).await?;
    }
    Ok(true)
}

fn stored_accounts(rows: &[AnyRow]) -> Result<Vec<StoredAccount>, DbError> {
    let mut accounts: Vec<StoredAccount> = Vec::new();
    for row in rows {
        let id: AccountId = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
        let data_key = (u32::try_from(row.try_get::<i64, _>(6)?).map_err(DbError::corrupt)?, row.try_get(7)?);
        if let Some(account) = accounts.last_mut().filter(|account| account.id == id) {
            account.data_keys.push(data_key);
            continue;
        }
        accounts.push(StoredAccount {
            id,
            sealed_email: row.try_get(1)?,
            plan: row.try_get(2)?,
            status: row.try_get::<String, _>(3)?.parse().map_err(DbError::corrupt)?,
            created_at: Micros(row.try_get(4)?),
            tenant: Tenant(row.try_get(5)?),
            region: {
                let region: Option<String> = row.try_get(9)?;
                region.map(|region| region.parse().map_err(DbError::corrupt)).transpose()?
            },
            daily_spend: row.try_get::<Option<i64>, _>(8)?.map(Microcredits),
            data_keys: vec![data_key],
        });
    }
    Ok(accounts)
}
