//! `aaasp deployments`: list, show and delete deployments.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::{self, JsonArgs};
use super::{out, readable, table};
use crate::clock::Micros;
use crate::ledger::Microcredits;

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
    /// Delete a deployment that has no unfinished runs.
    Delete {
        /// The deployment.
        name: String,
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
    pub log_output: bool,
    pub hold_microcredits: Microcredits,
    #[serde(default)]
    pub warnings: Vec<String>,
    updated_at: Micros,
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
        Command::Show { name, json } => {
            let answer = client.get(&["deployments", &name], &[]).await?;
            if json.json {
                json::print_text(&answer.text);
            } else {
                show(&answer.read()?);
            }
            Ok(())
        }
        Command::Delete { name } => {
            client.delete(&["deployments", &name]).await?;
            out::note(format!("Deleted the deployment {name}."));
            Ok(())
        }
    }
}

fn show(found: &DeploymentView) {
    let grants = if found.capabilities.is_empty() { "nothing".to_owned() } else { found.capabilities.join(", ") };
    table::facts(&[
        ("deployment", found.name.clone()),
        ("revision", format!("{} of {}", found.revision, readable::time(found.updated_at))),
        ("agent", format!("{} version {}", found.agent, found.version)),
        ("grants", grants),
        ("hold per run", format!("{} credits", found.hold_microcredits)),
    ]);
    for warning in &found.warnings {
        out::note(format!("warning: {}", readable::printable(warning)));
    }
    if !found.config.is_empty() {
        out::line("");
        table::print(&["config", "value"], found.config.iter().map(|(key, value)| vec![key.clone(), value.clone()]));
    }
    out::line("");
    let rows = found.effective_limits.iter().map(|(name, value)| {
        let from = if found.limits.contains_key(name) { "deployment" } else { "plan" };
        vec![name.clone(), readable::limit(name, *value), from.to_owned()]
    });
    table::print(&["limit", "value", "set by"], rows);
}
