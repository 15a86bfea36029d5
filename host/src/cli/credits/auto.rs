//! `aaasp credits auto`: credits that are bought by themselves.

use anyhow::{anyhow, bail};
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::json::JsonArgs;
use crate::cli::{input, out, table};
use crate::ledger::Microcredits;
use crate::payments::AutoTopUpState;
use crate::payments::money::{self, Money, is_currency};

const PATH: [&str; 2] = ["credits", "auto-top-up"];

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Nothing is bought until you give the payment processor a mandate, on the page that `set` prints.

Examples:
  aaasp credits auto
  aaasp credits auto set --below 5 --amount 20.00 --currency EUR --monthly-cap 100.00
  aaasp credits auto off"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Buy credits whenever the balance falls below a threshold.
    #[command(after_help = "\
Once for each time that it falls, and for no more in a month (UTC) than you say.

Example:
  aaasp credits auto set --below 5 --amount 20.00 --currency EUR --monthly-cap 100.00")]
    Set(SetArgs),
    /// Buy nothing any more, and end the mandate.
    Off {
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
struct SetArgs {
    /// The balance, in credits.
    #[arg(long, value_name = "N", env = "AAASP_BELOW", value_parser = input::credits)]
    below: Microcredits,
    /// What is paid then, as it is written: 20.00.
    #[arg(long, value_name = "AMOUNT", env = "AAASP_AMOUNT")]
    amount: String,
    /// The currency's code: EUR.
    #[arg(long, value_name = "CODE", env = "AAASP_CURRENCY")]
    currency: String,
    /// The most that is paid in a month, as it is written: 100.00.
    #[arg(long, value_name = "AMOUNT", env = "AAASP_MONTHLY_CAP")]
    monthly_cap: String,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct AutoTopUp {
    state: AutoTopUpState,
    threshold_microcredits: Microcredits,
    amount: i64,
    currency: String,
    monthly_cap: i64,
    url: Option<String>,
    off_because: Option<String>,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command {
        None => client.get(&PATH, &[]).await?.show(args.json, show),
        Some(Command::Set(args)) => set(client, args).await,
        Some(Command::Off { json }) => {
            client.send(Method::DELETE, &PATH, &json!({})).await?;
            json.done("off", "auto-top-up", "Nothing is bought by itself any more.")
        }
    }
}

async fn set(client: &Client, args: SetArgs) -> anyhow::Result<()> {
    let currency = args.currency.to_uppercase();
    if !is_currency(&currency) {
        bail!("`{}` is no currency; write it with three letters: EUR", args.currency);
    }
    let parsed = |text: &str| {
        money::parsed(text, &currency)
            .ok_or_else(|| anyhow!("`{text}` is no amount of {currency}; write it like 12.00"))
    };
    let body = json!({
        "threshold_microcredits": args.below, "amount": parsed(&args.amount)?, "currency": currency,
        "monthly_cap": parsed(&args.monthly_cap)?,
    });
    client.send(Method::PUT, &PATH, &body).await?.show(args.json, |auto: &AutoTopUp| match &auto.url {
        Some(url) => {
            out::note("Nothing is bought yet. Give the mandate on this page:");
            out::line(url);
        }
        None => show(auto),
    })
}

fn show(auto: &AutoTopUp) {
    let written = |amount| Money { amount, currency: &auto.currency }.to_string();
    let mut facts = vec![
        ("automatic top-up", auto.state.as_str().to_owned()),
        ("below", format!("{} credits", auto.threshold_microcredits)),
        ("buys for", written(auto.amount)),
        ("in a month", format!("{} at most", written(auto.monthly_cap))),
    ];
    facts.extend(auto.url.clone().map(|url| ("mandate", url)));
    facts.extend(auto.off_because.clone().map(|why| ("off because", why)));
    table::facts(&facts);
}
