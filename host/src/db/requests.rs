//! Metadata of requests: what an account asked for, when, and what it was answered. Nothing of who asked but the key.
//! Written in batches, of which each is one row for each account in it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::sets::SetStatement;
use super::{Db, DbError, WriteTx};
use crate::ids::{AccountId, ApiKeyId, RequestId};

/// Batches that are read at a time.
const READ: usize = 16;

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
    pub method: Cow<'static, str>,
    /// The route's pattern: without names and ids.
    pub route: Arc<str>,
    /// The status of the answer.
    pub status: u16,
    /// From its head to the head of its answer, in microseconds.
    pub duration_us: i64,
}

/// One request within its batch.
type Entry<'a> = (RequestId, ApiKeyId, Cow<'a, str>, Cow<'a, str>, u16, i64);

/// The requests of one account in a batch, as they are written.
struct Batch {
    account: AccountId,
    last: RequestId,
    first: RequestId,
    requests: String,
}

static INSERT: SetStatement = SetStatement::new(
    "INSERT INTO request_batches (account_id, last_id, first_id, requests) VALUES {rows} ON CONFLICT DO NOTHING",
    4,
);

/// Writes metadata down. What is written already may come again, in the same batch.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, requests: &[RequestMetadata]) -> Result<(), DbError> {
    let mut accounts: BTreeMap<AccountId, Vec<&RequestMetadata>> = BTreeMap::new();
    for request in requests {
        accounts.entry(request.account).or_default().push(request);
    }
    let mut batches = Vec::with_capacity(accounts.len());
    for (account, of) in accounts {
        // One that was erased meanwhile leaves nothing.
        let known = sqlx::query("SELECT 1 FROM accounts WHERE id = $1").bind(account.to_string());
        if known.fetch_optional(&mut **tx).await?.is_some() {
            batches.push(batch(account, of)?);
        }
    }
    INSERT
        .execute(tx, &batches, |query, batch| {
            query
                .bind(batch.account.to_string())
                .bind(batch.last.to_string())
                .bind(batch.first.to_string())
                .bind(batch.requests.as_str())
        })
        .await?;
    Ok(())
}

fn batch(account: AccountId, mut requests: Vec<&RequestMetadata>) -> Result<Batch, DbError> {
    requests.sort_unstable_by_key(|request| std::cmp::Reverse(request.id));
    let entries: Vec<Entry<'_>> = requests
        .iter()
        .map(|of| (of.id, of.api_key, Cow::from(&*of.method), Cow::from(&*of.route), of.status, of.duration_us))
        .collect();
    let requests = serde_json::to_string(&entries).map_err(DbError::corrupt)?;
    let (Some(last), Some(first)) = (entries.first(), entries.last()) else {
        return Err(DbError::corrupt("a batch without requests"));
    };
    Ok(Batch { account, last: last.0, first: first.0, requests })
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

impl RequestFilter {
    fn takes(&self, request: &RequestMetadata) -> bool {
        self.status.is_none_or(|status| status == request.status)
            && self.route.as_deref().is_none_or(|route| route == &*request.route)
            && self.api_key.is_none_or(|key| key == request.api_key)
            && self.from.is_none_or(|from| from <= request.id)
            && self.before.is_none_or(|before| request.id < before)
    }
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
    let limit = usize::try_from(limit).unwrap_or_default();
    let from = filter.from.map(|id| id.to_string()).unwrap_or_default();
    // Every id is smaller than this.
    let end = || "~".to_owned();
    let before = filter.before.map_or_else(end, |id| id.to_string());
    let (mut found, mut next) = (Vec::new(), end());
    loop {
        let rows = sqlx::query(
            "SELECT last_id, requests FROM request_batches
             WHERE account_id = $1 AND last_id < $2 AND last_id >= $3 AND first_id < $4
             ORDER BY last_id DESC LIMIT $5",
        )
        .bind(account.to_string())
        .bind(&next)
        .bind(&from)
        .bind(&before)
        .bind(READ as i64)
        .fetch_all(&db.pool)
        .await?;
        for row in &rows {
            found.extend(stored_requests(account, row)?.into_iter().filter(|request| filter.takes(request)));
        }
        // A request is answered after later ones, and hosts write at the same time: batches overlap.
        found.sort_unstable_by_key(|request| std::cmp::Reverse(request.id));
        found.truncate(limit);
        let Some(last) = rows.last().filter(|_| rows.len() == READ) else { return Ok(found) };
        next = last.try_get(0)?;
        // What is in the batches to come is no later than the last of them.
        if found.len() == limit && found.last().is_none_or(|request| request.id.to_string() >= next) {
            return Ok(found);
        }
    }
}

fn stored_requests(account: AccountId, row: &AnyRow) -> Result<Vec<RequestMetadata>, DbError> {
    let text: String = row.try_get(1)?;
    let entries: Vec<Entry<'_>> = serde_json::from_str(&text).map_err(DbError::corrupt)?;
    let requests = entries.into_iter().map(|(id, api_key, method, route, status, duration_us)| RequestMetadata {
        id,
        account,
        api_key,
        method: method.into_owned().into(),
        route: route.into(),
        status,
        duration_us,
    });
    Ok(requests.collect())
}
