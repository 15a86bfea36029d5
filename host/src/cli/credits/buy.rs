//! `aaasp credits buy` and `aaasp credits top-ups`.

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args as ClapArgs;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::cli::client::{Answer, Client, ListArgs, Rows};
use crate::cli::json::JsonArgs;
use crate::cli::{out, readable, table};
use crate::clock::Micros;
use crate::ledger::Microcredits;
use crate::payments::TopUpState;
use crate::payments::money::{self, Money, is_currency};

/// How often it is asked whether a top-up is paid.
const ASKED_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp credits buy --amount 12.00 --currency EUR
  aaasp credits buy --amount 12.00 --currency EUR --wait")]
pub(super) struct Args {
    /// What is to be paid, as it is written: 12.00.
    #[arg(long, value_name = "AMOUNT", env = "AAASP_AMOUNT")]
    amount: String,
    /// The currency's code: EUR.
    #[arg(long, value_name = "CODE", env = "AAASP_CURRENCY")]
    currency: String,
    /// Wait until it is paid; the status is 1 when it is not.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct TopUp {
    id: String,
    state: TopUpState,
    amount: i64,
    currency: String,
    url: Option<String>,
    credited_microcredits: Microcredits,
    taken_microcredits: Microcredits,
    created_at: Micros,
}

impl TopUp {
    fn paid(&self) -> String {
        Money { amount: self.amount, currency: &self.currency }.to_string()
    }
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    let currency = args.currency.to_uppercase();
    if !is_currency(&currency) {
        bail!("`{}` is no currency; write it with three letters: EUR", args.currency);
    }
    let amount = money::parsed(&args.amount, &currency)
        .ok_or_else(|| anyhow!("`{}` is no amount of {currency}; write it like 12.00", args.amount))?;
    let asked = json!({"amount": amount, "currency": currency});
    let answer = client.send(Method::POST, &["credits", "top-ups"], &asked).await?;
    let top_up: TopUp = answer.read()?;
    if !args.wait {
        return answer.show(args.json, |top_up: &TopUp| {
            out::note(format!("Made {}. Pay {} on this page:", top_up.id, top_up.paid()));
            out::line(top_up.url.as_deref().unwrap_or_default());
        });
    }
    out::note(format!("Pay {} at {}", top_up.paid(), top_up.url.as_deref().unwrap_or_default()));
    let (answer, top_up) = until_decided(client, &top_up.id).await?;
    answer.show(args.json, |top_up: &TopUp| {
        let (id, credits) = (top_up.id.clone(), top_up.credited_microcredits.to_string());
        table::facts(&[("top-up", id), ("state", top_up.state.to_string()), ("credits", credits)]);
    })?;
    match top_up.state {
        TopUpState::Paid => Ok(()),
        TopUpState::Review => bail!("it was paid in a way that has no price here; the operator decides"),
        state => bail!("it is not paid, but {state}; another payment on the same page may still succeed"),
    }
}

async fn until_decided(client: &Client, id: &str) -> anyhow::Result<(Answer, TopUp)> {
    loop {
        let answer = client.get(&["credits", "top-ups", id], &[]).await?;
        let top_up: TopUp = answer.read()?;
        if !matches!(top_up.state, TopUpState::Pending | TopUpState::Processing) {
            return Ok((answer, top_up));
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

pub(super) async fn list(client: &Client, list: ListArgs) -> anyhow::Result<()> {
    let rows = Rows {
        header: &["id", "at", "state", "to pay", "credits", "taken back"],
        right: &[3, 4, 5],
        row: |top_up: TopUp| {
            let (credited, taken) = (top_up.credited_microcredits.to_string(), top_up.taken_microcredits.to_string());
            let (paid, at) = (top_up.paid(), readable::time(top_up.created_at));
            vec![top_up.id, at, top_up.state.to_string(), paid, credited, taken]
        },
        nothing: "nothing was bought yet",
    };
    client.list(&["credits", "top-ups"], &[], list, &rows).await
}
