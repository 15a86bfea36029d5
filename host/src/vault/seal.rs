//! Seals values under an account's data key, and opens them where, and only where, they were sealed for.

#[cfg(test)]
mod binding;
#[cfg(test)]
mod vectors;

use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids::AccountId;

/// Version of the layout `tag ‖ key version (4 bytes) ‖ nonce (12) ‖ ciphertext ‖ GCM tag (16)`.
const FORMAT: u8 = 1;
const NONCE: std::ops::Range<usize> = 5..17;
const OVERHEAD: usize = 17 + 16;

/// Why a value could not be sealed or opened. None of these says anything of the value.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// The bytes are not a sealed value of a known format.
    #[error("not a sealed value of a known format")]
    Format,
    /// The value was sealed under another version of the key.
    #[error("sealed under key version {0}, which is not at hand")]
    KeyVersion(u32),
    /// The key is wrong, the value was changed, or it was moved from another place.
    #[error("the sealed value does not open here: wrong key, changed bytes, or moved from another row")]
    Open,
    /// The operating system gave no randomness, or the value is too large to seal.
    #[error("the value could not be sealed")]
    Seal,
}

/// Where a row of sealed values lives. It is part of what is authenticated, so that a value moved to
/// another row or account does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The account that the row belongs to.
    pub account: AccountId,
    /// The table.
    pub table: &'static str,
    /// The row's key.
    pub row: &'a str,
}

/// A key, wiped when its last holder drops it. It is filled where it stays: moving it moves no bytes of it.
pub(super) type Key = Arc<Zeroizing<[u8; 32]>>;

/// A key that is filled by a function; none when that fails.
pub(super) fn key_of(fill: impl FnOnce(&mut [u8; 32]) -> Option<()>) -> Option<Key> {
    let mut key = Arc::new(Zeroizing::new([0; 32]));
    fill(Arc::get_mut(&mut key)?)?;
    Some(key)
}

/// One version of an account's data key.
pub struct KeyVersion {
    version: u32,
    key: Key,
}

impl KeyVersion {
    /// Takes 32 random bytes as the given version of an account's key.
    pub(super) const fn new(version: u32, key: Key) -> Self {
        Self { version, key }
    }

    /// The key of one row.
    ///
    /// Each row has a key of its own, derived with HKDF (RFC 5869): under one key, random 96-bit nonces are
    /// safe for 2³² values (NIST SP 800-38D, 8.3), which a busy account reaches in days.
    fn row(&self, place: Place<'_>) -> Result<RowKey, SealError> {
        let associated = associated(self.version, place);
        let hkdf = Hkdf::<Sha256>::from_prk(self.key.as_slice()).map_err(|_| SealError::Seal)?;
        let key = key_of(|key| hkdf.expand(&associated, key).ok()).ok_or(SealError::Seal)?;
        Ok(RowKey { version: self.version, key, associated })
    }
}

/// An account's data key in all of its versions. What is sealed is sealed under the newest; what was sealed
/// opens under the version that it names. It prints as nothing of the key. Cheap to clone.
#[derive(Clone)]
pub struct DataKey {
    versions: Arc<[KeyVersion]>,
    newest: usize,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey(version {})", self.version())
    }
}

impl DataKey {
    /// Of all its versions; none when there is none.
    #[must_use]
    pub fn of(versions: Vec<KeyVersion>) -> Option<Self> {
        let newest = (0..versions.len()).max_by_key(|&at| versions[at].version)?;
        Some(Self { versions: versions.into(), newest })
    }

    /// The newest version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.versions[self.newest].version
    }

    /// The seal of one row.
    ///
    /// # Errors
    /// [`SealError::Seal`] when the derivation fails, which its fixed lengths rule out.
    pub fn row(&self, place: Place<'_>) -> Result<RowSeal, SealError> {
        let newest = self.versions[self.newest].row(place)?;
        Ok(RowSeal {
            data_key: self.clone(),
            newest,
            account: place.account,
            table: place.table,
            row: place.row.to_owned(),
        })
    }
}

/// Seals and opens the values of one row.
pub struct RowSeal {
    data_key: DataKey,
    newest: RowKey,
    account: AccountId,
    table: &'static str,
    row: String,
}

impl RowSeal {
    /// Seals a column's value under the newest version of the data key.
    ///
    /// # Errors
    /// [`SealError::Seal`] when there is no randomness to be had.
    pub fn seal(&self, column: &str, value: &[u8]) -> Result<Vec<u8>, SealError> {
        self.newest.seal(column, value)
    }

    /// Opens a column's value under the version of the data key that it names.
    ///
    /// # Errors
    /// [`SealError`] when the value was sealed under another key or for another place, or was changed.
    pub fn open(&self, column: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let wanted = key_version(sealed)?;
        if wanted == self.newest.version {
            return self.newest.open(column, sealed);
        }
        let older = self.data_key.versions.iter().find(|key| key.version == wanted);
        let place = Place { account: self.account, table: self.table, row: &self.row };
        older.ok_or(SealError::KeyVersion(wanted))?.row(place)?.open(column, sealed)
    }
}

/// A row's key under one version of the data key.
struct RowKey {
    version: u32,
    key: Key,
    associated: Vec<u8>,
}

impl RowKey {
    fn seal(&self, column: &str, value: &[u8]) -> Result<Vec<u8>, SealError> {
        seal_with(&self.key, self.version, &with_column(self.associated.clone(), column), value)
    }

    fn open(&self, column: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        open_with(&self.key, &with_column(self.associated.clone(), column), sealed)
    }
}

/// The version of the key that a value was sealed under. It is authenticated only when the value opens.
///
/// # Errors
/// [`SealError::Format`] when this is no sealed value.
pub fn key_version(sealed: &[u8]) -> Result<u32, SealError> {
    match sealed {
        [FORMAT, a, b, c, d, ..] if sealed.len() >= OVERHEAD => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(SealError::Format),
    }
}

/// What a row's values are bound to: format, key version, account, table and row.
pub(super) fn associated(version: u32, place: Place<'_>) -> Vec<u8> {
    let mut associated = Vec::with_capacity(128);
    associated.push(FORMAT);
    associated.extend_from_slice(&version.to_be_bytes());
    for part in [place.account.to_string().as_str(), place.table, place.row] {
        push_part(&mut associated, part);
    }
    associated
}

/// What one value is bound to: its row and its column.
pub(super) fn with_column(mut associated: Vec<u8>, column: &str) -> Vec<u8> {
    push_part(&mut associated, column);
    associated
}

pub(super) fn seal_with(key: &[u8; 32], version: u32, associated: &[u8], value: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|_| SealError::Seal)?;
    seal_with_nonce(key, version, nonce, associated, value)
}

pub(super) fn open_with(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    key_version(sealed)?;
    let nonce: [u8; 12] = sealed[NONCE].try_into().map_err(|_| SealError::Format)?;
    cipher(key)?
        .decrypt(&Nonce::from(nonce), Payload { msg: &sealed[NONCE.end..], aad: associated })
        .map_err(|_| SealError::Open)
}

/// A nonce must never be used twice under one key; only tests choose it.
fn seal_with_nonce(
    key: &[u8; 32],
    version: u32,
    nonce: [u8; 12],
    associated: &[u8],
    value: &[u8],
) -> Result<Vec<u8>, SealError> {
    let ciphertext = cipher(key)?
        .encrypt(&Nonce::from(nonce), Payload { msg: value, aad: associated })
        .map_err(|_| SealError::Seal)?;
    let mut sealed = Vec::with_capacity(OVERHEAD + value.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&version.to_be_bytes());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// The key is taken by reference, so that no copy of it is left on the stack.
fn cipher(key: &[u8; 32]) -> Result<Aes256Gcm, SealError> {
    Aes256Gcm::new_from_slice(key).map_err(|_| SealError::Seal)
}

/// Appends a part behind its length, so that no two lists of parts give the same bytes.
pub(super) fn push_part(associated: &mut Vec<u8>, part: &str) {
    associated.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    associated.extend_from_slice(part.as_bytes());
}
