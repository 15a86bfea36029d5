//! The keyring: versioned master keys, and what they wrap.

mod masters;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use masters::{Masters, fingerprint, random_key};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
pub use source::{KeyFile, KeySource, KeyVariable, VARIABLE};
use zeroize::Zeroizing;

use super::seal::{
    DataKey, Key, KeyVersion, Place, SealError, associated, key_of, key_version, open_with, push_part, seal_with,
    with_column,
};
use crate::faults;
use crate::ids::AccountId;

/// Why the keyring can't be used. Nothing is lost by any of these: neither keys nor data were touched.
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
    /// The text is not a keyring.
    #[error("{place} is not a keyring: {reason}; restore it from your backup of the keys")]
    Damaged {
        /// Where the keyring is.
        place: String,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// The keyring was replaced by another database's.
    #[error("{place} is another database's keyring now; put the one back that this host started with")]
    Replaced {
        /// Where the keyring is.
        place: String,
    },
    /// A master key was changed.
    #[error("master key {version} in {place} is not what it was; restore the keyring from your backup of the keys")]
    Changed {
        /// Where the keyring is.
        place: String,
        /// The version of the key.
        version: u32,
    },
    /// The keyring is given to the process, which can't change it.
    #[error(
        "the keyring is the value of {VARIABLE}, which only whoever starts the hosts can change; add or remove \
         master keys there and start each host again: they take it from there (SECURITY.md, Keys)"
    )]
    Fixed,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// A data key, wrapped by a master key: what the database keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The version of the master key.
    pub master_version: u32,
    /// The sealed data key.
    pub bytes: Vec<u8>,
}

/// The master keys of all hosts that share a database. Prints as its fingerprint.
pub struct Keyring {
    source: Box<dyn KeySource>,
    masters: RwLock<Arc<Masters>>,
    /// The version that wraps: newer ones wait until every host has them.
    current: AtomicU32,
    /// Digest of the text that was read last, so that the same text is judged once.
    read: Mutex<[u8; 32]>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.fingerprint())
    }
}

impl Keyring {
    /// Makes a keyring and keeps it where there is none yet.
    ///
    /// # Errors
    /// [`KeyringError`] when there is one already, or it can't be written.
    pub fn create(source: Box<dyn KeySource>) -> Result<Self, KeyringError> {
        let masters = Masters::generate()?;
        let text = masters.text();
        source.create(&text)?;
        Ok(Self::over(source, masters, &text))
    }

    /// Reads a keyring.
    ///
    /// # Errors
    /// [`KeyringError`] when it is missing, damaged, or readable by others.
    pub fn open(source: Box<dyn KeySource>) -> Result<Self, KeyringError> {
        let text = source.read()?;
        let masters = Masters::parse(&text, &source.place())?;
        Ok(Self::over(source, masters, &text))
    }

    fn over(source: Box<dyn KeySource>, masters: Masters, text: &SecretString) -> Self {
        let current = AtomicU32::new(masters.newest());
        Self { source, masters: RwLock::new(Arc::new(masters)), current, read: Mutex::new(digest(text)) }
    }

    /// Reads the keyring again, when its text has changed, and takes up what was added to it. What the process
    /// has in memory and the text lacks is kept. True when it was read.
    ///
    /// # Errors
    /// [`KeyringError`] when the text is no keyring, or another one; the keys in memory are then what they were.
    pub fn refresh(&self) -> Result<bool, KeyringError> {
        let text = self.source.read()?;
        let digest = digest(&text);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == digest {
            return Ok(false);
        }
        let place = self.place();
        let found = Masters::parse(&text, &place)?;
        let known = self.masters();
        if found.lookup != known.lookup {
            return Err(KeyringError::Replaced { place });
        }
        let joined = known.joined(&found).map_err(|version| KeyringError::Changed { place, version })?;
        self.hold(joined);
        *read = digest;
        Ok(true)
    }

    /// Where the keyring is kept, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.source.place()
    }

    /// Names the keyring without telling anything of its keys: hosts that share a database must agree on it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint("aaasp keyring fingerprint", &self.masters().lookup)
    }

    /// The versions of the master keys, in their order, each with its key's fingerprint.
    #[must_use]
    pub fn versions(&self) -> Vec<(u32, String)> {
        let name = |key| fingerprint("aaasp master key fingerprint", key);
        self.masters().keys.iter().map(|(version, key)| (*version, name(key))).collect()
    }

    /// The newest version at hand.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.masters().newest()
    }

    /// The lowest version that opens anything.
    #[must_use]
    pub fn lowest(&self) -> u32 {
        self.masters().lowest
    }

    /// The version that wraps.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.current.load(Ordering::Relaxed)
    }

    /// Wraps with this version from now on. All hosts must have it.
    pub fn wrap_with(&self, version: u32) {
        self.current.store(version, Ordering::Relaxed);
    }

    /// Adds a random master key, and keeps it before it returns.
    ///
    /// # Errors
    /// [`KeyringError`] when it can't be written; the keyring is then what it was.
    pub fn add(&self, version: u32) -> Result<(), KeyringError> {
        self.keep(self.masters().with(version, random_key()?))
    }

    /// Takes back a master key that was added and has wrapped nothing.
    ///
    /// # Errors
    /// [`KeyringError`] when it can't be written; the keyring is then what it was.
    pub fn take_back(&self, version: u32) -> Result<(), KeyringError> {
        let mut masters = Masters::clone(&self.masters());
        masters.keys.remove(&version);
        self.keep(masters)
    }

    /// Removes the master keys below a version, for good: nothing that they wrap opens any more.
    ///
    /// # Errors
    /// [`KeyringError`] when it can't be written. [`KeyringError::Fixed`] leaves them out of memory all the same.
    pub fn retire_below(&self, version: u32) -> Result<(), KeyringError> {
        let masters = self.masters().without_below(version);
        match self.keep(masters.clone()) {
            Err(KeyringError::Fixed) => {
                self.hold(masters);
                Err(KeyringError::Fixed)
            }
            kept => kept,
        }
    }

    /// The first version of a data key for an account, or another one, and its wrapped form to store.
    ///
    /// # Errors
    /// [`SealError::Seal`] when there is no randomness to be had.
    pub fn fresh_data_key(&self, account: AccountId, version: u32) -> Result<(DataKey, Wrapped), SealError> {
        let key = random_key().map_err(|_| SealError::Seal)?;
        let wrapped = self.wrap(account, version, key.as_slice())?;
        let data_key = DataKey::of(vec![KeyVersion::new(version, key)]).ok_or(SealError::Seal)?;
        Ok((data_key, wrapped))
    }

    /// The key that seals what is no account's, derived from the keyring: it is in no database, and is never rotated.
    ///
    /// # Errors
    /// [`SealError::Seal`] when it can't be derived, which its fixed length rules out.
    pub fn service_key(&self) -> Result<DataKey, SealError> {
        let derived = self.derived_key("service");
        let key = key_of(|key| {
            key.copy_from_slice(derived.as_slice());
            Some(())
        });
        DataKey::of(vec![KeyVersion::new(1, key.ok_or(SealError::Seal)?)]).ok_or(SealError::Seal)
    }

    /// Unwraps one version of an account's data key.
    ///
    /// # Errors
    /// [`SealError`] when the keyring lacks the master key, or the wrapped key was changed or moved.
    pub fn unwrap_data_key(&self, account: AccountId, version: u32, wrapped: &[u8]) -> Result<KeyVersion, SealError> {
        Ok(KeyVersion::new(version, self.unwrap(account, version, wrapped)?))
    }

    /// Wraps a data key with the current master key that an older one has wrapped.
    ///
    /// # Errors
    /// [`SealError`] when the keyring lacks a master key, or the wrapped key was changed or moved.
    pub fn rewrap(&self, account: AccountId, version: u32, wrapped: &[u8]) -> Result<Wrapped, SealError> {
        self.wrap(account, version, self.unwrap(account, version, wrapped)?.as_slice())
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
        let derived = Hkdf::<Sha256>::new(Some(b"aaasp derived key"), self.masters().lookup.as_slice())
            .expand(purpose.as_bytes(), key.as_mut_slice());
        debug_assert!(derived.is_ok(), "32 bytes are within HKDF's limit");
        key
    }

    fn wrap(&self, account: AccountId, version: u32, key: &[u8]) -> Result<Wrapped, SealError> {
        let master_version = self.current();
        let masters = self.masters();
        let master = masters.keys.get(&master_version).ok_or(SealError::KeyVersion(master_version))?;
        let bytes = seal_with(master, master_version, &data_key_associated(account, version, master_version), key)?;
        Ok(Wrapped { master_version, bytes })
    }

    fn unwrap(&self, account: AccountId, version: u32, wrapped: &[u8]) -> Result<Key, SealError> {
        let wanted = key_version(wrapped)?;
        let masters = self.masters();
        let master = masters.keys.get(&wanted).ok_or(SealError::KeyVersion(wanted))?;
        let opened = Zeroizing::new(open_with(master, &data_key_associated(account, version, wanted), wrapped)?);
        key_of(|key| {
            let same = opened.len() == key.len();
            same.then(|| key.copy_from_slice(&opened))
        })
        .ok_or(SealError::Format)
    }

    fn keyed(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        let key = self.derived_key(purpose);
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// Writes the keys, then uses them: what is in use has always been kept.
    fn keep(&self, masters: Masters) -> Result<(), KeyringError> {
        let text = masters.text();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        faults::step();
        self.source.write(&text)?;
        *read = digest(&text);
        self.hold(masters);
        Ok(())
    }

    fn hold(&self, masters: Masters) {
        *self.masters.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(masters);
    }

    fn masters(&self) -> Arc<Masters> {
        Arc::clone(&self.masters.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A wrapped data key is bound like any sealed value: to format, master key's version, account, table, row
/// (the data key's version) and column.
fn data_key_associated(account: AccountId, version: u32, master_version: u32) -> Vec<u8> {
    let place = Place { account, table: "data_keys", row: &version.to_string() };
    with_column(associated(master_version, place), "wrapped")
}

fn digest(text: &SecretString) -> [u8; 32] {
    Sha256::digest(text.expose_secret().as_bytes()).into()
}
