//! `aaasp credits`: the balance, what moved it, and buying more.

mod buy;

use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::client::{Client, ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::{readable, table};
use crate::clock::Micros;
use crate::ledger::Microcredits;

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp credits
  aaasp credits history --limit 20
  aaasp credits buy --amount 12.00 --currency EUR
  aaasp credits top-ups"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what moved the balance, latest first.
    History(ListArgs),
    /// Buy credits: prints the page where they are paid.
    Buy(buy::Args),
    /// List top-ups and how far each is, latest first.
    TopUps(ListArgs),
}

/// A balance, as the API shows it.
#[derive(Deserialize)]
pub(super) struct Balance {
    pub available_microcredits: Microcredits,
    pub held_microcredits: Microcredits,
    #[serde(default)]
    pub debt_microcredits: Microcredits,
}

#[derive(Deserialize)]
struct Transaction {
    reason: String,
    subject: String,
    amount_microcredits: Microcredits,
    from: String,
    to: String,
    at: Micros,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command {
        Some(Command::History(list)) => return history(&client, list).await,
        Some(Command::Buy(args)) => return buy::run(&client, args).await,
        Some(Command::TopUps(list)) => return buy::list(&client, list).await,
        None => {}
    }
    client.get(&["credits"], &[]).await?.show(args.json, |balance: &Balance| {
        let mut facts = vec![
            ("available", format!("{} credits", balance.available_microcredits)),
            ("held", format!("{} credits, for runs that have not finished", balance.held_microcredits)),
        ];
        if balance.debt_microcredits > Microcredits::ZERO {
            let debt = balance.debt_microcredits;
            facts.push(("owed", format!("{debt} credits, which the next top-up pays; until then no run starts")));
        }
        table::facts(&facts);
    })
}

async fn history(client: &Client, list: ListArgs) -> anyhow::Result<()> {
    let rows = Rows {
        header: &["at", "what", "credits", "from", "to", "for"],
        right: &[2],
        row: |moved: Transaction| {
            let amount = moved.amount_microcredits.to_string();
            vec![readable::time(moved.at), moved.reason, amount, moved.from, moved.to, moved.subject]
        },
        nothing: "nothing has moved the balance yet",
    };
    client.list(&["credits", "transactions"], &[], list, &rows).await
}
