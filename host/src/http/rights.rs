//! `/v1/admin/rights`: the register of requests by which people use their rights.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::acts::{Reason, Why};
use super::admin::opened;
use super::answer::{Answer, Changed, Made};
use super::audit::{ActView, act};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::page::{self, Page, PageQuery, QueryOf};
use crate::accounts::{Step, SupportOrSecurity};
use crate::app::App;
use crate::clock::Micros;
use crate::db::audit::{self, EntryFilter, Only};
use crate::db::rights::{self, RightsIdentity, RightsKind, RightsSource, RightsState, StoredRightsRequest};
use crate::ids::{AccountId, RightsRequestId};

/// A request by which somebody uses a right.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RightsRequestView {
    id: RightsRequestId,
    /// Whose data it is about; null for somebody without an account, and once the account is erased.
    account: Option<AccountId>,
    kind: RightsKind,
    source: RightsSource,
    state: RightsState,
    identity: RightsIdentity,
    received_at: Micros,
    /// By when it has to be answered.
    due_at: Micros,
    /// Whether that was put off, which can be once.
    extended: bool,
    /// Whether somebody waits for longer than that.
    overdue: bool,
    ended_at: Option<Micros>,
}

impl RightsRequestView {
    fn of(app: &App, stored: StoredRightsRequest) -> Self {
        let overdue = stored.is_overdue(app.clock.now());
        let StoredRightsRequest {
            id,
            account,
            kind,
            source,
            state,
            identity,
            received_at,
            due_at,
            extended,
            ended_at,
            ..
        } = stored;
        Self { id, account, kind, source, state, identity, received_at, due_at, extended, overdue, ended_at }
    }
}

/// A request with what operators did about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RightsRequestHistory {
    #[serde(flatten)]
    request: RightsRequestView,
    /// What was done and why, latest first.
    acts: Vec<ActView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct RightsQuery {
    /// Only requests of this state.
    state: Option<RightsState>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A request that did not come by the API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRightsRequest {
    kind: RightsKind,
    /// Whose data it is about, if they have an account.
    account: Option<AccountId>,
    /// When it came, if that is not now: the time to answer it begins then.
    received_at: Option<Micros>,
    reason: Reason,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Done,
    Refused,
}

/// The end of a request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RightsAnswer {
    outcome: Ended,
    /// What was done, or why not. Whoever has an account is told by a letter.
    reason: Reason,
}

/// Requests, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<SupportOrSecurity>,
    QueryOf(query): QueryOf<RightsQuery>,
) -> Result<Answer<Page<RightsRequestView>>, Problem> {
    let page = PageQuery::new(query.limit, query.after);
    let found = rights::list(&app.db, query.state, page.after_id()?, page.asked()).await?;
    let views = found.into_iter().map(|stored| RightsRequestView::of(&app, stored)).collect();
    Ok(Answer(Page::of(views, page.limit(), |view: &RightsRequestView| view.id.to_string())))
}

/// One request, with what operators did about it.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Operator<SupportOrSecurity>,
    PathId(id): PathId<RightsRequestId>,
) -> Result<Answer<RightsRequestHistory>, Problem> {
    let found = known(&app, id).await?;
    // Which request an entry is about is sealed in it; of each account there are few.
    let mut filter = EntryFilter { account: found.account, only: Only::Rights, ..EntryFilter::default() };
    let (subject, mut views) = (Some(id.to_string()), Vec::new());
    loop {
        let entries = audit::list(&app.db, &filter, audit::PAGE).await?;
        let Some(last) = entries.last().map(|entry| entry.position) else { break };
        filter.before = Some(last);
        for told in app.accounts.told(entries).await?.into_iter().filter(|told| told.facts.subject == subject) {
            views.push(act(told)?);
        }
    }
    Ok(Answer(RightsRequestHistory { request: RightsRequestView::of(&app, found), acts: views }))
}

/// Enters a request. Who asks is to be found out before anything is done.
pub(super) async fn open(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    Json(new): Json<NewRightsRequest>,
) -> Result<Made<RightsRequestView>, Problem> {
    let account = match new.account {
        Some(account) => Some(opened(&app, account).await?),
        None => None,
    };
    let now = app.clock.now();
    let received_at = new.received_at.unwrap_or(now);
    if received_at > now {
        return Err(Problem::invalid("/received_at", "it can't have come later than now"));
    }
    let because = operator.because(new.reason);
    let entered = app.accounts.enter_request(account.as_ref(), (new.kind, received_at), &because).await?;
    Ok(Made(RightsRequestView::of(&app, entered)))
}

/// Notes how it was found out who asks.
pub(super) async fn identify(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<RightsRequestId>,
    Json(why): Json<Why>,
) -> Result<Changed<RightsRequestView>, Problem> {
    step(&app, id, Step::Identify, (&operator, why.reason), "it has ended").await
}

/// Puts a request off by 60 days, once, before it is overdue.
pub(super) async fn extend(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<RightsRequestId>,
    Json(why): Json<Why>,
) -> Result<Changed<RightsRequestView>, Problem> {
    let refused = "it has ended, is overdue, or was put off before";
    step(&app, id, Step::Extend, (&operator, why.reason), refused).await
}

/// Ends a request. What was done is done only for whom it is known who they are.
pub(super) async fn close(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<RightsRequestId>,
    Json(answer): Json<RightsAnswer>,
) -> Result<Changed<RightsRequestView>, Problem> {
    let state = match answer.outcome {
        Ended::Done => RightsState::Done,
        Ended::Refused => RightsState::Refused,
    };
    if state == RightsState::Done && known(&app, id).await?.identity == RightsIdentity::Unchecked {
        return Err(Problem::conflict(
            "nobody knows yet who asks; say how it was found out: `aaasp admin rights identify`",
        ));
    }
    step(&app, id, Step::Close(state), (&operator, answer.reason), "it has ended").await
}

async fn step(
    app: &App,
    id: RightsRequestId,
    step: Step,
    (operator, reason): (&Operator<SupportOrSecurity>, Reason),
    refused: &str,
) -> Result<Changed<RightsRequestView>, Problem> {
    let found = known(app, id).await?;
    if !app.accounts.step_request(&found, step, &operator.because(reason)).await? {
        return Err(Problem::conflict(refused));
    }
    Ok(Changed(RightsRequestView::of(app, known(app, id).await?)))
}

async fn known(app: &App, id: RightsRequestId) -> Result<StoredRightsRequest, Problem> {
    rights::get(&app.db, id).await?.ok_or_else(|| Problem::not_found("request"))
}
