//! `/v1/runs`, and the door that starts them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::body::{Json, PathId, PathName};
use super::once::MayRepeat;
use super::page::{self, Page, QueryOf};
use super::routes::{Described, Reply};
use crate::accounts::{CancelRuns, ReadRuns, StartRuns};
use crate::app::App;
use crate::db::runs::RunFilter;
use crate::ids::RunId;
use crate::runs::{Estimate, Run, RunCharges, RunRequest};
use crate::words::{RunOutcome, RunStatus};

/// The longest that a request waits for its run, in seconds.
const LONGEST_WAIT_S: u64 = 60;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunBody {
    /// Any JSON; the agent's manifest may say more.
    #[schema(value_type = serde_json::Value)]
    input: Box<RawValue>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    /// How long to wait for the end of the run, in seconds.
    #[serde(default)]
    #[param(value_type = Option<u64>, maximum = 60)]
    wait: Option<String>,
}

/// Starts a run: 200 with the finished run, or 202 with the run so far when the wait is over.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: May<StartRuns>,
    PathName(name): PathName,
    QueryOf(query): QueryOf<WaitQuery>,
    once: MayRepeat,
    Json(body): Json<RunBody>,
) -> Result<Started, Problem> {
    let request =
        RunRequest { deployment: name.into(), input: body.input, wait: wait(&query)?, idempotency_key: once.key };
    let run = app.runs.start(&caller.account, request).await?;
    Ok(Started(run))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EstimateBody {
    /// Any JSON, to be checked as a run's input would be.
    #[serde(default)]
    #[schema(value_type = Option<Object>, nullable)]
    input: Option<Box<RawValue>>,
}

/// What one more run may cost, before it is paid for.
pub(super) async fn estimate(
    State(app): State<Arc<App>>,
    caller: May<ReadRuns>,
    PathName(name): PathName,
    Json(body): Json<EstimateBody>,
) -> Result<Answer<Estimate>, Problem> {
    Ok(Answer(app.runs.estimate(&caller.account, name.as_str(), body.input.as_deref()).await?))
}

/// A run that was started: 200 once it has finished, 202 before.
pub(super) struct Started(Run);

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let status = if self.0.finished_at.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
        let location = [(header::LOCATION, format!("/v1/runs/{}", self.0.id))];
        (status, location, Answer(self.0)).into_response()
    }
}

impl Reply for Started {
    fn describe(described: &mut Described) {
        let schema = described.reference::<Run>();
        described.answers(StatusCode::OK, "The finished run", vec![("application/json", schema.clone())]);
        described.answers(StatusCode::ACCEPTED, "The run so far", vec![("application/json", schema)]);
        described.refuses(&Problem::insufficient_credits(""));
        described.refuses(&Problem::too_many("", 1));
    }
}

/// A run's input, as it was given.
pub(super) struct Input(String);

impl IntoResponse for Input {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

impl Reply for Input {
    fn describe(described: &mut Described) {
        let any = ObjectBuilder::new().schema_type(SchemaType::any()).build();
        described.answers(StatusCode::OK, "The input, as it was given", vec![("application/json", any.into())]);
    }
}

fn wait(query: &WaitQuery) -> Result<Duration, Problem> {
    let Some(text) = &query.wait else { return Ok(Duration::ZERO) };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT_S);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Problem::invalid("", format!("the query parameter `wait` is a number of seconds from 0 to {LONGEST_WAIT_S}"))
    })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsQuery {
    /// Only runs of this deployment.
    deployment: Option<String>,
    /// Only runs of this status.
    #[param(inline)]
    status: Option<RunStatus>,
    /// Only runs that ended so.
    #[param(inline)]
    outcome: Option<RunOutcome>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The account's runs, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadRuns>,
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
    caller: May<ReadRuns>,
    PathId(run): PathId<RunId>,
) -> Result<Answer<Run>, Problem> {
    Ok(Answer(app.runs.get(&caller.account, run).await?))
}

/// The input that a run was given.
pub(super) async fn input(
    State(app): State<Arc<App>>,
    caller: May<ReadRuns>,
    PathId(run): PathId<RunId>,
) -> Result<Input, Problem> {
    Ok(Input(app.runs.input(&caller.account, run).await?))
}

/// What a run cost, line by line, with the prices that it was admitted under.
pub(super) async fn charges(
    State(app): State<Arc<App>>,
    caller: May<ReadRuns>,
    PathId(run): PathId<RunId>,
) -> Result<Answer<RunCharges>, Problem> {
    Ok(Answer(app.runs.charges(&caller.account, run).await?))
}

/// Cancels a run. A finished run stays as it is.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: May<CancelRuns>,
    PathId(run): PathId<RunId>,
) -> Result<Answer<Run>, Problem> {
    Ok(Answer(app.runs.cancel(&caller.account, run).await?))
}
