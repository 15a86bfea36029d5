//! Files for the length of one run, in the folder that a deployment grants as `scratch`.
//!
//! `std::fs` does not exist on the target that agents are compiled for. Paths are relative to the
//! scratch folder, with `/` between their parts. Outside of a component, and where the deployment
//! grants no scratch, every call ends in [`Error::NotGranted`].

use crate::bindings::wasi::filesystem::preopens;
use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// Bytes that one call to the host moves; well under what hosts cap a single list at.
const CHUNK_BYTES: u32 = 256 * 1024;

/// Why the scratch folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deployment grants no scratch folder.
    #[error("no scratch folder: the deployment does not grant `scratch`")]
    NotGranted,
    /// There is nothing at the path.
    #[error("{0}: not found")]
    NotFound(String),
    /// The limit on bytes or files is reached.
    #[error("{0}: over the scratch limit")]
    OverLimit(String),
    /// The file is not UTF-8.
    #[error("{0}: not UTF-8")]
    NotText(String),
    /// Anything else that the host refuses.
    #[error("{path}: {reason}")]
    Refused {
        /// The path that was asked for.
        path: String,
        /// The host's word for why.
        reason: String,
    },
}

/// The bytes of a file.
///
/// # Errors
/// See [`Error`].
pub fn read(path: &str) -> Result<Vec<u8>, Error> {
    let file = open(path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let mut bytes = Vec::new();
    loop {
        let (chunk, end) = file.read(u64::from(CHUNK_BYTES), bytes.len() as u64).map_err(|code| refused(path, code))?;
        bytes.extend_from_slice(&chunk);
        if end {
            return Ok(bytes);
        }
    }
}

/// The text of a file.
///
/// # Errors
/// See [`Error`].
pub fn read_to_string(path: &str) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|_| Error::NotText(path.to_owned()))
}

/// Writes a file whole, in place of what was there.
///
/// # Errors
/// See [`Error`].
pub fn write(path: &str, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
    let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file = open(path, flags, DescriptorFlags::WRITE)?;
    let bytes = bytes.as_ref();
    let mut written = 0;
    while written < bytes.len() {
        let end = bytes.len().min(written + CHUNK_BYTES as usize);
        let count = file.write(&bytes[written..end], written as u64).map_err(|code| refused(path, code))?;
        written += usize::try_from(count).unwrap_or(usize::MAX);
    }
    Ok(())
}

/// Makes a folder inside one that exists.
///
/// # Errors
/// See [`Error`].
pub fn create_dir(path: &str) -> Result<(), Error> {
    root()?.create_directory_at(path).map_err(|code| refused(path, code))
}

/// The names in a folder, sorted; `"."` is the scratch folder itself.
///
/// # Errors
/// See [`Error`].
pub fn list(path: &str) -> Result<Vec<String>, Error> {
    let folder = open(path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = folder.read_directory().map_err(|code| refused(path, code))?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry().map_err(|code| refused(path, code))? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names)
}

/// Removes a file.
///
/// # Errors
/// See [`Error`].
pub fn remove(path: &str) -> Result<(), Error> {
    root()?.unlink_file_at(path).map_err(|code| refused(path, code))
}

fn open(path: &str, open: OpenFlags, access: DescriptorFlags) -> Result<Descriptor, Error> {
    root()?.open_at(PathFlags::empty(), path, open, access).map_err(|code| refused(path, code))
}

fn root() -> Result<Descriptor, Error> {
    if !cfg!(target_family = "wasm") {
        return Err(Error::NotGranted);
    }
    let folder = preopens::get_directories().into_iter().next();
    folder.map(|(descriptor, _)| descriptor).ok_or(Error::NotGranted)
}

fn refused(path: &str, code: ErrorCode) -> Error {
    let path = path.to_owned();
    match code {
        ErrorCode::NoEntry => Error::NotFound(path),
        ErrorCode::Quota | ErrorCode::InsufficientSpace => Error::OverLimit(path),
        other => Error::Refused { path, reason: other.message().to_owned() },
    }
}
