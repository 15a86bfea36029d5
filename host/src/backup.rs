//! Backups: everything that a database holds, in two files of which neither is of use without the other, and a server
//! made of them in which no account is that was erased since.
//!
//! The data are encrypted to a key that is made for them and is in the other file alone. So the data may be kept for
//! long, and the keys for no longer than an erasure may take; and nobody who has the data alone can make others of them.
//! Neither says anything of the engine: what was kept in SQLite can be restored into PostgreSQL.

mod left_out;
mod make;
mod read;
mod restore;
mod row;

use std::io;
use std::path::PathBuf;

pub use make::{Made, make};
pub use restore::{Restored, Sources, restore};
use serde::{Deserialize, Serialize};

use crate::archive::Listed;
use crate::clock::Micros;
use crate::db::DbError;
use crate::folder::FolderError;
use crate::host::StartError;
use crate::ids::BackupId;
use crate::privacy::map::Table;
use crate::vault::KeyringError;

/// The manifest's name in an archive.
const MANIFEST: &str = "manifest.json";

/// The master keys' name in the archive of keys, where they are kept in a file.
const KEYRING: &str = "keyring.toml";

/// The name there of the age identity that opens the data.
const DATA_KEY: &str = "data.agekey";

/// The operator's key's name there.
const OPERATOR_KEY: &str = "operator.key";

/// Tables that are with the keys, and not with the data.
const KEYS: [&str; 2] = ["master_keys", "data_keys"];

/// Tables of what is made anew when it is asked for again: copies of accounts.
const MADE_ANEW: [&str; 2] = ["exports", "export_parts"];

/// Why no backup could be made, or it could not be restored. What was there is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is not {what}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The two files do not belong together.
    #[error(
        "{data} and {keys} were not made by the same `aaasp backup`: the data of {data_at}, the keys of {keys_at}; \
         give the keys that were made with the data"
    )]
    Apart {
        /// The data.
        data: PathBuf,
        /// The keys.
        keys: PathBuf,
        /// When the data were written.
        data_at: String,
        /// When the keys were.
        keys_at: String,
    },
    /// The backup was made by a later release.
    #[error(
        "{path} was made by aaasp {release}, which is newer than this one; restore it with that release, or a later one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The release.
        release: String,
    },
    /// Nobody knows what was erased since.
    #[error(
        "nothing says which accounts were erased since {made_at}, when the backup was made: they would come back. Give \
         the list with --erased FILE (`erasures.jsonl` in the data folder of each host, or where `erasure_list` of the \
         operator's file says), or say --nothing-erased if there was none"
    )]
    NoList {
        /// When the backup was made.
        made_at: String,
    },
    /// A list of erasures can't be read.
    #[error(
        "{0}: this line is no erasure that this release knows; an account that was erased might come back. Correct or \
         remove it, and restore again"
    )]
    Unread(String),
    /// There is something where the server should be made.
    #[error("{0} is in use already; restore into a new folder, and put it in the place of this one afterwards")]
    Occupied(PathBuf),
    /// Keys that are there, or given, are not those of the backup.
    #[error("the keyring {place} is not that of the backup: {here} instead of {there}")]
    OtherKeyring {
        /// Where it is.
        place: String,
        /// Its fingerprint.
        here: String,
        /// The backup's.
        there: String,
    },
    /// The backup has no master keys: its server took them from elsewhere.
    #[error(
        "the backup has no master keys: its server had them from AAASP_KEYRING; set that, as it was on {made_at}, and \
         restore again"
    )]
    KeysElsewhere {
        /// When the backup was made.
        made_at: String,
    },
    /// Keys change just now.
    #[error("master keys are being rotated; make the backup again when `aaasp key list` says that it is over")]
    Rotating,
    /// The database.
    #[error("{location}: {source}")]
    Db {
        /// Where it is.
        location: String,
        /// What is wrong.
        source: DbError,
    },
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The keyring.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The server that was restored does not open.
    #[error("what was restored does not open: {0}")]
    Start(#[from] StartError),
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Data,
    Keys,
}

impl Part {
    /// What its manifest calls it.
    const fn format(self) -> &'static str {
        match self {
            Self::Data => "aaasp-backup-data-1",
            Self::Keys => "aaasp-backup-keys-1",
        }
    }

    /// What it is, in a sentence.
    const fn words(self) -> &'static str {
        match self {
            Self::Data => "the data of a backup, as `aaasp backup` makes it",
            Self::Keys => "the keys of a backup, as `aaasp backup` makes them",
        }
    }

    /// The part that a table is in; none for what is not kept.
    fn of(table: &Table) -> Option<Self> {
        if MADE_ANEW.contains(&table.name) {
            return None;
        }
        Some(if KEYS.contains(&table.name) { Self::Keys } else { Self::Data })
    }
}

/// What a file of a backup says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Manifest {
    /// Which of the two files it is.
    format: String,
    /// The two of one backup say the same.
    backup: BackupId,
    /// The moment that the data are of.
    made_at: Micros,
    /// The release that made it.
    release: String,
    /// The version of the schema.
    schema: i64,
    /// The fingerprint of the keyring.
    keyring: String,
    /// What is in it. Tables that others refer to come first.
    files: Vec<Listed>,
}

/// How far it has come, in rows.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Rows done.
    pub done: u64,
    /// Rows in all.
    pub total: u64,
}
