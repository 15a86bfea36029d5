//! Where a keyring comes from: a file that only its owner reads, or the environment.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::KeyringError;

/// The variable that holds a keyring, for containers without a folder that lasts.
pub const VARIABLE: &str = "AAASP_KEYRING";

/// What a part of a keyring that is being written is called, until it takes the place of the whole one.
const PART: &str = ".keyring-part";

/// Where the text of a keyring is kept. A key management service would keep the text encrypted, and open it in
/// [`KeySource::read`].
pub trait KeySource: Send + Sync {
    /// Names it in messages.
    fn place(&self) -> String;

    /// The text, as it is now.
    ///
    /// # Errors
    /// [`KeyringError`] when it can't be read, or others can read it.
    fn read(&self) -> Result<SecretString, KeyringError>;

    /// Replaces the text, all of it or nothing, also when the machine stops meanwhile.
    ///
    /// # Errors
    /// [`KeyringError`] when it can't be written; the text is then what it was.
    fn write(&self, text: &SecretString) -> Result<(), KeyringError>;

    /// Writes the first text, where there is none yet.
    ///
    /// # Errors
    /// [`KeyringError`] when there is one, or it can't be written.
    fn create(&self, text: &SecretString) -> Result<(), KeyringError>;
}

/// A keyring in a file with mode 0600.
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// At a path, whether there is a file yet or not.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Removes what a write that the machine interrupted has left beside the file.
    ///
    /// # Errors
    /// [`KeyringError::File`] when the operating system refuses.
    pub fn sweep(&self) -> Result<(), KeyringError> {
        let Ok(entries) = fs::read_dir(self.folder()) else { return Ok(()) };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PART)) {
            fs::remove_file(entry.path()).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// A synced file beside the real one; tempfile makes it with mode 0600.
    fn part(&self, text: &SecretString) -> Result<tempfile::NamedTempFile, KeyringError> {
        let mut part =
            tempfile::Builder::new().prefix(PART).tempfile_in(self.folder()).map_err(|source| self.failed(source))?;
        part.write_all(text.expose_secret().as_bytes())
            .and_then(|()| part.as_file().sync_all())
            .map_err(|source| self.failed(source))?;
        Ok(part)
    }

    /// A name lasts once its folder is synced.
    fn sync_folder(&self) -> Result<(), KeyringError> {
        fs::File::open(self.folder()).and_then(|folder| folder.sync_all()).map_err(|source| self.failed(source))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn failed(&self, source: std::io::Error) -> KeyringError {
        KeyringError::File { path: self.path.clone(), source }
    }
}

impl KeySource for KeyFile {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn read(&self) -> Result<SecretString, KeyringError> {
        let failed = |source| self.failed(source);
        if fs::metadata(&self.path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyringError::Open(self.path.clone()));
        }
        let text = Zeroizing::new(fs::read_to_string(&self.path).map_err(failed)?);
        Ok(text.as_str().into())
    }

    fn write(&self, text: &SecretString) -> Result<(), KeyringError> {
        self.part(text)?.persist(&self.path).map_err(|error| self.failed(error.error))?;
        self.sync_folder()
    }

    fn create(&self, text: &SecretString) -> Result<(), KeyringError> {
        self.part(text)?.persist_noclobber(&self.path).map_err(|error| self.failed(error.error))?;
        self.sync_folder()
    }
}

/// A keyring in [`VARIABLE`]. Whoever started the process has it, so only they can change it.
pub struct KeyVariable {
    text: SecretString,
}

impl KeyVariable {
    /// The variable's value, when it is set and not empty.
    #[must_use]
    pub fn of_environment() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty())?;
        Some(Self { text: text.into() })
    }
}

impl KeySource for KeyVariable {
    fn place(&self) -> String {
        VARIABLE.to_owned()
    }

    fn read(&self) -> Result<SecretString, KeyringError> {
        Ok(self.text.clone())
    }

    fn write(&self, _: &SecretString) -> Result<(), KeyringError> {
        Err(KeyringError::Fixed)
    }

    fn create(&self, _: &SecretString) -> Result<(), KeyringError> {
        Err(KeyringError::Fixed)
    }
}
