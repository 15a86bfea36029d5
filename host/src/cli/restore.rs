//! `aaasp restore`: a server made of a backup, without those who were erased since.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};

use super::data::DataArgs;
use super::json::{self, JsonArgs};
use super::{out, progress, readable};
use crate::backup::{Progress, Sources, restore};
use crate::clock::Clock;
use crate::config::Overrides;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The data folder must be new, and the database empty. It may be another engine than that of the backup, which is how \
a server moves from the embedded database to PostgreSQL. An account that was erased after the backup was made stays \
erased: each host notes erasures in `erasures.jsonl` in its data folder, or where `erasure_list` of the operator's file \
says. Keys that were revoked after the backup was made are good again.

Examples:
  aaasp restore monday.age --keys monday-keys.zip --erased old/erasures.jsonl --data new
  aaasp restore monday.age --keys monday-keys.zip --nothing-erased --data new --database postgres://localhost/aaasp")]
pub(super) struct Args {
    /// The data.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The keys that were made with them.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// A list of what was erased since; once for each host that had one of its own.
    #[arg(long, value_name = "FILE")]
    erased: Vec<PathBuf>,
    /// Say that nothing was erased since the backup was made.
    #[arg(long, conflicts_with = "erased")]
    nothing_erased: bool,
    /// The age identity that opens the keys, if they are encrypted.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.data.config(Overrides::default())?;
    let sources = Sources {
        data: &args.file,
        keys: &args.keys,
        identity: args.identity.as_deref(),
        erased: &args.erased,
        nothing_erased: args.nothing_erased,
    };
    let bar = progress::on_stderr(ProgressBar::no_length());
    bar.set_style(ProgressStyle::with_template("restoring {wide_bar} {human_pos} of {human_len} rows, {eta} left")?);
    let show = |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let restored = restore(sources, config, Clock::System, &show);
    let restored = restored.await.context("the restore did not come to its end")?;
    bar.finish_and_clear();
    if args.json.json {
        return json::print(&restored);
    }
    out::line(format!("Restored {} of {} into {}.", restored.backup, restored.made_at.rfc3339(), restored.database));
    out::line(format!("  rows                   {}", readable::number(restored.rows)));
    out::line(format!("  accounts erased since  {}", readable::number(restored.erased_since)));
    out::note(format!("\nStart it: aaasp serve --data {}", args.data.data.display()));
    Ok(())
}
