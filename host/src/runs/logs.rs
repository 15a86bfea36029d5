//! The log of a run: compressed and sealed in chunks as it is written, opened as it is read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Runs, record};
use crate::accounts::Account;
use crate::capabilities::log::{Level, LogEntry};
use crate::clock::Micros;
use crate::db::{DbError, LogChunk, logs};
use crate::ids::{AccountId, RunId};
use crate::packed;
use crate::vault::RowSeal;

/// Bytes of the entries of one chunk, before they are compressed and sealed.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that one read brings.
const CHUNKS_READ: i64 = 32;

/// A line of a run's log, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Its place in the log, from 0.
    pub seq: i64,
    /// When it was written.
    pub at: Micros,
    /// How much it matters.
    pub level: Level,
    /// Who wrote it: the guest's context, `stdout`, `stderr` or `host`.
    pub source: String,
    /// What it says.
    pub message: String,
}

/// Compresses and seals entries in chunks. Each is sealed under the run's row, in a column of its own.
pub(super) fn sealed_chunks(
    seal: &RowSeal,
    account: AccountId,
    run: RunId,
    entries: &[LogEntry],
    at: Micros,
) -> Result<Vec<LogChunk>, DbError> {
    let mut chunks = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|entry| {
            let before = bytes;
            bytes += entry.message.len() + entry.source.len() + 64;
            before == 0 || bytes <= CHUNK_BYTES
        });
        let count = fits.count();
        let (chunk, later) = rest.split_at(count);
        rest = later;
        let first_sequence = i64::try_from(first.seq).map_err(DbError::corrupt)?;
        let lines = chunk.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        let text = serde_json::to_vec(&lines).map_err(DbError::corrupt)?;
        let written = text.len();
        let sealed = seal.seal(&column(first_sequence), &packed::pack(text)).map_err(DbError::sealed("log_chunks"))?;
        let entries = i64::try_from(count).map_err(DbError::corrupt)?;
        chunks.push(LogChunk { account, run, first_sequence, entries, written, sealed, at });
    }
    Ok(chunks)
}

impl Runs {
    /// Lines of a run's log from a sequence number on, in order; at most so many. None when the log holds no
    /// more yet.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer or a chunk doesn't open.
    pub async fn log(&self, account: &Account, run: RunId, from: i64, limit: usize) -> Result<Vec<LogLine>, DbError> {
        let mut found = Vec::new();
        let mut next = from;
        while found.len() < limit {
            let chunks = logs::from_sequence(&self.db, account.id, run, next, CHUNKS_READ).await?;
            if chunks.is_empty() {
                break;
            }
            for chunk in chunks {
                let opened = |account: &Account| {
                    let seal = record::seal_of(&account.data_key, account.id, run)?;
                    seal.open(&column(chunk.first_sequence), &chunk.sealed).map_err(DbError::sealed("log_chunks"))
                };
                let opened = self.accounts.opening(account, opened).await?;
                let text = packed::unpack(opened).map_err(DbError::corrupt)?;
                let lines: Vec<LogLine> = serde_json::from_slice(&text).map_err(DbError::corrupt)?;
                next = lines.last().map_or(next, |line| line.seq + 1);
                found.extend(lines.into_iter().filter(|line| line.seq >= from));
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

fn column(first_sequence: i64) -> String {
    format!("log {first_sequence}")
}

fn line(entry: &LogEntry) -> Result<LogLine, DbError> {
    Ok(LogLine {
        seq: i64::try_from(entry.seq).map_err(DbError::corrupt)?,
        at: Micros(entry.at_us),
        level: entry.level,
        source: entry.source.clone(),
        message: entry.message.clone(),
    })
}
