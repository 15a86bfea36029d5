//! The list of what was erased, in a file beside the database: whoever restores a backup that is older leaves it out.
//!
//! It names nobody. An account is on it by a keyed digest of its id, so that it is known again in a backup, by whoever
//! has the keys, and nowhere else.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::config::Config;
use crate::db::erasures::{Certificate, StoredErasure};
use crate::ids::{AccountId, ErasureId};
use crate::vault::Keyring;

/// What the list is called in a data folder.
const NAME: &str = "erasures.jsonl";

/// An erasure, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// The fingerprint of the keyring that the account is known by.
    pub keyring: String,
    /// Its id.
    pub erasure: ErasureId,
    /// What the account is known by, in hexadecimal digits.
    pub account: String,
    /// Whose what is kept is.
    pub pseudonym: AccountId,
    /// What the account was before.
    pub status_before: String,
    /// When it was asked for.
    pub asked_at: Micros,
    /// From when on it was done.
    pub due_at: Micros,
    /// When it was done.
    pub erased_at: Micros,
    /// What was erased, and what is kept.
    pub certificate: Option<Certificate>,
}

impl Erased {
    /// An erasure that is done.
    #[must_use]
    pub fn of(erasure: &StoredErasure, keyring: String, erased_at: Micros) -> Self {
        Self {
            keyring,
            erasure: erasure.id,
            account: hex::encode(&erasure.digest),
            pseudonym: erasure.pseudonym,
            status_before: erasure.status_before.as_str().to_owned(),
            asked_at: erasure.asked_at,
            due_at: erasure.due_at,
            erased_at,
            certificate: erasure.certificate.clone(),
        }
    }
}

/// What an account is known by on the list.
#[must_use]
pub fn digest(keyring: &Keyring, account: AccountId) -> [u8; 32] {
    keyring.request_digest(&["erasure", &account.to_string()])
}

/// Where the list of a host is.
#[must_use]
pub fn list_of(config: &Config) -> PathBuf {
    config.data.join(config.values.erasure_list.as_deref().unwrap_or(Path::new(NAME)))
}

/// Adds to a list, which is made when there is none, and returns once it lasts. What is on it already is added again:
/// who reads it does not mind.
///
/// # Errors
/// What the operating system says.
pub fn add(list: &Path, erased: &[Erased]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(list)?;
    let mut text = Vec::new();
    // A machine that stopped may have left half a line.
    if file.seek(SeekFrom::End(-1)).is_ok() {
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push(b'\n');
        }
    }
    for erased in erased {
        serde_json::to_writer(&mut text, erased)?;
        text.push(b'\n');
    }
    file.write_all(&text)?;
    file.sync_all()
}

/// Reads a list: what is on it, and the number of the first line that is no erasure. Half a line that a machine left
/// which stopped is passed over where another line follows it: what it should have said was said again.
///
/// # Errors
/// What the operating system says.
pub fn read(list: &Path) -> io::Result<(Vec<Erased>, Option<usize>)> {
    let (mut erased, mut unread) = (Vec::new(), None);
    let text = std::fs::read(list)?;
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(one) => {
                erased.push(one);
                unread = None;
            }
            Err(_) => unread = unread.or(Some(number + 1)),
        }
    }
    Ok((erased, unread))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erased(at: i64) -> Erased {
        Erased {
            keyring: "1".to_owned(),
            erasure: ErasureId::generate(),
            account: "00".repeat(32),
            pseudonym: AccountId::generate(),
            status_before: "active".to_owned(),
            asked_at: Micros(1),
            due_at: Micros(2),
            erased_at: Micros(at),
            certificate: Some(Certificate::default()),
        }
    }

    #[test]
    fn half_a_line_of_a_machine_that_stopped_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join(NAME);
        let (first, second) = (erased(3), erased(4));
        add(&list, std::slice::from_ref(&first)).unwrap();
        let mut text = std::fs::read(&list).unwrap();
        text.extend_from_slice(b"{\"erasure\": \"ers_");
        std::fs::write(&list, text).unwrap();
        assert_eq!(read(&list).unwrap(), (vec![first.clone()], Some(2)));
        add(&list, std::slice::from_ref(&second)).unwrap();
        assert_eq!(read(&list).unwrap(), (vec![first, second], None));
    }
}
