//! Text of an account, sealed in a column of one of its rows.

use super::Account;
use crate::db::DbError;
use crate::ids::AccountId;
use crate::vault::{DataKey, Place};

impl Account {
    /// Whose it is, and with what it is sealed.
    pub(super) const fn sealer(&self) -> (AccountId, &DataKey) {
        (self.id, &self.data_key)
    }
}

/// Seals a text for a column of a row of a table.
pub(super) fn seal(
    (account, key): (AccountId, &DataKey),
    (table, row, column): (&'static str, &str, &str),
    text: &str,
) -> Result<Vec<u8>, DbError> {
    let seal = key.row(Place { account, table, row });
    seal.and_then(|seal| seal.seal(column, text.as_bytes())).map_err(DbError::sealed(table))
}

/// Opens what was sealed there.
pub(super) fn open(
    (account, key): (AccountId, &DataKey),
    (table, row, column): (&'static str, &str, &str),
    sealed: &[u8],
) -> Result<String, DbError> {
    let seal = key.row(Place { account, table, row });
    let text = seal.and_then(|seal| seal.open(column, sealed)).map_err(DbError::sealed(table))?;
    String::from_utf8(text).map_err(DbError::corrupt)
}
