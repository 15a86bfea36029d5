//! The archive of a copy: it is written on a thread of its own, and what comes out is handed on in parts.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::page::{self, Told};
use super::sheet::{Format, Opener, Sheet};
use crate::archive::{Archive, Listed};
use crate::db::DbError;
use crate::db::told::Cell;

/// Bytes of a part.
const PART_BYTES: usize = 1 << 20;

/// Added to the niceness of the thread.
const NICENESS: i32 = 10;

/// What the archive is called that `aaasp import` reads.
pub(super) const FORMAT: &str = "aaasp-export-1";

/// What goes into the archive next.
pub(super) enum Next {
    /// A file begins.
    File(String),
    /// More rows of the file in this format, and what opens them.
    Rows(Arc<Sheet>, Format, Vec<Vec<Cell>>, Opener),
    /// More of the file.
    Bytes(Vec<u8>),
}

#[derive(Serialize)]
struct Manifest<'m> {
    format: &'static str,
    #[serde(flatten)]
    told: &'m Told,
    files: &'m [Listed],
}

/// Where parts go.
pub(super) struct Parts {
    buffer: Vec<u8>,
    parts: mpsc::Sender<Vec<u8>>,
}

impl Parts {
    pub(super) fn new(parts: mpsc::Sender<Vec<u8>>) -> Self {
        Self { buffer: Vec::with_capacity(PART_BYTES), parts }
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let part = std::mem::replace(&mut self.buffer, Vec::with_capacity(PART_BYTES));
        self.parts.blocking_send(part).map_err(|_| io::Error::other("nobody takes the parts any more"))
    }

    fn finish(mut self) -> io::Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.hand_on() }
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == PART_BYTES {
            self.hand_on()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an archive on a thread of its own, of low priority: no run should wait for it.
pub(super) fn start(
    orders: mpsc::Receiver<Next>,
    parts: Parts,
    recipient: Option<age::x25519::Recipient>,
    told: Told,
) -> Result<oneshot::Receiver<Result<(), DbError>>, DbError> {
    let (done, archived) = oneshot::channel();
    let write = move || {
        // On Linux a niceness is a thread's own.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "an export keeps its priority");
        }
        let _ = done.send(write(orders, parts, recipient.as_ref(), &told));
    };
    std::thread::Builder::new().name("aaasp-export".to_owned()).spawn(write).map_err(DbError::corrupt)?;
    Ok(archived)
}

/// Writes an archive of what comes, and at its end what a person and a program need to read it.
fn write(
    mut orders: mpsc::Receiver<Next>,
    parts: Parts,
    recipient: Option<&age::x25519::Recipient>,
    told: &Told,
) -> Result<(), DbError> {
    let mut archive = Archive::new(parts, recipient, told.made_at).map_err(failed)?;
    let mut text = Vec::new();
    while let Some(next) = orders.blocking_recv() {
        match next {
            Next::File(path) => archive.begin(&path).map_err(failed)?,
            Next::Bytes(bytes) => archive.write(&bytes, None).map_err(failed)?,
            Next::Rows(sheet, format, rows, opener) => {
                // A row is no longer than what was sealed in it lets expect: logs are compressed.
                for row in &rows {
                    let count = sheet.write(format, row, &opener, &mut text)?;
                    archive.write(&text, Some(count)).map_err(failed)?;
                    text.clear();
                }
            }
        }
    }
    let html = page::html(told, archive.listed());
    archive.file("index.html", html.as_bytes()).map_err(failed)?;
    let manifest = Manifest { format: FORMAT, told, files: archive.listed() };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(DbError::corrupt)?;
    archive.file("manifest.json", &manifest).map_err(failed)?;
    archive.finish().and_then(Parts::finish).map_err(failed)
}

fn failed(error: io::Error) -> DbError {
    DbError::corrupt(format!("an archive could not be written: {error}"))
}
