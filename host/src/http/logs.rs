//! `/v1/runs/{id}/logs`: a page of lines, or all of them as they come.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use serde::Deserialize;
use serde_json::json;

use super::Problem;
use super::body::PathId;
use super::page::{self, Page, QueryOf};
use crate::accounts::{Account, Caller};
use crate::app::App;
use crate::db::DbError;
use crate::ids::RunId;
use crate::runs::LogLine;

/// How often the log of a run that goes on is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Lines that one look brings.
const LINES: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    #[serde(default)]
    follow: bool,
    #[serde(default, deserialize_with = "page::limit")]
    limit: Option<i64>,
    after: Option<i64>,
}

/// The lines of a run's log; with `follow=true` as server-sent events that end with the run.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(run): PathId<RunId>,
    QueryOf(query): QueryOf<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Whether the run is the caller's is asked first: its log may still be empty.
    app.runs.get(&caller.account, run).await?;
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    let from = query.after.or(resumed).map_or(0, |after| after.saturating_add(1));
    if query.follow {
        let events = followed(app, caller.account, run, from);
        return Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response());
    }
    let page = page::PageQuery::new(query.limit, None);
    let asked = usize::try_from(page.asked()).unwrap_or(usize::MAX);
    let lines = app.runs.log(&caller.account, run, from, asked).await?;
    Ok(Answer(Page::of(lines, page.limit(), |line| line.seq.to_string())).into_response())
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
