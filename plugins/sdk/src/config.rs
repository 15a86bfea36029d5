//! Reads the configuration of the deployment.
//!
//! Outside of a component there is no deployment: in an author's native tests nothing is set.

use crate::Failure;
use crate::bindings::wasi::config::store;

/// The value of a key, or none when the deployment does not set it.
///
/// # Errors
/// [`Failure::Retryable`] when the host can't read its store.
pub fn get(key: &str) -> Result<Option<String>, Failure> {
    if !cfg!(target_family = "wasm") {
        return Ok(None);
    }
    store::get(key).map_err(unreadable)
}

/// Every key with its value, in the order of the keys.
///
/// # Errors
/// [`Failure::Retryable`] when the host can't read its store.
pub fn all() -> Result<Vec<(String, String)>, Failure> {
    if !cfg!(target_family = "wasm") {
        return Ok(Vec::new());
    }
    let mut pairs = store::get_all().map_err(unreadable)?;
    pairs.sort();
    Ok(pairs)
}

fn unreadable(error: store::Error) -> Failure {
    let (store::Error::Upstream(reason) | store::Error::Io(reason)) = error;
    Failure::Retryable(format!("the configuration can't be read: {reason}"))
}
