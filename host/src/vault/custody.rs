//! What the sandbox may ask of the vault: to lend a credential to one request, or to sign with it. No answer
//! of these ever reaches a guest but a signature.

use futures::future::BoxFuture;
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};

use crate::grants::Place;
use crate::names::Name;

/// A credential, lent to one outgoing request.
pub struct Lent {
    /// Its version.
    pub version: u32,
    /// Where it stands in a request, unless the deployment names another place. None for a key that signs.
    pub place: Option<Place>,
    /// The secret: of an OAuth credential the access token.
    pub secret: SecretSlice<u8>,
}

/// Why a credential was not lent.
#[derive(Debug, thiserror::Error)]
pub enum Withheld {
    /// The account keeps no credential of this name.
    #[error("the account keeps no credential `{0}`; keep it with `aaasp credential set {0}`")]
    Unknown(Name),
    /// The credential is of another kind than this use needs.
    #[error("the credential `{name}` is {kind}, which can't {wanted}")]
    Kind {
        /// The credential.
        name: Name,
        /// Its kind.
        kind: &'static str,
        /// What was asked of it.
        wanted: &'static str,
    },
    /// The vault, or the token endpoint of an OAuth credential, does not answer; the reason tells no secret.
    #[error("the credential `{name}` can't be used now: {reason}")]
    Unavailable {
        /// The credential.
        name: Name,
        /// Why.
        reason: String,
    },
}

/// One use of a credential, for the audit. It never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The credential.
    pub credential: Name,
    /// Its version.
    pub version: u32,
    /// What it was used for.
    pub purpose: Purpose,
}

/// What a credential was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It went along with a request.
    Request {
        /// Method, in upper case.
        method: String,
        /// Host, and port when it is not the scheme's own.
        host: String,
        /// Path, without the query.
        path: String,
    },
    /// It signed bytes.
    Signature,
}

/// Names a use that was written down, for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseId(pub u64);

/// The vault as one run sees it. It knows account, deployment and run.
pub trait Custody: Send + Sync + std::fmt::Debug {
    /// Lends the current version of a credential.
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>>;

    /// HMAC-SHA-256 of bytes under a credential that is an HMAC key; the use is written down.
    fn sign<'a>(&'a self, name: &'a Name, bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>>;

    /// Writes down that a credential is about to be used. The run settles only after this is durable.
    fn used(&self, used: Use) -> UseId;

    /// Writes down how the use ended: the answer's status, or none when there was no answer.
    fn ended(&self, used: UseId, status: Option<u16>);
}

/// A vault without a credential, for runs that belong to no account.
#[derive(Debug)]
pub struct Empty;

impl Custody for Empty {
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        Box::pin(async { Err(Withheld::Unknown(name.clone())) })
    }

    fn sign<'a>(&'a self, name: &'a Name, _bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        Box::pin(async { Err(Withheld::Unknown(name.clone())) })
    }

    fn used(&self, _used: Use) -> UseId {
        UseId(0)
    }

    fn ended(&self, _used: UseId, _status: Option<u16>) {}
}
