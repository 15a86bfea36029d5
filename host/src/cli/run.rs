//! `aaasp run`: run a component on this machine, in the same sandbox and on the same meter as a host does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args as ClapArgs};
use serde_json::value::RawValue;

use super::client::ServerArgs;
use super::json::{self, JsonArgs};
use super::local::{Local, LocalRun};
use super::local_custody::LocalCustody;
use super::log_lines::LogStyle;
use super::settings::Settings;
use super::{AlreadySaid, input, out, readable, run_view};
use crate::grants::Grants;
use crate::limits::RunLimits;
use crate::names::Name;
use crate::runtime::Outcome;
use crate::vault::custody::Custody;

#[derive(Debug, ClapArgs)]
#[command(
    group = ArgGroup::new("what").required(true),
    after_help = "\
The output goes to standard output; log, fuel and charge go to standard error. The status is 0 when the run succeeded. \
`aaasp start` starts a run of a deployment on a server instead.

Examples:
  aaasp run build/word-count.wasm --input '{\"text\": \"a b a\"}'
  aaasp run build/word-count.wasm --input input.json --limit fuel=5000000 --config language=en
  AAASP_CREDENTIAL_GITHUB=… aaasp run build/triage.wasm --input '{}' --credential github=api.github.com
  aaasp run build/word-count.wasm --from run_01h455vb4pex5vsknk084sn02q"
)]
pub(super) struct Args {
    /// The component, as `aaasp build` makes it.
    component: PathBuf,
    /// The input: a file, - for standard input, or JSON.
    #[arg(long, group = "what", value_name = "FILE|-|JSON", env = "AAASP_INPUT")]
    input: Option<String>,
    /// Take the input of this run on the server.
    #[arg(long, group = "what", value_name = "RUN", env = "AAASP_FROM")]
    from: Option<String>,
    /// When the run traps, write the agent's memory and stack to this file, for a debugger of WebAssembly.
    #[arg(long, value_name = "FILE", env = "AAASP_CORE_DUMP")]
    core_dump: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    check_exists(&args.component)?;
    let input = match (&args.input, &args.from) {
        (_, Some(run)) => args.server.client()?.get(&["runs", run, "input"], &[]).await?.read()?,
        (Some(input), None) => input::json(input)?,
        (None, None) => bail!("give the run an --input, or the input of another run with --from"),
    };
    let succeeded = run_once(&args.component, &input, &args.settings, args.core_dump.as_deref(), args.json).await?;
    if succeeded { Ok(()) } else { Err(AlreadySaid.into()) }
}

/// Runs a component and shows all of it; true when it succeeded.
pub(super) async fn run_once(
    component: &Path,
    input: &RawValue,
    settings: &Settings,
    core_dump: Option<&Path>,
    json: JsonArgs,
) -> anyhow::Result<bool> {
    let part = settings.part()?;
    let local = Local::open(component, RunLimits::default().replaced_by(part.overlay()), core_dump.is_some()).await?;
    local.check(input)?;
    let style = LogStyle::of(&std::io::stderr());
    let show_line = |line: &crate::runs::LogLine| {
        if !json.json {
            out::note(style.text(line));
        }
    };
    let mut grants = Grants::default();
    part.grant(&mut grants)?;
    let custody = Arc::new(LocalCustody::open(&grants)?);
    let granted = (Arc::new(grants), Arc::clone(&custody) as Arc<dyn Custody>);
    let run = local.run(input, part.config, granted, show_line).await;
    if json.json {
        json::print(&run)?;
    } else {
        for line in custody.lines() {
            out::note(readable::printable(&line));
        }
        show(&run);
    }
    if let (Some(file), Some(dump)) = (core_dump, &run.core_dump) {
        std::fs::write(file, dump).with_context(|| format!("can't write the core dump to {}", file.display()))?;
        out::note(format!("wrote a core dump of {} to {}", readable::bytes(dump.len() as u64), file.display()));
    }
    Ok(run.outcome == Outcome::Succeeded)
}

fn show(run: &LocalRun) {
    let state = run.outcome.as_str().replace('_', " ");
    if let Some(output) = &run.output {
        json::print_text(output.get());
    }
    if let Some(error) = &run.error {
        for line in run_view::error_lines(&state, error) {
            out::note(line);
        }
    }
    out::note("");
    for line in run_view::charge_lines(&run.charges) {
        out::note(line);
    }
    out::note(format!(
        "\n{state} in {}, {} of memory at most; the charge is at the default prices",
        readable::duration_us(run.usage.wall_clock_us),
        readable::bytes(run.usage.peak_memory_bytes),
    ));
}

/// Says what was meant when a deployment's name stands where a file should.
fn check_exists(component: &Path) -> anyhow::Result<()> {
    if component.is_file() {
        return Ok(());
    }
    let shown = component.display();
    if component.is_dir() {
        bail!("{shown} is a folder; build it with `aaasp build {shown}`, and run the component that this prints");
    }
    match component.to_str().map(str::parse::<Name>) {
        Some(Ok(name)) => {
            bail!("there is no file `{name}`; to start a run of the deployment `{name}`, use `aaasp start {name}`")
        }
        _ => bail!("there is no file `{shown}`; `aaasp build` makes one"),
    }
}
