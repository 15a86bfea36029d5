//! `aaasp admin statistics`: how the service was used in a month, which says nothing of any account.

use clap::Args as ClapArgs;

use crate::cli::client::Client;
use crate::cli::json::JsonArgs;
use crate::cli::{out, readable, table};
use crate::statistics::{Bucket, Statistics};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The month [default: the last one that is over].
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    let query: Vec<_> = args.month.as_deref().map(|month| ("month", month)).into_iter().collect();
    client.get(&["admin", "statistics"], &query).await?.show(args.json, |found: &Statistics| {
        out::line(found.month.name());
        for histogram in &found.histograms {
            out::line("");
            let rows = histogram.buckets.iter().map(|bucket| vec![range(bucket), counted(bucket, found.minimum)]);
            table::print(&[histogram.by.as_str(), "accounts"], rows);
        }
        match found.made_at {
            Some(at) => out::note(format!(
                "\nMade {}; epsilon {} for each table. {}",
                readable::time(at),
                found.epsilon,
                found.method
            )),
            None => out::note("\nNothing was made of this month: the service did not run a day after it was over."),
        }
    })
}

fn range(bucket: &Bucket) -> String {
    let number = |number: i64| readable::number(number.unsigned_abs());
    match bucket.below {
        Some(below) if below == bucket.from + 1 => number(bucket.from),
        Some(below) => format!("{} to {}", number(bucket.from), number(below - 1)),
        None => format!("{} or more", number(bucket.from)),
    }
}

fn counted(bucket: &Bucket, minimum: i64) -> String {
    bucket
        .accounts
        .map_or_else(|| format!("fewer than {minimum}"), |accounts| readable::number(accounts.unsigned_abs()))
}
