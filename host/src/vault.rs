//! Custody of what is sealed: the keyring of master keys, one data key per account, seal and open.
//!
//! Envelope encryption with AES-256-GCM. A master key wraps an account's data key; the data key, through a
//! key derived for each row, seals what a person wrote and what a run said. Destroying the data key is erasure.
//! Both kinds of keys have versions, and [`rotation`] is how they change.

pub mod credentials;
pub mod custody;
mod keyring;
pub mod rotation;
mod seal;

pub use keyring::{KeyFile, KeySource, KeyVariable, Keyring, KeyringError, VARIABLE, Wrapped};
pub use seal::{DataKey, KeyVersion, Place, RowSeal, SealError, key_version};
