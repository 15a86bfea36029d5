//! `/v1/admin/breaches`: what happened, whom it concerns, and that they are told in time.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::acts::{Reason, Why};
use super::admin::checked_email;
use super::answer::{Answer, Changed, Made};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Concerned, Security, table_scope};
use crate::app::App;
use crate::clock::Micros;
use crate::db::breaches::{self, Moment, Scope, StoredBreach};
use crate::ids::{AccountId, BreachId};
use crate::mail::Letter;

/// By when a breach is to be told, on each answer to an operator while one waits.
pub const BREACH_DUE: HeaderName = HeaderName::from_static("aaasp-breach-due");

/// Characters of what happened, and of what people should do; things that one request names.
const TEXT_LENGTH: usize = 5_000;
const MOST_NAMED: usize = 1_000;

/// A breach.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BreachView {
    id: BreachId,
    facts: String,
    advice: String,
    /// The tables whose rows it concerns.
    tables: Vec<String>,
    aware_at: Micros,
    /// By when the authority and those whom it concerns are to be told.
    due_at: Micros,
    /// Whether somebody is still to be told, and the time is over.
    overdue: bool,
    /// When those whom it concerns were written to.
    told_at: Option<Micros>,
    authority_told_at: Option<Micros>,
    ended_at: Option<Micros>,
    /// How many accounts it concerns.
    concerned: i64,
    /// How many of them have their letter.
    told: i64,
}

/// What is told of a breach.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BreachDraft {
    #[serde(flatten)]
    breach: BreachView,
    /// What the authority is told.
    authority: String,
    /// What those are told whom it concerns.
    letter: Letter,
}

/// A breach that became known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBreach {
    /// What happened. It names nobody: all whom it concerns read it.
    #[schema(min_length = 1, max_length = 5000)]
    facts: String,
    /// What it may mean for people, and what they should do.
    #[schema(min_length = 1, max_length = 5000)]
    advice: String,
    /// Since when it is known, if that is not now: the clock began then.
    aware_at: Option<Micros>,
    reason: Reason,
}

/// How the authority is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorityTold {
    /// The address that what is drafted is sent to; none when the authority was told in another way.
    to: Option<String>,
    reason: Reason,
}

/// Whom a breach concerns.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BreachScope {
    /// These accounts.
    #[serde(default)]
    accounts: Vec<AccountId>,
    /// All that have rows in these tables of the data map, written in the period where a table knows when that was.
    #[serde(default)]
    tables: Vec<String>,
    /// All that there were at the end of the period.
    #[serde(default)]
    everybody: bool,
    /// When the period begins; as early as can be when absent.
    from: Option<Micros>,
    /// When it ends; now when absent.
    until: Option<Micros>,
    reason: Reason,
}

/// All breaches, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<BreachView>>, Problem> {
    let mut views = Vec::new();
    for stored in breaches::list(&app.db, page.after_id()?, page.asked()).await? {
        views.push(view(&app, stored).await?);
    }
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// One breach, with what is told of it.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    PathId(id): PathId<BreachId>,
) -> Result<Answer<BreachDraft>, Problem> {
    let stored = known(&app, id).await?;
    let breach = view(&app, stored.clone()).await?;
    let draft = app.accounts.draft(&stored, breach.concerned);
    Ok(Answer(BreachDraft { breach, authority: draft.authority, letter: draft.letter }))
}

/// Notes a breach. The clock runs from when it was known.
pub(super) async fn open(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    Json(new): Json<NewBreach>,
) -> Result<Made<BreachView>, Problem> {
    let now = app.clock.now();
    let aware_at = new.aware_at.unwrap_or(now);
    if aware_at > now {
        return Err(Problem::invalid("/aware_at", "it can't have become known later than now"));
    }
    let said = (checked("/facts", &new.facts)?, checked("/advice", &new.advice)?);
    let id = app.accounts.open_breach(said, aware_at, &operator.because(new.reason)).await?;
    Ok(Made(view(&app, known(&app, id).await?).await?))
}

/// Adds accounts to those whom it concerns.
pub(super) async fn scope(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<BreachId>,
    Json(asked): Json<BreachScope>,
) -> Result<Changed<BreachView>, Problem> {
    known(&app, id).await?;
    if asked.accounts.len() + asked.tables.len() > MOST_NAMED {
        return Err(Problem::invalid("", format!("one request names {MOST_NAMED} accounts and tables at most")));
    }
    let mut concerned = Concerned { tables: asked.tables.clone(), ..Concerned::default() };
    concerned.scopes.extend(asked.accounts.iter().copied().map(Scope::Account));
    concerned.scopes.extend(asked.everybody.then_some(Scope::Everybody));
    let is_period = asked.from.is_some() || asked.until.is_some();
    concerned.period = Some((asked.from.unwrap_or(Micros(0)), asked.until.unwrap_or_else(|| app.clock.now())));
    // Rows of named accounts alone are concerned when both are named.
    if asked.accounts.is_empty() && !asked.everybody {
        for (position, name) in asked.tables.iter().enumerate() {
            concerned.scopes.push(scope_of(&format!("/tables/{position}"), name, is_period)?);
        }
    }
    for (position, name) in asked.tables.iter().enumerate() {
        scope_of(&format!("/tables/{position}"), name, false)?;
    }
    if app.accounts.scope_breach(id, concerned, &operator.because(asked.reason)).await?.is_none() {
        return Err(Problem::conflict("the breach is over; open another one"));
    }
    Ok(Changed(view(&app, known(&app, id).await?).await?))
}

fn scope_of(pointer: &str, name: &str, is_period: bool) -> Result<Scope, Problem> {
    match table_scope(name) {
        None => Err(Problem::invalid(pointer, "the data map has no such table about accounts: `aaasp privacy map`")),
        Some(Scope::Table(_, None)) if is_period => Err(Problem::invalid(
            pointer,
            "the table does not know when its rows were written; name it without a period",
        )),
        Some(scope) => Ok(scope),
    }
}

/// Writes to all whom it concerns and who were not written to before.
pub(super) async fn notify(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<BreachId>,
    Json(why): Json<Why>,
) -> Result<Changed<BreachView>, Problem> {
    let breach = known(&app, id).await?;
    if breaches::concerned(&app.db, id).await?.0 == 0 {
        return Err(Problem::conflict("it concerns nobody yet: `aaasp admin breach scope`"));
    }
    if !app.accounts.tell_of_breach(&breach, &operator.because(why.reason)).await? {
        return Err(Problem::conflict("the breach is over"));
    }
    Ok(Changed(view(&app, known(&app, id).await?).await?))
}

/// Writes to the authority, or notes that it was told in another way, which the reason says.
pub(super) async fn authority(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<BreachId>,
    Json(told): Json<AuthorityTold>,
) -> Result<Changed<BreachView>, Problem> {
    let AuthorityTold { to, reason } = told;
    let Some(to) = to else { return noted(&app, id, Moment::AuthorityTold, (&operator, Why { reason })).await };
    let to = checked_email(&to).map_err(|_| Problem::invalid("/to", "it is no email address"))?;
    let breach = known(&app, id).await?;
    let (concerned, _) = breaches::concerned(&app.db, id).await?;
    if !app.accounts.write_to_authority((&breach, concerned), to, &operator.because(reason)).await? {
        return Err(Problem::conflict("the breach is over, or that was noted before"));
    }
    Ok(Changed(view(&app, known(&app, id).await?).await?))
}

/// Closes a breach.
pub(super) async fn close(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<BreachId>,
    Json(why): Json<Why>,
) -> Result<Changed<BreachView>, Problem> {
    noted(&app, id, Moment::Ended, (&operator, why)).await
}

async fn noted(
    app: &App,
    id: BreachId,
    moment: Moment,
    (operator, why): (&Operator<Security>, Why),
) -> Result<Changed<BreachView>, Problem> {
    known(app, id).await?;
    if !app.accounts.note_of_breach(id, moment, &operator.because(why.reason)).await? {
        return Err(Problem::conflict("the breach is over, or that was noted before"));
    }
    Ok(Changed(view(app, known(app, id).await?).await?))
}

fn checked<'t>(pointer: &str, text: &'t str) -> Result<&'t str, Problem> {
    let text = text.trim();
    if (1..=TEXT_LENGTH).contains(&text.chars().count()) {
        return Ok(text);
    }
    Err(Problem::invalid(pointer, format!("it has 1 to {TEXT_LENGTH} characters")))
}

async fn known(app: &App, id: BreachId) -> Result<StoredBreach, Problem> {
    breaches::get(&app.db, id).await?.ok_or_else(|| Problem::not_found("breach"))
}

async fn view(app: &App, stored: StoredBreach) -> Result<BreachView, Problem> {
    let (concerned, told) = breaches::concerned(&app.db, stored.id).await?;
    let waits = stored.told_at.is_none() || stored.authority_told_at.is_none();
    let overdue = waits && stored.ended_at.is_none() && stored.due_at < app.clock.now();
    let StoredBreach { id, facts, advice, tables, aware_at, due_at, told_at, authority_told_at, ended_at } = stored;
    Ok(BreachView {
        id,
        facts,
        advice,
        tables,
        aware_at,
        due_at,
        overdue,
        told_at,
        authority_told_at,
        ended_at,
        concerned,
        told,
    })
}

/// Shows the clock of a breach that is still to be told wherever an operator looks.
pub(super) async fn show_clock(app: &App, headers: &mut HeaderMap) {
    let Ok(open) = breaches::open(&app.db).await else { return };
    let next = open.into_iter().find(StoredBreach::is_to_be_told);
    if let Some(due) = next.and_then(|next| HeaderValue::from_str(&next.due_at.rfc3339()).ok()) {
        headers.insert(BREACH_DUE, due);
    }
}
