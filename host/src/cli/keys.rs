//! `aaasp keys`: the account's API keys.

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::{out, readable};
use crate::accounts::{Scope, Scopes};
use crate::clock::{Clock, Micros};

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp keys
  aaasp keys create laptop
  aaasp keys create ci --scope agents:write --scope agents:read --expires-in-days 90
  aaasp keys create office --scope runs:create,runs:read --from 192.0.2.0/24
  aaasp keys rotate key_01h455vb4pex5vsknk084sn02q
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
        /// What it may do [default: what the key may do that makes it].
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = str::parse::<Scope>)]
        scopes: Vec<Scope>,
        /// An address or a network that it may be used from [default: as the key that makes it].
        #[arg(long = "from", value_name = "ADDRESS", value_delimiter = ',')]
        addresses: Vec<String>,
        /// Days after which it is refused [default: as the key that makes it].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires_in_days: Option<u32>,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Make a key in the place of another, which goes on working for a while. It is shown once.
    Rotate {
        /// The key's id, as `aaasp keys` shows it.
        id: String,
        /// How long the old one goes on working, in hours.
        #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
        overlap_hours: u32,
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
    scopes: Scopes,
    addresses: Vec<String>,
    created_at: Micros,
    expires_at: Option<Micros>,
    last_used_at: Option<Micros>,
    api_key: Option<String>,
}

fn made(key: &Key) {
    out::note(format!("Made {} ({}), for: {}. The key is shown only now:", key.id, key.name, key.scopes));
    out::line(key.api_key.as_deref().unwrap_or_default());
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["id", "name", "scopes", "from", "created", "last used", "expires"],
                right: &[],
                row: |key: Key| {
                    let or_never = |at: Option<Micros>| at.map_or_else(|| "never".to_owned(), readable::time);
                    let from = if key.addresses.is_empty() { "anywhere".to_owned() } else { key.addresses.join(" ") };
                    let (created, used) = (readable::time(key.created_at), or_never(key.last_used_at));
                    vec![key.id, key.name, key.scopes.to_string(), from, created, used, or_never(key.expires_at)]
                },
                nothing: "there are no keys",
            };
            client.list(&["api-keys"], &[], list, &rows).await
        }
        Command::Create { name, scopes, addresses, expires_in_days, json } => {
            let mut new = json!({"name": name});
            if !scopes.is_empty() {
                new["scopes"] = json!(scopes);
            }
            if !addresses.is_empty() {
                new["addresses"] = json!(addresses);
            }
            if let Some(days) = expires_in_days {
                new["expires_at"] = json!(Clock::System.now().plus_ms(i64::from(days) * 86_400_000));
            }
            client.send(Method::POST, &["api-keys"], &new).await?.show(json, made)
        }
        Command::Rotate { id, overlap_hours, json } => {
            let rotation = json!({"overlap_seconds": overlap_hours * 3600});
            client.send(Method::POST, &["api-keys", &id, "rotate"], &rotation).await?.show(json, |key: &Key| {
                out::note(format!("{id} goes on working for {overlap_hours} hours."));
                made(key);
            })
        }
        Command::Revoke { id, json } => {
            client.delete(&["api-keys", &id]).await?;
            json.done("revoked", &id, &format!("Revoked {id}."))
        }
    }
}
