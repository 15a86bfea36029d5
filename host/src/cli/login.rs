//! `aaasp login`: keep a server and a key as a profile.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, DEFAULT_PROFILE, DEFAULT_URL, Profile, Profiles};
use super::json::{self, JsonArgs};
use super::out;
use crate::accounts::ApiKey;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The key is asked for, or read from standard input; it is never an argument, which others could see.

Examples:
  aaasp login --url https://agents.example.com
  aaasp login --profile work < key.txt")]
pub(super) struct Args {
    /// The server's address.
    #[arg(long, value_name = "URL", env = "AAASP_URL", default_value = DEFAULT_URL)]
    url: String,
    /// The profile's name.
    #[arg(long, value_name = "NAME", env = "AAASP_PROFILE", default_value = DEFAULT_PROFILE)]
    profile: String,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct Account {
    id: String,
    email: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let profiles = Profiles::read()?;
    let text = asked_for(&args.url)?;
    let key: ApiKey = text.trim().parse()?;
    let api_key = SecretString::from(key.expose());
    let account: Account = super::block_on(async {
        // A key that does not work is better refused now than at the next command.
        Client::connect(&args.url, api_key.clone(), "this key")?.get(&["account"], &[]).await?.read()
    })?;
    let path = profiles.keep(&args.profile, &Profile { url: args.url.clone(), api_key })?;
    if args.json.json {
        return json::print(&json!({"profile": args.profile, "url": args.url, "account": account.id}));
    }
    out::line(format!("Logged in to {} as {} ({}).", args.url, account.email, account.id));
    out::line(format!("The key is in {}, as the profile `{}`.", path.display(), args.profile));
    Ok(())
}

fn asked_for(url: &str) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("API key for {url}: ")).context("can't read the key");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("can't read the key from standard input")?;
    Ok(line)
}
