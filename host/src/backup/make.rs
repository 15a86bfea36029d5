//! Makes a backup, of a server that may go on meanwhile.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{BackupError, DATA_KEY, KEYRING, MANIFEST, Manifest, OPERATOR_KEY, Part, Progress, row};
use crate::archive::Archive;
use crate::clock::Micros;
use crate::db::backup::Snapshot;
use crate::db::told::Cell;
use crate::db::{DatabaseUrl, DbError};
use crate::folder;
use crate::ids::BackupId;
use crate::privacy::map::{Table, tables};
use crate::vault::Keyring;

/// Text that is handed to the archive at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// What was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// What both files call it.
    pub backup: BackupId,
    /// The moment that it is of.
    pub made_at: Micros,
    /// The data.
    pub data: PathBuf,
    /// How long they are.
    pub data_bytes: u64,
    /// The keys.
    pub keys: PathBuf,
    /// How long they are.
    pub keys_bytes: u64,
    /// The rows in both.
    pub rows: u64,
}

/// Writes the data and the keys of a server, whose data folder and database these are, to two files that nobody else
/// reads.
///
/// # Errors
/// [`BackupError`]; what was there under the names of the files stays, and nothing else is left.
pub async fn make(
    (folder, url): (&Path, &DatabaseUrl),
    (data, keys): (&Path, &Path),
    recipient: Option<&age::x25519::Recipient>,
    at: Micros,
    progress: &dyn Fn(Progress),
) -> Result<Made, BackupError> {
    let failed = |source| BackupError::Db { location: url.redacted(), source };
    for path in [data, keys] {
        if path.exists() {
            let source = io::Error::new(io::ErrorKind::AlreadyExists, "it is there already; choose another name");
            return Err(BackupError::Io { path: path.to_owned(), source });
        }
    }
    let (keyring, text) = folder::keyring_of(folder)?;
    let mut snapshot = Snapshot::of(url).await.map_err(failed)?;
    let mut total = 0;
    for table in tables().filter(|table| Part::of(table).is_some()) {
        total += snapshot.count(table).await.map_err(failed)?;
    }
    let (backup, key) = (BackupId::generate(), age::x25519::Identity::generate());
    let mut loose = vec![(DATA_KEY, key.to_string())];
    loose.extend(text.map(|text| (KEYRING, text)));
    if let Ok(key) = std::fs::read_to_string(folder::operator_key_path(folder)) {
        loose.push((OPERATOR_KEY, key.into()));
    }
    let head = Manifest {
        format: String::new(),
        backup,
        made_at: at,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        schema: snapshot.version,
        keyring: keyring.fingerprint(),
        files: Vec::new(),
    };
    let mut writing = Writing { snapshot, keyring, head, progress, done: 0, total };
    let mut begun = Vec::new();
    for (part, path, recipient, loose) in
        [(Part::Keys, keys, recipient, loose), (Part::Data, data, Some(&key.to_public()), Vec::new())]
    {
        let file = writing.part((part, path), recipient, &loose).await.map_err(|stopped| match stopped {
            Stopped::Db(source) => failed(source),
            Stopped::Io(source) => BackupError::Io { path: path.to_owned(), source },
            Stopped::Rotating => BackupError::Rotating,
        })?;
        begun.push((file, path));
    }
    // Only when both are whole is either there.
    let mut bytes = Vec::new();
    for (file, path) in begun {
        let kept = || -> io::Result<u64> {
            let file = file.persist_noclobber(path).map_err(|error| error.error)?;
            File::open(folder::of_file(path))?.sync_all()?;
            Ok(file.metadata()?.len())
        };
        bytes.push(kept().map_err(|source| BackupError::Io { path: path.to_owned(), source })?);
    }
    Ok(Made {
        backup,
        made_at: at,
        data: data.to_owned(),
        data_bytes: bytes[1],
        keys: keys.to_owned(),
        keys_bytes: bytes[0],
        rows: writing.done,
    })
}

/// What goes from the database into an archive.
struct Writing<'p> {
    snapshot: Snapshot,
    keyring: Keyring,
    /// What the manifests of both files say.
    head: Manifest,
    progress: &'p dyn Fn(Progress),
    done: u64,
    total: u64,
}

impl Writing<'_> {
    /// Writes one of the two files: what is in no table, the tables, and what is in it.
    async fn part(
        &mut self,
        (part, path): (Part, &Path),
        recipient: Option<&age::x25519::Recipient>,
        loose: &[(&str, SecretString)],
    ) -> Result<NamedTempFile, Stopped> {
        let mut archive = Archive::new(BufWriter::new(folder::beside(path)?), recipient, self.head.made_at)?;
        for (name, text) in loose {
            archive.file(name, text.expose_secret().as_bytes())?;
        }
        // Others refer to the tables that come last on the map.
        for table in tables().rev().filter(|table| Part::of(table) == Some(part)) {
            self.table(table, &mut archive).await?;
        }
        let manifest =
            Manifest { format: part.format().to_owned(), files: archive.listed().to_vec(), ..self.head.clone() };
        archive.file(MANIFEST, &serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?)?;
        let file = archive.finish()?.into_inner().map_err(io::Error::from)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Writes a table: a line with the names of its columns, and one for each row.
    async fn table<W: Write>(&mut self, table: &Table, archive: &mut Archive<W>) -> Result<(), Stopped> {
        archive.begin(&format!("tables/{}.jsonl", table.name))?;
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let mut text = serde_json::to_vec(&columns).map_err(io::Error::from)?;
        text.push(b'\n');
        archive.write(&text, Some(0))?;
        text.clear();
        let wrapped_by = columns.iter().position(|column| table.name == "data_keys" && *column == "master_version");
        let known: Vec<_> = self.keyring.versions().into_iter().map(|(version, _)| i64::from(version)).collect();
        let (mut waiting, done, total, progress) = (0, &mut self.done, self.total, self.progress);
        let mut take = |row: Vec<Cell>| {
            if let Some(Cell::Number(version)) = wrapped_by.and_then(|column| row.get(column))
                && !known.contains(version)
            {
                return Err(Stopped::Rotating);
            }
            row::write(row, &mut text).map_err(io::Error::from)?;
            waiting += 1;
            if text.len() >= CHUNK_BYTES {
                archive.write(&text, Some(waiting))?;
                *done += waiting;
                progress(Progress { done: *done, total });
                text.clear();
                waiting = 0;
            }
            Ok(())
        };
        self.snapshot.each(table, &mut take).await?;
        archive.write(&text, Some(waiting))?;
        *done += waiting;
        progress(Progress { done: *done, total });
        Ok(())
    }
}

/// Why a table was not written to its end.
enum Stopped {
    Db(DbError),
    Io(io::Error),
    Rotating,
}

impl From<DbError> for Stopped {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
