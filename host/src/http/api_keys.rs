//! `/v1/api-keys`: the account's keys. A secret is shown once, when it is made.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::NoContent;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Made};
use super::auth::{May, must_have};
use super::body::{Json, PathId};
use super::once::MayRepeat;
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{CreatedApiKey, MakeKeys, NewKey, ReadKeys, RevokeKeys, Scope, Scopes};
use crate::app::App;
use crate::clock::Micros;
use crate::db::keys::{self, StoredApiKey};
use crate::ids::ApiKeyId;

#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// What it may do.
    #[schema(value_type = Vec<Scope>)]
    scopes: Scopes,
    /// Networks that requests with it may come from; from anywhere when there are none.
    #[schema(value_type = Vec<String>)]
    addresses: Vec<IpNet>,
    created_at: Micros,
    /// From when on it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Micros>,
    /// When a request last came with it, to within some seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Micros>,
    /// The key itself; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

/// A key to make. What it leaves out is as with the key that makes it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKey {
    name: String,
    /// What it may do.
    #[schema(value_type = Option<Vec<Scope>>)]
    scopes: Option<Scopes>,
    /// Addresses and networks that requests with it may come from.
    #[schema(value_type = Option<Vec<String>>)]
    addresses: Option<Vec<String>>,
    /// From when on it is refused.
    expires_at: Option<Micros>,
}

/// How a key is given another in its place.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRotation {
    /// How long the old key goes on working, in seconds; a day when absent.
    #[serde(default = "a_day")]
    overlap_seconds: u32,
    /// From when on the new one is refused; as the old one when absent.
    expires_at: Option<Micros>,
}

/// Networks that one key may have.
const MOST_ADDRESSES: usize = 50;

/// The longest time that a key and the one in its place both work, in seconds: 30 days.
const LONGEST_OVERLAP: u32 = 30 * 24 * 3600;

const fn a_day() -> u32 {
    24 * 3600
}

impl ApiKeyView {
    fn of(key: StoredApiKey) -> Self {
        let StoredApiKey { id, account: _, name, scopes, addresses, created_at, expires_at, last_used_at } = key;
        Self { id, name, scopes, addresses, created_at, expires_at, last_used_at, api_key: None }
    }

    fn made(made: CreatedApiKey) -> Self {
        Self { api_key: Some(made.api_key.expose().to_owned()), ..Self::of(made.key) }
    }
}

/// The account's keys, latest first, without their secrets.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadKeys>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<ApiKeyView>>, Problem> {
    app.callers.note_used().await;
    let keys = keys::api_keys(&app.db, caller.account.id, query.after_id()?, query.asked()).await?;
    let views = keys.into_iter().map(ApiKeyView::of).collect();
    Ok(Answer(Page::of(views, query.limit(), |view| view.id.to_string())))
}

/// Makes a key, none stronger than the one that makes it.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: May<MakeKeys>,
    once: MayRepeat,
    Json(new): Json<NewApiKey>,
) -> Result<Made<ApiKeyView>, Problem> {
    let own = &caller.key;
    let key = NewKey {
        name: checked_name(&new.name)?.to_owned(),
        scopes: new.scopes.unwrap_or(own.scopes),
        addresses: new.addresses.as_deref().map_or_else(|| Ok(own.addresses.clone()), checked_addresses)?,
        expires_at: new.expires_at.or(own.expires_at),
    };
    check_is_no_stronger(&key, own, app.clock.now())?;
    let once = once.by(&app, caller.account.id, &asked_for(&key));
    let made = app.accounts.create_api_key((&caller.account, caller.key.id), key, None, once).await?;
    Ok(Made(ApiKeyView::made(made)))
}

/// Makes a key that may do the same as another, which goes on working for a while.
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    caller: May<MakeKeys>,
    PathId(key): PathId<ApiKeyId>,
    once: MayRepeat,
    Json(rotation): Json<KeyRotation>,
) -> Result<Made<ApiKeyView>, Problem> {
    if rotation.overlap_seconds > LONGEST_OVERLAP {
        return Err(Problem::invalid("/overlap_seconds", format!("an overlap has at most {LONGEST_OVERLAP} seconds")));
    }
    let old = keys::api_key(&app.db, caller.account.id, key).await?.ok_or_else(|| Problem::not_found("API key"))?;
    let now = app.clock.now();
    if old.expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::conflict("the key has expired; make a new one"));
    }
    let expires_at = rotation.expires_at.or(old.expires_at);
    let new = NewKey { name: old.name, scopes: old.scopes, addresses: old.addresses, expires_at };
    check_is_no_stronger(&new, &caller.key, now)?;
    let end = now.plus_ms(i64::from(rotation.overlap_seconds) * 1_000);
    let once = once.by(&app, caller.account.id, &(asked_for(&new), rotation.overlap_seconds));
    let made = app.accounts.create_api_key((&caller.account, caller.key.id), new, Some((key, end)), once).await?;
    app.callers.forget();
    Ok(Made(ApiKeyView::made(made)))
}

/// Revokes a key, the caller's own too. It holds here at once and on every host within a second.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: May<RevokeKeys>,
    PathId(key): PathId<ApiKeyId>,
) -> Result<NoContent, Problem> {
    if key != caller.key.id {
        must_have(&caller, Scope::Keys)?;
    }
    app.accounts.revoke_api_key((&caller.account, caller.key.id), key).await?;
    app.callers.forget();
    Ok(NoContent)
}

/// What a request for a key is known by: what the key is to be, whatever was left out. So a key is shown again only to
/// whoever could make the same one.
fn asked_for(key: &NewKey) -> impl Serialize {
    let addresses: Vec<_> = key.addresses.iter().map(ToString::to_string).collect();
    (key.name.clone(), key.scopes, addresses, key.expires_at)
}

/// Refuses a key that could do what the one that makes it can't, from elsewhere or for longer.
fn check_is_no_stronger(new: &NewKey, own: &StoredApiKey, now: Micros) -> Result<(), Problem> {
    if new.scopes.are_none() {
        return Err(Problem::invalid("/scopes", "a key without any scope could do nothing"));
    }
    if !new.scopes.are_within(own.scopes) {
        let detail = format!("a key makes none stronger than itself; this one has: {}", own.scopes);
        return Err(Problem::invalid("/scopes", detail));
    }
    let within = |network: &IpNet| own.addresses.iter().any(|allowed| allowed.contains(network));
    if !own.addresses.is_empty() && (new.addresses.is_empty() || !new.addresses.iter().all(within)) {
        let own: Vec<_> = own.addresses.iter().map(ToString::to_string).collect();
        let detail = format!("a key makes none stronger than itself; this one is used from: {}", own.join(", "));
        return Err(Problem::invalid("/addresses", detail));
    }
    match (new.expires_at, own.expires_at) {
        (Some(at), _) if at <= now => Err(Problem::invalid("/expires_at", "a key ends in the future")),
        (at, Some(own)) if at.is_none_or(|at| at > own) => {
            let detail = format!("a key makes none stronger than itself; this one ends at {}", own.rfc3339());
            Err(Problem::invalid("/expires_at", detail))
        }
        _ => Ok(()),
    }
}

/// Addresses and networks, in the form in which they are compared.
fn checked_addresses(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    if texts.len() > MOST_ADDRESSES {
        return Err(Problem::invalid("/addresses", format!("a key has at most {MOST_ADDRESSES} networks")));
    }
    let network = |(position, text): (usize, &String)| {
        let alone = text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
        alone.or_else(|| text.parse::<IpNet>().ok().map(|network| network.trunc())).ok_or_else(|| {
            let detail = "expected an address or a network, like `192.0.2.1` or `2001:db8::/32`";
            Problem::invalid(format!("/addresses/{position}"), detail)
        })
    };
    texts.iter().enumerate().map(network).collect()
}

/// A label for people: short, and nothing that a terminal would act on.
pub(super) fn checked_name(name: &str) -> Result<&str, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("/name", "a name has 1 to 100 printable characters"));
    }
    Ok(name)
}
