//! `/v1/deployments`: an agent's version, bound to configuration, grants and limits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Deleted, Stored};
use super::auth::{May, must_have};
use super::body::{Json, PathName};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Account, ReadAgents, Scope, WriteAgents};
use crate::app::App;
use crate::clock::Micros;
use crate::config::{RetentionOverlay, RunRetention};
use crate::db::deployments::{self, NewRevision, StoredDeployment};
use crate::db::{DbError, agents, credentials};
use crate::grants::{Asked, Binding, Egress, Grants, ModelGrant};
use crate::ids::DeploymentId;
use crate::ledger::Microcredits;
use crate::limits::{RunLimits, RunLimitsOverlay};
use crate::names::Name;
use crate::runs::{opened_config, sealed_config, terms};
use crate::runtime::Manifest;

/// A deployment as a client sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentBody {
    /// The agent's name.
    agent: Name,
    /// Its version; the latest when absent.
    version: Option<i64>,
    /// Values that the agent reads through `wasi:config/store`.
    #[serde(default)]
    config: BTreeMap<String, String>,
    /// Limits below the plan's.
    #[serde(default)]
    limits: RunLimitsOverlay,
    /// Capabilities that it grants.
    #[serde(default)]
    capabilities: Vec<Capability>,
    /// Where requests may go.
    #[serde(default)]
    egress: Egress,
    /// Credentials that go along, by name.
    #[serde(default)]
    credentials: BTreeMap<Name, Binding>,
    /// Models that its runs may ask; every one of the plan's when none is named and the capability is granted.
    #[serde(default)]
    models: BTreeMap<Name, ModelGrant>,
    /// Whether what models are asked and answer is kept in logs of models may be kept in logs.
    #[serde(default)]
    log_output: bool,
    /// What its runs may spend in a day (UTC); as much as there is when absent.
    daily_spend_microcredits: Option<Microcredits>,
    /// How long what its runs leave is kept, where that is less than the plan says. It holds for what is there, too.
    #[serde(default)]
    retention: RetentionOverlay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Capability {
    Scratch,
    Model,
}

/// What the agent asks for and the deployment does not grant, or what can't work as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Warning {
    detail: String,
    /// What would grant it: to be merged into the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    grant: Option<serde_json::Value>,
}

/// A deployment as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeploymentView {
    id: DeploymentId,
    name: String,
    revision: i64,
    agent: String,
    version: i64,
    digest: String,
    kind: String,
    #[schema(value_type = Manifest)]
    manifest: Box<RawValue>,
    config: BTreeMap<String, String>,
    /// What the deployment sets.
    limits: RunLimitsOverlay,
    /// What holds: the smallest of host, plan and deployment.
    effective_limits: RunLimits,
    capabilities: Vec<Capability>,
    egress: Egress,
    credentials: BTreeMap<Name, Binding>,
    models: BTreeMap<Name, ModelGrant>,
    log_output: bool,
    /// What its runs may spend in a day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_spend_microcredits: Option<Microcredits>,
    /// What the deployment sets.
    retention: RetentionOverlay,
    /// What holds: the smaller of plan and deployment.
    effective_retention: RunRetention,
    /// The most that a run may cost, held before it starts.
    hold_microcredits: Microcredits,
    /// What the agent's manifest asks for and the deployment does not grant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    created_at: Micros,
    updated_at: Micros,
}

/// Creates or replaces a deployment; each time is a revision of its own.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    caller: May<WriteAgents>,
    PathName(name): PathName,
    Json(body): Json<DeploymentBody>,
) -> Result<Stored<DeploymentView>, Problem> {
    let account = &caller.account;
    let revision = revision_of(&app, account, &name, body).await?;
    // Who binds a credential says where it goes, and could have it sent to himself.
    if !revision.credentials.is_empty() {
        must_have(&caller, Scope::CredentialsWrite)?;
    }
    let id = revision.id;
    let number = app
        .db
        .write(move |tx| {
            let revision = revision.clone();
            Box::pin(async move { deployments::put(tx, &revision).await })
        })
        .await?;
    app.runs.deployments.forget(account.id, name.as_str()).await;
    // What was written is shown, though another request may have replaced or deleted it meanwhile.
    let written = deployments::at_revision(&app.db, account.id, id, number).await?;
    let written = written.ok_or(DbError::Missing("deployment revision"))?;
    let kept = credentials::names(&app.db, account.id).await?;
    Ok(Stored { is_new: number == 1, view: view(&app, account, written, &kept).await? })
}

async fn revision_of(app: &App, account: &Account, name: &Name, body: DeploymentBody) -> Result<NewRevision, Problem> {
    let agent = agents::get(&app.db, account.id, body.agent.as_str())
        .await?
        .ok_or_else(|| Problem::invalid("/agent", format!("there is no agent `{}`", body.agent)))?;
    let agent_version = body.version.unwrap_or(agent.latest.version);
    if !(1..=agent.latest.version).contains(&agent_version) {
        let detail = format!("`{}` has versions 1 to {}", body.agent, agent.latest.version);
        return Err(Problem::invalid("/version", detail));
    }
    if body.limits.concurrent_runs == Some(0) {
        return Err(Problem::invalid("/limits/concurrent_runs", "runs of the deployment would wait forever"));
    }
    if body.limits.wall_clock_ms == Some(0) {
        return Err(Problem::invalid("/limits/wall_clock_ms", "runs of the deployment would have no time at all"));
    }
    if body.daily_spend_microcredits.is_some_and(|most| most < Microcredits::ZERO) {
        return Err(Problem::invalid("/daily_spend_microcredits", "what may be spent is not below zero"));
    }
    let planned = app.config.now().run_retention(&account.plan);
    if let Some(problem) = kept_longer(&body.retention, planned) {
        return Err(problem);
    }
    let config_bytes: usize = body.config.iter().map(|(key, value)| key.len() + value.len()).sum();
    if config_bytes as u64 > account.limits.config_bytes {
        let detail = format!("{config_bytes} bytes; the limit `config_bytes` is {}", account.limits.config_bytes);
        return Err(Problem::invalid("/config", detail));
    }
    let grants = Grants {
        scratch: body.capabilities.contains(&Capability::Scratch),
        model: body.capabilities.contains(&Capability::Model) || !body.models.is_empty(),
        models: body.models,
        egress: body.egress,
        credentials: body.credentials,
    };
    let faults = grants.faults().into_iter().chain(models_out_of_reach(app, account, &grants)).collect();
    if let Some(problem) = Problem::invalid_fields(faults) {
        return Err(problem);
    }
    let id = deployments::id_for(&app.db, account.id, name.as_str()).await?;
    Ok(NewRevision {
        account: account.id,
        id,
        name: name.to_string(),
        agent: agent.id,
        agent_version,
        sealed_config: sealed_config(account, id, &body.config)?,
        limits: serde_json::to_string(&body.limits).map_err(DbError::corrupt)?,
        grants: serde_json::to_string(&grants).map_err(DbError::corrupt)?,
        credentials: grants.credential_names().into_iter().cloned().collect(),
        log_output: body.log_output,
        daily_spend: body.daily_spend_microcredits,
        retention: body.retention,
        most_deployments: account.limits.deployments,
        at: app.clock.now(),
    })
}

/// What is to be kept longer than the plan says.
fn kept_longer(asked: &RetentionOverlay, planned: RunRetention) -> Option<Problem> {
    let days =
        [("log_days", asked.log_days, planned.log_days), ("content_days", asked.content_days, planned.content_days)];
    let longer = days.into_iter().filter(|(_, asked, most)| asked.is_some_and(|asked| asked > *most));
    let fault = |(name, _, most): (&str, _, u32)| {
        (format!("/retention/{name}"), format!("the plan's `{name}` is {most}; a deployment keeps as much or less"))
    };
    Problem::invalid_fields(longer.map(fault).collect())
}

/// Models that the operator does not offer to the account's plan.
fn models_out_of_reach(app: &App, account: &Account, grants: &Grants) -> Vec<(String, String)> {
    let offered = app.config.now().model_prices(&Grants { model: true, ..Grants::default() }, &account.plan);
    let unknown = grants.models.keys().filter(|name| !offered.contains_key(*name));
    let names = offered.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let reason = if names.is_empty() { "no model is offered".to_owned() } else { format!("offered are: {names}") };
    unknown.map(|name| (format!("/models/{name}"), format!("the plan offers no model `{name}`; {reason}"))).collect()
}

async fn shown(app: &App, account: &Account, name: &Name) -> Result<DeploymentView, Problem> {
    let stored =
        deployments::get(&app.db, account.id, name.as_str()).await?.ok_or_else(|| Problem::not_found("deployment"))?;
    let kept = credentials::names(&app.db, account.id).await?;
    view(app, account, stored, &kept).await
}

async fn view(
    app: &App,
    account: &Account,
    stored: StoredDeployment,
    kept: &BTreeSet<String>,
) -> Result<DeploymentView, Problem> {
    let limits: RunLimitsOverlay = serde_json::from_str(&stored.limits).map_err(DbError::corrupt)?;
    let effective_limits = account.run_limits.min(&limits);
    let grants: Grants = serde_json::from_str(&stored.grants).map_err(DbError::corrupt)?;
    let capabilities = [(grants.scratch, Capability::Scratch), (grants.model, Capability::Model)];
    let capabilities = capabilities.into_iter().filter(|(granted, _)| *granted).map(|(_, name)| name).collect();
    let warnings = warnings(&stored.manifest, &grants, kept)?;
    let config = |account: &Account| opened_config(account, stored.id, &stored.sealed_config);
    let config = app.accounts.opening(account, config).await?;
    Ok(DeploymentView {
        config,
        id: stored.id,
        name: stored.name,
        revision: stored.revision,
        agent: stored.agent_name,
        version: stored.agent_version,
        digest: stored.digest,
        kind: stored.kind,
        manifest: RawValue::from_string(stored.manifest).map_err(DbError::corrupt)?,
        hold_microcredits: terms(&app.config.now(), &account.plan, &grants, effective_limits.clone()).most(),
        limits,
        effective_limits,
        capabilities,
        egress: grants.egress,
        credentials: grants.credentials,
        models: grants.models,
        log_output: stored.log_output,
        daily_spend_microcredits: stored.daily_spend,
        retention: stored.retention,
        effective_retention: app.config.now().run_retention(&account.plan).min(stored.retention),
        warnings,
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    })
}

/// What the manifest asks for and nothing grants, and what is granted but can't work yet.
fn warnings(manifest: &str, grants: &Grants, kept: &BTreeSet<String>) -> Result<Vec<Warning>, Problem> {
    let manifest: Manifest = serde_json::from_str(manifest).map_err(DbError::corrupt)?;
    let asked =
        Asked { hosts: &manifest.hosts, credentials: &manifest.credentials, capabilities: &manifest.capabilities };
    let missing =
        grants.missing(asked).into_iter().map(|missing| Warning { detail: missing.detail, grant: missing.grant });
    let unknown = grants.credential_names().into_iter().filter(|name| !kept.contains(name.as_str()));
    let unknown = unknown.map(|name| Warning {
        detail: format!(
            "the account keeps no credential `{name}`; keep it with `PUT /v1/credentials/{name}` or \
             `aaasp credential set {name}`"
        ),
        grant: None,
    });
    Ok(missing.chain(unknown).collect())
}

/// One deployment.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadAgents>,
    PathName(name): PathName,
) -> Result<Answer<DeploymentView>, Problem> {
    shown(&app, &caller.account, &name).await.map(Answer)
}

/// The account's deployments, by name.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadAgents>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<DeploymentView>>, Problem> {
    let after = query.after.as_deref().unwrap_or_default();
    let found = deployments::list(&app.db, caller.account.id, after, query.asked()).await?;
    let kept = credentials::names(&app.db, caller.account.id).await?;
    let mut views = Vec::with_capacity(found.len());
    for stored in found {
        views.push(view(&app, &caller.account, stored, &kept).await?);
    }
    Ok(Answer(Page::of(views, query.limit(), |view| view.name.clone())))
}

/// Deletes a deployment that has no unfinished runs.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: May<WriteAgents>,
    PathName(name): PathName,
) -> Result<Deleted, Problem> {
    let (account, at) = (caller.account.id, app.clock.now());
    let deleted = name.clone();
    app.db
        .write(move |tx| {
            let name = deleted.clone();
            Box::pin(async move { deployments::delete(tx, account, name.as_str(), at).await })
        })
        .await?;
    app.runs.deployments.forget(account, name.as_str()).await;
    Ok(Deleted)
}
