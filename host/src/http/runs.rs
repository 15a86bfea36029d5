//! `/v1/runs`, and the door that starts them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Problem;
use super::body::{Json, PathId, PathName};
use super::once::MayRepeat;
use super::page::{self, Page, QueryOf};
use crate::accounts::Caller;
use crate::app::App;
use crate::db::runs::RunFilter;
use crate::ids::RunId;
use crate::runs::{Run, RunRequest};
use crate::words::{RunOutcome, RunStatus};

/// The longest that a request waits for its run, in seconds.
const LONGEST_WAIT_S: u64 = 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunBody {
    input: Box<RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    #[serde(default)]
    wait: Option<String>,
}

/// Starts a run: 200 with the finished run, or 202 with the run so far when the wait is over.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathName(name): PathName,
    QueryOf(query): QueryOf<WaitQuery>,
    once: MayRepeat,
    Json(body): Json<RunBody>,
) -> Result<Response, Problem> {
    let request =
        RunRequest { deployment: name.into(), input: body.input, wait: wait(&query)?, idempotency_key: once.key };
    let run = app.runs.start(&caller.account, request).await?;
    let status = if run.finished_at.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = [(header::LOCATION, format!("/v1/runs/{}", run.id))];
    Ok((status, location, Answer(run)).into_response())
}

fn wait(query: &WaitQuery) -> Result<Duration, Problem> {
    let Some(text) = &query.wait else { return Ok(Duration::ZERO) };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT_S);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Problem::invalid("", format!("the query parameter `wait` is a number of seconds from 0 to {LONGEST_WAIT_S}"))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsQuery {
    deployment: Option<String>,
    status: Option<RunStatus>,
    outcome: Option<RunOutcome>,
    #[serde(default, deserialize_with = "page::limit")]
    limit: Option<i64>,
    after: Option<String>,
}

/// The account's runs, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    QueryOf(query): QueryOf<RunsQuery>,
) -> Result<Answer<Page<Run>>, Problem> {
    let page = page::PageQuery::new(query.limit, query.after);
    let filter = RunFilter {
        deployment: query.deployment,
        status: query.status.map(RunStatus::as_str),
        outcome: query.outcome.map(RunOutcome::as_str),
        before: page.after_id()?,
    };
    let found = app.runs.list(&caller.account, &filter, page.asked()).await?;
    Ok(Answer(Page::of(found, page.limit(), |run| run.id.to_string())))
}

/// One run.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(run): PathId<RunId>,
) -> Result<Answer<Run>, Problem> {
    Ok(Answer(app.runs.get(&caller.account, run).await?))
}

/// The input that a run was given.
pub(super) async fn input(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(run): PathId<RunId>,
) -> Result<Response, Problem> {
    let input = app.runs.input(&caller.account, run).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], input).into_response())
}

/// Cancels a run. A finished run stays as it is.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(run): PathId<RunId>,
) -> Result<Answer<Run>, Problem> {
    Ok(Answer(app.runs.cancel(&caller.account, run).await?))
}
