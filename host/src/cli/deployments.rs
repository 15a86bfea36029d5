//! `aaasp deployments`: list, show and delete deployments.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::{granted, input, out, readable, table};
use crate::clock::Micros;
use crate::config::{RetentionOverlay, RunRetention};
use crate::grants::{Binding, Egress, Grants, ModelGrant};
use crate::ledger::Microcredits;
use crate::limits::RunLimits;
use crate::names::Name;
use crate::runs::Estimate;

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp deployments
  aaasp deployments show word-count

`aaasp deploy` makes and changes deployments, `aaasp start` starts their runs."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List deployments, by name.
    List(ListArgs),
    /// Show a deployment with its configuration, grants and effective limits.
    Show {
        /// The deployment.
        name: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Estimate from past runs what one more may cost.
    #[command(after_help = "\
Examples:
  aaasp deployments estimate word-count
  aaasp deployments estimate word-count --input input.json")]
    Estimate {
        /// The deployment.
        name: String,
        /// An input to check, as a run's would be: a file, - for standard input, or JSON.
        #[arg(long, value_name = "FILE|-|JSON", env = "AAASP_INPUT")]
        input: Option<String>,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Delete a deployment that has no unfinished runs.
    Delete {
        /// The deployment.
        name: String,
        #[command(flatten)]
        json: JsonArgs,
    },
}

/// A deployment, as the API shows it.
#[derive(Deserialize)]
pub(super) struct DeploymentView {
    pub name: String,
    pub revision: i64,
    pub agent: String,
    pub version: i64,
    pub config: BTreeMap<String, String>,
    pub limits: BTreeMap<String, u64>,
    effective_limits: BTreeMap<String, u64>,
    pub capabilities: Vec<String>,
    egress: Egress,
    credentials: BTreeMap<Name, Binding>,
    #[serde(default)]
    models: BTreeMap<Name, ModelGrant>,
    pub log_output: bool,
    pub daily_spend_microcredits: Option<Microcredits>,
    #[serde(default)]
    pub retention: RetentionOverlay,
    effective_retention: RunRetention,
    pub hold_microcredits: Microcredits,
    #[serde(default)]
    warnings: Vec<Warning>,
    updated_at: Micros,
}

/// What an agent asks for and a deployment does not grant.
#[derive(Deserialize)]
struct Warning {
    detail: String,
    grant: Option<Value>,
}

impl DeploymentView {
    /// What it grants.
    pub(super) fn grants(&self) -> Grants {
        let has = |name: &str| self.capabilities.iter().any(|capability| capability == name);
        Grants {
            scratch: has("scratch"),
            model: has("model"),
            models: self.models.clone(),
            egress: self.egress.clone(),
            credentials: self.credentials.clone(),
        }
    }

    /// Says what the server warns of, and which limits the plan does not allow.
    pub(super) fn warn(&self) {
        for warning in &self.warnings {
            granted::warn(&warning.detail, warning.grant.as_ref());
        }
        for (name, wanted) in &self.limits {
            if let Some(effective) = self.effective_limits.get(name).filter(|effective| *effective < wanted) {
                let (wanted, effective) = (readable::limit(name, *wanted), readable::limit(name, *effective));
                out::note(format!("warning: the limit {name} of {wanted} is above the plan's; {effective} holds"));
            }
        }
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["name", "agent", "version", "revision", "hold per run", "changed"],
                right: &[2, 3, 4],
                row: |found: DeploymentView| {
                    let (version, revision) = (found.version.to_string(), found.revision.to_string());
                    let hold = found.hold_microcredits.to_string();
                    vec![found.name, found.agent, version, revision, hold, readable::time(found.updated_at)]
                },
                nothing: "there are no deployments yet; `aaasp deploy` makes one",
            };
            client.list(&["deployments"], &[], list, &rows).await
        }
        Command::Show { name, json } => client.get(&["deployments", &name], &[]).await?.show(json, show),
        Command::Estimate { name, input, json } => {
            let input = input.as_deref().map(input::json).transpose()?;
            let path = ["deployments", &name, "estimate"];
            client.send(Method::POST, &path, &EstimateBody { input }).await?.show(json, show_estimate)
        }
        Command::Delete { name, json } => {
            client.delete(&["deployments", &name]).await?;
            json.done("deleted", &name, &format!("Deleted the deployment {name}."))
        }
    }
}

/// The input as it was given.
#[derive(Serialize)]
struct EstimateBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
}

fn show_estimate(estimate: &Estimate) {
    let taken_from = match estimate.runs {
        0 => "no run: none has finished yet".to_owned(),
        1 => "the one run that has finished".to_owned(),
        runs => format!("the last {} runs that have finished", readable::number(runs as u64)),
    };
    let credits = |amount: Option<Microcredits>| amount.map_or("unknown".to_owned(), |a| format!("{a} credits"));
    table::facts(&[
        ("deployment", format!("{} revision {}", estimate.deployment, estimate.deployment_revision)),
        ("taken from", taken_from),
        ("median", credits(estimate.median_microcredits)),
        ("95 of 100", credits(estimate.p95_microcredits)),
        ("worst", credits(estimate.worst_microcredits)),
        ("hold", format!("{} credits, the most that a run may cost", estimate.hold_microcredits)),
        ("prices", format!("version {}", estimate.price_version)),
    ]);
}

fn show(found: &DeploymentView) {
    let granted = granted::lines(&found.grants());
    let kept = |days: u32, set: Option<u32>| {
        format!("{days} days, as the {} says", if set == Some(days) { "deployment" } else { "plan" })
    };
    let RunRetention { log_days, content_days } = found.effective_retention;
    let grants = if granted.is_empty() { "nothing".to_owned() } else { granted.join("; ") };
    table::facts(&[
        ("deployment", found.name.clone()),
        ("revision", format!("{} of {}", found.revision, readable::time(found.updated_at))),
        ("agent", format!("{} version {}", found.agent, found.version)),
        ("grants", grants),
        ("hold per run", format!("{} credits", found.hold_microcredits)),
        ("logs kept", kept(log_days, found.retention.log_days)),
        ("contents kept", kept(content_days, found.retention.content_days)),
    ]);
    found.warn();
    if !found.config.is_empty() {
        out::line("");
        table::print(&["config", "value"], found.config.iter().map(|(key, value)| vec![key.clone(), value.clone()]));
    }
    out::line("");
    let rows = readable::in_order(&RunLimits::default().entries(), &found.effective_limits).into_iter().map(
        |(name, value)| {
            let from = if found.limits.get(name) == Some(&value) { "deployment" } else { "plan" };
            vec![name.to_owned(), readable::limit(name, value), from.to_owned()]
        },
    );
    table::print(&["limit", "value", "set by"], rows);
}
