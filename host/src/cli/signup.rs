//! `aaasp signup`: ask a server for an account, or for a new key to it.

use clap::Args as ClapArgs;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, DEFAULT_URL};
use super::json::JsonArgs;
use super::out;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The server sends a letter with a link that works once, within 15 minutes; `aaasp confirm` opens it. An address that has an account already gets a link to a new key.

Example:
  aaasp signup --url https://agents.example.com --email ada@example.com")]
pub(super) struct Args {
    /// Your email address.
    #[arg(long, value_name = "E", env = "AAASP_EMAIL")]
    email: String,
    /// The server's address.
    #[arg(long, value_name = "URL", env = "AAASP_URL", default_value = DEFAULT_URL)]
    url: String,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct Taken {}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = Client::without_key(&args.url)?;
    let answer = client.send(Method::POST, &["accounts"], &json!({"email": args.email})).await?;
    answer.show(args.json, |Taken {}: &Taken| {
        out::line(format!("If {} can have an account, a letter is on its way to it.", args.email));
        out::line("Open its link, or give it to `aaasp confirm`, within 15 minutes.");
    })
}
