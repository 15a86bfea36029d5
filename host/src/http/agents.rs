//! `/v1/agents`: upload, list, show, delete.

use std::sync::Arc;

use axum::extract::State;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Deleted, Stored};
use super::auth::May;
use super::body::{Component, PathName};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{ReadAgents, WriteAgents};
use crate::app::App;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::agents::{self, NewVersion, StoredAgent, StoredVersion};
use crate::runtime::Manifest;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionView {
    name: String,
    version: i64,
    digest: String,
    kind: String,
    #[schema(value_type = Manifest)]
    manifest: Box<RawValue>,
    bytes: i64,
    created_at: Micros,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AgentView {
    name: String,
    created_at: Micros,
    latest: VersionView,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<VersionView>,
}

impl VersionView {
    fn of(name: &str, version: StoredVersion) -> Result<Self, Problem> {
        Ok(Self {
            name: name.to_owned(),
            version: version.version,
            digest: version.digest,
            kind: version.kind,
            manifest: RawValue::from_string(version.manifest).map_err(DbError::corrupt)?,
            bytes: version.bytes,
            created_at: version.created_at,
        })
    }
}

impl AgentView {
    fn of(agent: StoredAgent, versions: Vec<StoredVersion>) -> Result<Self, Problem> {
        let versions = versions.into_iter().map(|version| VersionView::of(&agent.name, version));
        Ok(Self {
            versions: versions.collect::<Result<_, _>>()?,
            latest: VersionView::of(&agent.name, agent.latest)?,
            name: agent.name,
            created_at: agent.created_at,
        })
    }
}

/// Uploads a version: 201 for a new one, 200 when the same bytes are a version already.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    caller: May<WriteAgents>,
    PathName(name): PathName,
    sent: Component,
) -> Result<Stored<VersionView>, Problem> {
    let account = &caller.account;
    let component = sent.received(&app, account.limits.component_bytes).await?;
    let inspected = app.runtime.inspect(component.clone()).await?;
    if let Some(schema) = &inspected.manifest.input_schema
        && let Err(error) = jsonschema::validator_for(schema)
    {
        return Err(Problem::invalid("", format!("the manifest's input schema is not a JSON Schema: {error}")));
    }
    let new = NewVersion {
        account: account.id,
        name: name.to_string(),
        digest: inspected.digest.to_string(),
        kind: inspected.kind.as_str(),
        manifest: serde_json::to_string(&inspected.manifest).map_err(DbError::corrupt)?,
        bytes: i64::try_from(component.len()).unwrap_or(i64::MAX),
        most_agents: account.limits.agents,
        most_versions: account.limits.versions,
        at: app.clock.now(),
    };
    let (version, is_new) = loop {
        match stored(&app, &new, component.clone()).await {
            // Another agent of the account was deleted in between, and what no version named went with it.
            Err(DbError::Missing("component")) => {}
            added => break added?,
        }
    };
    Ok(Stored { is_new, view: VersionView::of(name.as_str(), version)? })
}

async fn stored(app: &App, new: &NewVersion, component: Bytes) -> Result<(StoredVersion, bool), DbError> {
    agents::store_component(&app.db, new.account, &new.digest, component, new.at).await?;
    let new = new.clone();
    let added = app.db.write(move |tx| {
        let new = new.clone();
        Box::pin(async move { agents::add_version(tx, &new).await })
    });
    added.await
}

/// The account's agents, by name.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadAgents>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<AgentView>>, Problem> {
    let after = query.after.as_deref().unwrap_or_default();
    let found = agents::list(&app.db, caller.account.id, after, query.asked()).await?;
    let views = found.into_iter().map(|agent| AgentView::of(agent, Vec::new())).collect::<Result<_, _>>()?;
    Ok(Answer(Page::of(views, query.limit(), |view| view.name.clone())))
}

/// One agent, with its versions.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadAgents>,
    PathName(name): PathName,
) -> Result<Answer<AgentView>, Problem> {
    let account = caller.account.id;
    let agent = agents::get(&app.db, account, name.as_str()).await?.ok_or_else(|| Problem::not_found("agent"))?;
    let versions = agents::versions(&app.db, account, agent.id).await?;
    AgentView::of(agent, versions).map(Answer)
}

/// Deletes an agent that no deployment uses.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: May<WriteAgents>,
    PathName(name): PathName,
) -> Result<Deleted, Problem> {
    let (account, at) = (caller.account.id, app.clock.now());
    app.db
        .write(move |tx| {
            let name = name.clone();
            Box::pin(async move { agents::delete(tx, account, name.as_str(), at).await })
        })
        .await?;
    Ok(Deleted)
}
