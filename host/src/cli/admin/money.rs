//! `aaasp admin adjust`, `refund`, `reconcile` and `acts`.

use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::Why;
use crate::cli::client::{Client, ListArgs, Rows};
use crate::cli::json::JsonArgs;
use crate::cli::{input, out, readable, table};
use crate::clock::Micros;
use crate::ledger::Microcredits;
use crate::payments::{PAYMENT_DAYS, Reconciled, Refunded, ReversalState};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Correct an account's balance, upwards or downwards.
    #[command(after_help = "\
A debt is paid first. No more is taken away than is there.

Examples:
  aaasp admin adjust acc_01h455vb4pex5vsknk084sn02q --credits 5 --reason \"an outage\"
  aaasp admin adjust acc_01h455vb4pex5vsknk084sn02q --credits -5 --reason \"given twice\"")]
    Adjust {
        /// The account's id.
        account: String,
        /// How many credits, with up to six decimals; below zero takes them away.
        #[arg(long, value_name = "N", env = "AAASP_CREDITS", value_parser = input::signed_credits,
              allow_hyphen_values = true)]
        credits: Microcredits,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Give back what was paid for a top-up, or a part of it.
    #[command(after_help = "\
The payment processor gives the money back; the credits go when it has.

Examples:
  aaasp admin refund tup_01h455vb4pex5vsknk084sn02q --reason \"asked for it\"
  aaasp admin refund tup_01h455vb4pex5vsknk084sn02q --credits 2.5 --reason \"a part was used\"")]
    Refund {
        /// The top-up's id.
        top_up: String,
        /// How many of its credits [default: all that are left].
        #[arg(long, value_name = "N", env = "AAASP_CREDITS", value_parser = input::credits)]
        credits: Option<Microcredits>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Ask the payment processor for what no webhook has told.
    #[command(after_help = "\
It is done every night, too. Twice does no harm.

Example:
  aaasp admin reconcile --days 30 --reason \"the host was down\"")]
    Reconcile {
        /// How many days to look back.
        #[arg(long, value_name = "N", default_value_t = PAYMENT_DAYS, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// List what operators did and why, latest first.
    Acts {
        /// Only what was done to this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
}

#[derive(Deserialize)]
struct Act {
    at: Micros,
    act: String,
    account: Option<String>,
    subject: Option<String>,
    amount_microcredits: Option<Microcredits>,
    reason: Option<String>,
}

pub(super) async fn run(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Adjust { account, credits, why, json } => {
            let path = ["admin", "accounts", &account, "adjustments"];
            let body = json!({"amount_microcredits": credits, "reason": why.reason});
            let answer = client.send(Method::POST, &path, &body).await?;
            answer.show(json, |_: &IgnoredAny| out::line(format!("Changed {account} by {credits} credits.")))
        }
        Command::Refund { top_up, credits, why, json } => {
            let path = ["admin", "top-ups", &top_up, "refunds"];
            let body = json!({"credits_microcredits": credits, "reason": why.reason});
            client.send(Method::POST, &path, &body).await?.show(json, |refunded: &Refunded| {
                let credits = refunded.credits_microcredits;
                out::line(match refunded.state {
                    ReversalState::Taken => format!("Gave back {credits} credits of {top_up}."),
                    ReversalState::Open => format!("The processor will give back {credits} credits of {top_up}."),
                    ReversalState::Dropped => format!("The processor did not give anything back of {top_up}."),
                });
            })
        }
        Command::Reconcile { days, why, json } => {
            let body = json!({"days": days, "reason": why.reason});
            client.send(Method::POST, &["admin", "reconcile"], &body).await?.show(json, reconciled)
        }
        Command::Acts { account, list } => acts(client, account.as_deref(), list).await,
    }
}

fn reconciled(found: &Reconciled) {
    table::facts(&[
        ("payments", found.payments.to_string()),
        ("refunds and disputes", found.reversals.to_string()),
        ("repaired", found.repaired.len().to_string()),
        ("unknown", found.unknown.len().to_string()),
        ("not checked", found.unchecked.len().to_string()),
        ("to review", found.review.len().to_string()),
    ]);
    let repaired = found.repaired.iter().map(|each| vec![each.id.clone(), format!("is {} now", each.state)]);
    let unknown = found.unknown.iter().map(|id| vec![id.clone(), "names a top-up that is not there".to_owned()]);
    let review = found.review.iter().map(|id| vec![id.to_string(), "was paid, and has no price: adjust".to_owned()]);
    let unchecked =
        found.unchecked.iter().map(|id| vec![id.clone(), "could not be checked: the log says why".to_owned()]);
    let rows: Vec<_> = repaired.chain(unknown).chain(unchecked).chain(review).collect();
    if !rows.is_empty() {
        out::line("");
        table::print(&["what", "how"], rows);
    }
}

async fn acts(client: &Client, account: Option<&str>, list: ListArgs) -> anyhow::Result<()> {
    let rows = Rows {
        header: &["at", "what", "account", "subject", "credits", "why"],
        right: &[4],
        row: |act: Act| {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let amount = or_none(act.amount_microcredits.map(|amount| amount.to_string()));
            let (account, subject) = (or_none(act.account), or_none(act.subject));
            vec![readable::time(act.at), act.act, account, subject, amount, or_none(act.reason)]
        },
        nothing: "operators have done nothing yet",
    };
    let filter: Vec<_> = account.map(|account| ("account", account)).into_iter().collect();
    client.list(&["admin", "acts"], &filter, list, &rows).await
}
