//! The body of the hidden subcommand `compile`: one component in, one artifact out, within limits.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use serde::{Deserialize, Serialize};
use wasmtime::OutOfMemory;

use super::errors::is_disk_full;

/// Added to the compiler's niceness, so that runs go first.
const NICENESS: i32 = 10;

/// The header of a component, which is a whole one by itself.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// What `aaasp compile INPUT OUTPUT --memory-bytes N --cpu-seconds N` is asked to do.
#[derive(Clone, Debug)]
pub struct CompileJob {
    /// The component, in binary form.
    pub input: PathBuf,
    /// Where the artifact goes.
    pub output: PathBuf,
    /// Memory that this process may have writable, in bytes.
    pub memory_bytes: u64,
    /// Processor time that this process may use, in seconds.
    pub cpu_seconds: u64,
}

/// The one line of JSON on stdout by which the compiler says why it failed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// There is no room for the artifact.
    DiskFull,
    /// The limit of memory was reached, and the compiler noticed by itself.
    OutOfMemory,
    /// The component can't be compiled.
    Failed(String),
}

/// Compiles within limits that it sets on its own process. An error is one line of JSON on stdout.
#[must_use]
pub fn compile_child(job: &CompileJob) -> ExitCode {
    match compile(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report = serde_json::to_string(&Report::of(&error)).unwrap_or_default();
            let _ = writeln!(io::stdout(), "{report}");
            ExitCode::FAILURE
        }
    }
}

impl Report {
    fn of(error: &wasmtime::Error) -> Self {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(is_disk_full) {
            return Self::DiskFull;
        }
        let no_memory = error.is::<OutOfMemory>()
            || error.downcast_ref() == Some(&Errno::NOMEM)
            || io.is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory);
        if no_memory { Self::OutOfMemory } else { Self::Failed(format!("{error:#}")) }
    }
}

fn compile(job: &CompileJob) -> wasmtime::Result<()> {
    // The compiler starts its threads with its first component. Starting them under the limit could
    // fail by a panic, where an allocation that fails ends the process by a signal that says so.
    // The limit counts what is writable, whenever it became so: nothing is had for free by being first.
    let engine = super::engine::compiler()?;
    engine.precompile_component(EMPTY_COMPONENT)?;
    limit(Resource::Data, job.memory_bytes)?;
    limit(Resource::Cpu, job.cpu_seconds)?;
    limit(Resource::Core, 0)?;
    // Compiling at the host's own priority is no failure.
    let _ = setpriority_process(None, NICENESS);
    let bytes = std::fs::read(&job.input)?;
    let compiled = engine.precompile_component(&bytes)?;
    std::fs::write(&job.output, compiled)?;
    Ok(())
}

fn limit(resource: Resource, most: u64) -> wasmtime::Result<()> {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}
