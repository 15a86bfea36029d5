//! `/v1/account/deletion`: the end of an account, and thinking again.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Accepted, Answer, Deleted};
use super::auth::{May, Operator};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{CloseAccount, KnowMyself, SupportOrSecurity};
use crate::app::App;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::erasures::{self, Certificate, ErasureState, StoredErasure};
use crate::ids::{AccountId, ErasureId};

/// What deleting an account begins with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletionAsked {
    /// How long its owner can think again once the link was opened, in days.
    closing_days: u32,
    /// When it is erased, if the link was opened before: then nothing was sent.
    erased_at: Option<Micros>,
    /// Why it is not erased then.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<&'static str>,
}

/// An account that is being deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletionView {
    /// When it is erased; null for one that is not being deleted.
    erased_at: Option<Micros>,
    /// Why it is not erased then.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<&'static str>,
}

/// What keeps an account from being erased, as its owner is told.
const HELD_BACK: &str = "a legal obligation keeps what is there for now (GDPR, Article 17(3)); it is erased by itself \
                         once that is over, and nothing is done with it until then";

/// An erasure, as operators see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErasureView {
    id: ErasureId,
    state: ErasureState,
    /// The account, until it is erased.
    account: Option<AccountId>,
    /// The account that nobody has, under whose id billing records are kept.
    pseudonym: AccountId,
    asked_at: Micros,
    /// From when on it is done.
    due_at: Micros,
    erased_at: Option<Micros>,
    certificate: Option<Certificate>,
    /// Whether a hold keeps it from being begun.
    held: bool,
}

impl From<StoredErasure> for ErasureView {
    fn from(stored: StoredErasure) -> Self {
        let StoredErasure {
            id,
            state,
            account,
            pseudonym,
            asked_at,
            due_at,
            erased_at,
            certificate,
            is_held: held,
            ..
        } = stored;
        Self { id, state, account, pseudonym, asked_at, due_at, erased_at, certificate, held }
    }
}

/// Nothing happens until the link is opened.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    caller: May<CloseAccount>,
) -> Result<Accepted<DeletionAsked>, Problem> {
    let erased_at = app.accounts.closes_at(caller.account.id).await?;
    if erased_at.is_none() {
        app.accounts.ask_to_delete((&caller.account, caller.key.id)).await?;
    }
    let closing_days = app.config.now().values.accounts.closing_days;
    Ok(Accepted(DeletionAsked { closing_days, erased_at, held_back: held_back(&app, caller.account.id).await? }))
}

/// When the account is erased.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<KnowMyself>,
) -> Result<Answer<DeletionView>, Problem> {
    let erased_at = app.accounts.closes_at(caller.account.id).await?;
    let held_back = if erased_at.is_some() { held_back(&app, caller.account.id).await? } else { None };
    Ok(Answer(DeletionView { erased_at, held_back }))
}

async fn held_back(app: &App, account: AccountId) -> Result<Option<&'static str>, Problem> {
    Ok(app.accounts.hold_on(account).await?.map(|_| HELD_BACK))
}

/// Everything is as it was before.
pub(super) async fn cancel(State(app): State<Arc<App>>, caller: May<CloseAccount>) -> Result<Deleted, Problem> {
    match app.accounts.keep((&caller.account, caller.key.id)).await {
        Err(DbError::Missing(_)) => {
            return Err(Problem::conflict("the account is not being deleted, or it is too late to think again"));
        }
        kept => kept?,
    }
    app.callers.forget();
    Ok(Deleted)
}

/// Erasures of accounts, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<SupportOrSecurity>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<ErasureView>>, Problem> {
    let found = erasures::list(&app.db, page.after_id()?, page.asked()).await?;
    let views = found.into_iter().map(ErasureView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}
