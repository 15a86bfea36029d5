//! `aaasp build`: make a project's component.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::json::{self, JsonArgs};
use super::{out, progress, readable};
use crate::authoring::{self, Built, Progress};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The language is told by Cargo.toml, package.json or pyproject.toml. Nothing is installed: what is missing is named, \
with the one command that installs it.

Examples:
  aaasp build
  aaasp build agents/word-count --json")]
pub(super) struct Args {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let built = build(&args.dir)?;
    if args.json.json {
        return json::print(&json!({
            "name": built.name,
            "lang": built.lang.to_string(),
            "path": built.path,
            "size_bytes": built.size_bytes,
            "digest": built.digest,
        }));
    }
    out::line(shown(&built));
    Ok(())
}

/// Builds a project, showing what goes on to a person.
pub(super) fn build(dir: &Path) -> anyhow::Result<Built> {
    let bar = progress::on_stderr(ProgressBar::new_spinner());
    // One message, so that all of it is cut where a narrow terminal ends.
    bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}")?);
    bar.enable_steady_tick(Duration::from_millis(100));
    let drawn = std::io::stderr().is_terminal();
    let mut current = String::new();
    let built = authoring::build(dir, &mut |progress| match progress {
        Progress::Step(step) if drawn => {
            step.clone_into(&mut current);
            bar.set_message(current.clone());
        }
        Progress::Step(step) => out::note(step),
        Progress::Output(line) => bar.set_message(format!("{current}: {}", readable::printable(line.trim()))),
    });
    bar.finish_and_clear();
    Ok(built?)
}

/// Path, size and digest.
pub(super) fn shown(built: &Built) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = built.path.strip_prefix(here).unwrap_or(&built.path);
    format!("{}  {}  {}", path.display(), readable::bytes(built.size_bytes), built.digest)
}
