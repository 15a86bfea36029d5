//! Set-up, demo, test and bench: what a person or a machine types in a clone of this repository.
#![expect(clippy::print_stdout, reason = "what the tasks report belongs on standard output")]

mod bench;
mod demo;
mod docs;
mod http;
mod interrupt;
mod postgres;
mod readme;
mod server;
mod setup;
mod shell;
mod temporary;
mod test;
mod workspace;

use std::process::ExitCode;

use pico_args::Arguments;

const HELP: &str = "\
cargo xtask TASK

TASKS
  setup   check what guests, tests and the demo need, and install what is missing
  demo    build the host and an agent, deploy it, run it, show what it cost; then serve until Ctrl-C
            --once         end after the run
  test    fmt, clippy, docs, guests, unit tests, the suite on SQLite and PostgreSQL, the README
            --only STEP    this step alone, and what it needs; may be given more than once
            --list         name the steps
  docs    build the host, and write docs/reference.md as it says it is
  bench   how fast runs are: bare wasmtime, in process, over HTTP, and `wasmtime serve` beside them
            --seconds N    length of one measurement (10)
            --runs N       measurements of each, of which the median counts (5)
            --clients LIST concurrent clients (1,16,64,256)
            --only PART    this part alone: in-process, egress, restarts, neighbours or http;
                           may be given more than once
            --json FILE    also write the results to a file
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Usage(message)) => {
            eprintln!("{message}\n\n{HELP}");
            ExitCode::from(2)
        }
        Err(Failed::Task(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

enum Failed {
    Usage(String),
    Task(anyhow::Error),
}

fn dispatch() -> Result<(), Failed> {
    let mut arguments = Arguments::from_env();
    if arguments.contains(["-h", "--help"]) {
        print!("{HELP}");
        return Ok(());
    }
    let task = arguments.subcommand().map_err(usage)?;
    match task.as_deref() {
        Some("setup") => {
            finish(arguments)?;
            run(|workspace| setup::provide(workspace, setup::EVERYTHING))
        }
        Some("demo") => {
            let once = arguments.contains("--once");
            finish(arguments)?;
            run(|workspace| demo::run(workspace, once))
        }
        Some("test") => {
            let list = arguments.contains("--list");
            let only = arguments.values_from_str::<_, String>("--only").map_err(usage)?;
            finish(arguments)?;
            run(|workspace| test::run(workspace, list, &only))
        }
        Some("docs") => {
            finish(arguments)?;
            run(docs::run)
        }
        Some("bench") => {
            let options = bench::Options::parse(&mut arguments).map_err(|error| Failed::Usage(format!("{error:#}")))?;
            finish(arguments)?;
            run(|workspace| bench::run(workspace, &options))
        }
        Some(other) => Err(Failed::Usage(format!("there is no task `{other}`"))),
        None => Err(Failed::Usage("which task?".into())),
    }
}

fn run(task: impl FnOnce(&workspace::Workspace) -> anyhow::Result<()>) -> Result<(), Failed> {
    interrupt::watch().and_then(|()| workspace::Workspace::find()).and_then(|found| task(&found)).map_err(Failed::Task)
}

fn finish(arguments: Arguments) -> Result<(), Failed> {
    let left = arguments.finish();
    if left.is_empty() { Ok(()) } else { Err(Failed::Usage(format!("not understood: {left:?}"))) }
}

fn usage(error: pico_args::Error) -> Failed {
    Failed::Usage(error.to_string())
}
