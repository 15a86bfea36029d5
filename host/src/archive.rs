//! A ZIP that is written as a stream, with a digest of each of its files, and encrypted on its way to whoever it is
//! for.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{DateTime, ZipWriter};

use crate::clock::Micros;

/// How hard it is pressed: text shrinks to a tenth already, and twice as fast as at the usual level.
const LEVEL: i64 = 3;

/// A file of the archive, as its manifest lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The rows in it, where it is a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// An archive that is being written.
pub struct Archive<W: Write> {
    zip: ZipWriter<StreamWriter<Out<W>>>,
    options: SimpleFileOptions,
    listed: Vec<Listed>,
    digest: Sha256,
}

impl<W: Write> Archive<W> {
    /// Begins one that goes there, for the recipient if there is one.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn new(out: W, recipient: Option<&age::x25519::Recipient>, made_at: Micros) -> io::Result<Self> {
        let options = SimpleFileOptions::default()
            .compression_level(Some(LEVEL))
            .last_modified_time(moment(made_at))
            // How long a file becomes is not known when it begins.
            .large_file(true);
        let zip = ZipWriter::new_stream(Out::new(out, recipient)?);
        Ok(Self { zip, options, listed: Vec::new(), digest: Sha256::new() })
    }

    /// Begins a file.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn begin(&mut self, path: &str) -> io::Result<()> {
        self.end();
        self.zip.start_file(path, self.options)?;
        self.listed.push(Listed { path: path.to_owned(), bytes: 0, rows: None, sha256: String::new() });
        Ok(())
    }

    /// Goes on with the file, by so many rows if it is a table.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&mut self, bytes: &[u8], rows: Option<u64>) -> io::Result<()> {
        self.zip.write_all(bytes)?;
        self.digest.update(bytes);
        if let Some(file) = self.listed.last_mut() {
            file.bytes += bytes.len() as u64;
            file.rows = rows.map(|rows| file.rows.unwrap_or_default() + rows).or(file.rows);
        }
        Ok(())
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn file(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(path)?;
        self.write(bytes, None)
    }

    /// What is in it up to now.
    pub fn listed(&mut self) -> &[Listed] {
        self.end();
        &self.listed
    }

    /// Ends it.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn finish(self) -> io::Result<W> {
        self.zip.finish()?.into_inner().finish()
    }

    fn end(&mut self) {
        let digest = std::mem::take(&mut self.digest).finalize();
        if let Some(file) = self.listed.last_mut().filter(|file| file.sha256.is_empty()) {
            file.sha256 = hex::encode(digest);
        }
    }
}

/// Where an archive goes, and what is between.
enum Out<W: Write> {
    Open(W),
    Encrypted(Box<age::stream::StreamWriter<W>>),
}

impl<W: Write> Out<W> {
    fn new(out: W, recipient: Option<&age::x25519::Recipient>) -> io::Result<Self> {
        let Some(recipient) = recipient else { return Ok(Self::Open(out)) };
        let recipients = std::iter::once(recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(encryptor.wrap_output(out)?)))
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Open(out) => Ok(out),
            Self::Encrypted(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(out) => out.write(bytes),
            Self::Encrypted(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(out) => out.flush(),
            Self::Encrypted(writer) => writer.flush(),
        }
    }
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
