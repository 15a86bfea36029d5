//! `/v1/requests`: what an account asked for, and what it was answered.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::page::{self, Page, QueryOf};
use crate::accounts::ReadRuns;
use crate::app::App;
use crate::clock::Micros;
use crate::db::requests::{self, RequestFilter, RequestMetadata};
use crate::ids::{ApiKeyId, RequestId};

/// What is kept of one request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestView {
    id: RequestId,
    /// When it came.
    at: Micros,
    /// The key that it came with.
    api_key: ApiKeyId,
    #[schema(value_type = String)]
    method: Cow<'static, str>,
    /// The pattern of the path, without names and ids.
    route: String,
    /// The status of the answer.
    status: u16,
    /// How long it took until the answer began.
    duration_us: i64,
}

impl RequestView {
    pub(super) fn cursor(&self) -> String {
        self.id.to_string()
    }
}

impl From<RequestMetadata> for RequestView {
    fn from(kept: RequestMetadata) -> Self {
        let RequestMetadata { id, api_key, method, route, status, duration_us, .. } = kept;
        Self { id, at: id.made_at(), api_key, method, route: route.to_string(), status, duration_us }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestsQuery {
    /// Only requests that were answered with this status.
    #[serde(default, deserialize_with = "page::number")]
    #[param(minimum = 100, maximum = 599)]
    status: Option<u16>,
    /// Only requests to this route: `/v1/runs/{id}`.
    route: Option<String>,
    /// Only requests with this key.
    #[param(value_type = Option<String>)]
    api_key: Option<ApiKeyId>,
    /// Only requests from this moment on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Micros>,
    /// Only requests before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Micros>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The account's requests, latest first. One is here a second after it was answered.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadRuns>,
    QueryOf(query): QueryOf<RequestsQuery>,
) -> Result<Answer<Page<RequestView>>, Problem> {
    let page = page::PageQuery::new(query.limit, query.after);
    let cursor: Option<RequestId> = page.after_id()?;
    let end = query.to.map(RequestId::first_at);
    let filter = RequestFilter {
        status: query.status,
        route: query.route,
        api_key: query.api_key,
        from: query.from.map(RequestId::first_at),
        before: cursor.into_iter().chain(end).min(),
    };
    let found = requests::list(&app.db, caller.account.id, &filter, page.asked()).await?;
    let views = found.into_iter().map(RequestView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}
