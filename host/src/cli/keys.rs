//! `aaasp keys`: the account's API keys.

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::{out, readable};
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp keys
  aaasp keys create laptop
  aaasp keys revoke key_01h455vb4pex5vsknk084sn02q"
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
    /// List the keys, without their secrets.
    List(ListArgs),
    /// Make a key. It is shown once.
    Create {
        /// A label that tells it from the others.
        name: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Revoke a key: within a second no host accepts it.
    Revoke {
        /// The key's id, as `aaasp keys` shows it.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Deserialize)]
struct Key {
    id: String,
    name: String,
    created_at: Micros,
    api_key: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["id", "name", "created"],
                right: &[],
                row: |key: Key| vec![key.id, key.name, readable::time(key.created_at)],
                nothing: "there are no keys",
            };
            client.list(&["api-keys"], &[], list, &rows).await
        }
        Command::Create { name, json } => {
            let answer = client.send(Method::POST, &["api-keys"], &json!({"name": name})).await?;
            answer.show(json, |key: &Key| {
                out::note(format!("Made {} ({}). The key is shown only now:", key.id, key.name));
                out::line(key.api_key.as_deref().unwrap_or_default());
            })
        }
        Command::Revoke { id, json } => {
            client.delete(&["api-keys", &id]).await?;
            json.done("revoked", &id, &format!("Revoked {id}."))
        }
    }
}
