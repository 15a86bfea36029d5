//! `/v1/admin/letters`: what waits to be sent, what was sent, and what could not be.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, NoContent, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::acts::Why;
use super::admin::known;
use super::answer::Answer;
use super::auth::Operator;
use super::body::{Json, PathId};
use super::page::{Page, PageQuery, QueryOf};
use super::routes::{Described, Reply};
use crate::accounts::Support;
use crate::app::App;
use crate::clock::Micros;
use crate::db::letters::{self, LetterState, StoredLetter};
use crate::ids::{AccountId, LetterId};

/// A letter, without whom it is to and what it says: those are its account's.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LetterView {
    id: LetterId,
    /// Whose it is; where an access to the account is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    /// What it is about.
    kind: String,
    state: LetterState,
    /// How often it was tried.
    attempts: i64,
    created_at: Micros,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Micros>,
    /// When it was sent, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Micros>,
    /// Why the last try failed, without the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LetterQuery {
    /// Only letters of this state.
    state: Option<LetterState>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "super::page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

impl LetterView {
    pub(super) fn cursor(&self) -> String {
        self.id.to_string()
    }

    pub(super) fn of(letter: StoredLetter) -> Self {
        Self {
            id: letter.id,
            account: Some(letter.account),
            kind: letter.kind,
            state: letter.state,
            attempts: letter.attempts,
            created_at: letter.created_at,
            next_attempt_at: (letter.state == LetterState::Waiting).then_some(letter.next_attempt_at),
            ended_at: letter.ended_at,
            error: letter.last_error,
        }
    }
}

/// As it is in the list of all: nothing of it says whose it is.
fn of_somebody(letter: StoredLetter) -> LetterView {
    LetterView { account: None, ..LetterView::of(letter) }
}

/// A letter that was given up waits again: 204.
pub(super) struct Resent;

impl IntoResponse for Resent {
    fn into_response(self) -> Response {
        NoContent.into_response()
    }
}

impl Reply for Resent {
    fn describe(described: &mut Described) {
        described.answers(StatusCode::NO_CONTENT, "It waits again", Vec::new());
        described.refuses(&Problem::conflict(""));
    }
}

/// Letters, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Support>,
    QueryOf(query): QueryOf<LetterQuery>,
) -> Result<Answer<Page<LetterView>>, Problem> {
    let page = PageQuery::new(query.limit, query.after);
    let found = letters::list(&app.db, (None, query.state), page.after_id()?, page.asked()).await?;
    let views = found.into_iter().map(of_somebody).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// Lets a letter that was given up be tried again, as often as a new one.
pub(super) async fn resend(
    State(app): State<Arc<App>>,
    operator: Operator<Support>,
    PathId(id): PathId<LetterId>,
    Json(why): Json<Why>,
) -> Result<Resent, Problem> {
    let letter = letters::get(&app.db, id).await?.ok_or_else(|| Problem::not_found("letter"))?;
    let account = known(&app, letter.account).await?;
    if app.accounts.resend(&account, id, &operator.because(why.reason)).await? {
        return Ok(Resent);
    }
    Err(Problem::conflict(format!("the letter is {}; only one that was given up is sent again", letter.state)))
}
