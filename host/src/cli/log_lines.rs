//! Lines of a run's log, as a person reads them.

use std::io::IsTerminal;

use super::readable;
use crate::capabilities::log::{Level, LogEntry};
use crate::clock::Micros;
use crate::runs::LogLine;

/// Writes lines for a stream: with colours where that is a terminal.
#[derive(Clone, Copy)]
pub(super) struct LogStyle {
    colours: bool,
}

impl LogStyle {
    /// For what is printed to this stream. `NO_COLOR` (no-color.org) turns colours off.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: stream.is_terminal() && !plain }
    }

    /// `12:00:00.123 warn  stderr: what it says`
    pub(super) fn text(self, line: &LogLine) -> String {
        let (level, colour) = match line.level {
            Level::Trace => ("trace", "2"),
            Level::Debug => ("debug", "2"),
            Level::Info => ("info ", "32"),
            Level::Warn => ("warn ", "33"),
            Level::Error => ("error", "31"),
            Level::Critical => ("CRIT ", "1;31"),
        };
        let (at, message) = (readable::time_of_day(line.at), readable::printable(&line.message));
        let source =
            if line.source.is_empty() { String::new() } else { format!("{}: ", readable::printable(&line.source)) };
        if self.colours {
            format!("\u{1b}[2m{at}\u{1b}[0m \u{1b}[{colour}m{level}\u{1b}[0m {source}{message}")
        } else {
            format!("{at} {level} {source}{message}")
        }
    }
}

/// A line of a run on this machine, as the API would show it.
pub(super) fn of_entry(entry: LogEntry) -> LogLine {
    LogLine {
        seq: i64::try_from(entry.seq).unwrap_or(i64::MAX),
        at: Micros(entry.at_us),
        level: entry.level,
        source: entry.source,
        message: entry.message,
    }
}
