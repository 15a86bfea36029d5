//! The data folder: one process at a time, and everything that a host keeps to itself.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use tempfile::NamedTempFile;

use crate::ids::HostId;
use crate::vault::{KeyFile, KeySource as _, KeyVariable, Keyring, KeyringError};

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("{0} is in use by another aaasp; stop that one first, or give this one another --data folder")]
    Locked(PathBuf),
    /// There is nothing in it yet.
    #[error("{0} holds no AAASP data; make it with `aaasp init --data {0}`")]
    Empty(PathBuf),
    /// There is something in it already.
    #[error("{0} is initialised already; start it with `aaasp serve --data {0}`")]
    Initialised(PathBuf),
    /// The operating system refused.
    #[error("{path} can't be used: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There are data but no keys to open them.
    #[error(
        "{0} was used before but holds no keyring; restore the folder `keys` from your backup, or set AAASP_KEYRING: \
         without the keys nothing opens"
    )]
    KeysMissing(PathBuf),
    /// The keyring can't be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The host's identity can't be read.
    #[error("{0} does not hold a host's id; restore it from your backup")]
    Identity(PathBuf),
}

/// Below this many free bytes a disk counts as full: the log and the output of one run may need as much.
const LEAST_FREE_BYTES: u64 = 1 << 20;

/// The disk that a folder is on.
#[derive(Clone, Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// True when next to nothing more can be written. A disk that does not say counts as one with room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        rustix::fs::statvfs(&self.0).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_FREE_BYTES)
    }
}

/// A data folder that this process has to itself, until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// The disk that it is on.
    #[must_use]
    pub fn disk(&self) -> Disk {
        Disk(self.path.clone())
    }

    /// Takes the folder, which is made when it does not exist.
    ///
    /// # Errors
    /// [`FolderError::Locked`] when another process has it.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(at(&lock_path)(source)),
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether `init` has been here.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        [self.keyring_path(), self.database(), self.host_path()].iter().any(|path| path.exists())
    }

    /// Whether a host has been here, or there are data of one.
    #[must_use]
    pub fn has_served(&self) -> bool {
        [self.database(), self.host_path()].iter().any(|path| path.exists())
    }

    /// The embedded database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        database_path(&self.path)
    }

    /// A folder within it, which is made when it does not exist.
    ///
    /// # Errors
    /// [`FolderError::Io`] when the operating system refuses.
    pub fn subfolder(&self, name: &str) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        Ok(path)
    }

    /// The keyring: that of the environment, or else that of the folder, made with it.
    ///
    /// # Errors
    /// [`FolderError::KeysMissing`] when there are data and no keyring: a new one would open nothing.
    pub fn keyring(&self) -> Result<Keyring, FolderError> {
        if let Some(variable) = KeyVariable::of_environment() {
            return Ok(Keyring::open(Box::new(variable))?);
        }
        let path = self.keyring_path();
        let file = KeyFile::at(path.clone());
        file.sweep()?;
        if path.exists() {
            return Ok(Keyring::open(Box::new(file))?);
        }
        if self.is_initialised() {
            return Err(FolderError::KeysMissing(self.path.clone()));
        }
        self.subfolder("keys")?;
        Ok(Keyring::create(Box::new(file))?)
    }

    /// The host's id, made with the folder.
    ///
    /// # Errors
    /// [`FolderError::Identity`] when the file is damaged.
    pub fn host(&self) -> Result<HostId, FolderError> {
        let path = self.host_path();
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(at(&path))?;
            return text.trim().parse().map_err(|_| FolderError::Identity(path));
        }
        let host = HostId::generate();
        write_new(&path, format!("{host}\n").as_bytes())?;
        Ok(host)
    }

    /// The key that this host authenticates its compiled artifacts with. It never leaves the host; artifacts
    /// of another key are compiled again.
    ///
    /// # Errors
    /// [`FolderError::Io`] when the operating system refuses.
    pub fn artifact_key(&self) -> Result<[u8; 32], FolderError> {
        let path = self.subfolder("keys")?.join("artifact.key");
        if let Ok(bytes) = fs::read(&path)
            && let Ok(key) = bytes.as_slice().try_into()
        {
            return Ok(key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| at(&path)(std::io::Error::other(error)))?;
        let _ = fs::remove_file(&path);
        write_new(&path, &key)?;
        Ok(key)
    }

    /// Writes the operator's key, for `aaasp admin` on this machine.
    ///
    /// # Errors
    /// [`FolderError::Io`] when the operating system refuses.
    pub fn write_operator_key(&self, key: &str) -> Result<PathBuf, FolderError> {
        let path = operator_key_path(&self.path);
        write_new(&path, format!("{key}\n").as_bytes())?;
        Ok(path)
    }

    fn host_path(&self) -> PathBuf {
        self.path.join("host")
    }

    fn keyring_path(&self) -> PathBuf {
        keyring_path(&self.path)
    }

    /// Puts a keyring that was kept elsewhere into a folder that has none.
    ///
    /// # Errors
    /// [`FolderError`] when it can't be written, or there is one.
    pub fn put_keyring(&self, text: &SecretString) -> Result<(), FolderError> {
        self.subfolder("keys")?;
        Ok(KeyFile::at(self.keyring_path()).create(text)?)
    }
}

/// The keyring of a folder that may be in use, and its text; none where it is the environment's.
///
/// # Errors
/// [`FolderError::Empty`] when there is none.
pub fn keyring_of(data: &Path) -> Result<(Keyring, Option<SecretString>), FolderError> {
    if let Some(variable) = KeyVariable::of_environment() {
        return Ok((Keyring::open(Box::new(variable))?, None));
    }
    let path = keyring_path(data);
    if !path.exists() {
        return Err(FolderError::Empty(data.to_owned()));
    }
    let text = KeyFile::at(path.clone()).read()?;
    Ok((Keyring::open(Box::new(KeyFile::at(path)))?, Some(text)))
}

/// The embedded database's file in a data folder.
#[must_use]
pub fn database_path(data: &Path) -> PathBuf {
    data.join("aaasp.db")
}

fn keyring_path(data: &Path) -> PathBuf {
    data.join("keys").join("keyring.toml")
}

/// The folder that a file is in.
#[must_use]
pub fn of_file(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that only this user reads and that goes by itself, until it is whole and takes the place of another.
///
/// # Errors
/// What the operating system says.
pub fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    NamedTempFile::new_in(of_file(path))
}

/// Where the operator's key of a data folder is.
#[must_use]
pub fn operator_key_path(data: &Path) -> PathBuf {
    data.join("keys").join("operator.key")
}

/// True when a file that holds a secret can be read by nobody else.
#[must_use]
pub fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> FolderError {
    move |source| FolderError::Io { path: path.to_owned(), source }
}
