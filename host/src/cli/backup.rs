//! `aaasp backup`: everything that a server keeps, in two files.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::ExposeSecret as _;

use super::data::DataArgs;
use super::json::{self, JsonArgs};
use super::{out, progress, readable};
use crate::backup::{Progress, make};
use crate::clock::Clock;
use crate::config::Overrides;
use crate::db::DatabaseUrl;
use crate::folder::FolderError;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The hosts may go on meanwhile. The data are encrypted to a key that is in the file of keys alone: keep the two apart, \
and the keys no longer than an erasure may take (30 days). With a recipient the keys are encrypted, too. The operator's \
file, the server log and compiled components are in neither.

Examples:
  aaasp backup /backup/monday.age --keys /safe/monday-keys.zip
  aaasp backup monday.age --keys monday-keys.zip.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudvy7m8qpzfv9l")]
pub(super) struct Args {
    /// Where the data are written.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the keys are written.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Encrypt the keys to this age recipient.
    #[arg(long, value_name = "AGE")]
    recipient: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let recipient = args.recipient.as_deref().map(str::parse::<age::x25519::Recipient>).transpose();
    let recipient = recipient.map_err(|reason| anyhow::anyhow!("--recipient is no age recipient: {reason}"))?;
    if args.file == args.keys {
        bail!("the data and the keys need files of their own");
    }
    let config = args.data.config(Overrides::default())?;
    let url = match &config.database {
        Some(url) => DatabaseUrl::parse(url.expose_secret())?,
        None => {
            let path = crate::folder::database_path(&config.data);
            if !path.exists() {
                return Err(FolderError::Empty(config.data).into());
            }
            DatabaseUrl::sqlite(&path)
        }
    };
    let bar = progress::on_stderr(ProgressBar::no_length());
    bar.set_style(ProgressStyle::with_template("writing {wide_bar} {human_pos} of {human_len} rows, {eta} left")?);
    let show = |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let to = (args.file.as_path(), args.keys.as_path());
    let made = make((&config.data, &url), to, recipient.as_ref(), Clock::System.now(), &show);
    let made = made.await.context("no backup was made")?;
    bar.finish_and_clear();
    if args.json.json {
        return json::print(&made);
    }
    out::line(format!(
        "{}  {}, {} rows",
        made.data.display(),
        readable::bytes(made.data_bytes),
        readable::number(made.rows)
    ));
    out::line(format!("{}  {}", made.keys.display(), readable::bytes(made.keys_bytes)));
    out::note("Keep the two apart. To make a server of them: aaasp restore FILE --keys FILE --data NEW_FOLDER");
    Ok(())
}
