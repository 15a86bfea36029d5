//! Mail: letters to accounts. Each is written in the commit of its cause, sealed under the account's data key, and
//! sent by whichever host is free, until the server that it is handed to has taken it.

mod content;
mod letter;
mod outbox;
mod transport;

pub use letter::Letter;
pub use outbox::Outbox;
pub use transport::{SMTP_PASSWORD, Transport, TransportError, forget_file, kept_as_files};

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::db::DbError;
use crate::db::letters::NewLetter;
use crate::ids::{AccountId, LetterId};
use crate::vault::{DataKey, Place};

const TABLE: &str = "letters";

/// A letter and whom it goes to: what is sealed.
#[derive(Serialize, Deserialize)]
struct Addressed {
    to: String,
    letter: Letter,
}

/// Seals a letter to somebody, so that it can be written in the commit of its cause: under the account's data key, or
/// under the service's own where it is to outlive that.
///
/// # Errors
/// [`DbError`] when there is no randomness to be had.
pub fn sealed(account: AccountId, key: &DataKey, to: &str, letter: Letter, at: Micros) -> Result<NewLetter, DbError> {
    let (id, kind, is_waited_for) = (LetterId::generate(), letter.kind(), letter.is_waited_for());
    let text = serde_json::to_vec(&Addressed { to: to.to_owned(), letter }).map_err(DbError::corrupt)?;
    let row = id.to_string();
    let place = Place { account, table: TABLE, row: &row };
    let sealed = key.row(place).and_then(|seal| seal.seal("letter", &text)).map_err(DbError::sealed(TABLE))?;
    Ok(NewLetter { id, account, kind, sealed, is_waited_for, stranger: None, at })
}

fn opened(account: AccountId, key: &DataKey, id: LetterId, sealed: &[u8]) -> Result<Addressed, DbError> {
    let row = id.to_string();
    let place = Place { account, table: TABLE, row: &row };
    let text = key.row(place).and_then(|seal| seal.open("letter", sealed)).map_err(DbError::sealed(TABLE))?;
    serde_json::from_slice(&text).map_err(DbError::corrupt)
}
