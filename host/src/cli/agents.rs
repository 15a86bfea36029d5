//! `aaasp agents`: upload, list, show and delete agents.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::{self, JsonArgs};
use super::{out, readable, table, upload};
use crate::clock::Micros;
use crate::runtime::Manifest;

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp agents
  aaasp agents upload word-count build/word-count.wasm
  aaasp agents show word-count"
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
    /// List agents, by name.
    List(ListArgs),
    /// Show an agent, its versions and what it says of itself.
    Show {
        /// The agent.
        name: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Upload a component as the agent's next version.
    Upload {
        /// The agent; it is made when there is none of that name.
        name: String,
        /// The component, as `aaasp build` makes it.
        file: PathBuf,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Delete an agent that no deployment uses.
    Delete {
        /// The agent.
        name: String,
        #[command(flatten)]
        json: JsonArgs,
    },
}

/// A version of an agent, as the API shows it.
#[derive(Deserialize)]
pub(super) struct VersionView {
    pub name: String,
    pub version: i64,
    pub digest: String,
    kind: String,
    pub manifest: Manifest,
    bytes: u64,
    created_at: Micros,
}

#[derive(Deserialize)]
struct AgentView {
    name: String,
    created_at: Micros,
    latest: VersionView,
    #[serde(default)]
    versions: Vec<VersionView>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["name", "version", "kind", "size", "uploaded", "digest"],
                right: &[1, 3],
                row: |agent: AgentView| {
                    let row = version_row(&agent.latest);
                    std::iter::once(agent.name).chain(row).collect()
                },
                nothing: "there are no agents yet; `aaasp deploy` uploads one and deploys it",
            };
            client.list(&["agents"], &[], list, &rows).await
        }
        Command::Show { name, json } => client.get(&["agents", &name], &[]).await?.show(json, show),
        Command::Upload { name, file, json } => {
            let answer = upload::upload(&client, &name, &file).await?;
            answer.show(json, |uploaded: &VersionView| {
                out::line(format!("{} version {} is {}", uploaded.name, uploaded.version, uploaded.digest));
            })
        }
        Command::Delete { name, json } => {
            client.delete(&["agents", &name]).await?;
            json.done("deleted", &name, &format!("Deleted the agent {name}."))
        }
    }
}

fn version_row(version: &VersionView) -> Vec<String> {
    let (number, digest) = (version.version.to_string(), version.digest.clone());
    vec![
        number,
        version.kind.clone(),
        readable::bytes(version.bytes),
        readable::time(version.created_at),
        digest.get(..19).map_or(digest.clone(), |start| format!("{start}…")),
    ]
}

fn show(agent: &AgentView) {
    let manifest = &agent.latest.manifest;
    let mut facts = vec![
        ("agent", agent.name.clone()),
        ("since", readable::time(agent.created_at)),
        ("description", readable::printable(&manifest.description).into_owned()),
    ];
    for (what, asked) in [("asks for", &manifest.capabilities), ("would reach", &manifest.hosts)] {
        if !asked.is_empty() {
            facts.push((what, readable::printable(&asked.join(", ")).into_owned()));
        }
    }
    table::facts(&facts);
    out::line("");
    let mut versions = table::Table::with(&["version", "kind", "size", "uploaded", "digest"]).right(&[0, 2]);
    versions.rows(agent.versions.iter().map(version_row).collect());
    for (what, schema) in [("input", &manifest.input_schema), ("output", &manifest.output_schema)] {
        if let Some(schema) = schema {
            out::line(format!("\n{what} schema"));
            json::print_text(&schema.to_string());
        }
    }
}
