//! `aaasp admin support`: what owners ask.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use super::super::client::{Client, ListArgs, Rows};
use super::super::json::JsonArgs;
use super::super::readable;
use super::super::support::{TextArgs, Thread, Whole};
use super::Why;

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
    /// List what was asked, latest first.
    List(StateArgs),
    /// Show what was asked, and the answers.
    Show {
        /// The thread's id.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Answer, by a letter too.
    Answer {
        /// The thread's id.
        id: String,
        #[command(flatten)]
        text: TextArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Close a thread; its owner may open it again by saying more.
    Close {
        /// The thread's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
struct StateArgs {
    /// Only threads of this state.
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<State>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Open,
    Answered,
    Closed,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(StateArgs { state, list }) => {
            let state = state.map(|state| match state {
                State::Open => "open",
                State::Answered => "answered",
                State::Closed => "closed",
            });
            let query: Vec<_> = state.map(|state| ("state", state)).into_iter().collect();
            let rows = Rows {
                header: &["id", "last", "state", "about", "account"],
                right: &[],
                row: |row: Thread| vec![row.id, readable::time(row.changed_at), row.state, row.subject, row.account],
                nothing: "nothing was asked",
            };
            client.list(&["admin", "support"], &query, list, &rows).await
        }
        Command::Show { id, json } => client.get(&["admin", "support", &id], &[]).await?.show(json, Whole::print),
        Command::Answer { id, text, json } => {
            let body = json!({"text": text.said()?});
            client.send(Method::POST, &["admin", "support", &id], &body).await?.show(json, Whole::print)
        }
        Command::Close { id, why, json } => {
            let body = json!({"reason": why.reason});
            client.send(Method::POST, &["admin", "support", &id, "close"], &body).await?.show(json, Whole::print)
        }
    }
}
