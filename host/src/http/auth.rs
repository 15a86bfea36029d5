//! Who a request is from: extractors, so that a public handler is visibly public.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};

use super::Problem;
use super::routes::{Described, Part};
use crate::accounts::{ApiKey, Caller};
use crate::app::App;
use crate::ids::OperatorKeyId;

/// What the description calls the two kinds of keys.
pub(super) const ACCOUNT_KEY: &str = "account_key";
pub(super) const OPERATOR_KEY: &str = "operator_key";

/// The operator behind a request.
pub(super) struct Operator {
    /// The key that it came with.
    pub key: OperatorKeyId,
}

/// The caller of what a suspended account may do too: nothing that costs it anything.
pub(super) struct EvenSuspended(pub Caller);

impl FromRequestParts<Arc<App>> for EvenSuspended {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let key = bearer(parts)?;
        let found = app.callers.find(&key).await?;
        found.map(Self).ok_or_else(|| Problem::unauthenticated("no account has this key"))
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let EvenSuspended(caller) = EvenSuspended::from_request_parts(parts, app).await?;
        let reads = parts.method == Method::GET || parts.method == Method::HEAD;
        if !reads && !caller.account.is_active() {
            let status = &caller.account.status;
            return Err(Problem::forbidden(format!(
                "the account is {status}; it can read and cancel runs, and change nothing else"
            )));
        }
        Ok(caller)
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let key = bearer(parts)?;
        let found = app.callers.find_operator(&key).await?;
        let key = found.ok_or_else(|| {
            Problem::unauthenticated("this is no operator's key; `init` wrote one to keys/operator.key")
        })?;
        Ok(Self { key })
    }
}

impl Part for EvenSuspended {
    fn describe(described: &mut Described) {
        described.asks_for_key(ACCOUNT_KEY);
        described.refuses(&Problem::unauthenticated(""));
    }
}

impl Part for Caller {
    fn describe(described: &mut Described) {
        EvenSuspended::describe(described);
        if !described.method.is_safe() {
            described.refuses(&Problem::forbidden(""));
        }
    }
}

impl Part for Operator {
    fn describe(described: &mut Described) {
        described.asks_for_key(OPERATOR_KEY);
        described.refuses(&Problem::unauthenticated(""));
    }
}

fn bearer(parts: &Parts) -> Result<ApiKey, Problem> {
    let header = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| Problem::unauthenticated("send the key in the header `Authorization: Bearer aaasp_…`"))?;
    let text = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .ok_or_else(|| Problem::unauthenticated("the Authorization header must be `Bearer aaasp_…`"))?;
    // The text itself is not repeated: it may be a mistyped secret.
    text.parse().map_err(|error| Problem::unauthenticated(format!("{error}")))
}
