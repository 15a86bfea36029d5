//! Makes a server of a backup. What was erased since never gets in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::left_out::{LeftOut, erasure};
use super::read::{self, Opened};
use super::{BackupError, DATA_KEY, KEYRING, OPERATOR_KEY, Part, Progress};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::{Clock, Micros};
use crate::config::Config;
use crate::db::backup::Load;
use crate::db::{DatabaseUrl, DbError};
use crate::folder::{self, Folder, FolderError};
use crate::host::Store;
use crate::ids::BackupId;
use crate::privacy::erased::{self, Erased};
use crate::vault::Keyring;

/// What the embedded database is called until it is whole.
const PART: &str = "restoring.db";

/// Where a backup is, and what is known of what was erased since.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'s> {
    /// The data.
    pub data: &'s Path,
    /// The keys.
    pub keys: &'s Path,
    /// What opens them, if they are encrypted.
    pub identity: Option<&'s Path>,
    /// Lists of what was erased.
    pub erased: &'s [PathBuf],
    /// Whether nothing was, so that there need be no list.
    pub nothing_erased: bool,
}

/// What was restored.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The backup.
    pub backup: BackupId,
    /// The moment that it is of.
    pub made_at: Micros,
    /// The database.
    pub database: String,
    /// The rows that it has now.
    pub rows: u64,
    /// The accounts that are not there, since they were erased after the backup was made.
    pub erased_since: u64,
}

/// Makes the data folder and the database of a configuration what the backup has. Nothing may be there yet.
///
/// # Errors
/// [`BackupError`]. Until all rows are there the database is empty, and it can be tried again.
pub async fn restore(
    sources: Sources<'_>,
    config: Config,
    clock: Clock,
    progress: &dyn Fn(Progress),
) -> Result<Restored, BackupError> {
    let (mut data, mut keys) = opened(sources)?;
    let folder = Folder::take(&config.data)?;
    if folder.has_served() {
        return Err(BackupError::Occupied(config.data));
    }
    let list = lists(sources, &config, data.manifest.made_at, &data.manifest.keyring)?;
    let keyring = keyring(&folder, &mut keys, &data.manifest.keyring)?;
    let url = match &config.database {
        Some(url) => DatabaseUrl::parse(url.expose_secret()),
        None => Ok(DatabaseUrl::sqlite(&fresh(&folder)?)),
    };
    let url = url.map_err(|source| BackupError::Db { location: "the database URL".to_owned(), source })?;
    let failed = |source| BackupError::Db { location: url.redacted(), source };
    let rows = |opened: &Opened| opened.manifest.files.iter().filter_map(|file| file.rows).sum::<u64>();
    let mut loading = Loading {
        load: Load::into(&url, data.manifest.schema).await.map_err(failed)?,
        out: LeftOut::new(&keyring, &list, clock.now()),
        done: 0,
        total: rows(&data) + rows(&keys),
        progress,
        location: url.redacted(),
    };
    for opened in [&mut data, &mut keys] {
        for table in opened.tables() {
            loading.table(opened, &table).await?;
        }
    }
    loading.list(&list).await?;
    if let Some(key) = keys.text(OPERATOR_KEY)?
        && !folder::operator_key_path(folder.path()).exists()
    {
        folder.write_operator_key(String::from_utf8_lossy(&key).trim())?;
    }
    if !list.is_empty() {
        let at = erased::list_of(&config);
        erased::add(&at, &list).map_err(|source| BackupError::Io { path: at, source })?;
    }
    let (rows, erased_since) = (loading.done, loading.out.accounts());
    loading.load.commit().await.map_err(failed)?;
    if config.database.is_none() {
        take_place(&folder)?;
    }
    let (backup, made_at) = (data.manifest.backup, data.manifest.made_at);
    let store = Store::open(folder, config, clock).await?;
    noted(&store, backup, made_at).await.map_err(failed)?;
    let database = store.db.location();
    store.db.close().await;
    Ok(Restored { backup, made_at, database, rows, erased_since })
}

/// The data and the keys, each byte for byte what it was.
fn opened(sources: Sources<'_>) -> Result<(Opened, Opened), BackupError> {
    let given = sources.identity.map(read::identities).transpose()?.unwrap_or_default();
    let mut keys = Opened::open(sources.keys, Part::Keys, &given)?;
    let key = keys.text(DATA_KEY)?.and_then(|key| String::from_utf8(key).ok()?.parse::<age::x25519::Identity>().ok());
    let key = key.map(|key| Box::new(key) as Box<dyn age::Identity>);
    let mut data = Opened::open(sources.data, Part::Data, key.as_slice())?;
    if data.manifest.backup != keys.manifest.backup {
        return Err(BackupError::Apart {
            data: sources.data.to_owned(),
            keys: sources.keys.to_owned(),
            data_at: data.manifest.made_at.rfc3339(),
            keys_at: keys.manifest.made_at.rfc3339(),
        });
    }
    data.check()?;
    keys.check()?;
    Ok((data, keys))
}

/// Writes into the audit what the server was made of.
async fn noted(store: &Store, backup: BackupId, made_at: Micros) -> Result<(), DbError> {
    let facts = Facts { was: Some(made_at.rfc3339()), ..Facts::of(backup) };
    let entry = NewEntry::new((Actor::System, Act::Restore, store.clock.now()), None, &facts)?;
    let write = store.db.write(move |tx| {
        let entry = entry.clone();
        Box::pin(async move {
            tx.audit(entry);
            Ok(())
        })
    });
    write.await
}

/// The erasures that are known, one for each account.
fn lists(sources: Sources<'_>, config: &Config, made_at: Micros, there: &str) -> Result<Vec<Erased>, BackupError> {
    let here = erased::list_of(config);
    let mut lists = sources.erased.to_vec();
    if here.exists() && !lists.contains(&here) {
        lists.push(here);
    }
    if lists.is_empty() && !sources.nothing_erased {
        return Err(BackupError::NoList { made_at: made_at.rfc3339() });
    }
    let mut known = BTreeMap::new();
    for list in lists {
        let (erased, unread) = erased::read(&list).map_err(|source| BackupError::Io { path: list.clone(), source })?;
        if let Some(line) = unread {
            return Err(BackupError::Unread(format!("{}, line {line}", list.display())));
        }
        for one in erased {
            if one.keyring != there {
                let place = format!("of {}", list.display());
                return Err(BackupError::OtherKeyring { place, here: one.keyring, there: there.to_owned() });
            }
            known.insert(one.account.clone(), one);
        }
    }
    Ok(known.into_values().collect())
}

/// The keyring of the backup, which is the environment's, or is put into the folder.
fn keyring(folder: &Folder, keys: &mut Opened, there: &str) -> Result<Keyring, BackupError> {
    let made_at = keys.manifest.made_at.rfc3339();
    let keyring = match folder::keyring_of(folder.path()) {
        Err(FolderError::Empty(_)) => {
            let text = keys.text(KEYRING)?.ok_or(BackupError::KeysElsewhere { made_at })?;
            let text = SecretString::from(String::from_utf8_lossy(&text).into_owned());
            folder.put_keyring(&text)?;
            folder::keyring_of(folder.path())?.0
        }
        known => known?.0,
    };
    let here = keyring.fingerprint();
    if here != there {
        return Err(BackupError::OtherKeyring { place: keyring.place(), here, there: there.to_owned() });
    }
    Ok(keyring)
}

/// Where the embedded database is made, with nothing left there of a time that ended too early.
fn fresh(folder: &Folder) -> Result<PathBuf, BackupError> {
    let path = folder.path().join(PART);
    for left in ["", "-wal", "-shm"] {
        let path = folder.path().join(format!("{PART}{left}"));
        if path.exists() {
            fs::remove_file(&path).map_err(|source| BackupError::Io { path, source })?;
        }
    }
    Ok(path)
}

/// Puts the embedded database, which is whole now, where a host looks for it.
fn take_place(folder: &Folder) -> Result<(), BackupError> {
    let (part, wal) = (folder.path().join(PART), folder.path().join(format!("{PART}-wal")));
    // What is in the WAL yet would stay there under another name.
    if wal.metadata().is_ok_and(|wal| wal.len() > 0) {
        let source = io::Error::other("it could not be written out; is the disk full?");
        return Err(BackupError::Io { path: wal, source });
    }
    fs::rename(&part, folder.database()).map_err(|source| BackupError::Io { path: part, source })
}

struct Loading<'l> {
    load: Load,
    out: LeftOut<'l>,
    done: u64,
    total: u64,
    progress: &'l dyn Fn(Progress),
    location: String,
}

impl Loading<'_> {
    async fn table(&mut self, opened: &mut Opened, table: &str) -> Result<(), BackupError> {
        let failed = |source| BackupError::Db { location: self.location.clone(), source };
        let (columns, rows) = opened.rows(table)?;
        for (number, row) in rows.enumerate() {
            if number % 1_000 == 0 {
                (self.progress)(Progress { done: self.done, total: self.total });
            }
            if let Some(row) = self.out.judge(table, &columns, row?) {
                self.load.insert(table, &columns, row).await.map_err(failed)?;
                self.done += 1;
            }
        }
        if table == "accounts" {
            for (columns, row) in self.out.nobodies() {
                self.load.insert(table, &columns, row).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Adds the erasures that the backup does not know as done.
    async fn list(&mut self, list: &[Erased]) -> Result<(), BackupError> {
        let failed = |source| BackupError::Db { location: self.location.clone(), source };
        for erased in list.iter().filter(|erased| !self.out.knows(erased)) {
            let (columns, row) = erasure(erased).map_err(failed)?;
            self.load.insert("erasures", &columns, row).await.map_err(failed)?;
        }
        Ok(())
    }
}
