//! Automatic top-ups: what each account has asked for, whether the processor has the mandate, and the top-up that is on
//! its way.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::region::served;
use super::top_ups::{self, StoredTopUp};
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, AutoTopUpId, TopUpId};
use crate::ledger::Microcredits;
use crate::payments::AutoTopUpState;

/// Accounts that one look brings.
const PAGE: i64 = 100;

/// What an account has asked for.
#[derive(Clone, Debug)]
pub struct StoredAutoTopUp {
    /// What the processor is told of it; another one for each mandate.
    pub id: AutoTopUpId,
    /// Whose it is.
    pub account: AccountId,
    /// Whether anything is bought.
    pub state: AutoTopUpState,
    /// Below which balance something is bought.
    pub threshold: Microcredits,
    /// What is paid then, in the currency's smallest unit.
    pub amount: i64,
    /// The currency's code.
    pub currency: String,
    /// The most that is paid in a month.
    pub monthly_cap: i64,
    /// The mandate, by the processor's id.
    pub mandate: Option<String>,
    /// Where the mandate is given.
    pub page: Option<String>,
    /// The top-up that is on its way.
    pub charging: Option<TopUpId>,
    /// Why it was switched off.
    pub off_because: Option<String>,
    /// When it was asked for, or switched off.
    pub changed_at: Micros,
}

const COLUMNS: &str = "SELECT auto_top_ups.id, auto_top_ups.account_id, auto_top_ups.state, threshold,
         auto_top_ups.amount, auto_top_ups.currency, monthly_cap, mandate, page_url, charging, off_because, changed_at
     FROM auto_top_ups";

/// What an account has asked for, if it has.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId) -> Result<Option<StoredAutoTopUp>, DbError> {
    let text = format!("{COLUMNS} WHERE account_id = $1");
    let row = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored).transpose()
}

/// The account that the processor names, if it still waits for that mandate or has it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn account_of(db: &Db, id: AutoTopUpId) -> Result<Option<AccountId>, DbError> {
    let row =
        sqlx::query("SELECT account_id FROM auto_top_ups WHERE id = $1").bind(id.to_string()).fetch_optional(&db.pool);
    row.await?.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

/// Puts what an account asks for in the place of what it asked for before. With another mandate it may buy at once; with
/// the same one what is on its way stays so, or a request that is repeated would buy twice.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put(tx: &mut WriteTx<'_>, new: &StoredAutoTopUp) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO auto_top_ups (account_id, id, state, threshold, amount, currency, monthly_cap, mandate, page_url,
             armed, charging, off_because, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, NULL, NULL, $10)
         ON CONFLICT (account_id) DO UPDATE
         SET id = $2, state = $3, threshold = $4, amount = $5, currency = $6, monthly_cap = $7, mandate = $8,
             page_url = $9, armed = CASE WHEN auto_top_ups.id = $2 THEN auto_top_ups.armed ELSE 1 END,
             charging = CASE WHEN auto_top_ups.id = $2 THEN auto_top_ups.charging ELSE NULL END, off_because = NULL,
             changed_at = $10",
    )
    .bind(new.account.to_string())
    .bind(new.id.to_string())
    .bind(new.state.as_str())
    .bind(new.threshold.0)
    .bind(new.amount)
    .bind(&new.currency)
    .bind(new.monthly_cap)
    .bind(new.mandate.as_deref())
    .bind(new.page.as_deref())
    .bind(new.changed_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down where the mandate is given.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_page(tx: &mut WriteTx<'_>, account: AccountId, id: AutoTopUpId, url: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE auto_top_ups SET page_url = $3 WHERE account_id = $1 AND id = $2 AND state = 'asked'")
        .bind(account.to_string())
        .bind(id.to_string())
        .bind(url)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes the mandate. False when nobody waits for it any more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn switch_on(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    id: AutoTopUpId,
    mandate: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE auto_top_ups SET state = 'on', mandate = $3, page_url = NULL
         WHERE account_id = $1 AND id = $2 AND state = 'asked'",
    )
    .bind(account.to_string())
    .bind(id.to_string())
    .bind(mandate)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Switches it off; why is for its owner. The mandate is kept, so that it can be ended later. False when it is off already, or another one is in its place.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn switch_off(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    id: AutoTopUpId,
    because: Option<&str>,
    at: Micros,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE auto_top_ups SET state = 'off', page_url = NULL, charging = NULL, off_because = $3,
             changed_at = $4
         WHERE account_id = $1 AND id = $2 AND state <> 'off'",
    )
    .bind(account.to_string())
    .bind(id.to_string())
    .bind(because)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The id of what a top-up was bought by, if that is still on its way.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn charging(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    top_up: TopUpId,
) -> Result<Option<AutoTopUpId>, DbError> {
    let row = sqlx::query("SELECT id FROM auto_top_ups WHERE account_id = $1 AND charging = $2")
        .bind(account.to_string())
        .bind(top_up.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

/// Notes that a top-up is no longer on its way, once what it bought is there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn arrived(tx: &mut WriteTx<'_>, account: AccountId, top_up: TopUpId) -> Result<(), DbError> {
    // The next crossing may come before anybody looks.
    let text = format!(
        "UPDATE auto_top_ups SET charging = NULL, armed = CASE WHEN {BALANCE} >= threshold THEN 1 ELSE armed END
         WHERE account_id = $1 AND charging = $2"
    );
    sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(top_up.to_string()).execute(&mut **tx).await?;
    Ok(())
}

const BALANCE: &str = "(SELECT balances.available + balances.held FROM tenants
     JOIN balances ON balances.tenant = tenants.tenant WHERE tenants.account_id = auto_top_ups.account_id)";

/// Lets those buy at their next crossing whose balance has risen to their threshold.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn arm(db: &Db) -> Result<(), DbError> {
    const RISEN: &str = "auto_top_ups.state = 'on' AND armed = 0 AND charging IS NULL";
    let text = format!("SELECT 1 FROM auto_top_ups WHERE {RISEN} AND {BALANCE} >= threshold LIMIT 1");
    if sqlx::query(AssertSqlSafe(text)).fetch_optional(&db.pool).await?.is_none() {
        return Ok(());
    }
    db.write(|tx| {
        Box::pin(async move {
            let text = format!("UPDATE auto_top_ups SET armed = 1 WHERE {RISEN} AND {BALANCE} >= threshold");
            sqlx::query(AssertSqlSafe(text)).execute(&mut **tx).await?;
            Ok(())
        })
    })
    .await
}

/// Some whose balance is below their threshold and who may buy for it, in a month that began at a moment.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn due(db: &Db, month: Micros) -> Result<Vec<StoredAutoTopUp>, DbError> {
    let served = served!("auto_top_ups.account_id", "$3");
    let text = format!(
        "{COLUMNS} JOIN accounts ON accounts.id = auto_top_ups.account_id
         WHERE accounts.status = 'active' AND {MAY_BUY} AND {BALANCE} < threshold AND {served}
         ORDER BY auto_top_ups.account_id LIMIT $2"
    );
    let question = sqlx::query(AssertSqlSafe(text)).bind(month.0).bind(PAGE).bind(db.region());
    let rows = question.fetch_all(&db.pool).await?;
    rows.iter().map(stored).collect()
}

/// Its month has room for one more: what failed was not paid, and all else may yet be.
const MAY_BUY: &str = "auto_top_ups.state = 'on' AND armed = 1 AND charging IS NULL
     AND monthly_cap - auto_top_ups.amount >= (
         SELECT CAST(COALESCE(SUM(top_ups.amount), 0) AS bigint) FROM top_ups
         WHERE top_ups.account_id = auto_top_ups.account_id AND top_ups.currency = auto_top_ups.currency
           AND automatic = 1 AND created_at >= $1 AND top_ups.state NOT IN ('failed', 'cancelled'))";

/// Writes the top-up that is about to be asked for, once for each crossing and within the month's cap. False when
/// another host has done so, its owner has changed it, or the balance has risen meanwhile.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn begin(
    tx: &mut WriteTx<'_>,
    auto: &StoredAutoTopUp,
    top_up: &StoredTopUp,
    month: Micros,
) -> Result<bool, DbError> {
    let text = format!(
        "UPDATE auto_top_ups SET armed = 0, charging = $2
         WHERE account_id = $3 AND id = $4 AND amount = $5 AND currency = $6 AND {MAY_BUY} AND {BALANCE} < threshold
           AND EXISTS (SELECT 1 FROM accounts WHERE accounts.id = auto_top_ups.account_id AND status = 'active')"
    );
    let done = sqlx::query(AssertSqlSafe(text))
        .bind(month.0)
        .bind(top_up.id.to_string())
        .bind(auto.account.to_string())
        .bind(auto.id.to_string())
        .bind(top_up.amount)
        .bind(&top_up.currency)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    top_ups::insert(tx, top_up, None).await?;
    sqlx::query("UPDATE top_ups SET automatic = 1 WHERE id = $1 AND account_id = $2")
        .bind(top_up.id.to_string())
        .bind(auto.account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

/// Notes that the processor refused a top-up, so that nothing will be paid for it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn refused(tx: &mut WriteTx<'_>, account: AccountId, top_up: TopUpId) -> Result<(), DbError> {
    sqlx::query("UPDATE top_ups SET state = 'failed' WHERE id = $1 AND account_id = $2 AND state = 'pending'")
        .bind(top_up.to_string())
        .bind(account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Some whose top-up was asked for before a moment, and of which nothing was heard since.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn silent(db: &Db, before: Micros) -> Result<Vec<StoredAutoTopUp>, DbError> {
    let served = served!("auto_top_ups.account_id", "$3");
    let text = format!(
        "{COLUMNS} JOIN top_ups ON top_ups.id = auto_top_ups.charging
         WHERE auto_top_ups.state = 'on' AND top_ups.state = 'pending' AND top_ups.created_at < $1 AND {served}
         ORDER BY auto_top_ups.account_id LIMIT $2"
    );
    let question = sqlx::query(AssertSqlSafe(text)).bind(before.0).bind(PAGE).bind(db.region());
    let rows = question.fetch_all(&db.pool).await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<StoredAutoTopUp, DbError> {
    let state: String = row.try_get(2)?;
    let state = AutoTopUpState::of_word(&state);
    Ok(StoredAutoTopUp {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        state: state.ok_or_else(|| DbError::corrupt("an automatic top-up in an unknown state"))?,
        threshold: Microcredits(row.try_get(3)?),
        amount: row.try_get(4)?,
        currency: row.try_get(5)?,
        monthly_cap: row.try_get(6)?,
        mandate: row.try_get(7)?,
        page: row.try_get(8)?,
        charging: row.try_get::<Option<String>, _>(9)?.map(|id| id.parse()).transpose().map_err(DbError::corrupt)?,
        off_because: row.try_get(10)?,
        changed_at: Micros(row.try_get(11)?),
    })
}
