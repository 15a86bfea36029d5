//! Compiles in a child process: a compilation can't be cancelled, and may need more memory than a run.

use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::artifact::Artifacts;
use super::compile_child::Report;
use super::settings::CompileLimits;
use super::{Digest, Rejection};

/// The exit code of a Rust program that panicked.
const PANIC_CODE: i32 = 101;

/// Starts compilers, a few at a time.
pub(crate) struct Compiler {
    limits: CompileLimits,
    slots: Semaphore,
}

impl Compiler {
    pub(crate) fn new(limits: CompileLimits) -> Self {
        let slots = Semaphore::new(limits.concurrency.max(1));
        Self { limits, slots }
    }

    /// Compiles these bytes and leaves the artifact, sealed, in its place.
    pub(crate) async fn compile(&self, digest: &Digest, bytes: &[u8], artifacts: &Artifacts) -> Result<(), Rejection> {
        let host = |error: std::io::Error| Rejection::host(&error);
        let _slot = self.slots.acquire().await;
        let input = artifacts.temporary().map_err(host)?;
        let output = artifacts.temporary().map_err(host)?;
        tokio::fs::write(&input, bytes).await.map_err(host)?;
        let child = Command::new(&self.limits.program)
            .arg("compile")
            .arg(&input)
            .arg(&output)
            .args(["--memory-bytes", &self.limits.memory_bytes.to_string()])
            .args(["--cpu-seconds", &self.limits.cpu_seconds.to_string()])
            .env_clear()
            // The limit counts memory that may be written. The allocator asks for much of it ahead of need, and
            // is told to make it writable only as it is used.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = self.limits.program.display();
                Rejection::Host { message: format!("the compiler {program} can't be started: {error}") }
            })?;
        let deadline = Duration::from_millis(self.limits.wall_clock_ms);
        let Ok(ended) = tokio::time::timeout(deadline, child.wait_with_output()).await else {
            return Err(Rejection::CompileLimit { limit: "time" });
        };
        let ended = ended.map_err(host)?;
        if !ended.status.success() {
            return Err(explain(&ended));
        }
        artifacts.store(digest, output).map_err(host)
    }
}

/// A compiler that ends by itself says why; one that is ended says so by its signal.
fn explain(ended: &Output) -> Rejection {
    if let Ok(report) = serde_json::from_slice(&ended.stdout) {
        return match report {
            Report::DiskFull => Rejection::DiskFull,
            Report::OutOfMemory => Rejection::CompileLimit { limit: "memory" },
            Report::Failed(message) => Rejection::CompileFailed { message },
        };
    }
    let signal = ended.status.signal().and_then(Signal::from_named_raw);
    match signal {
        Some(Signal::XCPU | Signal::KILL) => Rejection::CompileLimit { limit: "processor time" },
        // Rust aborts when an allocation fails, and a stack that can't grow is a bad access.
        Some(Signal::ABORT | Signal::SEGV | Signal::BUS) => Rejection::CompileLimit { limit: "memory" },
        None if ended.status.code() == Some(PANIC_CODE) => {
            tracing::error!(stderr = %String::from_utf8_lossy(&ended.stderr), "the compiler panicked");
            Rejection::CompileFailed { message: "the compiler gave up on it".into() }
        }
        _ => {
            let said = String::from_utf8_lossy(&ended.stderr);
            tracing::error!(status = %ended.status, stderr = %said, "the compiler ended without a report");
            Rejection::Host { message: format!("the compiler ended with {}", ended.status) }
        }
    }
}
