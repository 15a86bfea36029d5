//! `aaasp init`: a data folder, its keys, its database, a first account.

use clap::Args as ClapArgs;
use serde_json::json;

use super::data::DataArgs;
use super::json::{self, JsonArgs};
use super::{input, out};
use crate::clock::Clock;
use crate::config::Overrides;
use crate::folder::{Folder, FolderError};
use crate::host::{FirstAccount, Store};
use crate::ledger::Microcredits;

/// Credits of the first account, when nothing else is said.
pub(super) const FIRST_CREDITS: Microcredits = Microcredits(100 * Microcredits::PER_CREDIT);

/// The address of the first account, when nothing else is said.
pub(super) const FIRST_EMAIL: &str = "owner@localhost";

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp init
  aaasp init --data /srv/aaasp --email ada@example.com --credits 500")]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Email address of the first account.
    #[arg(long, value_name = "E", env = "AAASP_EMAIL", default_value = FIRST_EMAIL)]
    email: String,
    /// Credits that the first account gets, with up to six decimals [default: 100].
    #[arg(long, value_name = "N", env = "AAASP_CREDITS", value_parser = input::credits)]
    credits: Option<Microcredits>,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let config = args.data.config(Overrides::default())?;
    let folder = Folder::take(&args.data.data)?;
    if folder.is_initialised() {
        return Err(FolderError::Initialised(args.data.data).into());
    }
    let grant = args.credits.unwrap_or(FIRST_CREDITS);
    let first = super::block_on(async {
        let store = Store::open(folder, config, Clock::System).await?;
        let first = store.first_account(&args.email, grant).await?;
        store.db.close().await;
        Ok(first)
    })?;
    show(&first, grant, &args)
}

fn show(first: &FirstAccount, grant: Microcredits, args: &Args) -> anyhow::Result<()> {
    if args.json.json {
        return json::print(&json!({"account": first.account, "api_key": first.api_key}));
    }
    let data = args.data.data.display();
    out::line(format!("Made {data} with keys, a database and an account.\n"));
    print_first(first);
    out::line(format!("  credits       {grant}"));
    out::line("\nThe API key is shown only now. Start the host, and use the key from another terminal:\n");
    out::line(format!("  aaasp serve --data {data}"));
    out::line(format!("  export AAASP_API_KEY={}", first.api_key));
    Ok(())
}

pub(super) fn print_first(first: &FirstAccount) {
    out::line(format!("  account       {}", first.account));
    out::line(format!("  API key       {}", first.api_key));
    out::line(format!("  operator key  in {}", first.operator_key.display()));
}
