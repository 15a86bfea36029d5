//! `aaasp config show`: the effective values, each with where it comes from.

use clap::{Args as ClapArgs, Subcommand};

use super::data::DataArgs;
use super::json::{self, JsonArgs};
use super::table;
use crate::config::{Origin, Overrides};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  aaasp config show --data aaasp-data")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the effective values and where each comes from.
    #[command(after_help = "\
Examples:
  aaasp config show
  aaasp config show --config new.toml --json")]
    Show(ShowArgs),
}

#[derive(Debug, ClapArgs)]
struct ShowArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let Command::Show(args) = args.command;
    let config = args.data.config(Overrides::default())?;
    if args.json.json {
        return json::print(&config.shown());
    }
    let rows = config.shown().iter().map(|shown| {
        let origin = match shown.origin {
            Origin::Default => "default".to_owned(),
            Origin::File => shown.file.clone().unwrap_or_default(),
            Origin::Flag => "flag or environment".to_owned(),
        };
        vec![shown.key.clone(), shown.value.clone(), origin]
    });
    table::print(&["key", "value", "from"], rows);
    Ok(())
}
