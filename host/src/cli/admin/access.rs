//! `aaasp admin access` and `look`: looking at what an account has, with a reason and for a time.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Why;
use crate::cli::client::{Client, ListArgs, Rows};
use crate::cli::json::JsonArgs;
use crate::cli::{out, readable};
use crate::clock::Micros;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open an access to what an account has: its owner sees it, and each look.
    #[command(after_help = "\
Example:
  aaasp admin access acc_01h455vb4pex5vsknk084sn02q --minutes 30 --reason \"asked why a run failed\"")]
    Access {
        /// The account's id.
        account: String,
        /// For how long, in minutes; 480 at most.
        #[arg(long, value_name = "N", default_value_t = 60)]
        minutes: u32,
        /// See inputs, outputs, errors and what logs say, too.
        #[arg(long)]
        contents: bool,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Look at what an account has, while an access is open.
    #[command(after_help = "\
Examples:
  aaasp admin look acc_01h455vb4pex5vsknk084sn02q runs
  aaasp admin look acc_01h455vb4pex5vsknk084sn02q run run_01h455vb4pex5vsknk084sn02q
  aaasp admin look acc_01h455vb4pex5vsknk084sn02q logs run_01h455vb4pex5vsknk084sn02q")]
    Look {
        /// The account's id.
        account: String,
        /// What to look at.
        what: What,
        /// The run, for `run` and `logs`.
        #[arg(required_if_eq_any([("what", "run"), ("what", "logs")]))]
        run: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    Runs,
    Run,
    Logs,
    Requests,
    Letters,
}

#[derive(Deserialize)]
struct Opened {
    id: String,
    until: Micros,
}

pub(super) async fn run(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Access { account, minutes, contents, why, json } => {
            let body = json!({"reason": why.reason, "minutes": minutes, "contents": contents});
            let answer = client.send(Method::POST, &["admin", "accounts", &account, "access"], &body).await?;
            answer.show(json, |opened: &Opened| {
                let until = readable::time(opened.until);
                out::line(format!("Opened {} until {until}. The account's owner sees it.", opened.id));
            })
        }
        Command::Look { account, what, run, list } => {
            let run = run.unwrap_or_default();
            let of_account = ["admin", "accounts", &account];
            match what {
                What::Run => {
                    let found = client.get(&[&of_account[..], &["runs", &run]].concat(), &[]).await?;
                    found.show(list.json, |run: &Value| out::line(format!("{run:#}")))
                }
                What::Runs => client.list(&[&of_account[..], &["runs"]].concat(), &[], list, &RUNS).await,
                What::Logs => {
                    client.list(&[&of_account[..], &["runs", &run, "logs"]].concat(), &[], list, &LINES).await
                }
                What::Requests => client.list(&[&of_account[..], &["requests"]].concat(), &[], list, &REQUESTS).await,
                What::Letters => client.list(&[&of_account[..], &["letters"]].concat(), &[], list, &LETTERS).await,
            }
        }
    }
}

const RUNS: Rows<Value> = Rows {
    header: &["id", "deployment", "status", "outcome", "since"],
    right: &[],
    row: |run| cells(&run, &["id", "deployment", "status", "outcome", "created_at"]),
    nothing: "there are no runs",
};

const LINES: Rows<Value> = Rows {
    header: &["at", "level", "source", "message"],
    right: &[],
    row: |line| cells(&line, &["at", "level", "source", "message"]),
    nothing: "the log is empty",
};

const REQUESTS: Rows<Value> = Rows {
    header: &["at", "method", "route", "status", "key"],
    right: &[],
    row: |request| cells(&request, &["at", "method", "route", "status", "api_key"]),
    nothing: "there are no requests",
};

const LETTERS: Rows<Value> = Rows {
    header: &["id", "kind", "state", "since"],
    right: &[],
    row: |letter| cells(&letter, &["id", "kind", "state", "created_at"]),
    nothing: "there are no letters",
};

fn cells(of: &Value, names: &[&str]) -> Vec<String> {
    let cell = |name: &&str| match &of[*name] {
        Value::Null => "-".to_owned(),
        // What an account wrote may not move the cursor of whoever reads it.
        Value::String(text) => readable::printable(text).into_owned(),
        other => other.to_string(),
    };
    names.iter().map(cell).collect()
}
