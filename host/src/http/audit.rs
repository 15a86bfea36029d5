//! `/v1/admin/audit`: what operators and owners did, and where its chain was signed.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::answer::Answer;
use super::auth::Operator;
use super::page::{self, Page, PageQuery, QueryOf};
use crate::accounts::{Security, Told};
use crate::app::App;
use crate::audit::{Act, Actor, Head};
use crate::clock::Micros;
use crate::db::audit::{self, EntryFilter, Only};
use crate::ids::{AccountId, ActId, ApiKeyId, OperatorKeyId};
use crate::ledger::Microcredits;

/// An entry of the audit. What it is about is null once that is erased.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryView {
    /// Its place in the chain.
    position: i64,
    id: String,
    at: Micros,
    /// An operator's key, or `owner` or `system`.
    actor: String,
    #[schema(value_type = Act)]
    act: String,
    account: Option<AccountId>,
    /// What it was done to, what it made, or what was set.
    subject: Option<String>,
    /// What was there before.
    was: Option<String>,
    amount_microcredits: Option<Microcredits>,
    reason: Option<String>,
    /// The key that an owner did it with; null where it was a link.
    api_key: Option<ApiKeyId>,
    /// SHA-256 of what it is about, with a salt.
    digest: String,
    /// SHA-256 over the entry before and this one.
    chain: String,
}

/// Something that an operator did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActView {
    id: ActId,
    at: Micros,
    /// The operator's key.
    operator: OperatorKeyId,
    #[schema(value_type = Act)]
    act: String,
    account: Option<AccountId>,
    /// What it was done to, or what it made.
    subject: Option<String>,
    amount_microcredits: Option<Microcredits>,
    reason: Option<String>,
}

/// Where the chain was at a moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeadView {
    /// How many entries there were.
    position: i64,
    /// The chain up to there.
    chain: String,
    at: Micros,
    /// Ed25519 by the key that signs receipts, over `aaasp audit head`, a line feed, position and microseconds as 64 bits
    /// each, and the chain.
    signature: String,
}

impl From<Told> for EntryView {
    fn from(Told { entry, account, facts }: Told) -> Self {
        Self {
            position: entry.position,
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            act: entry.act,
            account,
            subject: facts.subject,
            was: facts.was,
            amount_microcredits: facts.amount,
            reason: facts.reason,
            api_key: facts.api_key,
            digest: hex::encode(entry.digest),
            chain: hex::encode(entry.chain),
        }
    }
}

impl From<Head> for HeadView {
    fn from(head: Head) -> Self {
        let (chain, signature) = (hex::encode(head.chain), hex::encode(head.signature));
        Self { position: head.position, chain, at: head.at, signature }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Only what is about this account.
    account: Option<String>,
    /// Only this act.
    #[param(inline)]
    act: Option<Act>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ActsQuery {
    /// Only what was done to this account.
    account: Option<String>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Everything that is in the audit, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Answer<Page<EntryView>>, Problem> {
    let page = PageQuery::new(query.limit, query.after);
    let (account, act) = (account(query.account.as_deref())?, query.act.map(Act::as_str));
    let filter = EntryFilter { account, act, before: page.after_id()?, ..EntryFilter::default() };
    let told = app.accounts.told(audit::list(&app.db, &filter, page.asked()).await?).await?;
    let views = told.into_iter().map(EntryView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.position.to_string())))
}

/// What operators did, latest first.
pub(super) async fn acts(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    QueryOf(query): QueryOf<ActsQuery>,
) -> Result<Answer<Page<ActView>>, Problem> {
    let page = PageQuery::new(query.limit, query.after);
    let account = account(query.account.as_deref())?;
    let filter = EntryFilter { account, only: Only::Operators, before: page.after_id()?, ..EntryFilter::default() };
    let mut views = Vec::new();
    for told in app.accounts.told(audit::list(&app.db, &filter, page.asked()).await?).await? {
        let position = told.entry.position;
        views.push((position, act(told)?));
    }
    let page = Page::of(views, page.limit(), |(position, _)| position.to_string());
    Ok(Answer(page.map(|(_, view)| view)))
}

/// Signed heads of the chain, earliest first: kept elsewhere, they show that nothing before them was changed.
pub(super) async fn heads(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<HeadView>>, Problem> {
    let found = audit::heads(&app.db, page.after_id()?.unwrap_or(0), page.asked()).await?;
    let views = found.into_iter().map(HeadView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.position.to_string())))
}

fn account(text: Option<&str>) -> Result<Option<AccountId>, Problem> {
    let account = text.map(str::parse).transpose();
    account.map_err(|error| Problem::invalid("", format!("the query parameter `account`: {error}")))
}

pub(super) fn act(Told { entry, account, facts }: Told) -> Result<ActView, Problem> {
    let Ok(Actor::Operator(operator)) = entry.actor.parse() else { return Err(Problem::internal()) };
    let id = entry.id.parse().map_err(|_| Problem::internal())?;
    Ok(ActView {
        id,
        at: entry.at,
        operator,
        act: entry.act,
        account,
        subject: facts.subject,
        amount_microcredits: facts.amount,
        reason: facts.reason,
    })
}
