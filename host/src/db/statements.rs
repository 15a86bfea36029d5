//! Monthly statements: what they sum up, and the statements that were issued, whose numbers have no gap. Holds and
//! releases move credits within an account, so that no statement needs them.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ledger::{Microcredits, Tenant, Verb};
use crate::statements::OfDeployment;

/// The transfers of one verb, summed up.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The verb.
    pub verb: Verb,
    /// How many there are.
    pub count: i64,
    /// What they moved.
    pub amount: Microcredits,
}

/// The moment from which on no statement tells of a tenant's transfers.
macro_rules! untold {
    ($tenant:literal) => {
        concat!("COALESCE((SELECT MAX(period_end) FROM statements WHERE statements.tenant = ", $tenant, "), 0)")
    };
}

/// Tenants that this host serves, behind one of them, by number, with transfers before a moment that no statement tells of, and the time of
/// the first of these.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn due(db: &Db, after: Option<Tenant>, before: Micros, limit: i64) -> Result<Vec<(Tenant, Micros)>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT tenant, first FROM (
             SELECT balances.tenant AS tenant,
                 (SELECT MIN(at) FROM transfers WHERE transfers.tenant = balances.tenant
                      AND verb NOT IN ('hold', 'release') AND at >= ",
        untold!("balances.tenant"),
        ") AS first FROM balances WHERE balances.tenant > $1 AND ",
        served!("(SELECT account_id FROM tenants WHERE tenants.tenant = balances.tenant)", "$4"),
        ") AS untold
         WHERE first < $2 ORDER BY tenant LIMIT $3",
    ))
    .bind(after.map_or(-1, |tenant| tenant.0))
    .bind(before.0)
    .bind(limit)
    .bind(db.region())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok((Tenant(row.try_get(0)?), Micros(row.try_get(1)?)))).collect()
}

/// The time of a tenant's first transfer that no statement tells of.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn next_movement(db: &Db, tenant: Tenant) -> Result<Option<Micros>, DbError> {
    let row = sqlx::query(concat!(
        "SELECT MIN(at) FROM transfers WHERE tenant = $1 AND verb NOT IN ('hold', 'release') AND at >= ",
        untold!("$1")
    ))
    .bind(tenant.0)
    .fetch_one(&db.pool)
    .await?;
    Ok(row.try_get::<Option<i64>, _>(0)?.map(Micros))
}

/// The closing balance of a tenant's last statement; nothing when it has none.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn last_closing(db: &Db, tenant: Tenant) -> Result<Microcredits, DbError> {
    let row = sqlx::query("SELECT closing FROM statements WHERE tenant = $1 ORDER BY period_end DESC LIMIT 1")
        .bind(tenant.0)
        .fetch_optional(&db.pool)
        .await?;
    row.map_or(Ok(Microcredits::ZERO), |row| Ok(Microcredits(row.try_get(0)?)))
}

/// A tenant's transfers from one moment until before another, by verb.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn sums(db: &Db, tenant: Tenant, (from, to): (Micros, Micros)) -> Result<Vec<Sum>, DbError> {
    let rows = sqlx::query(
        "SELECT verb, COUNT(*), CAST(SUM(amount) AS bigint) FROM transfers
         WHERE tenant = $1 AND verb NOT IN ('hold', 'release') AND at >= $2 AND at < $3 GROUP BY verb ORDER BY verb",
    )
    .bind(tenant.0)
    .bind(from.0)
    .bind(to.0)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(sum).collect()
}

/// What a tenant's runs were charged from one moment until before another, by deployment, the most first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn by_deployment(
    db: &Db,
    tenant: Tenant,
    (from, to): (Micros, Micros),
    limit: i64,
) -> Result<Vec<OfDeployment>, DbError> {
    let rows = sqlx::query(
        "SELECT runs.deployment_id, COUNT(*), CAST(SUM(transfers.amount) AS bigint) FROM transfers
         JOIN tenants ON tenants.tenant = transfers.tenant
         JOIN runs ON runs.account_id = tenants.account_id AND runs.id = transfers.subject
         WHERE transfers.tenant = $1 AND transfers.verb = 'settle' AND transfers.verb NOT IN ('hold', 'release')
           AND transfers.at >= $2 AND transfers.at < $3
         GROUP BY runs.deployment_id ORDER BY 3 DESC, 1 LIMIT $4",
    )
    .bind(tenant.0)
    .bind(from.0)
    .bind(to.0)
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    let of = |row: &AnyRow| {
        Ok(OfDeployment {
            deployment: Some(row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?),
            name: None,
            runs: row.try_get(1)?,
            charged_microcredits: Microcredits(row.try_get(2)?),
        })
    };
    rows.iter().map(of).collect()
}

/// A tenant's balance, available and held, and its transfers from a moment on, both as of one moment.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn balance_and_sums_since(
    db: &Db,
    tenant: Tenant,
    from: Micros,
) -> Result<(Microcredits, Vec<Sum>), DbError> {
    // One statement sees one state of the database. The balance comes as the verb that sorts before all others.
    let rows = sqlx::query(
        "SELECT '' AS verb, 0, available + held FROM balances WHERE tenant = $1
         UNION ALL
         SELECT verb, COUNT(*), CAST(SUM(amount) AS bigint) FROM transfers
         WHERE tenant = $1 AND verb NOT IN ('hold', 'release') AND at >= $2 GROUP BY verb
         ORDER BY 1",
    )
    .bind(tenant.0)
    .bind(from.0)
    .fetch_all(&db.pool)
    .await?;
    let (balance, sums) = rows.split_first().ok_or(DbError::Missing("balance"))?;
    Ok((Microcredits(balance.try_get(2)?), sums.iter().map(sum).collect::<Result<_, _>>()?))
}

fn sum(row: &AnyRow) -> Result<Sum, DbError> {
    let verb = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
    Ok(Sum { verb, count: row.try_get(1)?, amount: Microcredits(row.try_get(2)?) })
}

/// A statement to issue.
#[derive(Clone, Debug)]
pub struct NewStatement {
    /// Its number.
    pub number: i64,
    /// Whose it is.
    pub tenant: Tenant,
    /// When its month was over.
    pub period_end: Micros,
    /// The balance then.
    pub closing: Microcredits,
    /// All of it, as JSON.
    pub document: String,
}

/// The next number. Other transactions wait for this one to end, and nothing is left of it when that is rolled back.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn next_number(tx: &mut WriteTx<'_>) -> Result<i64, DbError> {
    let row = sqlx::query("UPDATE statement_numbers SET last = last + 1 WHERE series = 'statements' RETURNING last")
        .fetch_one(&mut **tx)
        .await?;
    Ok(row.try_get(0)?)
}

/// Issues a statement.
///
/// # Errors
/// [`DbError::Exists`] when the tenant has one of the month: the transaction is then to be rolled back.
pub async fn insert(tx: &mut WriteTx<'_>, new: &NewStatement) -> Result<(), DbError> {
    let done = sqlx::query(
        "INSERT INTO statements (number, tenant, period_end, closing, document) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, period_end) DO NOTHING",
    )
    .bind(new.number)
    .bind(new.tenant.0)
    .bind(new.period_end.0)
    .bind(new.closing.0)
    .bind(new.document.as_str())
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Exists("a statement of this month")) }
}

/// The documents of a tenant's statements, latest first, before a number.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, tenant: Tenant, before: Option<i64>, limit: i64) -> Result<Vec<String>, DbError> {
    let rows =
        sqlx::query("SELECT document FROM statements WHERE tenant = $1 AND number < $2 ORDER BY number DESC LIMIT $3")
            .bind(tenant.0)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&db.pool)
            .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The document of one of a tenant's statements.
///
/// # Errors
/// [`DbError::Missing`] when the tenant has none of that number.
pub async fn get(db: &Db, tenant: Tenant, number: i64) -> Result<String, DbError> {
    let row = sqlx::query("SELECT document FROM statements WHERE tenant = $1 AND number = $2")
        .bind(tenant.0)
        .bind(number)
        .fetch_optional(&db.pool)
        .await?;
    Ok(row.ok_or(DbError::Missing("statement"))?.try_get(0)?)
}
