//! `/v1/support` and `/v1/admin/support`: owners ask, operators answer.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::acts::Why;
use super::admin::opened;
use super::answer::{Answer, Changed, Made};
use super::auth::{May, Operator};
use super::body::{Json, PathId};
use super::once::MayRepeat;
use super::page::{self, Page, PageQuery, QueryOf};
use crate::accounts::{Account, AskForHelp, Message, Status, Support, Thread};
use crate::app::App;
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::support::{self, SaidBy, ThreadState};
use crate::ids::{AccountId, SupportThreadId};

/// Characters of a subject, and of a message.
const SUBJECT_LENGTH: usize = 200;
const TEXT_LENGTH: usize = 20_000;

/// A thread.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ThreadView {
    id: SupportThreadId,
    account: AccountId,
    subject: String,
    state: ThreadState,
    created_at: Micros,
    /// When something was said last, or it was closed.
    changed_at: Micros,
}

impl From<Thread> for ThreadView {
    fn from(Thread { id, account, subject, state, created_at, changed_at }: Thread) -> Self {
        Self { id, account, subject, state, created_at, changed_at }
    }
}

/// Something that was said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SupportMessageView {
    by: SaidBy,
    text: String,
    at: Micros,
}

impl From<Message> for SupportMessageView {
    fn from(Message { by, text, at }: Message) -> Self {
        Self { by, text, at }
    }
}

/// A thread with all that was said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeThreadView {
    #[serde(flatten)]
    thread: ThreadView,
    messages: Vec<SupportMessageView>,
}

/// A question.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// What it is about: one line.
    #[schema(min_length = 1, max_length = 200)]
    subject: String,
    /// What is asked.
    #[schema(min_length = 1, max_length = 20000)]
    text: String,
}

/// More that is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct More {
    #[schema(min_length = 1, max_length = 20000)]
    text: String,
}

/// A thread that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BegunView {
    id: SupportThreadId,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ThreadQuery {
    /// Only threads of this state.
    state: Option<ThreadState>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The account's threads, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<AskForHelp>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<ThreadView>>, Problem> {
    let mut views = Vec::new();
    for stored in support::of_account(&app.db, caller.account.id, page.after_id()?, page.asked()).await? {
        views.push(ThreadView::from(app.accounts.thread(&caller.account, stored).await?));
    }
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// Asks something.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    caller: May<AskForHelp>,
    once: MayRepeat,
    Json(new): Json<Question>,
) -> Result<Made<BegunView>, Problem> {
    let subject = new.subject.trim();
    if subject.is_empty() || subject.chars().count() > SUBJECT_LENGTH || subject.chars().any(char::is_control) {
        return Err(Problem::invalid("/subject", format!("a subject is one line of 1 to {SUBJECT_LENGTH} characters")));
    }
    let said = (subject, checked(&new.text)?);
    let begun = app.accounts.ask(&caller.account, said, once.by(&app, caller.account.id, &new)).await?;
    Ok(Made(BegunView { id: begun.thread }))
}

/// One thread of the account.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<AskForHelp>,
    PathId(id): PathId<SupportThreadId>,
) -> Result<Answer<WholeThreadView>, Problem> {
    whole(&app, &caller.account, id).await.map(Answer)
}

/// Says more, which opens a thread again that is closed.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    caller: May<AskForHelp>,
    PathId(id): PathId<SupportThreadId>,
    Json(more): Json<More>,
) -> Result<Changed<WholeThreadView>, Problem> {
    let thread = known(&app, &caller.account, id).await?;
    app.accounts.say(&caller.account, &thread, None, checked(&more.text)?).await?;
    whole(&app, &caller.account, id).await.map(Changed)
}

/// The threads of all accounts that this host serves, latest first.
pub(super) async fn list_all(
    State(app): State<Arc<App>>,
    operator: Operator<Support>,
    QueryOf(query): QueryOf<ThreadQuery>,
) -> Result<Answer<Page<ThreadView>>, Problem> {
    app.accounts.note_act(operator.actor(), Act::Look, &Facts::of("what threads of support are about")).await?;
    let page = PageQuery::new(query.limit, query.after);
    let mut views = Vec::new();
    for stored in support::list(&app.db, query.state, page.after_id()?, page.asked()).await? {
        // Without its data key nothing of an account opens.
        let account = app.accounts.load(stored.account).await?;
        if let Some(account) = account.filter(|account| account.status != Status::Closed) {
            views.push(ThreadView::from(app.accounts.thread(&account, stored).await?));
        }
    }
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// One thread, for operators.
pub(super) async fn show_any(
    State(app): State<Arc<App>>,
    operator: Operator<Support>,
    PathId(id): PathId<SupportThreadId>,
) -> Result<Answer<WholeThreadView>, Problem> {
    let account = asking(&app, id).await?;
    app.accounts.note_reading(&account, operator.key, id).await?;
    whole(&app, &account, id).await.map(Answer)
}

/// Answers, by a letter too.
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    operator: Operator<Support>,
    PathId(id): PathId<SupportThreadId>,
    Json(more): Json<More>,
) -> Result<Changed<WholeThreadView>, Problem> {
    let account = asking(&app, id).await?;
    let thread = known(&app, &account, id).await?;
    app.accounts.note_reading(&account, operator.key, id).await?;
    app.accounts.say(&account, &thread, Some(operator.key), checked(&more.text)?).await?;
    whole(&app, &account, id).await.map(Changed)
}

/// Closes a thread. Its owner may open it again by saying more.
pub(super) async fn close(
    State(app): State<Arc<App>>,
    operator: Operator<Support>,
    PathId(id): PathId<SupportThreadId>,
    Json(why): Json<Why>,
) -> Result<Changed<WholeThreadView>, Problem> {
    let account = asking(&app, id).await?;
    let thread = known(&app, &account, id).await?;
    if !app.accounts.close_thread(&account, &thread, &operator.because(why.reason)).await? {
        return Err(Problem::conflict("the thread is closed already"));
    }
    whole(&app, &account, id).await.map(Changed)
}

fn checked(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    if (1..=TEXT_LENGTH).contains(&text.chars().count()) {
        return Ok(text);
    }
    Err(Problem::invalid("/text", format!("a message has 1 to {TEXT_LENGTH} characters")))
}

async fn asking(app: &App, id: SupportThreadId) -> Result<Account, Problem> {
    let account = support::account_of(&app.db, id).await?.ok_or_else(|| Problem::not_found("thread"))?;
    opened(app, account).await
}

async fn known(app: &App, account: &Account, id: SupportThreadId) -> Result<Thread, Problem> {
    let stored = support::get(&app.db, account.id, id).await?.ok_or_else(|| Problem::not_found("thread"))?;
    Ok(app.accounts.thread(account, stored).await?)
}

async fn whole(app: &App, account: &Account, id: SupportThreadId) -> Result<WholeThreadView, Problem> {
    let thread = known(app, account, id).await?.into();
    let messages = app.accounts.messages(account, id).await?.into_iter().map(SupportMessageView::from).collect();
    Ok(WholeThreadView { thread, messages })
}
