//! The archive: a ZIP that is written as a stream, on a thread of its own, and encrypted on its way to whoever it is
//! for. What comes out is handed on in parts.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{DateTime, ZipWriter};

use super::page::{self, Told};
use super::sheet::{Format, Opener, Sheet};
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::told::Cell;

/// Bytes of a part.
const PART_BYTES: usize = 1 << 20;

/// How hard the archive is pressed: logs shrink to a tenth already, and twice as fast as at the usual level.
const LEVEL: i64 = 3;

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

/// A file of the archive, as its manifest lists it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub path: String,
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    pub sha256: String,
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

/// The parts, and what is between the archive and them.
enum Out {
    Open(Parts),
    Encrypted(Box<age::stream::StreamWriter<Parts>>),
}

impl Out {
    fn new(parts: Parts, recipient: Option<&age::x25519::Recipient>) -> io::Result<Self> {
        let Some(recipient) = recipient else { return Ok(Self::Open(parts)) };
        let recipients = std::iter::once(recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(encryptor.wrap_output(parts)?)))
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Open(parts) => parts.finish(),
            Self::Encrypted(writer) => writer.finish()?.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(parts) => parts.write(bytes),
            Self::Encrypted(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(parts) => parts.flush(),
            Self::Encrypted(writer) => writer.flush(),
        }
    }
}

struct Archive {
    zip: ZipWriter<StreamWriter<Out>>,
    options: SimpleFileOptions,
    listed: Vec<Listed>,
    digest: Sha256,
}

impl Archive {
    fn begin(&mut self, path: String) -> io::Result<()> {
        self.end();
        self.zip.start_file(&path, self.options)?;
        self.listed.push(Listed { path, bytes: 0, rows: None, sha256: String::new() });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], rows: Option<u64>) -> io::Result<()> {
        self.zip.write_all(bytes)?;
        self.digest.update(bytes);
        if let Some(file) = self.listed.last_mut() {
            file.bytes += bytes.len() as u64;
            file.rows = rows.map(|rows| file.rows.unwrap_or_default() + rows).or(file.rows);
        }
        Ok(())
    }

    fn end(&mut self) {
        let digest = std::mem::take(&mut self.digest).finalize();
        if let Some(file) = self.listed.last_mut().filter(|file| file.sha256.is_empty()) {
            file.sha256 = hex::encode(digest);
        }
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(path.to_owned())?;
        self.write(bytes, None)
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
    let out = Out::new(parts, recipient).map_err(failed)?;
    let options = SimpleFileOptions::default()
        .compression_level(Some(LEVEL))
        .last_modified_time(moment(told.made_at))
        // How long a file becomes is not known when it begins.
        .large_file(true);
    let mut archive = Archive { zip: ZipWriter::new_stream(out), options, listed: Vec::new(), digest: Sha256::new() };
    let mut text = Vec::new();
    while let Some(next) = orders.blocking_recv() {
        match next {
            Next::File(path) => archive.begin(path).map_err(failed)?,
            Next::Bytes(bytes) => archive.write(&bytes, None).map_err(failed)?,
            Next::Rows(sheet, format, rows, opener) => {
                text.clear();
                let mut count = 0;
                for row in &rows {
                    count += sheet.write(format, row, &opener, &mut text)?;
                }
                archive.write(&text, Some(count)).map_err(failed)?;
            }
        }
    }
    archive.end();
    let html = page::html(told, &archive.listed);
    archive.file("index.html", html.as_bytes()).map_err(failed)?;
    archive.end();
    let manifest = Manifest { format: FORMAT, told, files: &archive.listed };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(DbError::corrupt)?;
    archive.file("manifest.json", &manifest).map_err(failed)?;
    let out = archive.zip.finish().map_err(|error| failed(error.into()))?;
    out.into_inner().finish().map_err(failed)
}

fn failed(error: io::Error) -> DbError {
    DbError::corrupt(format!("an archive could not be written: {error}"))
}

/// A moment as archives know it, to two seconds.
fn moment(at: Micros) -> DateTime {
    let made = || {
        let at = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(at.0).ok()?);
        let part = |part: i8| u8::try_from(part).ok();
        let year = u16::try_from(at.year()).ok()?;
        let (month, day) = (part(at.month())?, part(at.day())?);
        DateTime::from_date_and_time(year, month, day, part(at.hour())?, part(at.minute())?, part(at.second())?).ok()
    };
    made().unwrap_or_default()
}
