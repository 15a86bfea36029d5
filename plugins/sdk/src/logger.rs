//! Sends the lines of the `log` crate, and panics, to the log of the run.

use std::panic;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

use crate::bindings::wasi::logging::logging::{self, Level};

struct RunLog;

impl Log for RunLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug => Level::Debug,
            log::Level::Trace => Level::Trace,
        };
        logging::log(level, record.target(), &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Makes `log` and panics reach the host; done once in the life of an instance.
///
/// A panic in WebAssembly is a bare `unreachable`: without this line the author would see a
/// backtrace and no message.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if log::set_logger(&RunLog).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
        panic::set_hook(Box::new(|panic| logging::log(Level::Critical, "panic", &panic.to_string())));
    });
}
