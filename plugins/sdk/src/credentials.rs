//! The credentials that the deployment grants: their names, and signatures with them.
//!
//! ```no_run
//! use aaasp_sdk::credentials;
//!
//! # fn signed(body: &[u8]) -> Result<Vec<u8>, credentials::Error> {
//! let signature = credentials::hmac_sha256("webhook", body)?;
//! # Ok(signature)
//! # }
//! ```
//!
//! No credential can be read: the host puts it into requests to the hosts that it is bound to, and signs with it here.
//! Outside of a component there is no deployment, which grants none.

use crate::Failure;
use crate::bindings::aaasp::agent::credentials as host;

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The deployment grants no credential of this name.
    #[error("the deployment does not grant the credential `{0}`")]
    NotGranted(String),
    /// It is granted, but can't sign: it is missing, or of another kind.
    #[error("the credential `{name}` can't sign: {reason}")]
    Unfit {
        /// The credential.
        name: String,
        /// The host's word for why.
        reason: String,
    },
    /// It can't sign now; the same call may succeed later.
    #[error("the credential `{name}` can't sign now: {reason}")]
    Unavailable {
        /// The credential.
        name: String,
        /// The host's word for why.
        reason: String,
    },
}

/// Names of the credentials that the deployment grants.
#[must_use]
pub fn names() -> Vec<String> {
    if cfg!(target_family = "wasm") { host::names() } else { Vec::new() }
}

/// Whether the deployment grants a credential of this name.
#[must_use]
pub fn exists(name: &str) -> bool {
    cfg!(target_family = "wasm") && host::exists(name)
}

/// HMAC-SHA-256 of bytes under a credential that is an HMAC key: 32 bytes.
///
/// # Errors
/// See [`Error`].
pub fn hmac_sha256(name: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    if !cfg!(target_family = "wasm") {
        return Err(Error::NotGranted(name.to_owned()));
    }
    host::hmac_sha256(name, bytes).map_err(|error| refused(name, error))
}

impl Error {
    /// How a run fails that can't go on without the signature: what may pass is worth another run, the rest is not.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Unavailable { .. } => Failure::Retryable(self.to_string()),
            _ => Failure::Failed(self.to_string()),
        }
    }
}

fn refused(name: &str, error: host::Error) -> Error {
    let name = name.to_owned();
    match error {
        host::Error::NotGranted => Error::NotGranted(name),
        host::Error::Unfit(reason) => Error::Unfit { name, reason },
        host::Error::Unavailable(reason) => Error::Unavailable { name, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_component_no_credential_is_granted() {
        assert!(names().is_empty() && !exists("webhook"));
        assert_eq!(hmac_sha256("webhook", b"body"), Err(Error::NotGranted("webhook".into())));
    }

    #[test]
    fn what_may_pass_is_retryable() {
        let failure = |error| refused("webhook", error).into_failure();
        let reason = || "the vault does not answer".to_owned();
        let retryable = "the credential `webhook` can't sign now: the vault does not answer";
        assert_eq!(failure(host::Error::Unavailable(reason())), Failure::Retryable(retryable.into()));
        for error in [host::Error::NotGranted, host::Error::Unfit(reason())] {
            assert!(matches!(failure(error), Failure::Failed(message) if message.contains("`webhook`")));
        }
    }
}
