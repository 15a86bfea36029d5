//! `/v1/audit`: each use of the account's credentials, and never a value.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::page::{self, Page, QueryOf};
use crate::accounts::ReadCredentials;
use crate::app::App;
use crate::clock::Micros;
use crate::db::credential_uses::{self, StoredUse, UseFilter};
use crate::ids::{CredentialUseId, RunId};
use crate::runs::opened_purpose;
use crate::vault::custody::Purpose;

/// One use of a credential.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UseView {
    id: CredentialUseId,
    /// When it began.
    at: Micros,
    deployment: String,
    run: RunId,
    credential: String,
    version: u32,
    /// `request` or `signature`.
    purpose: Option<&'static str>,
    method: Option<String>,
    host: Option<String>,
    /// The path, without the query.
    path: Option<String>,
    /// The status of the answer; none for a signature, or when there was no answer.
    status: Option<u16>,
    /// When it ended; none while nobody knows how, as of a use whose host was killed.
    ended_at: Option<Micros>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Only uses by this run.
    run: Option<String>,
    /// Only uses by runs of this deployment.
    deployment: Option<String>,
    /// Only uses of this credential.
    credential: Option<String>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The uses of the account's credentials, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadCredentials>,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Answer<Page<UseView>>, Problem> {
    let page = page::PageQuery::new(query.limit, query.after);
    let run = query.run.as_deref().map(str::parse).transpose();
    let filter = UseFilter {
        run: run.map_err(|error| Problem::invalid("", format!("the query parameter `run`: {error}")))?,
        deployment: query.deployment,
        credential: query.credential,
        before: page.after_id()?,
    };
    let found = credential_uses::list(&app.db, caller.account.id, &filter, page.asked()).await?;
    let mut views = Vec::with_capacity(found.len());
    for stored in found {
        let purpose = app.accounts.opening(&caller.account, |account| opened_purpose(account, &stored.of)).await?;
        views.push(view(stored, purpose));
    }
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

fn view(stored: StoredUse, purpose: Option<Purpose>) -> UseView {
    let (purpose, request) = match purpose {
        Some(Purpose::Request { method, host, path }) => (Some("request"), Some((method, host, path))),
        Some(Purpose::Signature) => (Some("signature"), None),
        None => (None, None),
    };
    let (method, host, path) =
        request.map_or((None, None, None), |(method, host, path)| (Some(method), Some(host), Some(path)));
    UseView {
        id: stored.of.id,
        at: stored.of.used_at,
        deployment: stored.deployment_name,
        run: stored.of.run,
        credential: stored.of.credential.into(),
        version: stored.of.version,
        purpose,
        method,
        host,
        path,
        status: stored.of.status,
        ended_at: stored.of.ended_at,
    }
}
