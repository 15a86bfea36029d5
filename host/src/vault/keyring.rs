//! The keyring: versioned master keys in a file that only its owner reads.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::seal::{DataKey, SealError, key_version, open_with, push_part, seal_with};
use crate::ids::AccountId;

/// Why the keyring can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file can't be read or written.
    #[error("the keyring {path} can't be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("others can read the keyring {0}; make it yours alone with `chmod 600 {0}`")]
    Open(PathBuf),
    /// The file is not a keyring.
    #[error("{path} is not a keyring: {reason}; restore it from your backup of the keys folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// The master keys of all hosts that share a database. Prints as its fingerprint.
pub struct Keyring {
    lookup: Zeroizing<[u8; 32]>,
    masters: Vec<Master>,
}

struct Master {
    version: u32,
    key: Zeroizing<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    lookup: String,
    master: Vec<MasterEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MasterEntry {
    version: u32,
    key: String,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.fingerprint())
    }
}

impl Keyring {
    /// Makes a new keyring and writes it to a file that does not exist yet.
    ///
    /// # Errors
    /// [`KeyringError::File`] when the file exists or can't be written.
    pub fn create(path: &Path) -> Result<Self, KeyringError> {
        let keyring = Self { lookup: random_key()?, masters: vec![Master { version: 1, key: random_key()? }] };
        let file = KeyringFile {
            lookup: hex::encode(keyring.lookup.as_slice()),
            master: keyring
                .masters
                .iter()
                .map(|master| MasterEntry { version: master.version, key: hex::encode(master.key.as_slice()) })
                .collect(),
        };
        let at = |source| KeyringError::File { path: path.to_owned(), source };
        let text = Zeroizing::new(toml::to_string(&file).map_err(|error| damaged(path, &error.to_string()))?);
        let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at)?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(at)?;
        Ok(keyring)
    }

    /// Reads a keyring.
    ///
    /// # Errors
    /// [`KeyringError`] when the file is missing, damaged, or readable by others.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        let at = |source| KeyringError::File { path: path.to_owned(), source };
        if fs::metadata(path).map_err(at)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyringError::Open(path.to_owned()));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(at)?);
        // The parser's own message quotes the line that it stumbled over, which may hold a key.
        let file: KeyringFile = toml::from_str(&text).map_err(|_| damaged(path, "it is not the TOML of a keyring"))?;
        let masters = file
            .master
            .iter()
            .map(|entry| Some(Master { version: entry.version, key: parse_key(&entry.key)? }))
            .collect::<Option<Vec<_>>>()
            .filter(|masters| !masters.is_empty())
            .ok_or_else(|| damaged(path, "a master key is not 64 hexadecimal digits, or there is none"))?;
        let lookup =
            parse_key(&file.lookup).ok_or_else(|| damaged(path, "the lookup key is not 64 hexadecimal digits"))?;
        Ok(Self { lookup, masters })
    }

    /// Names the keyring without telling anything of its keys: hosts that share a database must agree on it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"aaasp keyring fingerprint");
        hasher.update(self.lookup.as_slice());
        hex::encode(&hasher.finalize()[..8])
    }

    /// A new data key for an account, and its wrapped form to store.
    ///
    /// # Errors
    /// [`SealError::Seal`] when there is no randomness to be had.
    pub fn fresh_data_key(&self, account: AccountId, version: u32) -> Result<(DataKey, Vec<u8>), SealError> {
        let key = random_key().map_err(|_| SealError::Seal)?;
        let master = self.masters.iter().max_by_key(|master| master.version).ok_or(SealError::Seal)?;
        let associated = data_key_associated(account, version, master.version);
        let wrapped = seal_with(&master.key, master.version, &associated, key.as_slice())?;
        Ok((DataKey::new(version, key), wrapped))
    }

    /// Unwraps an account's data key.
    ///
    /// # Errors
    /// [`SealError`] when the keyring lacks the master key, or the wrapped key was changed or moved.
    pub fn unwrap_data_key(&self, account: AccountId, version: u32, wrapped: &[u8]) -> Result<DataKey, SealError> {
        let wanted = key_version(wrapped)?;
        let master =
            self.masters.iter().find(|master| master.version == wanted).ok_or(SealError::KeyVersion(wanted))?;
        let associated = data_key_associated(account, version, wanted);
        let key = Zeroizing::new(open_with(&master.key, &associated, wrapped)?);
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| SealError::Format)?;
        Ok(DataKey::new(version, Zeroizing::new(key)))
    }

    /// What a request is known by: an HMAC of its parts, so that the database alone confirms no guess of an input or
    /// an address.
    #[must_use]
    pub fn request_digest(&self, asked: &[&str]) -> [u8; 32] {
        let mut parts = Vec::new();
        for part in asked {
            push_part(&mut parts, part);
        }
        self.keyed("request", &parts)
    }

    /// The value by which an email address is found: an HMAC, so that the database alone tells no address.
    #[must_use]
    pub fn email_lookup(&self, email: &str) -> [u8; 32] {
        self.keyed("email", email.trim().to_lowercase().as_bytes())
    }

    /// A key for another purpose, derived from the keyring.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let derived = Hkdf::<Sha256>::new(Some(b"aaasp derived key"), self.lookup.as_slice())
            .expand(purpose.as_bytes(), key.as_mut_slice());
        debug_assert!(derived.is_ok(), "32 bytes are within HKDF's limit");
        key
    }

    fn keyed(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        let key = self.derived_key(purpose);
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(value);
        mac.finalize().into_bytes().into()
    }
}

fn data_key_associated(account: AccountId, version: u32, master_version: u32) -> Vec<u8> {
    let mut associated = Vec::with_capacity(64);
    push_part(&mut associated, "data_keys");
    push_part(&mut associated, &account.to_string());
    associated.extend_from_slice(&version.to_be_bytes());
    associated.extend_from_slice(&master_version.to_be_bytes());
    associated
}

fn random_key() -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| KeyringError::Randomness)?;
    Ok(key)
}

fn parse_key(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, key.as_mut_slice()).ok()?;
    Some(key)
}

fn damaged(path: &Path, reason: &str) -> KeyringError {
    KeyringError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_survives_its_file_and_refuses_one_that_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.toml");
        let made = Keyring::create(&path).unwrap();
        assert!(matches!(Keyring::create(&path), Err(KeyringError::File { .. })), "a second create must not overwrite");
        let read = Keyring::read(&path).unwrap();
        assert_eq!(read.fingerprint(), made.fingerprint());

        let account = AccountId::generate();
        let (key, wrapped) = made.fresh_data_key(account, 1).unwrap();
        assert!(read.unwrap_data_key(account, key.version(), &wrapped).is_ok());
        assert!(read.unwrap_data_key(AccountId::generate(), 1, &wrapped).is_err(), "moved to another account");
        assert!(read.unwrap_data_key(account, 2, &wrapped).is_err(), "passed off as another version");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keyring::read(&path), Err(KeyringError::Open(_))));
    }

    #[test]
    fn a_damaged_keyring_is_named_and_its_content_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.toml");
        fs::write(&path, "lookup = \"deadbeef\"\nmaster = 5\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let message = Keyring::read(&path).unwrap_err().to_string();
        assert!(message.contains("keyring.toml") && !message.contains("deadbeef"), "{message}");
    }
}
