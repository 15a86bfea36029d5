//! Log chunks: sealed entries of a run, in order.

use sqlx::AnyConnection;
use sqlx::Row as _;

use super::sets::SetStatement;
use super::writer::LogChunk;
use super::{Db, DbError};
use crate::ids::{AccountId, RunId};

static INSERT: SetStatement = SetStatement::new(
    "INSERT INTO log_chunks (account_id, run_id, first_sequence, entries, sealed_entries, created_at)
     VALUES {rows} ON CONFLICT DO NOTHING",
    6,
);

pub(super) async fn insert(connection: &mut AnyConnection, chunks: &[&LogChunk]) -> Result<(), DbError> {
    INSERT
        .execute(connection, chunks, |query, chunk| {
            query
                .bind(chunk.account.to_string())
                .bind(chunk.run.to_string())
                .bind(chunk.first_sequence)
                .bind(chunk.entries)
                .bind(chunk.sealed.as_slice())
                .bind(chunk.at.0)
        })
        .await?;
    Ok(())
}

/// A stored chunk.
pub struct StoredChunk {
    /// Sequence number of its first entry.
    pub first_sequence: i64,
    /// The sealed entries.
    pub sealed: Vec<u8>,
}

/// The chunks that hold entries from a sequence number on, in order.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn from_sequence(
    db: &Db,
    account: AccountId,
    run: RunId,
    sequence: i64,
    limit: i64,
) -> Result<Vec<StoredChunk>, DbError> {
    let rows = sqlx::query(
        "SELECT first_sequence, sealed_entries FROM log_chunks
         WHERE account_id = $1 AND run_id = $2 AND first_sequence + entries > $3
         ORDER BY first_sequence LIMIT $4",
    )
    .bind(account.to_string())
    .bind(run.to_string())
    .bind(sequence)
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok(StoredChunk { first_sequence: row.try_get(0)?, sealed: row.try_get(1)? })).collect()
}
