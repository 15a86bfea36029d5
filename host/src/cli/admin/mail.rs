//! `aaasp admin mail`: letters that wait, were sent, or were given up.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::client::{Client, ListArgs, Rows};
use super::super::json::JsonArgs;
use super::super::readable;
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
    /// List letters, latest first, without what they say.
    List(StateArgs),
    /// Let a letter that was given up be tried again.
    Resend {
        /// The letter's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
struct StateArgs {
    /// Only letters of this state.
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<State>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Waiting,
    Sent,
    Dead,
}

#[derive(Deserialize)]
struct LetterRow {
    id: String,
    kind: String,
    state: String,
    attempts: u32,
    created_at: Micros,
    error: Option<String>,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(StateArgs { state, list }) => {
            let state = state.map(|state| match state {
                State::Waiting => "waiting",
                State::Sent => "sent",
                State::Dead => "dead",
            });
            let query: Vec<_> = state.map(|state| ("state", state)).into_iter().collect();
            let rows = Rows {
                header: &["id", "at", "what", "state", "tries", "error"],
                right: &[4],
                row: |row: LetterRow| {
                    let (at, tries) = (readable::time(row.created_at), row.attempts.to_string());
                    vec![row.id, at, row.kind, row.state, tries, row.error.unwrap_or_default()]
                },
                nothing: "there are no letters",
            };
            client.list(&["admin", "letters"], &query, list, &rows).await
        }
        Command::Resend { id, why, json } => {
            let body = json!({"reason": why.reason});
            client.send(Method::POST, &["admin", "letters", &id, "resend"], &body).await?;
            json.done("resent", &id, &format!("{id} is tried again."))
        }
    }
}
