//! The content of a keyring: a lookup key, and master keys by version.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::KeyringError;
use crate::vault::seal::{Key, key_of};

/// What a keyring holds. It never changes; a change makes another one.
#[derive(Clone)]
pub(super) struct Masters {
    pub lookup: Key,
    /// The lowest version that opens anything.
    pub lowest: u32,
    pub keys: BTreeMap<u32, Key>,
}

// The keys are borrowed from the text, which is wiped when it is dropped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<'a> {
    lookup: &'a str,
    #[serde(default = "one")]
    lowest: u32,
    #[serde(borrow)]
    master: Vec<MasterText<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MasterText<'a> {
    version: u32,
    key: &'a str,
}

const fn one() -> u32 {
    1
}

impl Masters {
    pub(super) fn generate() -> Result<Self, KeyringError> {
        Ok(Self { lookup: random_key()?, lowest: 1, keys: BTreeMap::from([(1, random_key()?)]) })
    }

    /// Reads the text of a keyring that is kept in a place, which errors name.
    pub(super) fn parse(text: &SecretString, place: &str) -> Result<Self, KeyringError> {
        let damaged = |reason: &str| KeyringError::Damaged { place: place.to_owned(), reason: reason.to_owned() };
        // The parser's own message quotes the line that it stumbled over, which may hold a key.
        let text: Text<'_> =
            toml::from_str(text.expose_secret()).map_err(|_| damaged("it is not the TOML of a keyring"))?;
        let lookup = parse_key(text.lookup).ok_or_else(|| damaged("the lookup key is not 64 hexadecimal digits"))?;
        let mut keys = BTreeMap::new();
        for entry in &text.master {
            let version = entry.version;
            let key = parse_key(entry.key)
                .ok_or_else(|| damaged(&format!("master key {version} is not 64 hexadecimal digits")))?;
            if version < text.lowest.max(1) {
                return Err(damaged(&format!("master key {version} is below the lowest version that opens")));
            }
            if keys.insert(version, key).is_some() {
                return Err(damaged(&format!("master key {version} is there twice")));
            }
        }
        if keys.is_empty() {
            return Err(damaged("it holds no master key"));
        }
        Ok(Self { lookup, lowest: text.lowest.max(1), keys })
    }

    /// The text to keep. It is made in one piece, so that growing it leaves no copies of keys behind.
    pub(super) fn text(&self) -> SecretString {
        let mut text = Zeroizing::new(String::with_capacity(256 + 128 * self.keys.len()));
        let _ = writeln!(text, "lookup = \"{}\"\nlowest = {}", hex(&self.lookup).as_str(), self.lowest);
        for (version, key) in &self.keys {
            let _ = writeln!(text, "\n[[master]]\nversion = {version}\nkey = \"{}\"", hex(key).as_str());
        }
        text.as_str().into()
    }

    /// The same with one more master key.
    pub(super) fn with(&self, version: u32, key: Key) -> Self {
        let mut with = self.clone();
        with.keys.insert(version, key);
        with
    }

    /// The same without the master keys below a version, which from then on is the lowest that opens.
    pub(super) fn without_below(&self, lowest: u32) -> Self {
        let keys = self.keys.iter().filter(|(version, _)| **version >= lowest);
        let keys = keys.map(|(version, key)| (*version, key.clone())).collect();
        Self { lookup: self.lookup.clone(), lowest: lowest.max(self.lowest), keys }
    }

    /// The master keys of both, above the lowest version of either; a version that differs is named.
    pub(super) fn joined(&self, other: &Self) -> Result<Self, u32> {
        let mut joined = self.clone();
        for (version, key) in &other.keys {
            if joined.keys.get(version).is_some_and(|known| known != key) {
                return Err(*version);
            }
            joined.keys.insert(*version, key.clone());
        }
        Ok(joined.without_below(self.lowest.max(other.lowest)))
    }

    /// The newest version.
    pub(super) fn newest(&self) -> u32 {
        self.keys.last_key_value().map_or(self.lowest, |(version, _)| *version)
    }
}

/// Names a key without telling anything of it.
pub(super) fn fingerprint(purpose: &str, key: &Key) -> String {
    let mut hasher = Sha256::new();
    hasher.update(purpose.as_bytes());
    hasher.update(key.as_slice());
    hex::encode(&hasher.finalize()[..8])
}

pub(super) fn random_key() -> Result<Key, KeyringError> {
    key_of(|key| getrandom::fill(key).ok()).ok_or(KeyringError::Randomness)
}

fn parse_key(text: &str) -> Option<Key> {
    key_of(|key| hex::decode_to_slice(text, key).ok())
}

fn hex(key: &Key) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(key.as_slice()))
}
