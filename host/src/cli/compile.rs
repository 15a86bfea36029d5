//! `aaasp compile`, hidden: the child process that compiles one component within limits of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;

use crate::runtime::{CompileJob, compile_child};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The component.
    input: PathBuf,
    /// Where the artifact goes.
    output: PathBuf,
    /// Writable memory, in bytes.
    #[arg(long)]
    memory_bytes: u64,
    /// Processor time, in seconds.
    #[arg(long)]
    cpu_seconds: u64,
}

pub(super) fn run(args: Args) -> ExitCode {
    compile_child(&CompileJob {
        input: args.input,
        output: args.output,
        memory_bytes: args.memory_bytes,
        cpu_seconds: args.cpu_seconds,
    })
}
