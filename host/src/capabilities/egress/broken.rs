//! Tells from an error's type why a connection did not come about.

use std::error::Error;
use std::io;

use super::connect::Prohibited;
use super::denied::{Denied, TO_CONNECT};
use super::destination::Destination;

/// Why connecting failed.
pub(crate) fn connecting(error: &hyper_util::client::legacy::Error, to: &Destination) -> Denied {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Denied::Tls { to: to.to_string(), reason: error.to_string() };
        }
        if let Some(Prohibited(address)) = error.downcast_ref() {
            return Denied::Address {
                to: to.to_string(),
                address: address.ip(),
                kind: "not public, or not named by the operator",
                bits: if address.is_ipv4() { 32 } else { 128 },
            };
        }
        cause = inner(error);
        if let (None, Some(error)) = (cause, error.downcast_ref::<io::Error>()) {
            return match error.kind() {
                io::ErrorKind::TimedOut => Denied::TooSlow { to: to.to_string(), doing: TO_CONNECT },
                kind => Denied::Unreachable { to: to.to_string(), reason: kind.to_string() },
            };
        }
    }
    Denied::Unreachable { to: to.to_string(), reason: "the connection did not come about".to_owned() }
}

/// The error within an error. What an `io::Error` was made of is not its source, but its source's owner.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}
