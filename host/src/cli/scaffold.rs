//! `aaasp new`: start an agent's project.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;

use super::json::{self, JsonArgs};
use super::out;
use crate::authoring::{self, Lang};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp new --lang rust word-count
  aaasp new --lang python triage --dir agents/triage")]
pub(super) struct Args {
    /// The agent's name: a-z, 0-9 and -.
    name: String,
    /// The language that it is written in.
    #[arg(long, value_name = "rust|js|python", env = "AAASP_LANG", hide_possible_values = true)]
    lang: LangArg,
    /// The project's folder [default: the name].
    #[arg(long, value_name = "DIR", env = "AAASP_DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LangArg {
    Rust,
    Js,
    Python,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (lang, first) = match args.lang {
        LangArg::Rust => (Lang::Rust, None),
        LangArg::Js => (Lang::JavaScript, Some("npm install")),
        LangArg::Python => (Lang::Python, Some("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt")),
    };
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let files = authoring::scaffold(lang, &args.name, &dir)?;
    if args.json.json {
        return json::print(&json!({"name": args.name, "dir": dir, "files": files}));
    }
    for file in files {
        out::line(dir.join(file).display());
    }
    out::note(format!("\nA {lang} agent, ready to be built and run:\n\n  cd {}", dir.display()));
    for command in first.into_iter().chain(["aaasp build"]) {
        out::note(format!("  {command}"));
    }
    out::note(format!("  aaasp run build/{}.wasm --input input.json", args.name));
    Ok(())
}
