//! Custody of what is sealed: the keyring of master keys, one data key per account, seal and open.
//!
//! Envelope encryption with AES-256-GCM. A master key wraps an account's data key; the data key, through a
//! key derived for each row, seals what a person wrote and what a run said. Destroying the data key is erasure.

pub mod custody;
mod keyring;
mod seal;

pub use keyring::{Keyring, KeyringError};
pub use seal::{DataKey, Place, RowSeal, SealError};
