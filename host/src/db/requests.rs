//! Metadata of requests: what an account asked for, when, and what it was answered. Nothing of who asked but the key.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::sets::SetStatement;
use super::{Db, DbError, WriteTx};
use crate::ids::{AccountId, ApiKeyId, RequestId};

/// What is kept of one request. When it was made is in its id.
#[derive(Clone, Debug)]
pub struct RequestMetadata {
    /// The request.
    pub id: RequestId,
    /// Whose key it came with.
    pub account: AccountId,
    /// That key.
    pub api_key: ApiKeyId,
    /// The method.
    pub method: String,
    /// The route's pattern: without names and ids.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
    /// From its head to the head of its answer, in microseconds.
    pub duration_us: i64,
}

static INSERT: SetStatement = SetStatement::new(
    "INSERT INTO requests (account_id, id, api_key_id, method, route, status, duration_us)
     VALUES {rows} ON CONFLICT DO NOTHING",
    7,
);

/// Writes metadata down. What is written already may come again.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, requests: &[RequestMetadata]) -> Result<(), DbError> {
    INSERT
        .execute(tx, requests, |query, request| {
            query
                .bind(request.account.to_string())
                .bind(request.id.to_string())
                .bind(request.api_key.to_string())
                .bind(request.method.as_str())
                .bind(request.route.as_str())
                .bind(i64::from(request.status))
                .bind(request.duration_us)
        })
        .await?;
    Ok(())
}

/// Which requests are asked for.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Only requests that were answered so.
    pub status: Option<u16>,
    /// Only requests to this route.
    pub route: Option<String>,
    /// Only requests with this key.
    pub api_key: Option<ApiKeyId>,
    /// Only this request and later ones.
    pub from: Option<RequestId>,
    /// Only requests before this one.
    pub before: Option<RequestId>,
}

/// The account's requests, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    account: AccountId,
    filter: &RequestFilter,
    limit: i64,
) -> Result<Vec<RequestMetadata>, DbError> {
    // An absent filter is the empty text or a status below all, which no request has.
    let rows = sqlx::query(
        "SELECT id, api_key_id, method, route, status, duration_us FROM requests
         WHERE account_id = $1 AND id < $2 AND id >= $3
           AND ($4 = '' OR route = $4)
           AND ($5 = '' OR api_key_id = $5)
           AND ($6 < 0 OR status = $6)
         ORDER BY id DESC LIMIT $7",
    )
    .bind(account.to_string())
    .bind(filter.before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
    .bind(filter.from.map(|id| id.to_string()).unwrap_or_default())
    .bind(filter.route.as_deref().unwrap_or_default())
    .bind(filter.api_key.map(|key| key.to_string()).unwrap_or_default())
    .bind(filter.status.map_or(-1, i64::from))
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| stored_request(account, row)).collect()
}

fn stored_request(account: AccountId, row: &AnyRow) -> Result<RequestMetadata, DbError> {
    Ok(RequestMetadata {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account,
        api_key: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        method: row.try_get(2)?,
        route: row.try_get(3)?,
        status: u16::try_from(row.try_get::<i64, _>(4)?).map_err(DbError::corrupt)?,
        duration_us: row.try_get(5)?,
    })
}
