//! `/v1/admin/accounts/{id}/…`: what an operator sees of an account while an access is open.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};

use super::Problem;
use super::accesses::{What, look};
use super::answer::Answer;
use super::auth::Operator;
use super::body::PathId;
use super::letters::LetterView;
use super::page::{Page, PageQuery, QueryOf};
use super::requests::RequestView;
use super::routes::{Described, Part};
use crate::accounts::SupportOrSecurity;
use crate::app::App;
use crate::capabilities::log::Level;
use crate::clock::Micros;
use crate::db::requests::RequestFilter;
use crate::db::runs::RunFilter;
use crate::db::{DbError, letters, requests};
use crate::ids::{AccountId, RunId};
use crate::runs::{LogLine, Run};

/// A run, as an operator sees it: what it was given and returned only while the access is to contents, too.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeenRun {
    #[serde(flatten)]
    run: Run,
    /// What it was given.
    #[schema(value_type = serde_json::Value)]
    input: Option<Box<RawValue>>,
}

/// A line of a log, as an operator sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeenLine {
    seq: i64,
    at: Micros,
    level: Level,
    /// Who wrote it, as the guest says, while the access is to contents, too.
    source: Option<String>,
    /// What it says, while the access is to contents, too.
    message: Option<String>,
}

/// An account and one of its runs.
pub(super) struct PathRun(AccountId, RunId);

impl<S: Send + Sync> FromRequestParts<S> for PathRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("run");
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((account, run)) = path.map_err(|_| unknown())?;
        Ok(Self(account.parse().map_err(|_| unknown())?, run.parse().map_err(|_| unknown())?))
    }
}

impl Part for PathRun {
    fn describe(described: &mut Described) {
        let (account, run) = (described.reference::<AccountId>(), described.reference::<RunId>());
        for (parameter, schema) in [("id", account), ("run", run)] {
            let builder = ParameterBuilder::new().name(parameter).parameter_in(ParameterIn::Path);
            described.takes(builder.required(Required::True).schema(Some(schema)));
        }
        described.refuses(&Problem::not_found(""));
    }
}

/// A run without what its owner's agents were given, returned or said.
fn seen(run: Run, contents: bool) -> Run {
    if contents { run } else { Run { output: None, error: None, ..run } }
}

/// The account's runs, latest first.
pub(super) async fn runs(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<AccountId>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<Run>>, Problem> {
    let filter = RunFilter { before: page.after_id()?, ..RunFilter::default() };
    let (account, contents) = look(&app, &operator, id, What::Runs).await?;
    let found = app.runs.list(&account, &filter, page.asked()).await?;
    let found = found.into_iter().map(|run| seen(run, contents)).collect();
    Ok(Answer(Page::of(found, page.limit(), |run: &Run| run.id.to_string())))
}

/// One run.
pub(super) async fn run(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathRun(id, run): PathRun,
) -> Result<Answer<SeenRun>, Problem> {
    let (account, contents) = look(&app, &operator, id, What::Run(run)).await?;
    let found = app.runs.get(&account, run).await?;
    let input = match contents {
        true => app.runs.input(&account, run).await.map(Some).or_else(|error| match error {
            // It was kept as long as the plan says.
            DbError::Missing(_) => Ok(None),
            error => Err(error),
        })?,
        false => None,
    };
    let input = input.map(RawValue::from_string).transpose().map_err(|_| Problem::internal())?;
    Ok(Answer(SeenRun { run: seen(found, contents), input }))
}

/// The lines of a run's log.
pub(super) async fn log(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathRun(id, run): PathRun,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<SeenLine>>, Problem> {
    let from = page.after_id::<i64>()?.map_or(0, |after| after.saturating_add(1));
    let (account, contents) = look(&app, &operator, id, What::Log(run)).await?;
    app.runs.get(&account, run).await?;
    let asked = usize::try_from(page.asked()).unwrap_or(usize::MAX);
    let lines = app.runs.log(&account, run, from, asked).await?;
    let line = |LogLine { seq, at, level, source, message }: LogLine| SeenLine {
        seq,
        at,
        level,
        source: contents.then_some(source),
        message: contents.then_some(message),
    };
    Ok(Answer(Page::of(lines.into_iter().map(line).collect(), page.limit(), |line: &SeenLine| line.seq.to_string())))
}

/// The account's requests, latest first.
pub(super) async fn requests(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<AccountId>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<RequestView>>, Problem> {
    let filter = RequestFilter { before: page.after_id()?, ..RequestFilter::default() };
    let (account, _) = look(&app, &operator, id, What::Requests).await?;
    let found = requests::list(&app.db, account.id, &filter, page.asked()).await?;
    let views = found.into_iter().map(RequestView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), RequestView::cursor)))
}

/// The letters to the account, latest first, without what they say.
pub(super) async fn letters(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<AccountId>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<LetterView>>, Problem> {
    let before = page.after_id()?;
    let (account, _) = look(&app, &operator, id, What::Letters).await?;
    let found = letters::list(&app.db, (Some(account.id), None), before, page.asked()).await?;
    let views = found.into_iter().map(LetterView::of).collect();
    Ok(Answer(Page::of(views, page.limit(), LetterView::cursor)))
}
