//! The log of a run: lines of the guest, counted against its limits, and lines of the host.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A longer message becomes several entries.
pub const MAX_MESSAGE_BYTES: usize = 8 << 10;
/// A longer source is cut.
const MAX_SOURCE_BYTES: usize = 128;

/// One line of a run's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Position in the run's log, from zero.
    pub seq: u64,
    /// Microseconds since the Unix epoch, UTC.
    pub at_us: i64,
    /// How much it matters.
    pub level: Level,
    /// `stdout`, `stderr`, `host`, or the context that the guest named.
    pub source: String,
    /// The line.
    pub message: String,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every step.
    Trace,
    /// For its author.
    Debug,
    /// For whoever runs it.
    Info,
    /// Could go wrong.
    Warn,
    /// Went wrong.
    Error,
    /// Can't go on.
    Critical,
}

/// A run's log reached a limit; the name is that of the field of `RunLimits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run reached its limit of {0}")]
pub struct LimitExceeded(pub &'static str);

/// Buffers a run's lines until they are stored.
#[derive(Debug)]
pub struct RunLog {
    max_lines: u64,
    max_bytes: u64,
    lines: AtomicU64,
    bytes: AtomicU64,
    buffered_bytes: AtomicUsize,
    buffer: Mutex<Buffer>,
}

#[derive(Debug, Default)]
struct Buffer {
    next_seq: u64,
    entries: Vec<LogEntry>,
}

impl RunLog {
    /// An empty log that takes so many lines and bytes from the guest.
    #[must_use]
    pub fn new(max_lines: u64, max_bytes: u64) -> Self {
        Self {
            max_lines,
            max_bytes,
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            buffered_bytes: AtomicUsize::new(0),
            buffer: Mutex::default(),
        }
    }

    /// Takes a line of the guest. A long message becomes several entries.
    ///
    /// # Errors
    /// The limit that the line would pass; as much of the message as fits is kept.
    pub fn push(&self, level: Level, source: &str, message: &str) -> Result<(), LimitExceeded> {
        let mut rest = message;
        loop {
            let (piece, tail) = split(rest, MAX_MESSAGE_BYTES);
            self.count(piece.len() as u64)?;
            self.append(level, split(source, MAX_SOURCE_BYTES).0, piece);
            if tail.is_empty() {
                return Ok(());
            }
            rest = tail;
        }
    }

    /// Takes a line of the host's own, which no limit refuses.
    pub fn host(&self, level: Level, message: &str) {
        self.append(level, "host", message);
    }

    /// Takes the buffered entries out, oldest first.
    #[must_use]
    pub fn drain(&self) -> Vec<LogEntry> {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        self.buffered_bytes.store(0, Ordering::Relaxed);
        std::mem::take(&mut buffer.entries)
    }

    /// Bytes of the messages that wait to be taken out.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Lines that the guest wrote.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Bytes of the lines that the guest wrote.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: u64) -> Result<(), LimitExceeded> {
        if self.lines() >= self.max_lines {
            return Err(LimitExceeded("log_lines"));
        }
        if self.bytes().saturating_add(bytes) > self.max_bytes {
            return Err(LimitExceeded("log_bytes"));
        }
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn append(&self, level: Level, source: &str, message: &str) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_us = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = buffer.next_seq;
        buffer.next_seq += 1;
        buffer.entries.push(LogEntry { seq, at_us, level, source: source.to_owned(), message: message.to_owned() });
        self.buffered_bytes.fetch_add(message.len(), Ordering::Relaxed);
    }
}

/// The longest head of at most `max` bytes that ends between characters, and the rest.
fn split(text: &str, max: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_becomes_several_entries() {
        let log = RunLog::new(10, 1 << 20);
        log.push(Level::Info, "stdout", &"ä".repeat(MAX_MESSAGE_BYTES)).unwrap();
        let lengths: Vec<usize> = log.drain().iter().map(|entry| entry.message.len()).collect();
        assert_eq!(lengths, [MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES]);
        assert_eq!(log.buffered_bytes(), 0);
    }

    #[test]
    fn lines_and_bytes_are_limited_and_the_hosts_own_are_not() {
        let log = RunLog::new(1, 4);
        assert_eq!(log.push(Level::Info, "a", "12345"), Err(LimitExceeded("log_bytes")));
        log.push(Level::Info, "a", "1234").unwrap();
        assert_eq!(log.push(Level::Info, "a", ""), Err(LimitExceeded("log_lines")));
        log.host(Level::Warn, "egress refused");
        assert_eq!(log.drain().len(), 2);
        assert_eq!((log.lines(), log.bytes()), (1, 4));
    }
}
