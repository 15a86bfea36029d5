//! `aaasp confirm`: do what the link of a letter is for, and keep the key that it makes.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, DEFAULT_PROFILE, Profile, Profiles};
use super::json::{self, JsonArgs};
use super::out;
use crate::accounts::PAGE;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The link is asked for, or read from standard input; it is never an argument, which others could see. It goes to the server that it names. A key that it makes is kept as a profile, as `aaasp login` does.

Examples:
  aaasp confirm
  aaasp confirm --profile work < link.txt")]
pub(super) struct Args {
    /// The profile's name.
    #[arg(long, value_name = "NAME", env = "AAASP_PROFILE", default_value = DEFAULT_PROFILE)]
    profile: String,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct Confirmed {
    account: String,
    did: String,
    api_key: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    // Before the link is used up.
    let profiles = Profiles::read()?;
    let link = asked_for()?;
    let (url, _) = link
        .trim()
        .split_once(PAGE)
        .context("expected the whole link from the letter, like https://agents.example.com/confirm/…")?;
    let url = url
        .parse::<Url>()
        .context("expected the whole link from the letter, like https://agents.example.com/confirm/…")?;
    let client = Client::without_key(url.as_str())?;
    if let Some(known) = profiles.get(&args.profile)?
        && known.url.trim_end_matches('/') != client.url()
    {
        // The link is not used up, and no key of another server is lost.
        bail!(
            "the profile `{}` is for {}; keep the key of {} as another one: --profile NAME",
            args.profile,
            known.url,
            client.url()
        );
    }
    let answer = client.send(Method::POST, &["accounts", "confirm"], &json!({"link": link.trim()})).await?;
    let confirmed: Confirmed = answer.read()?;
    let kept = match confirmed.api_key {
        Some(api_key) => {
            let profile = Profile { url: client.url().to_owned(), api_key: api_key.into() };
            Some(profiles.keep(&args.profile, &profile)?)
        }
        None => None,
    };
    if args.json.json {
        let profile = kept.is_some().then_some(&args.profile);
        return json::print(&json!({"account": confirmed.account, "did": confirmed.did, "profile": profile}));
    }
    out::line(match confirmed.did.as_str() {
        "opened_account" => format!("Your account is open: {}.", confirmed.account),
        "made_key" => format!("{} has a new key, which may do everything.", confirmed.account),
        "confirmed_one_address" => "Confirmed. The address changes once the other address has confirmed it too.".into(),
        "closed_account" => "Your account is being deleted. To keep it: aaasp account keep".into(),
        "unsubscribed" => {
            "No more news come to your address. To get them again: aaasp account consents --news yes".into()
        }
        "changed_email" => "Your email address has changed.".into(),
        other => format!("Done: {other}."),
    });
    if let Some(path) = kept {
        out::line(format!("The key is in {}, as the profile `{}`.", path.display(), args.profile));
        let named =
            if args.profile == DEFAULT_PROFILE { String::new() } else { format!(" --profile {}", args.profile) };
        out::line(format!("What you have to spend: `aaasp credits{named}`."));
    }
    Ok(())
}

fn asked_for() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("Link from the letter: ").context("can't read the link");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("can't read the link from standard input")?;
    Ok(line)
}
