//! `wasi:logging/logging`: a line of the guest's, with its level and its own name for the source.

use super::log::Level;
use crate::runtime::{State, Stop, fuel, wasi_logging};

impl wasi_logging::Host for State {
    fn log(&mut self, level: wasi_logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        self.owe(fuel::LOG_LINE);
        self.owe_bytes(message.len());
        let level = match level {
            wasi_logging::Level::Trace => Level::Trace,
            wasi_logging::Level::Debug => Level::Debug,
            wasi_logging::Level::Info => Level::Info,
            wasi_logging::Level::Warn => Level::Warn,
            wasi_logging::Level::Error => Level::Error,
            wasi_logging::Level::Critical => Level::Critical,
        };
        let source = if context.is_empty() { "agent" } else { &context };
        self.log.push(level, source, &message).map_err(|limit| Stop::Limit(limit.0).into())
    }
}
