//! The command line. Exit codes: 0 done, 1 refused or failed with a message on stderr, 2 wrong usage.

mod account;
mod admin;
mod agents;
mod audit;
mod backup;
mod bench;
mod build;
mod client;
mod compile;
mod config;
mod confirm;
mod credential;
mod credits;
mod data;
mod deploy;
mod deployments;
mod dev;
mod granted;
mod home;
mod import;
mod init;
mod input;
mod json;
mod key;
mod keys;
mod ledger;
mod local;
mod local_custody;
mod log_lines;
mod login;
mod logs;
mod out;
mod period;
mod privacy;
mod progress;
mod readable;
mod receipt;
mod requests;
mod restore;
mod run;
mod run_view;
mod runs;
mod scaffold;
mod serve;
mod settings;
mod signup;
mod start;
mod statements;
mod support;
mod table;
mod upload;
mod watch;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Agents as a service, on your own machine.
#[derive(Debug, Parser)]
#[command(
    name = "aaasp",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "\
From nothing to a run, in three steps:
  aaasp new --lang rust word-count && cd word-count
  aaasp build
  aaasp run build/word-count.wasm --input input.json"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start an agent's project in Rust, JavaScript or Python.
    New(scaffold::Args),
    /// Build a project into a component.
    Build(build::Args),
    /// Run a component on this machine: same sandbox, same meter, no server.
    Run(run::Args),
    /// Build and run again whenever a file of the project changes.
    Dev(dev::Args),
    /// Upload a component and deploy it.
    Deploy(deploy::Args),
    /// Start a run of a deployment on the server.
    Start(start::Args),
    /// List, show and cancel runs.
    Runs(runs::Args),
    /// Show the log of a run.
    Logs(logs::Args),
    /// Upload, list, show and delete agents.
    Agents(agents::Args),
    /// List, show and delete deployments.
    Deployments(deployments::Args),
    /// Upload and deploy what a copy of another account has.
    Import(import::Args),
    /// Keep credentials that agents use and never see.
    Credential(credential::Args),
    /// Show each use of a credential, or verify the server's audit.
    Audit(audit::Args),
    /// Get and verify signed receipts of runs.
    Receipt(receipt::Args),
    /// List the requests that came with the account's keys.
    Requests(requests::Args),
    /// Show the balance and what moved it, and buy credits.
    Credits(credits::Args),
    /// Show and change the account.
    Account(account::Args),
    /// Ask the operator, and read the answers.
    Support(support::Args),
    /// List, make and revoke API keys.
    Keys(keys::Args),
    /// Ask a server for an account, or for a new key to it.
    Signup(signup::Args),
    /// Do what the link of a letter is for, and keep the key that it makes.
    Confirm(confirm::Args),
    /// Keep a server and a key as a profile.
    Login(login::Args),
    /// Make a data folder with keys, a database, a first account and its key.
    Init(init::Args),
    /// Run a host.
    Serve(serve::Args),
    /// Make accounts, give and correct credits, suspend: for operators.
    Admin(admin::Args),
    /// List, rotate and retire master keys, rotate data keys: for operators.
    Key(key::Args),
    /// Show what is kept about people, why and for how long.
    Privacy(privacy::Args),
    /// Look at the operator's configuration.
    Config(config::Args),
    /// Verify the ledger of a data folder.
    Ledger(ledger::Args),
    /// Write everything that a server keeps to two files.
    Backup(backup::Args),
    /// Make a server of a backup.
    Restore(restore::Args),
    /// Measure the floor and the runs path in process; `cargo xtask bench` calls this.
    #[command(hide = true)]
    Bench(bench::Args),
    /// Print `docs/reference.md`; `cargo xtask docs` calls this.
    #[command(hide = true)]
    Reference,
    /// Compile a component; the host calls this on itself.
    #[command(hide = true)]
    Compile(compile::Args),
}

/// A command has failed and has said so already.
#[derive(Debug, thiserror::Error)]
#[error("the command failed")]
struct AlreadySaid;

/// Parses the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Compiling must begin within its limits, before any thread or allocation that it does not need.
    if let Command::Compile(args) = command {
        return compile::run(args);
    }
    // A host's log is its voice; to any other command only what goes wrong matters.
    log_to_stderr(if matches!(command, Command::Serve(_)) { "info" } else { "warn" });
    // Both rustls users of this process take the same provider; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match done(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<AlreadySaid>() {
                out::failure(&error);
            }
            ExitCode::FAILURE
        }
    }
}

fn done(command: Command) -> anyhow::Result<()> {
    match command {
        Command::New(args) => scaffold::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Run(args) => block_on(run::run(args)),
        Command::Dev(args) => block_on(dev::run(args)),
        Command::Deploy(args) => block_on(deploy::run(args)),
        Command::Start(args) => block_on(start::run(args)),
        Command::Runs(args) => block_on(runs::run(args)),
        Command::Logs(args) => block_on(logs::run(args)),
        Command::Agents(args) => block_on(agents::run(args)),
        Command::Deployments(args) => block_on(deployments::run(args)),
        Command::Import(args) => block_on(import::run(args)),
        Command::Credential(args) => block_on(credential::run(args)),
        Command::Audit(args) => audit::run(args),
        Command::Receipt(args) => block_on(receipt::run(args)),
        Command::Requests(args) => block_on(requests::run(args)),
        Command::Credits(args) => block_on(credits::run(args)),
        Command::Account(args) => block_on(account::run(args)),
        Command::Support(args) => block_on(support::run(args)),
        Command::Keys(args) => block_on(keys::run(args)),
        Command::Signup(args) => block_on(signup::run(args)),
        Command::Confirm(args) => block_on(confirm::run(args)),
        Command::Login(args) => login::run(&args),
        Command::Init(args) => init::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Admin(args) => block_on(admin::run(args)),
        Command::Key(args) => block_on(key::run(args)),
        Command::Privacy(args) => privacy::run(args),
        Command::Config(args) => config::run(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Backup(args) => block_on(backup::run(args)),
        Command::Restore(args) => block_on(restore::run(args)),
        Command::Bench(args) => block_on(bench::run(args)),
        Command::Reference => {
            out::part(crate::reference::markdown());
            Ok(())
        }
        // It was answered before the log was set up.
        Command::Compile(_) => Ok(()),
    }
}

/// Runs a future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

fn log_to_stderr(default: &str) {
    let mut filter = EnvFilter::try_from_env("AAASP_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // At their finest these tell what goes over the wire, and that can be a credential in a query or what a model is
    // asked. Whatever is asked for, they tell no more than what goes wrong.
    for quiet in ["h2=warn", "hyper=warn", "hyper_util=warn", "rustls=warn", "rig=warn", "rig::embedding=warn"] {
        filter = quiet.parse().map_or(filter.clone(), |directive| filter.clone().add_directive(directive));
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
