//! Who a request is from: extractors, so that a public handler is visibly public.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::Problem;
use super::address::client_address;
use super::found::Found;
use super::routes::{Described, Part};
use crate::accounts::{ApiKey, Caller, OneOf, Right, Role, Scope};
use crate::app::App;
use crate::ids::OperatorKeyId;

/// What the description calls the two kinds of keys.
pub(crate) const ACCOUNT_KEY: &str = "account_key";
pub(crate) const OPERATOR_KEY: &str = "operator_key";

/// The operator behind a request, whose key is for one of some roles.
pub(super) struct Operator<R> {
    /// The key that it came with.
    pub key: OperatorKeyId,
    /// What it is for.
    pub role: Role,
    roles: PhantomData<R>,
}

/// A caller whose key and account give it a right.
pub(super) struct May<R>(Caller, PhantomData<R>);

impl<R> Deref for May<R> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<R: Right> FromRequestParts<Arc<App>> for May<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = match caller(parts, app).await {
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
                app.rates.count_failure(client_address(parts, app))?;
                return Err(problem);
            }
            known => known?,
        };
        let standing = app.rates.count_caller(&caller)?;
        if let Some(found) = Found::of(parts) {
            let _ = found.caller.set((caller.account.id, caller.key.id));
            let _ = found.standing.set(standing);
        }
        if let Some(scope) = R::SCOPE {
            must_have(&caller, scope)?;
        }
        let status = caller.account.status;
        if !status.allows(R::NEEDS) {
            return Err(Problem::forbidden(format!("the account is {status}; {}", status.remains())));
        }
        Ok(Self(caller, PhantomData))
    }
}

async fn caller(parts: &Parts, app: &App) -> Result<Caller, Problem> {
    let key = bearer(parts)?;
    let found = match app.callers.believed(&key).await {
        Some(found) => found,
        None => {
            may_be_looked_up(&key, parts, app)?;
            app.callers.find(&key).await?
        }
    };
    let caller = found.ok_or_else(|| Problem::unauthenticated("no account has this key, or it has expired"))?;
    // Almost no key has a list, and where a request comes from is only found out for those.
    if !caller.key.addresses.is_empty() && !caller.may_come_from(client_address(parts, app)) {
        return Err(Problem::unauthenticated("this key may not be used from the address that the request is from"));
    }
    Ok(caller)
}

/// Refuses a key that is, from an address that guesses, not worth a question to the database. One that was good a while
/// ago is, wherever it comes from: whoever guesses behind the same proxy locks nobody out who works.
fn may_be_looked_up(key: &ApiKey, parts: &Parts, app: &App) -> Result<(), Problem> {
    if app.callers.knew(key) { Ok(()) } else { app.rates.may_fail(client_address(parts, app)) }
}

/// Refuses a caller whose key lacks a scope.
pub(super) fn must_have(caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if caller.key.scopes.contain(scope) { Ok(()) } else { Err(Problem::scope_missing(scope)) }
}

impl<R: OneOf> FromRequestParts<Arc<App>> for Operator<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let found = match bearer(parts) {
            Ok(key) => {
                may_be_looked_up(&key, parts, app)?;
                app.callers.find_operator(&key).await?.ok_or_else(|| {
                    Problem::unauthenticated("this is no operator's key; `init` wrote one to keys/operator.key")
                })
            }
            Err(problem) => Err(problem),
        };
        if found.is_err() {
            app.rates.count_failure(client_address(parts, app))?;
        }
        let (key, role) = found?;
        if R::has(role) {
            Ok(Self { key, role, roles: PhantomData })
        } else {
            Err(Problem::role_missing(role, R::ROLES))
        }
    }
}

impl<R: Right> Part for May<R> {
    fn describe(described: &mut Described) {
        described.asks_for_key(ACCOUNT_KEY, R::SCOPE);
        described.asks_for_status(R::NEEDS);
        described.refuses(&Problem::unauthenticated(""));
        described.refuses(&Problem::forbidden(""));
        described.refuses(&Problem::misdirected("", None, None));
        described.refuses(&Problem::too_many("", 1));
    }
}

impl<R: OneOf> Part for Operator<R> {
    fn describe(described: &mut Described) {
        described.asks_for_roles(OPERATOR_KEY, R::ROLES);
        described.refuses(&Problem::unauthenticated(""));
        described.refuses(&Problem::forbidden(""));
        described.refuses(&Problem::misdirected("", None, None));
        described.refuses(&Problem::too_many("", 1));
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
