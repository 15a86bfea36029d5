//! How fast runs are, as ratios taken in one go: bare wasmtime, in process, over HTTP, and `wasmtime serve` beside.

mod load;
mod neighbours;
mod process;
mod report;
mod restart;
mod rights;
mod target;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pico_args::Arguments;
use serde_json::Value;

use crate::setup::{self, Tool};
use crate::temporary::TemporaryFolder;
use crate::workspace::Workspace;
use crate::{interrupt, shell};
use load::Load;
use report::Report;
use target::Target;

/// The trivial guests, one log line each, and the one that is anything but.
const GUESTS: [&str; 5] = [
    "xtask/guests/hello-rust",
    "xtask/guests/hello-js",
    "xtask/guests/hello-python",
    "xtask/guests/hello-http",
    "xtask/guests/hostile-rust",
];

/// What is measured, in this order.
const PARTS: [&str; 6] = ["in-process", "egress", "restarts", "neighbours", "rights", "http"];

/// What a person may shorten.
pub struct Options {
    seconds: u32,
    runs: usize,
    clients: Vec<u32>,
    json: Option<PathBuf>,
    only: Vec<String>,
}

impl Options {
    /// Reads the options off the command line.
    pub fn parse(arguments: &mut Arguments) -> Result<Self> {
        let clients: String = arguments.opt_value_from_str("--clients")?.unwrap_or_else(|| "1,16,64,256".into());
        let clients = clients.split(',').map(|n| n.trim().parse().context("--clients is a list of numbers"));
        let options = Self {
            seconds: arguments.opt_value_from_str("--seconds")?.unwrap_or(10),
            runs: arguments.opt_value_from_str("--runs")?.unwrap_or(5),
            clients: clients.collect::<Result<_>>()?,
            json: arguments.opt_value_from_str("--json")?,
            only: arguments.values_from_str("--only")?,
        };
        for part in &options.only {
            ensure!(PARTS.contains(&part.as_str()), "--only is one of {}", PARTS.join(", "));
        }
        ensure!(options.seconds > 0 && options.runs > 0, "--seconds and --runs are at least 1");
        ensure!(options.clients.iter().all(|&clients| clients > 0), "--clients are at least 1");
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

/// Measures everything, prints the table and, when asked, writes the results as JSON.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::provide(workspace, setup::FOR_TESTS)?;
    setup::provide(workspace, &[Tool::Wrk])?;
    if options.wants("http") {
        // `wasmtime serve` is what the host is compared with.
        setup::provide(workspace, &[Tool::WasmtimeCli])?;
    }
    let aaasp = workspace.build_host_release()?;
    share_packages(workspace)?;
    let mut components = Vec::new();
    for guest in GUESTS {
        components.push(workspace.build_agent(&aaasp, guest)?);
    }
    let [rust, javascript, python, http, hostile] = &components[..] else { anyhow::bail!("the guests are not built") };

    let mut report = Report::new(options.seconds, options.runs);
    let folder = TemporaryFolder::create("bench")?;
    // In process first, while nothing else runs.
    if options.wants("in-process") {
        let mut bench = Command::new(&aaasp);
        bench.args(["bench", "--json", "--seconds", &options.seconds.to_string()]).args([rust, javascript, python]);
        report.in_process(serde_json::from_str::<Value>(&shell::capture(&mut bench)?)?);
    }
    if options.wants("egress") {
        report.egress(egress(&aaasp, folder.path(), options.seconds)?);
    }
    if options.wants("restarts") {
        report.restarts(restart::measure(&aaasp, folder.path(), &[rust, javascript, python])?);
    }
    if options.wants("neighbours") {
        let turns = (options.seconds, options.runs);
        report.neighbours(neighbours::measure(&aaasp, folder.path(), rust, hostile, turns)?);
    }
    if options.wants("rights") {
        let turns = (options.seconds, options.runs);
        report.rights(rights::measure(&aaasp, folder.path(), rust, hostile, turns)?);
    }
    if options.wants("http") {
        over_http(&mut report, options, Target::all(workspace, &aaasp, folder.path(), rust, http)?, folder.path())?;
    }

    print!("{}", report.table());
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", report.json());
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Presses each server with each number of clients, and compares charges and balances at the end.
fn over_http(report: &mut Report, options: &Options, targets: Vec<Target>, folder: &Path) -> Result<()> {
    for target in &targets {
        report.idle(target.name, target.idle_memory()?);
    }
    // Targets take turns within each round, so that a slow minute of the machine slows them all.
    for round in 1..=options.runs {
        for &clients in &options.clients {
            for target in &targets {
                interrupt::check()?;
                eprintln!("round {round} of {}: {}, {clients} clients", options.runs, target.name);
                let load = Load { clients, seconds: options.seconds, folder };
                report.measured(target.name, clients, target.measure(&load)?);
            }
        }
    }
    targets.iter().try_for_each(Target::verify_balance)
}

/// What the broker adds to a small HTTPS request, as the host measures it against a server of its own.
fn egress(aaasp: &Path, folder: &Path, seconds: u32) -> Result<Value> {
    let (certificate, key) = (folder.join("localhost.pem"), folder.join("localhost.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"]).arg(&certificate).arg("-keyout").arg(&key);
    shell::capture(&mut openssl).context("openssl makes the certificate; it is in Debian's package `openssl`")?;
    let mut bench = Command::new(aaasp);
    bench.args(["bench", "--json", "--seconds", &seconds.to_string(), "--egress-certificate"]).arg(&certificate);
    bench.arg("--egress-key").arg(&key);
    Ok(serde_json::from_str(&shell::capture(&mut bench)?)?)
}

/// The JavaScript guest finds its toolchain in a folder above it: the one that the tests' agent has.
fn share_packages(workspace: &Workspace) -> Result<()> {
    let link = workspace.root.join("xtask/guests/node_modules");
    match std::os::unix::fs::symlink("../../plugins/webhook-triage/node_modules", &link) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot make {}", link.display()))
        }
        _ => Ok(()),
    }
}
