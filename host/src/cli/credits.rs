//! `aaasp credits`: the balance, what moved it, and buying more.

mod auto;
mod buy;

use clap::builder::FalseyValueParser;
use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::client::{Client, ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::period::PeriodArgs;
use super::statements::StatementsArgs;
use super::{out, readable, statements, table};
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
  aaasp credits top-ups
  aaasp credits statements
  aaasp credits history --from 2026-01-01 --to 2026-02-01 --csv"
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
    #[command(after_help = "\
Examples:
  aaasp credits history --reason settle --limit 20
  aaasp credits history --subject run_01h455vb4pex5vsknk084sn02q
  aaasp credits history --from 2026-01-01 --to 2026-02-01 --csv > january.csv")]
    History(HistoryArgs),
    /// List the monthly statements, or show one.
    Statements(StatementsArgs),
    /// Buy credits: prints the page where they are paid.
    Buy(buy::Args),
    /// Buy credits whenever the balance falls below a threshold.
    Auto(auto::Args),
    /// List top-ups and how far each is, latest first.
    TopUps(ListArgs),
}

#[derive(Debug, ClapArgs)]
struct HistoryArgs {
    /// Only what was moved for this reason: grant, hold, settle, release …
    #[arg(long, value_name = "REASON", env = "AAASP_REASON")]
    reason: Option<String>,
    /// Only what belongs to this run, payment, grant or adjustment.
    #[arg(long, value_name = "ID", env = "AAASP_SUBJECT")]
    subject: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Print a table for spreadsheets (CSV).
    #[arg(long, env = "AAASP_CSV", value_parser = FalseyValueParser::new(), conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    list: ListArgs,
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
        Some(Command::History(asked)) => return history(&client, asked).await,
        Some(Command::Statements(asked)) => return statements::run(&client, asked).await,
        Some(Command::Buy(args)) => return buy::run(&client, args).await,
        Some(Command::Auto(args)) => return auto::run(&client, args).await,
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

async fn history(client: &Client, asked: HistoryArgs) -> anyhow::Result<()> {
    let mut filter: Vec<(&str, &str)> = [("reason", &asked.reason), ("subject", &asked.subject)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    filter.extend(asked.period.filter());
    if asked.csv {
        return print_table(client, &filter, asked.list.limit).await;
    }
    let rows = Rows {
        header: &["at", "what", "credits", "from", "to", "for"],
        right: &[2],
        row: |moved: Transaction| {
            let amount = moved.amount_microcredits.to_string();
            vec![readable::time(moved.at), moved.reason, amount, moved.from, moved.to, moved.subject]
        },
        nothing: "nothing such has moved the balance yet",
    };
    client.list(&TRANSACTIONS, &filter, asked.list, &rows).await
}

const TRANSACTIONS: [&str; 2] = ["credits", "transactions"];

/// Prints the table as it comes: its header and as many lines as are wanted.
async fn print_table(client: &Client, filter: &[(&str, &str)], limit: Option<u64>) -> anyhow::Result<()> {
    let mut response = client.table(&TRANSACTIONS, filter).await?;
    let mut left = limit.map_or(u64::MAX, |limit| limit.saturating_add(1));
    while left > 0
        && let Some(chunk) = client.more(&mut response).await?
    {
        for line in String::from_utf8_lossy(&chunk).split_inclusive('\n') {
            if left == 0 {
                break;
            }
            out::part(line);
            left -= u64::from(line.ends_with('\n'));
        }
    }
    Ok(())
}
