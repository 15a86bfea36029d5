//! `aaasp admin announce` and `aaasp admin policy`: what operators tell to many.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::super::client::{Client, ListArgs, Rows};
use super::super::json::JsonArgs;
use super::super::{out, readable};
use super::Why;
use crate::clock::Micros;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write news to all accounts that consented to them.
    #[command(after_help = "\
The file's first line is the subject; paragraphs follow, each after an empty line. Every letter has a
link that ends such letters.

Example:
  aaasp admin announce news.txt --reason \"a new region\"")]
    Announce {
        /// What to write.
        file: PathBuf,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// List the versions of the privacy policy, and say what changed.
    #[command(after_help = "\
The page at /privacy is made of the settings and always says what they do. When they change, it is
another version, and somebody has to say what changed and whether that matters to people.

Examples:
  aaasp admin policy
  aaasp admin policy explain --material --summary \"Logs are kept for 30 days, not 90.\" --reason \"costs\"")]
    Policy(PolicyArgs),
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: Option<PolicyCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// List the versions, latest first.
    List(ListArgs),
    /// Say what changed with the version that is in force.
    Explain {
        /// What changed, in a sentence or two, for those whom it concerns.
        #[arg(long, value_name = "TEXT")]
        summary: String,
        /// It matters to people: each account gets a letter.
        #[arg(long)]
        material: bool,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Deserialize)]
struct Version {
    version: String,
    since: Micros,
    summary: Option<String>,
    material: bool,
}

pub(super) async fn run(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Announce { file, why, json } => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
            let text = text.replace("\r\n", "\n");
            let (subject, rest) = text.trim().split_once('\n').context("expected a subject, and text after it")?;
            let paragraphs: Vec<_> = rest.split("\n\n").map(str::trim).filter(|part| !part.is_empty()).collect();
            let body = json!({"subject": subject, "text": paragraphs, "reason": why.reason});
            let answer = client.send(Method::POST, &["admin", "announcements"], &body).await?;
            answer.show(json, |_: &IgnoredAny| out::line("It is being written to all who want news."))
        }
        Command::Policy(args) => match args.command.unwrap_or(PolicyCommand::List(args.list)) {
            PolicyCommand::List(list) => {
                let rows = Rows {
                    header: &["version", "since", "matters", "what changed"],
                    right: &[],
                    row: |row: Version| {
                        let matters = match (&row.summary, row.material) {
                            (None, _) => "?",
                            (Some(_), true) => "yes",
                            (Some(_), false) => "no",
                        };
                        let summary = row.summary.unwrap_or_else(|| "not said yet".to_owned());
                        vec![row.version, readable::time(row.since), matters.to_owned(), summary]
                    },
                    nothing: "there are no versions",
                };
                client.list(&["admin", "policy"], &[], list, &rows).await
            }
            PolicyCommand::Explain { summary, material, why, json } => {
                let body = json!({"summary": summary, "material": material, "reason": why.reason});
                let answer = client.send(Method::POST, &["admin", "policy"], &body).await?;
                answer.show(json, |said: &Version| {
                    let told = if material { " Each account gets a letter." } else { "" };
                    out::line(format!("Said what changed with {}.{told}", said.version));
                })
            }
        },
    }
}
