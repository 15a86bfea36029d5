//! A file of a backup, opened and looked through before anything is made of it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::{BackupError, MANIFEST, Manifest, Part, row};
use crate::archive::Listed;
use crate::db;
use crate::db::told::Cell;

/// How an age file begins.
const AGE: &[u8] = b"age-encryption.org/v1";

/// More than any of our manifests and keyrings has.
const SMALL_BYTES: u64 = 16 << 20;

/// Bytes of a line: the largest component as base64, and room for the rest of its row.
const LINE_BYTES: u64 = 1 << 30;

trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// The age identities in a file.
pub(super) fn identities(path: &Path) -> Result<Vec<Box<dyn age::Identity>>, BackupError> {
    let failed = |source| BackupError::Io { path: path.to_owned(), source };
    let text = BufReader::new(File::open(path).map_err(failed)?);
    let identities = age::IdentityFile::from_buffer(text).map_err(failed)?;
    identities.into_identities().map_err(|error| failed(io::Error::other(error.to_string())))
}

/// A file of a backup.
pub(super) struct Opened {
    path: PathBuf,
    part: Part,
    zip: ZipArchive<Box<dyn Source>>,
    pub manifest: Manifest,
}

impl Opened {
    /// Opens one of the two files, with these if it is encrypted.
    pub(super) fn open(path: &Path, part: Part, identities: &[Box<dyn age::Identity>]) -> Result<Self, BackupError> {
        let io = |source| BackupError::Io { path: path.to_owned(), source };
        let format = |reason: String| BackupError::Format { path: path.to_owned(), what: part.words(), reason };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let is_encrypted = file.fill_buf().map_err(io)?.starts_with(AGE);
        let source: Box<dyn Source> = if !is_encrypted {
            Box::new(file)
        } else if identities.is_empty() {
            return Err(format("it is encrypted; give the identity that opens it with --identity".to_owned()));
        } else {
            let decryptor = age::Decryptor::new_buffered(file).map_err(|error| format(error.to_string()))?;
            let opened = decryptor.decrypt(identities.iter().map(|identity| &**identity as &dyn age::Identity));
            Box::new(opened.map_err(|error| format(error.to_string()))?)
        };
        let mut zip = ZipArchive::new(source).map_err(|error| format(error.to_string()))?;
        let manifest = zip.by_name(MANIFEST).map_err(|error| format(format!("no {MANIFEST}: {error}")))?;
        let mut text = Vec::new();
        manifest.take(SMALL_BYTES).read_to_end(&mut text).map_err(io)?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format(error.to_string()))?;
        if manifest.format != part.format() {
            return Err(format(format!("its manifest says `{}`", manifest.format)));
        }
        if manifest.schema > db::newest() {
            return Err(BackupError::Newer { path: path.to_owned(), release: manifest.release });
        }
        Ok(Self { path: path.to_owned(), part, zip, manifest })
    }

    /// Looks whether each file is, byte for byte, what it was.
    pub(super) fn check(&mut self) -> Result<(), BackupError> {
        let mut buffer = vec![0; 1 << 16];
        for at in 0..self.manifest.files.len() {
            let Listed { path, sha256, .. } = self.manifest.files[at].clone();
            let (mut digest, changed) = (Sha256::new(), self.format(format!("{path} is not what it was")));
            let Ok(mut file) = self.zip.by_name(&path) else { return Err(changed) };
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(read) => digest.update(&buffer[..read]),
                    Err(_) => return Err(changed),
                }
            }
            if hex::encode(digest.finalize()) != sha256 {
                return Err(changed);
            }
        }
        Ok(())
    }

    /// A small file, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        if !self.manifest.files.iter().any(|file| file.path == name) {
            return Ok(None);
        }
        let failed = |source| BackupError::Io { path: self.path.clone(), source };
        let mut text = Vec::new();
        let file = self.zip.by_name(name).map_err(|error| failed(error.into()))?;
        file.take(SMALL_BYTES).read_to_end(&mut text).map_err(failed)?;
        Ok(Some(text))
    }

    /// The tables in it: those that others refer to come first.
    pub(super) fn tables(&self) -> Vec<String> {
        let name = |file: &Listed| Some(file.path.strip_prefix("tables/")?.strip_suffix(".jsonl")?.to_owned());
        self.manifest.files.iter().filter_map(name).collect()
    }

    /// The columns of a table, and its rows one after another.
    #[expect(clippy::type_complexity, reason = "an iterator that borrows the archive")]
    pub(super) fn rows<'o>(
        &'o mut self,
        table: &str,
    ) -> Result<(Vec<String>, Box<dyn Iterator<Item = Result<Vec<Cell>, BackupError>> + 'o>), BackupError> {
        let (path, what, name) = (self.path.clone(), self.part.words(), format!("tables/{table}.jsonl"));
        let format = move |number: usize, reason: String| {
            let reason = format!("line {number} of {name} can't be read: {reason}");
            BackupError::Format { path: path.clone(), what, reason }
        };
        let file = match self.zip.by_name(&format!("tables/{table}.jsonl")) {
            Ok(file) => file,
            Err(error) => return Err(format(1, error.to_string())),
        };
        let mut lines = BufReader::new(file);
        let mut next = move |line: &mut Vec<u8>| -> io::Result<bool> {
            line.clear();
            lines.by_ref().take(LINE_BYTES).read_until(b'\n', line)?;
            Ok(!line.is_empty())
        };
        let mut line = Vec::new();
        next(&mut line).map_err(|error| format(1, error.to_string()))?;
        let columns = serde_json::from_slice(&line).map_err(|error| format(1, error.to_string()))?;
        let mut number = 1;
        let rows = std::iter::from_fn(move || {
            number += 1;
            match next(&mut line) {
                Ok(false) => None,
                Ok(true) => Some(row::read(&line).map_err(|reason| format(number, reason))),
                Err(error) => Some(Err(format(number, error.to_string()))),
            }
        });
        Ok((columns, Box::new(rows)))
    }

    fn format(&self, reason: String) -> BackupError {
        BackupError::Format { path: self.path.clone(), what: self.part.words(), reason }
    }
}
