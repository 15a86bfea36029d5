//! The command line. Exit codes: 0 done, 1 refused or failed with a message on stderr, 2 wrong usage.

mod compile;
mod config;
mod data;
mod init;
mod serve;
mod table;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Agents as a service, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "aaasp", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a data folder with keys, a database, a first account and its key.
    Init(init::Args),
    /// Run a host.
    Serve(serve::Args),
    /// Look at the operator's configuration.
    Config(config::Args),
    /// Compile a component; the host calls this on itself.
    #[command(hide = true)]
    Compile(compile::Args),
}

/// Parses the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Compiling must begin within its limits, before any thread or allocation that it does not need.
    if let Command::Compile(args) = command {
        return compile::run(args);
    }
    log_to_stderr();
    // Both rustls users of this process take the same provider; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match command {
        Command::Init(args) => init::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Config(args) => config::run(args),
        Command::Compile(_) => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is where a person reads why it failed")]
fn complain(error: &anyhow::Error) {
    eprintln!("aaasp: {error:#}");
}

/// Runs a future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("AAASP_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
