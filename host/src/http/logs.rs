//! `/v1/runs/{id}/logs`: a page of lines, or all of them as they come.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::body::PathId;
use super::page::{self, Page, QueryOf};
use super::routes::{Described, Part, Reply};
use crate::accounts::{Account, ReadRuns};
use crate::app::App;
use crate::db::DbError;
use crate::ids::RunId;
use crate::runs::LogLine;

/// How often the log of a run that goes on is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Lines that one look brings.
const LINES: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    /// Whether to go on until the run has ended, as server-sent events: `log` with a line, then `end`.
    #[serde(default)]
    #[param(required = false)]
    follow: bool,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// Only lines behind this one.
    after: Option<i64>,
}

/// The lines of a run's log; with `follow=true` as server-sent events that end with the run.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadRuns>,
    PathId(run): PathId<RunId>,
    QueryOf(query): QueryOf<LogQuery>,
    LastEventId(resumed): LastEventId,
) -> Result<Log, Problem> {
    // Whether the run is the caller's is asked first: its log may still be empty.
    app.runs.get(&caller.account, run).await?;
    let from = query.after.or(resumed).map_or(0, |after| after.saturating_add(1));
    if query.follow {
        let events = followed(app, Arc::clone(&caller.account), run, from);
        return Ok(Log(Sse::new(events).keep_alive(KeepAlive::default()).into_response()));
    }
    let page = page::PageQuery::new(query.limit, None);
    let asked = usize::try_from(page.asked()).unwrap_or(usize::MAX);
    let lines = app.runs.log(&caller.account, run, from, asked).await?;
    Ok(Log(Answer(Page::of(lines, page.limit(), |line| line.seq.to_string())).into_response()))
}

/// The number of the last line that a client got before its stream broke off; a text that is none is none.
pub(super) struct LastEventId(Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts.headers.get("last-event-id");
        Ok(Self(id.and_then(|id| id.to_str().ok()?.parse().ok())))
    }
}

impl Part for LastEventId {
    fn describe(described: &mut Described) {
        let parameter = ParameterBuilder::new().name("Last-Event-ID").parameter_in(ParameterIn::Header);
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        let what = "Where a followed log broke off: the id of its last event";
        described.takes(parameter.required(Required::False).description(Some(what)).schema(Some(number)));
    }
}

/// A page of lines, or a stream of them.
pub(super) struct Log(Response);

impl IntoResponse for Log {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Reply for Log {
    fn describe(described: &mut Described) {
        let page = described.reference::<Page<LogLine>>();
        let events = ObjectBuilder::new().schema_type(Type::String).build();
        let content = vec![("application/json", page), ("text/event-stream", events.into())];
        described.answers(StatusCode::OK, "A page of lines, or all of them as they come", content);
    }
}

struct Follower {
    app: Arc<App>,
    account: Arc<Account>,
    run: RunId,
    next: i64,
    waiting: VecDeque<LogLine>,
    ended: bool,
}

/// Lines as events, then one event `end` with the outcome. An error ends the stream; the client resumes with
/// `Last-Event-ID`.
fn followed(
    app: Arc<App>,
    account: Arc<Account>,
    run: RunId,
    from: i64,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let follower = Follower { app, account, run, next: from, waiting: VecDeque::new(), ended: false };
    futures::stream::unfold(follower, |mut follower| async move {
        match follower.event().await {
            Ok(event) => event.map(|event| (Ok(event), follower)),
            Err(error) => {
                tracing::warn!(%error, "a followed log broke off");
                None
            }
        }
    })
}

impl Follower {
    async fn event(&mut self) -> Result<Option<Event>, DbError> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                self.next = line.seq + 1;
                let data = serde_json::to_string(&line).map_err(DbError::corrupt)?;
                return Ok(Some(Event::default().event("log").id(line.seq.to_string()).data(data)));
            }
            if self.ended {
                return Ok(None);
            }
            // The run first: what it wrote before it finished is then surely among the lines.
            let run = self.app.runs.get(&self.account, self.run).await?;
            self.waiting = self.app.runs.log(&self.account, self.run, self.next, LINES).await?.into();
            if !self.waiting.is_empty() {
                continue;
            }
            if run.finished_at.is_some() {
                self.ended = true;
                let data = json!({"status": run.status, "outcome": run.outcome});
                return Ok(Some(Event::default().event("end").data(data.to_string())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
