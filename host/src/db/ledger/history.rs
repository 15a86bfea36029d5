//! The history of a tenant: its transfers, latest first.

use super::{StoredTransfer, TRANSFER_COLUMNS, stored_transfer};
use crate::clock::Micros;
use crate::db::{Db, DbError};
use crate::ledger::{Tenant, Verb};

/// More transfers than one subject has: a run has three, a payment those of its refunds too.
const OF_ONE_SUBJECT: i64 = 1_000;

/// Which transfers are asked for.
#[derive(Clone, Debug, Default)]
pub struct TransferFilter {
    /// Only transfers of this verb.
    pub verb: Option<Verb>,
    /// Only transfers that belong to this.
    pub subject: Option<String>,
    /// Only transfers from this moment on.
    pub from: Option<Micros>,
    /// Only transfers before this moment.
    pub to: Option<Micros>,
    /// Only transfers that are listed after the one of this id.
    pub after: Option<String>,
}

/// The tenant's transfers, latest first. None behind the id of a transfer that it does not have.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn transfers(
    db: &Db,
    tenant: Tenant,
    filter: &TransferFilter,
    limit: i64,
) -> Result<Vec<StoredTransfer>, DbError> {
    let Some(end) = end(db, tenant, filter).await? else { return Ok(Vec::new()) };
    let from = filter.from.unwrap_or(Micros(i64::MIN));
    if let Some(subject) = &filter.subject {
        let mut found = of_subject(db, tenant, subject).await?;
        found.retain(|stored| {
            let transfer = &stored.transfer;
            let place = (transfer.at.0, &stored.id);
            place < (end.0, &end.1) && transfer.at >= from && filter.verb.is_none_or(|verb| verb == transfer.verb)
        });
        found.sort_by(|a, b| (b.transfer.at, &b.id).cmp(&(a.transfer.at, &a.id)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        return Ok(found);
    }
    // An absent filter is the empty text, which no verb is.
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {TRANSFER_COLUMNS} FROM transfers
         WHERE tenant = $1 AND (at, id) < ($2, $3) AND at >= $4 AND ($5 = '' OR verb = $5)
         ORDER BY at DESC, id DESC LIMIT $6"
    )))
    .bind(tenant.0)
    .bind(end.0)
    .bind(end.1)
    .bind(from.0)
    .bind(filter.verb.map_or("", Verb::as_str))
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_transfer).collect()
}

/// The place, time and id, before which the list goes on; none when there is no such transfer.
async fn end(db: &Db, tenant: Tenant, filter: &TransferFilter) -> Result<Option<(i64, String)>, DbError> {
    // No id is smaller than the empty text, and none is larger than `~`.
    let end = filter.to.map_or((i64::MAX, "~".to_owned()), |to| (to.0, String::new()));
    let Some(after) = &filter.after else { return Ok(Some(end)) };
    let row = sqlx::query("SELECT at FROM transfers WHERE tenant = $1 AND id = $2")
        .bind(tenant.0)
        .bind(after)
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| Ok(end.min((sqlx::Row::try_get(&row, 0)?, after.clone())))).transpose()
}

/// The transfers of a subject. Their ids begin with its suffix, so that the primary key finds them.
async fn of_subject(db: &Db, tenant: Tenant, subject: &str) -> Result<Vec<StoredTransfer>, DbError> {
    let suffix = subject.rsplit('_').next().unwrap_or(subject);
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {TRANSFER_COLUMNS} FROM transfers
         WHERE tenant = $1 AND id >= $2 AND id < $3 AND subject = $4 ORDER BY id LIMIT $5"
    )))
    .bind(tenant.0)
    .bind(format!("{suffix}-"))
    .bind(format!("{suffix}."))
    .bind(subject)
    .bind(OF_ONE_SUBJECT)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_transfer).collect()
}
