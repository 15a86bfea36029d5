//! An export on its way to whoever asked for it.

use futures::stream::{self, Stream};

use super::{PARTS, column, seal};
use crate::accounts::Account;
use crate::db::exports::{self, StoredExport};
use crate::db::{Db, DbError};

/// An export on its way to whoever asked for it.
pub struct Download {
    pub(super) db: Db,
    pub(super) account: Account,
    pub(super) export: StoredExport,
}

impl Download {
    /// What it is called.
    #[must_use]
    pub fn file_name(&self) -> String {
        let day: String = self.export.asked_at.rfc3339().chars().take(10).collect();
        let ending = if self.export.recipient.is_some() { ".zip.age" } else { ".zip" };
        format!("aaasp-export-{day}{ending}")
    }

    /// How long it is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.export.bytes.unsigned_abs()
    }

    /// Its parts, one after the other.
    pub fn parts(self) -> impl Stream<Item = Result<Vec<u8>, DbError>> {
        stream::try_unfold((self, 0, 0), async |(download, position, sent)| {
            let Self { db, account, export } = &download;
            if sent == download.bytes() {
                return Ok(None);
            }
            let of = (export.id, export.attempt, position);
            let sealed = exports::part(db, account.id, of).await?.ok_or(DbError::Missing("part of an export"))?;
            let name = column(export.attempt, position);
            let part = seal(account, export.id)?.open(&name, &sealed).map_err(DbError::sealed(PARTS))?;
            let sent = sent + part.len() as u64;
            Ok(Some((part, (download, position + 1, sent))))
        })
    }
}
