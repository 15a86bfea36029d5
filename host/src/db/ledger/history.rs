//! The history of a tenant: its transfers, those of the latest subject first.

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

/// The tenant's transfers, those of the latest subject first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn transfers(
    db: &Db,
    tenant: Tenant,
    filter: &TransferFilter,
    limit: i64,
) -> Result<Vec<StoredTransfer>, DbError> {
    let (from, to) = (filter.from.unwrap_or(Micros(i64::MIN)), filter.to.unwrap_or(Micros(i64::MAX)));
    let after = filter.after.as_deref().unwrap_or("~");
    if let Some(subject) = &filter.subject {
        let mut found = of_subject(db, tenant, subject).await?;
        found.retain(|stored| {
            let (transfer, period) = (&stored.transfer, from..to);
            stored.id.as_str() < after
                && period.contains(&transfer.at)
                && filter.verb.is_none_or(|verb| verb == transfer.verb)
        });
        found.reverse();
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        return Ok(found);
    }
    // An absent filter is the empty text, which no verb is. The primary key is the order: an index by time would cost
    // each run three more entries.
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {TRANSFER_COLUMNS} FROM transfers
         WHERE tenant = $1 AND id < $2 AND at >= $3 AND at < $4 AND ($5 = '' OR verb = $5)
         ORDER BY id DESC LIMIT $6"
    )))
    .bind(tenant.0)
    .bind(after)
    .bind(from.0)
    .bind(to.0)
    .bind(filter.verb.map_or("", Verb::as_str))
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_transfer).collect()
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
