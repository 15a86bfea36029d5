//! `aaasp requests`: what the account asked the server for.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::client::{ListArgs, Rows, ServerArgs};
use super::period::PeriodArgs;
use super::readable;
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A request is listed a second after it was answered, for as many days as the plan says. Of who made
it only the key is kept, no address. What was refused for a rate (429) is not listed.

Examples:
  aaasp requests --limit 20
  aaasp requests --status 404 --from 2026-01-31
  aaasp requests --route '/v1/runs/{id}' --json")]
pub(super) struct Args {
    /// Only requests that were answered with this status.
    #[arg(long, value_name = "STATUS", env = "AAASP_STATUS", value_parser = clap::value_parser!(u16).range(100..600))]
    status: Option<u16>,
    /// Only requests to this route, as it is listed.
    #[arg(long, value_name = "ROUTE", env = "AAASP_ROUTE")]
    route: Option<String>,
    /// Only requests with this key.
    #[arg(long, value_name = "KEY", env = "AAASP_KEY")]
    key: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Deserialize)]
struct Request {
    id: String,
    at: Micros,
    api_key: String,
    method: String,
    route: String,
    status: u16,
    duration_us: u64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let status = args.status.map(|status| status.to_string());
    let mut filter: Vec<(&str, &str)> = [("status", &status), ("route", &args.route), ("api_key", &args.key)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    filter.extend(args.period.filter());
    let rows = Rows {
        header: &["at", "method", "route", "status", "took", "key", "request"],
        right: &[4],
        row: |made: Request| {
            let (status, took) = (made.status.to_string(), readable::duration_us(made.duration_us));
            vec![readable::time(made.at), made.method, made.route, status, took, made.api_key, made.id]
        },
        nothing: "there are no such requests",
    };
    client.list(&["requests"], &filter, args.list, &rows).await
}
