//! Seals values under an account's data key, and opens them where, and only where, they were sealed for.

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

/// An account's data key. It prints as nothing and is wiped when dropped.
pub struct DataKey {
    version: u32,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey(version {})", self.version)
    }
}

impl DataKey {
    /// Takes 32 random bytes as the given version of an account's key.
    #[must_use]
    pub fn new(version: u32, key: Zeroizing<[u8; 32]>) -> Self {
        Self { version, key }
    }

    /// The version of this key.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The seal of one row.
    ///
    /// Each row has a key of its own, derived with HKDF (RFC 5869): under one key, random 96-bit nonces are
    /// safe for 2³² values (NIST SP 800-38D, 8.3), which a busy account reaches in days.
    ///
    /// # Errors
    /// [`SealError::Seal`] when the derivation fails, which its fixed lengths rule out.
    pub fn row(&self, place: Place<'_>) -> Result<RowSeal, SealError> {
        let mut associated = Vec::with_capacity(96);
        associated.push(FORMAT);
        associated.extend_from_slice(&self.version.to_be_bytes());
        for part in [place.account.to_string().as_str(), place.table, place.row] {
            push_part(&mut associated, part);
        }
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(self.key.as_slice())
            .map_err(|_| SealError::Seal)?
            .expand(&associated, key.as_mut_slice())
            .map_err(|_| SealError::Seal)?;
        Ok(RowSeal { version: self.version, key, associated })
    }
}

/// Seals and opens the values of one row.
pub struct RowSeal {
    version: u32,
    key: Zeroizing<[u8; 32]>,
    associated: Vec<u8>,
}

impl RowSeal {
    /// Seals a column's value.
    ///
    /// # Errors
    /// [`SealError::Seal`] when there is no randomness to be had.
    pub fn seal(&self, column: &str, value: &[u8]) -> Result<Vec<u8>, SealError> {
        seal_with(&self.key, self.version, &self.associated_with(column), value)
    }

    /// Opens a column's value.
    ///
    /// # Errors
    /// [`SealError`] when the value was sealed under another key or for another place, or was changed.
    pub fn open(&self, column: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let version = key_version(sealed)?;
        if version != self.version {
            return Err(SealError::KeyVersion(version));
        }
        open_with(&self.key, &self.associated_with(column), sealed)
    }

    fn associated_with(&self, column: &str) -> Vec<u8> {
        let mut associated = self.associated.clone();
        push_part(&mut associated, column);
        associated
    }
}

/// The version of the key that a value was sealed under.
pub(super) fn key_version(sealed: &[u8]) -> Result<u32, SealError> {
    match sealed {
        [FORMAT, a, b, c, d, ..] if sealed.len() >= OVERHEAD => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(SealError::Format),
    }
}

pub(super) fn seal_with(key: &[u8; 32], version: u32, associated: &[u8], value: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|_| SealError::Seal)?;
    let ciphertext = Aes256Gcm::new(&(*key).into())
        .encrypt(&Nonce::from(nonce), Payload { msg: value, aad: associated })
        .map_err(|_| SealError::Seal)?;
    let mut sealed = Vec::with_capacity(OVERHEAD + value.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&version.to_be_bytes());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

pub(super) fn open_with(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    key_version(sealed)?;
    let nonce: [u8; 12] = sealed[NONCE].try_into().map_err(|_| SealError::Format)?;
    Aes256Gcm::new(&(*key).into())
        .decrypt(&Nonce::from(nonce), Payload { msg: &sealed[NONCE.end..], aad: associated })
        .map_err(|_| SealError::Open)
}

/// Appends a part behind its length, so that no two lists of parts give the same bytes.
pub(super) fn push_part(associated: &mut Vec<u8>, part: &str) {
    associated.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    associated.extend_from_slice(part.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> DataKey {
        DataKey::new(1, Zeroizing::new([7; 32]))
    }

    proptest! {
        #[test]
        fn a_value_opens_where_it_was_sealed_and_nowhere_else(
            value in any::<Vec<u8>>(), flip in any::<prop::sample::Index>(),
        ) {
            let (account, other) = (AccountId::generate(), AccountId::generate());
            let place = Place { account, table: "runs", row: "run_1" };
            let row = key().row(place).unwrap();
            let sealed = row.seal("input", &value).unwrap();
            prop_assert_eq!(row.open("input", &sealed).unwrap(), value);
            prop_assert!(row.open("output", &sealed).is_err());
            for elsewhere in [
                Place { account: other, ..place }, Place { table: "logs", ..place }, Place { row: "run_2", ..place },
            ] {
                prop_assert_eq!(key().row(elsewhere).unwrap().open("input", &sealed), Err(SealError::Open));
            }
            let mut changed = sealed.clone();
            let at = flip.index(changed.len());
            changed[at] ^= 1;
            prop_assert!(row.open("input", &changed).is_err());
        }
    }
}
