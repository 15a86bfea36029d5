//! `aaasp privacy`: what is kept about people.

use clap::{Args as ClapArgs, Subcommand};

use super::data::DataArgs;
use super::json::{self, JsonArgs};
use super::out;
use crate::config::Overrides;
use crate::privacy::map::{self, Record};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Both are made of what the software does, under the operator's file: neither needs a server.

Examples:
  aaasp privacy map
  aaasp privacy record --json")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the data map: each table and column with purpose, basis, retention and erasure.
    #[command(after_help = "\
Examples:
  aaasp privacy map > data-map.md
  aaasp privacy map --json")]
    Map(ShowArgs),
    /// Print the record of processing activities (GDPR, Article 30).
    #[command(after_help = "\
Who is responsible, and who else sees data, is the operator's to say, in `[operator]` of the file.

Examples:
  aaasp privacy record > record.md
  aaasp privacy record --data aaasp-data --json")]
    Record(ShowArgs),
}

#[derive(Debug, ClapArgs)]
struct ShowArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Map(args) if args.json.json => json::print(&map::tables().collect::<Vec<_>>()),
        Command::Map(args) => {
            out::part(map::markdown(&args.data.config(Overrides::default())?));
            Ok(())
        }
        Command::Record(args) => {
            let record = Record::of(&args.data.config(Overrides::default())?);
            if args.json.json {
                return json::print(&record);
            }
            out::part(record.markdown());
            Ok(())
        }
    }
}
