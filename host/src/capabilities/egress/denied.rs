//! Why a request did not go out or did not come back: a type for the guest, a sentence for the author.

use wasmtime_wasi_http::Error;

use crate::names::Name;
use crate::vault::custody::Withheld;

/// What takes too long before anything of a request has left.
pub(crate) const TO_CONNECT: &str = "to connect";

/// Why egress ended an exchange. Texts hold no path, query, header or body, where a secret could be.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Denied {
    /// The request can't be read in one way only.
    #[error("{0}")]
    Malformed(&'static str),
    /// No rule allows it.
    #[error("no rule of the deployment allows {method} to {to}; to grant it, add to its `egress.allow`: {rule}")]
    NotAllowed { method: String, to: String, rule: String },
    /// Methods that no rule can allow.
    #[error("the method {0} is never sent")]
    Method(String),
    /// A header that the host sets, or nobody.
    #[error("a guest may not set the header `{0}`")]
    Header(String),
    /// A header or parameter that a credential's binding owns.
    #[error(
        "the {what} `{place}` belongs to the credential `{credential}`, which goes along with this request by itself"
    )]
    Owned { what: &'static str, place: String, credential: Name },
    /// Two credentials for one place.
    #[error(
        "the credentials `{0}` and `{1}` both belong in the same place of this request; bind one of them elsewhere"
    )]
    Twice(Name, Name),
    /// The request holds a secret.
    #[error("the {0} of the request holds a credential's secret")]
    Secret(&'static str),
    /// The vault did not lend a credential.
    #[error("{0}")]
    Withheld(String),
    /// A secret that is too short to be told from other text, or that can't stand in its place.
    #[error("the credential `{name}` {reason}")]
    Unfit { name: Name, reason: &'static str },
    /// The name has no address.
    #[error("the host of {to} can't be resolved: {reason}")]
    Unresolved { to: String, reason: String },
    /// The address is not one to dial.
    #[error(
        "{to} resolves to {address}, which is {kind}; an operator allows it with \
         `[egress] allow_addresses = [\"{address}/{bits}\"]`"
    )]
    Address { to: String, address: std::net::IpAddr, kind: &'static str, bits: u8 },
    /// A credential in the clear.
    #[error(
        "the credential `{name}` is not sent over plain `http`, except to addresses that the operator lists in \
         `[egress] allow_addresses`"
    )]
    InTheClear { name: Name },
    /// A limit of the run.
    #[error("the run reached its limit of {0}")]
    Limit(&'static str),
    /// The run was never paid for.
    #[error("the run is not paid for")]
    Unpaid,
    /// Connecting failed.
    #[error("{to} can't be reached: {reason}")]
    Unreachable { to: String, reason: String },
    /// The other side's certificate or its TLS.
    #[error("TLS with {to} failed: {reason}")]
    Tls { to: String, reason: String },
    /// Something took too long.
    #[error("{to} took too long {doing}")]
    TooSlow { to: String, doing: &'static str },
    /// The exchange broke.
    #[error("the exchange with {0} broke off")]
    Broken(String),
    /// What the response is packed in, by the header that says it.
    #[error("the response's `{0}` names a coding that can't be searched for secrets")]
    Coding(&'static str),
    /// The request asks for a part of an answer.
    #[error(
        "the header `{0}` asks for a part of the answer, which may hold a part of the secret that goes along with the \
         request; ask for the whole"
    )]
    Range(String),
    /// The response is a part.
    #[error("the answer is a part (status 206), which may hold a part of the secret that went along with the request")]
    Part,
    /// The request's body and its declared length differ.
    #[error("the request's body is not as long as its `content-length` says")]
    Length,
}

impl Denied {
    /// The typed error that the guest gets.
    pub(crate) fn code(&self) -> Error {
        match self {
            Self::Malformed(_) => Error::HttpRequestUriInvalid,
            Self::Method(_) => Error::HttpRequestMethodInvalid,
            Self::Header(_)
            | Self::NotAllowed { .. }
            | Self::Owned { .. }
            | Self::Twice(..)
            | Self::Secret(_)
            | Self::InTheClear { .. }
            | Self::Range(_)
            | Self::Unpaid => Error::HttpRequestDenied,
            Self::Withheld(_) | Self::Unfit { .. } => Error::ConfigurationError,
            Self::Unresolved { .. } => Error::DestinationNotFound,
            Self::Address { .. } => Error::DestinationIpProhibited,
            Self::Limit("http_request_bytes") => Error::HttpRequestBodySize(None),
            Self::Limit("http_response_bytes") => Error::HttpResponseBodySize(None),
            Self::Limit(_) => Error::ConnectionLimitReached,
            Self::Unreachable { .. } => Error::ConnectionRefused,
            Self::Tls { .. } => Error::TlsCertificateError,
            Self::TooSlow { doing: TO_CONNECT, .. } => Error::ConnectionTimeout,
            Self::TooSlow { .. } => Error::ConnectionReadTimeout,
            Self::Broken(_) | Self::Part => Error::HttpResponseIncomplete,
            Self::Coding(_) => Error::HttpResponseContentCoding(None),
            Self::Length => Error::HttpRequestBodySize(None),
        }
    }

    /// Whether the whole request may have been with the server by then, so that it may have done what it was asked.
    pub(crate) fn may_have_arrived(&self) -> bool {
        match self {
            Self::Limit(name) => *name == "http_response_bytes",
            Self::TooSlow { doing, .. } => *doing != TO_CONNECT,
            Self::Broken(_) | Self::Coding(_) | Self::Part => true,
            Self::Malformed(_)
            | Self::NotAllowed { .. }
            | Self::Method(_)
            | Self::Header(_)
            | Self::Owned { .. }
            | Self::Twice(..)
            | Self::Secret(_)
            | Self::Withheld(_)
            | Self::Unfit { .. }
            | Self::Unresolved { .. }
            | Self::Address { .. }
            | Self::InTheClear { .. }
            | Self::Range(_)
            | Self::Unpaid
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Length => false,
        }
    }

    /// Whether it is the deployment's or the host's rule that ended it, as opposed to the world.
    pub(crate) fn is_refusal(&self) -> bool {
        !matches!(
            self,
            Self::Unresolved { .. }
                | Self::Unreachable { .. }
                | Self::Tls { .. }
                | Self::TooSlow { .. }
                | Self::Broken(_)
                | Self::Length
        )
    }
}

impl From<Withheld> for Denied {
    fn from(withheld: Withheld) -> Self {
        Self::Withheld(withheld.to_string())
    }
}

impl From<super::destination::Malformed> for Denied {
    fn from(malformed: super::destination::Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}
