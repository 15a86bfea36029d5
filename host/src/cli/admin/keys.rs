//! `aaasp admin keys`: the keys of operators.

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
    /// List the keys of operators, latest first.
    List(ListArgs),
    /// Make a key for an operator, which is shown once.
    Create {
        /// Whose it is, or what for.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What it is for: support, billing, security or admin.
        #[arg(long, value_name = "ROLE")]
        role: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Revoke a key of an operator, everywhere at once.
    Revoke {
        /// The key's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Deserialize)]
struct Key {
    id: String,
    name: String,
    role: String,
    created_at: Micros,
    revoked_at: Option<Micros>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
    role: String,
    operator_key: String,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["id", "name", "role", "since", "revoked"],
                right: &[],
                row: |key: Key| {
                    let revoked = key.revoked_at.map_or_else(|| "-".to_owned(), readable::time);
                    vec![key.id, key.name, key.role, readable::time(key.created_at), revoked]
                },
                nothing: "there are no keys of operators",
            };
            client.list(&["admin", "keys"], &[], list, &rows).await
        }
        Command::Create { name, role, why, json } => {
            let body = json!({"name": name, "role": role, "reason": why.reason});
            client.send(Method::POST, &["admin", "keys"], &body).await?.show(json, |made: &Created| {
                out::note(format!("Made {}, a key for the role {}. It is shown only now:", made.id, made.role));
                out::line(&made.operator_key);
            })
        }
        Command::Revoke { id, why, json } => {
            let body = json!({"reason": why.reason});
            client.send(Method::POST, &["admin", "keys", &id, "revoke"], &body).await?;
            json.done("revoked", &id, &format!("{id} works no longer."))
        }
    }
}
