//! `aaasp admin hold`: that what is there of an account is kept, as the law asks.

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Why;
use crate::cli::client::{Client, ListArgs, Rows};
use crate::cli::json::JsonArgs;
use crate::cli::{out, readable};
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List holds, latest first, those that have ended too.
    List(ListArgs),
    /// Set a hold on an account.
    Set {
        /// The account's id.
        account: String,
        /// When it ends by itself [default: when it is lifted].
        #[arg(long, value_name = "TIME")]
        until: Option<jiff::Timestamp>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Lift a hold.
    Lift {
        /// The hold's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Deserialize)]
struct Hold {
    id: String,
    account: String,
    reason: String,
    created_at: Micros,
    until: Option<Micros>,
    ended_at: Option<Micros>,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["id", "account", "since", "until", "ended", "why"],
                right: &[],
                row: |hold: Hold| {
                    let or_none = |at: Option<Micros>| at.map_or_else(|| "-".to_owned(), readable::time);
                    let (since, until) = (readable::time(hold.created_at), or_none(hold.until));
                    vec![hold.id, hold.account, since, until, or_none(hold.ended_at), hold.reason]
                },
                nothing: "there are no holds",
            };
            client.list(&["admin", "holds"], &[], list, &rows).await
        }
        Command::Set { account, until, why, json } => {
            let mut body = json!({"reason": why.reason});
            if let Some(until) = until {
                body["until"] = json!(until.to_string());
            }
            let path = ["admin", "accounts", &account, "holds"];
            client.send(Method::POST, &path, &body).await?.show(json, |hold: &Hold| {
                out::line(format!("Set {}: nothing of {} goes by its age until it ends.", hold.id, hold.account));
            })
        }
        Command::Lift { id, why, json } => {
            let body = json!({"reason": why.reason});
            let answer = client.send(Method::POST, &["admin", "holds", &id, "lift"], &body).await?;
            answer.show(json, |hold: &Hold| out::line(format!("{} is lifted.", hold.id)))
        }
    }
}
