//! `aaasp admin audit`: what operators and owners did.

use clap::Args as ClapArgs;
use serde::Deserialize;

use crate::cli::client::{Client, ListArgs, Rows};
use crate::cli::readable;
use crate::clock::Micros;
use crate::ledger::Microcredits;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Only what is about this account.
    #[arg(long, value_name = "ID", env = "AAASP_ACCOUNT")]
    account: Option<String>,
    /// Only this act: `create_key`, `grant`.
    #[arg(long, value_name = "ACT")]
    act: Option<String>,
    /// The signed heads of the audit's chain instead, to be kept elsewhere.
    #[arg(long, conflicts_with_all = ["account", "act"])]
    heads: bool,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Deserialize)]
struct Entry {
    position: i64,
    at: Micros,
    actor: String,
    act: String,
    account: Option<String>,
    subject: Option<String>,
    amount_microcredits: Option<Microcredits>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    position: i64,
    at: Micros,
    chain: String,
    signature: String,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    if args.heads {
        let rows = Rows {
            header: &["position", "at", "chain", "signature"],
            right: &[0],
            row: |head: Head| vec![head.position.to_string(), readable::time(head.at), head.chain, head.signature],
            nothing: "nothing was signed yet",
        };
        return client.list(&["admin", "audit", "heads"], &[], args.list, &rows).await;
    }
    let rows = Rows {
        header: &["position", "at", "who", "what", "account", "subject", "credits", "why"],
        right: &[0, 6],
        row: |entry: Entry| {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let amount = or_none(entry.amount_microcredits.map(|amount| amount.to_string()));
            let (account, subject) = (or_none(entry.account), or_none(entry.subject));
            let (position, at) = (entry.position.to_string(), readable::time(entry.at));
            vec![position, at, entry.actor, entry.act, account, subject, amount, or_none(entry.reason)]
        },
        nothing: "nothing was done yet",
    };
    let filter: Vec<_> = [("account", &args.account), ("act", &args.act)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    client.list(&["admin", "audit"], &filter, args.list, &rows).await
}
