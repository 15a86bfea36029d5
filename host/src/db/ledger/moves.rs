//! What moves a balance: each a guarded statement, or one behind the lock of the tenant's row.

use sqlx::AnyConnection;

use super::balance_at;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::sets::SetStatement;
use crate::db::writer::WriteTx;
use crate::ids::AccountId;
use crate::ledger::{Balance, Microcredits, Tenant, Transfer, Verb};

/// The most that a tenant can have. Half the range is ample, and keeps every sum of two amounts within it.
const MOST: i64 = i64::MAX / 2;

/// Moves an amount from credits to holds, if there is so much, nothing is owed, and the account is active: no run is
/// admitted but by this. The only way down for a balance that nobody has locked.
pub(in crate::db) async fn hold(
    connection: &mut AnyConnection,
    tenant: Tenant,
    amount: Microcredits,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE balances SET available = available - $2, held = held + $2
         WHERE tenant = $1 AND available >= $2 AND debt = 0 AND EXISTS (
             SELECT 1 FROM tenants JOIN accounts ON accounts.id = tenants.account_id
             WHERE tenants.tenant = $1 AND accounts.status = 'active')",
    )
    .bind(tenant.0)
    .bind(amount.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes amounts out of the holds, and gives back what they did not cost.
pub(in crate::db) async fn unhold(
    connection: &mut AnyConnection,
    tenant: Tenant,
    held: Microcredits,
    released: Microcredits,
) -> Result<(), DbError> {
    let done = sqlx::query(
        "UPDATE balances SET available = available + $3, held = held - $2 WHERE tenant = $1 AND held >= $2",
    )
    .bind(tenant.0)
    .bind(held.0)
    .bind(released.0)
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::corrupt("a run settles more than is held")) }
}

/// The balance, which nobody else changes until the transaction ends.
pub(in crate::db) async fn lock_balance(connection: &mut AnyConnection, tenant: Tenant) -> Result<Balance, DbError> {
    // An update that changes nothing takes the row's lock on PostgreSQL, where a select would not.
    let row = sqlx::query("UPDATE balances SET debt = debt WHERE tenant = $1 RETURNING available, held, debt")
        .bind(tenant.0)
        .fetch_optional(connection)
        .await?
        .ok_or(DbError::Missing("balance"))?;
    balance_at(&row, 0)
}

/// The balance, which nobody else changes until the transaction ends.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn lock(tx: &mut WriteTx<'_>, tenant: Tenant) -> Result<Balance, DbError> {
    lock_balance(tx, tenant).await
}

/// Locks the balances of these tenants in their order, on PostgreSQL; SQLite has one writer.
pub(in crate::db) async fn lock_balances(connection: &mut AnyConnection, tenants: &[Tenant]) -> Result<(), DbError> {
    static LOCK: SetStatement =
        SetStatement::new("SELECT tenant FROM balances WHERE tenant IN (VALUES {rows}) ORDER BY tenant FOR UPDATE", 1);
    LOCK.fetch(connection, tenants, |query, tenant| query.bind(tenant.0)).await?;
    Ok(())
}

/// Opens a tenant with nothing on it.
pub(in crate::db) async fn open_tenant(connection: &mut AnyConnection, account: AccountId) -> Result<Tenant, DbError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
    // Positive, and telling nothing of when the account was opened.
    let tenant = Tenant(i64::from_be_bytes(random) & i64::MAX);
    sqlx::query("INSERT INTO tenants (account_id, tenant) VALUES ($1, $2)")
        .bind(account.to_string())
        .bind(tenant.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO balances (tenant, available, held) VALUES ($1, 0, 0)")
        .bind(tenant.0)
        .execute(connection)
        .await?;
    Ok(tenant)
}

/// Gives credits to a tenant by a verb that does. A debt is paid first; returns what is then left to spend.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or the balance would pass what the ledger can hold.
pub async fn pay_in(
    tx: &mut WriteTx<'_>,
    tenant: Tenant,
    (verb, subject): (Verb, &str),
    amount: Microcredits,
    at: Micros,
) -> Result<Balance, DbError> {
    let mut balance = lock_balance(tx, tenant).await?;
    if balance.available.0 > MOST - amount.0 {
        return Err(DbError::Limit { limit: "balance_microcredits", value: MOST.unsigned_abs() });
    }
    balance.available += amount;
    book(tx, tenant, (verb, subject), amount, at);
    let repaid = balance.debt.min(balance.available);
    balance.available = balance.available - repaid;
    balance.debt = balance.debt - repaid;
    book(tx, tenant, (Verb::Repay, subject), repaid, at);
    set_locked(tx, tenant, balance).await?;
    Ok(balance)
}

/// Takes back what was bought, and writes down as a debt what is not there any more. Returns the balance after it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or more would be owed than the ledger can hold.
pub async fn take_back(
    tx: &mut WriteTx<'_>,
    tenant: Tenant,
    subject: &str,
    amount: Microcredits,
    at: Micros,
) -> Result<Balance, DbError> {
    let mut balance = lock_balance(tx, tenant).await?;
    let taken = balance.available.min(amount);
    let owed = amount - taken;
    if balance.debt.0 > MOST - owed.0 {
        return Err(DbError::Limit { limit: "balance_microcredits", value: MOST.unsigned_abs() });
    }
    balance.available = balance.available - taken;
    balance.debt += owed;
    book(tx, tenant, (Verb::Refund, subject), taken, at);
    book(tx, tenant, (Verb::Owe, subject), owed, at);
    set_locked(tx, tenant, balance).await?;
    Ok(balance)
}

/// Takes credits away as an operator's correction, of those that are there.
///
/// # Errors
/// [`DbError::Insufficient`] when there are not so many.
pub async fn adjust_down(
    tx: &mut WriteTx<'_>,
    tenant: Tenant,
    subject: &str,
    amount: Microcredits,
    at: Micros,
) -> Result<Balance, DbError> {
    let mut balance = lock_balance(tx, tenant).await?;
    if balance.available < amount {
        return Err(DbError::Insufficient { available: balance.available });
    }
    balance.available = balance.available - amount;
    book(tx, tenant, (Verb::AdjustDown, subject), amount, at);
    set_locked(tx, tenant, balance).await?;
    Ok(balance)
}

/// Pays a debt with what is there, as far as it goes, behind the lock of the tenant's row: what runs held when the
/// debt was written down, and released since.
pub(in crate::db) async fn repay(
    connection: &mut AnyConnection,
    (tenant, mut balance): (Tenant, Balance),
    (subject, at): (String, Micros),
    transfers: &mut Vec<Transfer>,
) -> Result<Balance, DbError> {
    let amount = balance.debt.min(balance.available);
    if amount > Microcredits::ZERO {
        balance.available = balance.available - amount;
        balance.debt = balance.debt - amount;
        transfers.push(Transfer { tenant, subject, verb: Verb::Repay, amount, at });
        set_locked(connection, tenant, balance).await?;
    }
    Ok(balance)
}

fn book(tx: &mut WriteTx<'_>, tenant: Tenant, (verb, subject): (Verb, &str), amount: Microcredits, at: Micros) {
    if amount > Microcredits::ZERO {
        tx.book(Transfer { tenant, subject: subject.to_owned(), verb, amount, at });
    }
}

/// Writes what can be spent and what is owed, behind the lock of the row.
async fn set_locked(connection: &mut AnyConnection, tenant: Tenant, balance: Balance) -> Result<(), DbError> {
    sqlx::query("UPDATE balances SET available = $2, debt = $3 WHERE tenant = $1")
        .bind(tenant.0)
        .bind(balance.available.0)
        .bind(balance.debt.0)
        .execute(connection)
        .await?;
    Ok(())
}
