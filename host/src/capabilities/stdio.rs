//! stdin, stdout and stderr: lines become log, and a command's stdout becomes its output.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdin, stdout};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, OutputStream, Pollable, StreamError};

use super::log::{Level, MAX_MESSAGE_BYTES, RunLog};
use crate::runtime::{State, Stop};

/// What a guest may write at once.
const PERMIT_BYTES: usize = 64 << 10;

/// The three streams of one run.
pub(crate) struct Stdio {
    stdin: MemoryInputPipe,
    stdout: Sink,
    stderr: Sink,
}

impl Stdio {
    /// Streams of an agent or a server: nothing to read, every line is log.
    pub(crate) fn logged(log: &Arc<RunLog>) -> Self {
        Self {
            stdin: MemoryInputPipe::new(Bytes::new()),
            stdout: Sink::lines(Arc::clone(log), Level::Info, "stdout"),
            stderr: Sink::lines(Arc::clone(log), Level::Warn, "stderr"),
        }
    }

    /// Streams of a command: the input to read, stdout kept up to a limit, stderr as log.
    pub(crate) fn piped(input: String, output_bytes: u64, log: &Arc<RunLog>) -> Self {
        Self {
            stdin: MemoryInputPipe::new(input),
            stdout: Sink::capture(output_bytes),
            stderr: Sink::lines(Arc::clone(log), Level::Warn, "stderr"),
        }
    }

    /// Logs a last line that had no end; a limit that it would pass drops it.
    pub(crate) fn finish(&self) {
        let _ = self.stdout.finish();
        let _ = self.stderr.finish();
    }

    /// What a command wrote to stdout.
    pub(crate) fn take_output(&self) -> Vec<u8> {
        std::mem::take(&mut self.stdout.buffer())
    }
}

/// Where the bytes of stdout or stderr go. All streams that a guest opens share one.
#[derive(Clone)]
struct Sink {
    buffer: Arc<Mutex<Vec<u8>>>,
    target: Target,
}

#[derive(Clone)]
enum Target {
    Lines { log: Arc<RunLog>, level: Level, source: &'static str },
    Capture { max_bytes: usize },
}

impl Sink {
    fn lines(log: Arc<RunLog>, level: Level, source: &'static str) -> Self {
        Self { buffer: Arc::default(), target: Target::Lines { log, level, source } }
    }

    fn capture(max_bytes: u64) -> Self {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        Self { buffer: Arc::default(), target: Target::Capture { max_bytes } }
    }

    fn buffer(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: &[u8]) -> Result<(), Stop> {
        let mut buffer = self.buffer();
        let Target::Lines { log, level, source } = &self.target else { return self.keep(&mut buffer, bytes) };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            buffer.extend_from_slice(piece);
            // A line that never ends is logged in pieces, so that it can't fill the host's memory.
            if piece.ends_with(b"\n") || buffer.len() >= MAX_MESSAGE_BYTES {
                emit(log, *level, source, &mut buffer)?;
            }
        }
        Ok(())
    }

    fn keep(&self, buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Stop> {
        let Target::Capture { max_bytes } = self.target else { return Ok(()) };
        if buffer.len() + bytes.len() > max_bytes {
            return Err(Stop::Limit("output_bytes"));
        }
        buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&self) -> Result<(), Stop> {
        let mut buffer = self.buffer();
        match &self.target {
            Target::Lines { log, level, source } if !buffer.is_empty() => emit(log, *level, source, &mut buffer),
            _ => Ok(()),
        }
    }
}

fn emit(log: &RunLog, level: Level, source: &str, buffer: &mut Vec<u8>) -> Result<(), Stop> {
    let line = String::from_utf8_lossy(buffer);
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let result = log.push(level, source, line.strip_suffix('\r').unwrap_or(line));
    buffer.clear();
    result.map_err(|limit| Stop::Limit(limit.0))
}

#[async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Sink {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.take(&bytes).map_err(|stop| StreamError::Trap(stop.into()))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(PERMIT_BYTES)
    }
}

impl stdin::Host for State {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        let stream: DynInputStream = Box::new(self.stdio.stdin.clone());
        Ok(self.table.push(stream)?)
    }
}

impl stdout::Host for State {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.stdio.stdout.clone());
        Ok(self.table.push(stream)?)
    }
}

impl stderr::Host for State {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.stdio.stderr.clone());
        Ok(self.table.push(stream)?)
    }
}
