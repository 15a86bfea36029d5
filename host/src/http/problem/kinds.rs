//! Every kind of problem: its status, its words, when it is met and what to do then.

use axum::http::StatusCode;

/// Declares the kinds, with the extension members that their documents may have. The first paragraph on each says when
/// it is met, the second what to do; `docs/reference.md` has both from here.
macro_rules! kinds {
    ($( $(#[doc = $doc:literal])+ $name:ident = $status:ident $word:literal, $title:literal, [$($member:literal),*]; )+) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $( $(#[doc = $doc])+ $name, )+ }

        impl Kind {
            /// What the type of each begins with.
            pub(crate) const TYPES: &str = "urn:aaasp:problem:";

            /// Each of them, by status.
            pub(crate) const ALL: &[Self] = &[$( Self::$name, )+];

            /// The status of the response.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $( Self::$name => StatusCode::$status, )+ }
            }

            /// The word that its type ends in.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $( Self::$name => $word, )+ }
            }

            /// The kind, for people.
            pub(crate) const fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )+ }
            }

            /// When it is met, and what to do then.
            pub(crate) const fn means(self) -> &'static str {
                match self { $( Self::$name => concat!($($doc, "\n"),+), )+ }
            }

            /// What its document may say besides.
            pub(crate) const fn members(self) -> &'static [&'static str] {
                match self { $( Self::$name => &[$($member),*], )+ }
            }
        }
    };
}

kinds! {
    /// The request can't be read at all: the body is no JSON, or ended early.
    ///
    /// Mend the request.
    Malformed = BAD_REQUEST "malformed", "The request can't be read", [];
    /// There is no key, or none that works: unknown, expired, revoked, or not from this address. A webhook's signature
    /// counts as its key.
    ///
    /// Send `Authorization: Bearer aaasp_…` with a key that works.
    Unauthenticated = UNAUTHORIZED "unauthenticated", "The request has no valid key", [];
    /// What can be spent does not cover the most that the run may cost.
    ///
    /// Buy credits, lower the deployment's limits, or wait for runs that hold some.
    InsufficientCredits = PAYMENT_REQUIRED "insufficient-credits", "Not enough credits",
        ["required_microcredits", "available_microcredits", "held_microcredits"];
    /// A refund or a lost dispute took back more than was left. No run starts until it is paid.
    ///
    /// Buy credits; they pay it first.
    DebtOutstanding = PAYMENT_REQUIRED "debt-outstanding", "A debt is not paid", ["debt_microcredits"];
    /// The status of the account does not allow it, the operator's key is for another role, or the operator does not let
    /// people sign up.
    ///
    /// Ask the operator.
    Forbidden = FORBIDDEN "forbidden", "The account may not do this", [];
    /// The key is valid, and has not the scope that the route asks for.
    ///
    /// Use a key that has it, or make one: `aaasp keys create`.
    ScopeMissing = FORBIDDEN "scope-missing", "The key may not do this", ["scope"];
    /// There is no such thing, or it is another account's.
    ///
    /// Look at what there is: `aaasp agents`, `deployments`, `runs`.
    NotFound = NOT_FOUND "not-found", "Not found", [];
    /// The operator has not set this up: selling credits.
    ///
    /// Ask the operator.
    NotOffered = NOT_FOUND "not-offered", "The operator does not offer this", [];
    /// The route has no such method.
    ///
    /// Use one that the `Allow` header names.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed", "Method not allowed", [];
    /// The body did not arrive within the operator's `host.slow_client_ms`.
    ///
    /// Send it again.
    TooSlow = REQUEST_TIMEOUT "too-slow", "The request took too long to arrive", [];
    /// A name is taken, a thing is in use, a limit of the account is reached, or there is less than is to be taken.
    ///
    /// Do what `detail` says: choose another name, delete what is in the way.
    Conflict = CONFLICT "conflict", "It conflicts with what exists", ["limit", "value"];
    /// The link of a letter was used, or is over.
    ///
    /// Ask for another one: `aaasp signup`.
    Gone = GONE "gone", "It is there no longer", [];
    /// The body, or the component or input in it, is larger than the limit.
    ///
    /// Send less, or ask the operator for another plan.
    TooLarge = PAYLOAD_TOO_LARGE "too-large", "The body is too large", ["limit", "value"];
    /// The body is not of the type that the route takes.
    ///
    /// Say the right one in the `Content-Type` header.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type", "Unsupported media type", [];
    /// The account is in a region that this host does not serve. Nothing of it was looked at, and nothing was done.
    ///
    /// Ask the host that `region_url` names, or ask the operator for it.
    Misdirected = MISDIRECTED_REQUEST "misdirected", "The account is in another region", ["region", "region_url"];
    /// A field or parameter has a value that it can't have, or an idempotency key comes with another request than before.
    ///
    /// Mend what `errors` points to.
    Invalid = UNPROCESSABLE_ENTITY "invalid", "A field is invalid", [];
    /// The component does not validate, imports what is not offered, or does not compile within its limits.
    ///
    /// Build it for what `detail` names.
    ComponentRejected = UNPROCESSABLE_ENTITY "component-rejected", "The component can't be taken", [];
    /// A rate is passed, or as many runs wait as may.
    ///
    /// Try again after `Retry-After` seconds.
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests", "A limit is reached", ["limit", "value"];
    /// Something failed that should not.
    ///
    /// Tell the operator the `request_id`.
    Internal = INTERNAL_SERVER_ERROR "internal", "Internal error", [];
    /// The host is stopping or overloaded, or the database, the payment processor or the disk does not answer.
    ///
    /// Try again after `Retry-After` seconds, with the same `Idempotency-Key`.
    Unavailable = SERVICE_UNAVAILABLE "unavailable", "The host can't do this now", [];
    /// There is no room to keep what the request asks for; nothing was done.
    ///
    /// Try again later; the host goes on by itself once its operator has made room.
    DiskFull = INSUFFICIENT_STORAGE "disk-full", "The host's disk is full", [];
}
