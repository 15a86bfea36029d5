//! `aaasp dev`: build and run again whenever a file of the project changes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use futures::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};

use super::json::JsonArgs;
use super::run;
use super::settings::Settings;
use super::watch::Watch;
use super::{build, input, out};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp dev
  aaasp dev agents/word-count --input '{\"text\": \"a b a\"}'")]
pub(super) struct Args {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The input of each run: a file, which is watched too, or JSON [default: input.json of the project].
    #[arg(long, value_name = "FILE|JSON", env = "AAASP_INPUT")]
    input: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let input = args.input.clone().unwrap_or_else(|| args.dir.join("input.json").display().to_string());
    let file = PathBuf::from(&input).canonicalize().ok().filter(|path| path.is_file());
    let dir = args.dir.canonicalize().with_context(|| format!("can't watch {}", args.dir.display()))?;
    let mut watch = Watch::start(&dir, file.as_deref())?;
    // Heard from now on, so that one that comes during a build ends us after it.
    let mut interrupted = signal(SignalKind::interrupt())?;
    loop {
        let ended = once(&args, &input).await;
        // The tools of a build hear it too, and what they say of it is no news.
        if interrupted.recv().now_or_never().is_some() {
            return Ok(());
        }
        // An error is the project's own, and the next change may mend it.
        if let Err(error) = ended {
            out::failure(&error);
        }
        out::note(format!("\nwaiting for a change in {} (Ctrl-C ends)", args.dir.display()));
        tokio::select! {
            changed = watch.changed() => changed?,
            _ = interrupted.recv() => return Ok(()),
        }
        out::note("");
    }
}

async fn once(args: &Args, input: &str) -> anyhow::Result<()> {
    let dir: &Path = &args.dir;
    let built = tokio::task::block_in_place(|| build::build(dir))?;
    out::note(build::shown(&built));
    let input = input::json(input)?;
    run::run_once(&built.path, &input, &args.settings, None, args.json).await?;
    Ok(())
}
