//! The ledger's rows: balances behind guarded statements (`moves`), and transfers that are only ever added.

mod closing;
mod history;
mod moves;

pub(super) use closing::close_tenant;
pub use history::{TransferFilter, transfers};
use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

pub use moves::{adjust_down, lock, pay_in, take_back};
pub(super) use moves::{hold, lock_balance, lock_balances, open_tenant, repay, unhold};

use super::sets::SetStatement;
use super::writer::Mark;
use super::{Db, DbError};
use crate::clock::Micros;
use crate::ids::HostId;
use crate::ledger::{Balance, ChainHead, Microcredits, Tenant, Transfer};

struct ChainedTransfer<'a> {
    transfer: &'a Transfer,
    id: String,
    host: &'a str,
    head: ChainHead,
}

static INSERT_TRANSFERS: SetStatement = SetStatement::new(
    "INSERT INTO transfers (tenant, id, subject, verb, amount, at, host_id, host_sequence, chain)
     VALUES {rows} ON CONFLICT DO NOTHING",
    9,
);

/// Writes the group's transfers, each chained to the one before, and the mark that the group leaves.
pub(super) async fn insert_transfers(
    connection: &mut AnyConnection,
    host: HostId,
    before: &Mark,
    transfers: &[Transfer],
) -> Result<Mark, DbError> {
    let host = host.to_string();
    let mut mark = Mark { group: before.group + 1, head: before.head.clone() };
    let mut rows = Vec::with_capacity(transfers.len());
    for transfer in transfers {
        mark.head = mark.head.extended_by(transfer);
        rows.push(ChainedTransfer { transfer, id: transfer.id(), host: &host, head: mark.head.clone() });
    }
    let written = INSERT_TRANSFERS
        .execute(connection, &rows, |query, row| {
            query
                .bind(row.transfer.tenant.0)
                .bind(row.id.as_str())
                .bind(row.transfer.subject.as_str())
                .bind(row.transfer.verb.as_str())
                .bind(row.transfer.amount.0)
                .bind(row.transfer.at.0)
                .bind(row.host)
                .bind(row.head.sequence)
                .bind(row.head.hash.as_slice())
        })
        .await?;
    if written != rows.len() as u64 {
        return Err(DbError::corrupt("a transfer would have been written twice"));
    }
    sqlx::query(
        "INSERT INTO chain_heads (host_id, host_group, host_sequence, chain) VALUES ($1, $2, $3, $4)
         ON CONFLICT (host_id) DO UPDATE SET host_group = $2, host_sequence = $3, chain = $4",
    )
    .bind(&host)
    .bind(mark.group)
    .bind(mark.head.sequence)
    .bind(mark.head.hash.as_slice())
    .execute(connection)
    .await?;
    Ok(mark)
}

/// What this host's writer committed last.
///
/// A process that was killed may have left a COMMIT behind that PostgreSQL has yet to finish. Both statements
/// wait for the lock that it holds on the row, so that what is read is surely the end of the chain.
pub(super) async fn chain_mark(connection: &mut AnyConnection, host: HostId) -> Result<Mark, DbError> {
    let none = Mark::default();
    sqlx::query(
        "INSERT INTO chain_heads (host_id, host_group, host_sequence, chain) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(host.to_string())
    .bind(none.group)
    .bind(none.head.sequence)
    .bind(none.head.hash.as_slice())
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query(
        "UPDATE chain_heads SET host_group = host_group WHERE host_id = $1
         RETURNING host_group, host_sequence, chain",
    )
    .bind(host.to_string())
    .fetch_one(connection)
    .await?;
    let head = ChainHead { sequence: row.try_get(1)?, hash: hash_of(&row, 2)? };
    Ok(Mark { group: row.try_get(0)?, head })
}

fn hash_of(row: &AnyRow, column: usize) -> Result<[u8; 32], DbError> {
    let hash: Vec<u8> = row.try_get(column)?;
    hash.as_slice().try_into().map_err(|_| DbError::corrupt("a hash in the ledger's chain is not 32 bytes"))
}

/// A tenant's balance.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn balance(db: &Db, tenant: Tenant) -> Result<Balance, DbError> {
    let row = sqlx::query("SELECT available, held, debt FROM balances WHERE tenant = $1")
        .bind(tenant.0)
        .fetch_optional(&db.pool)
        .await?
        .ok_or(DbError::Missing("balance"))?;
    balance_at(&row, 0)
}

/// The balance in three columns of a row, the first of which is at this place.
fn balance_at(row: &AnyRow, at: usize) -> Result<Balance, DbError> {
    Ok(Balance {
        available: Microcredits(row.try_get(at)?),
        held: Microcredits(row.try_get(at + 1)?),
        debt: Microcredits(row.try_get(at + 2)?),
    })
}

/// A transfer as it is stored.
#[derive(Clone, Debug)]
pub struct StoredTransfer {
    /// Its id: sorted by the making of its subject.
    pub id: String,
    /// The transfer.
    pub transfer: Transfer,
    /// The host whose writer wrote it.
    pub host: String,
    /// Its place and hash in that host's chain.
    pub head: ChainHead,
}

const TRANSFER_COLUMNS: &str = "tenant, id, subject, verb, amount, at, host_id, host_sequence, chain";

/// Transfers, or runs, that one question of a verification brings.
const PAGE: i64 = 2_000;

/// A host's transfers behind a number of its chain, in order; none when there are no more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn chained(db: &Db, host: &str, after: i64) -> Result<Vec<StoredTransfer>, DbError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {TRANSFER_COLUMNS} FROM transfers WHERE host_id = $1 AND host_sequence > $2
         ORDER BY host_sequence LIMIT $3"
    )))
    .bind(host)
    .bind(after)
    .bind(PAGE)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_transfer).collect()
}

/// The next host, by its id, that wrote transfers.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn next_chain(db: &Db, after: &str) -> Result<Option<String>, DbError> {
    let row =
        sqlx::query("SELECT MIN(host_id) FROM transfers WHERE host_id > $1").bind(after).fetch_one(&db.pool).await?;
    Ok(row.try_get(0)?)
}

/// The heads of all chains.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn chain_heads(db: &Db) -> Result<Vec<(String, ChainHead)>, DbError> {
    let rows = sqlx::query("SELECT host_id, host_sequence, chain FROM chain_heads ORDER BY host_id")
        .fetch_all(&db.pool)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, ChainHead { sequence: row.try_get(1)?, hash: hash_of(row, 2)? })))
        .collect()
}

/// Tenants with their stored balances.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn balances(db: &Db) -> Result<Vec<(Tenant, Balance)>, DbError> {
    let rows = sqlx::query("SELECT tenant, available, held, debt FROM balances ORDER BY tenant");
    let rows = rows.fetch_all(&db.pool).await?;
    rows.iter().map(|row| Ok((Tenant(row.try_get(0)?), balance_at(row, 1)?))).collect()
}

/// Sum of what unfinished runs hold, by tenant.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn held_by_runs(db: &Db) -> Result<Vec<(Tenant, Microcredits)>, DbError> {
    let rows = sqlx::query(
        "SELECT tenants.tenant, CAST(SUM(runs.held) AS bigint) FROM runs
         JOIN tenants ON tenants.account_id = runs.account_id
         WHERE runs.status <> 'finished' GROUP BY tenants.tenant",
    )
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok((Tenant(row.try_get(0)?), Microcredits(row.try_get(1)?)))).collect()
}

/// A run, and what the ledger moved for it.
#[derive(Clone, Debug)]
pub struct AccountedRun {
    /// Account and run: its place among all runs.
    pub key: (String, String),
    /// What was held for it.
    pub held: Microcredits,
    /// What it cost, once it is finished.
    pub charged: Option<Microcredits>,
    /// What was taken from its hold.
    pub settled: Microcredits,
    /// What was given back from its hold.
    pub released: Microcredits,
}

/// Runs behind one of them, by account and id, with what the ledger moved for each; none when there are no more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn accounted_runs(db: &Db, after: &(String, String)) -> Result<Vec<AccountedRun>, DbError> {
    // A transfer's id is made of its subject's, behind `run_`, and its verb; so each is found by its key.
    let rows = sqlx::query(
        "SELECT runs.account_id, runs.id, runs.held, runs.charged,
                COALESCE(settled.amount, 0), COALESCE(released.amount, 0)
         FROM runs
         LEFT JOIN tenants ON tenants.account_id = runs.account_id
         LEFT JOIN transfers AS settled
                ON settled.tenant = tenants.tenant AND settled.id = SUBSTR(runs.id, 5) || '-settle'
         LEFT JOIN transfers AS released
                ON released.tenant = tenants.tenant AND released.id = SUBSTR(runs.id, 5) || '-release'
         WHERE (runs.account_id, runs.id) > ($1, $2)
         ORDER BY runs.account_id, runs.id LIMIT $3",
    )
    .bind(&after.0)
    .bind(&after.1)
    .bind(PAGE)
    .fetch_all(&db.pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AccountedRun {
                key: (row.try_get(0)?, row.try_get(1)?),
                held: Microcredits(row.try_get(2)?),
                charged: row.try_get::<Option<i64>, _>(3)?.map(Microcredits),
                settled: Microcredits(row.try_get(4)?),
                released: Microcredits(row.try_get(5)?),
            })
        })
        .collect()
}

/// How many runs there are, to show how far a verification is.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn count_runs(db: &Db) -> Result<u64, DbError> {
    let row = sqlx::query("SELECT COUNT(*) FROM runs").fetch_one(&db.pool).await?;
    Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
}

fn stored_transfer(row: &AnyRow) -> Result<StoredTransfer, DbError> {
    Ok(StoredTransfer {
        id: row.try_get(1)?,
        transfer: Transfer {
            tenant: Tenant(row.try_get(0)?),
            subject: row.try_get(2)?,
            verb: row.try_get::<String, _>(3)?.parse().map_err(DbError::corrupt)?,
            amount: Microcredits(row.try_get(4)?),
            at: Micros(row.try_get(5)?),
        },
        host: row.try_get(6)?,
        head: ChainHead { sequence: row.try_get(7)?, hash: hash_of(row, 8)? },
    })
}
