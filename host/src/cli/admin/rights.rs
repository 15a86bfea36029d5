//! `aaasp admin rights`: requests by which people use their rights.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::client::{Client, ListArgs, Rows};
use super::super::json::JsonArgs;
use super::super::{out, readable, table};
use super::Why;
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: StateArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List requests, latest first.
    List(StateArgs),
    /// Show a request, and what was done about it.
    Show {
        /// The request's id.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Enter a request that did not come by the API.
    Open {
        /// What is asked for.
        #[arg(long, value_enum, value_name = "KIND")]
        kind: Kind,
        /// The account that it is about, if there is one.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// When it came [default: now].
        #[arg(long, value_name = "TIME")]
        received: Option<jiff::Timestamp>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Say how it was found out who asks.
    Identify(StepArgs),
    /// Put a request off by 60 days, once, and say why.
    Extend(StepArgs),
    /// End a request, and say what was done.
    Close {
        #[command(flatten)]
        step: StepArgs,
        /// It was not done; the reason says why.
        #[arg(long)]
        refused: bool,
    },
}

#[derive(Debug, ClapArgs)]
struct StepArgs {
    /// The request's id.
    id: String,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
struct StateArgs {
    /// Only requests of this state.
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<State>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Open,
    Done,
    Refused,
    Withdrawn,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Access,
    Portability,
    Correction,
    Deletion,
    Restriction,
    Objection,
    Consent,
}

/// The word of a value that clap knows.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[derive(Deserialize)]
struct Request {
    id: String,
    account: Option<String>,
    kind: String,
    source: String,
    state: String,
    identity: String,
    received_at: Micros,
    due_at: Micros,
    overdue: bool,
    ended_at: Option<Micros>,
}

#[derive(Deserialize)]
struct History {
    #[serde(flatten)]
    request: Request,
    acts: Vec<Act>,
}

#[derive(Deserialize)]
struct Act {
    at: Micros,
    act: String,
    reason: Option<String>,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(StateArgs { state, list }) => {
            let state = state.as_ref().map(word);
            let query: Vec<_> = state.iter().map(|state| ("state", state.as_str())).collect();
            let rows = Rows {
                header: &["id", "asked", "by", "state", "who asks", "received", "due", "account"],
                right: &[],
                row: |row: Request| {
                    let due = row.due();
                    let (received, account) = (readable::time(row.received_at), row.account.unwrap_or_default());
                    vec![row.id, row.kind, row.source, row.state, row.identity, received, due, account]
                },
                nothing: "there are no requests",
            };
            client.list(&["admin", "rights"], &query, list, &rows).await
        }
        Command::Show { id, json } => client.get(&["admin", "rights", &id], &[]).await?.show(json, History::print),
        Command::Open { kind, account, received, why, json } => {
            let mut body = json!({"kind": word(&kind), "reason": why.reason});
            if let Some(account) = account {
                body["account"] = json!(account);
            }
            if let Some(received) = received {
                body["received_at"] = json!(received.to_string());
            }
            let answer = client.send(Method::POST, &["admin", "rights"], &body).await?;
            answer.show(json, |entered: &Request| {
                out::line(format!("Entered {}, to be answered by {}.", entered.id, readable::time(entered.due_at)));
            })
        }
        Command::Identify(args) => step(client, args, "identify", None).await,
        Command::Extend(args) => step(client, args, "extend", None).await,
        Command::Close { step: args, refused } => {
            step(client, args, "close", Some(if refused { "refused" } else { "done" })).await
        }
    }
}

async fn step(client: &Client, args: StepArgs, step: &str, outcome: Option<&str>) -> anyhow::Result<()> {
    let mut body = json!({"reason": args.why.reason});
    if let Some(outcome) = outcome {
        body["outcome"] = json!(outcome);
    }
    let answer = client.send(Method::POST, &["admin", "rights", &args.id, step], &body).await?;
    answer.show(args.json, |request: &Request| table::facts(&request.facts()))
}

impl Request {
    fn due(&self) -> String {
        match (self.ended_at, self.overdue) {
            (Some(_), _) => "-".to_owned(),
            (None, true) => format!("{} (overdue)", readable::time(self.due_at)),
            (None, false) => readable::time(self.due_at),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let account = self.account.clone().map(|account| ("account", account));
        let ended = self.ended_at.map(|at| ("ended", readable::time(at)));
        [
            ("request", self.id.clone()),
            ("asked", self.kind.clone()),
            ("by", self.source.clone()),
            ("state", self.state.clone()),
            ("who asks", self.identity.clone()),
            ("received", readable::time(self.received_at)),
            ("due", self.due()),
        ]
        .into_iter()
        .chain(account)
        .chain(ended)
        .collect()
    }
}

impl History {
    fn print(&self) {
        table::facts(&self.request.facts());
        out::line("");
        let rows = self.acts.iter().map(|act| {
            vec![readable::time(act.at), act.act.clone(), act.reason.clone().unwrap_or_else(|| "-".to_owned())]
        });
        table::print(&["at", "what", "why"], rows);
    }
}
