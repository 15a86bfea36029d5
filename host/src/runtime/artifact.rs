//! Compiled artifacts on disk. They are code, so each is sealed under the host's key, and only what
//! its seal vouches for is ever loaded.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Digest;

/// What the folders of compiled artifacts begin with; the rest is the fingerprint of their engine.
const FOLDER_PREFIX: &str = "compiled-";
/// Says what is being authenticated, so that the key can't be used to make another kind of tag.
const PURPOSE: &[u8] = b"aaasp compiled artifact\0";

/// The artifacts of one engine.
pub(crate) struct Artifacts {
    folder: PathBuf,
    key: [u8; 32],
    fingerprint: [u8; 32],
}

/// Why an artifact can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// The disk failed.
    #[error("a compiled artifact can't be read: {0}")]
    Io(#[from] io::Error),
    /// The engine refuses it: the component needs more than the pool has for one.
    #[error("{0}")]
    Refused(String),
}

impl Artifacts {
    /// Opens the folder of this engine's artifacts; those of other engines and half-written files go.
    pub(crate) fn open(root: &Path, key: [u8; 32], fingerprint: [u8; 32]) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let name = format!("{FOLDER_PREFIX}{}", hex::encode(&fingerprint[..16]));
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let other = entry.file_name();
            if other.to_string_lossy().starts_with(FOLDER_PREFIX) && other.to_string_lossy() != name {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let folder = root.join(name);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "tmp") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { folder, key, fingerprint })
    }

    /// A file in the folder for work that is under way, which goes with its owner.
    pub(crate) fn temporary(&self) -> io::Result<tempfile::TempPath> {
        let file = tempfile::Builder::new().prefix("work-").suffix(".tmp").tempfile_in(&self.folder)?;
        Ok(file.into_temp_path())
    }

    /// Seals a freshly compiled file and moves it to its place.
    pub(crate) fn store(&self, digest: &Digest, compiled: tempfile::TempPath) -> io::Result<()> {
        let mut file = File::open(&compiled)?;
        let seal = self.seal(digest, &mut file)?.finalize().into_bytes();
        let mut seal_file = tempfile::Builder::new().prefix("seal-").suffix(".tmp").tempfile_in(&self.folder)?;
        seal_file.write_all(&seal)?;
        seal_file.persist(self.seal_path(digest)).map_err(|error| error.error)?;
        compiled.persist(self.code_path(digest)).map_err(|error| error.error)
    }

    /// Loads an artifact if there is one with a good seal. One without is removed.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Result<Option<Component>, Unusable> {
        let (mut file, seal) = match (File::open(self.code_path(digest)), fs::read(self.seal_path(digest))) {
            (Ok(file), Ok(seal)) => (file, seal),
            (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            (Err(error), _) | (_, Err(error)) => return Err(error.into()),
        };
        if self.seal(digest, &mut file)?.verify_slice(&seal).is_err() {
            tracing::error!(%digest, "a compiled artifact does not match its seal: compiling again");
            self.discard(digest);
            return Ok(None);
        }
        load_sealed(engine, &file).map(Some).map_err(|error| {
            self.discard(digest);
            Unusable::Refused(format!("{error:#}"))
        })
    }

    fn discard(&self, digest: &Digest) {
        let _ = fs::remove_file(self.code_path(digest));
        let _ = fs::remove_file(self.seal_path(digest));
    }

    /// Deletes what was compiled from components that nobody has any more.
    pub(crate) fn keep(&self, wanted: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let digest = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let is_artifact = path.extension().is_some_and(|extension| extension == "cwasm" || extension == "seal");
            if is_artifact && !wanted.contains(&digest) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Over the digest of the source, all that the code depends on, and the code.
    fn seal(&self, digest: &Digest, file: &mut File) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(io::Error::other)?;
        mac.update(PURPOSE);
        mac.update(digest.as_bytes());
        mac.update(&self.fingerprint);
        let mut chunk = vec![0; 256 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(mac),
                len => mac.update(&chunk[..len]),
            }
        }
    }

    fn code_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.cwasm", digest.to_hex()))
    }

    fn seal_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.seal", digest.to_hex()))
    }
}

/// Maps the file behind a descriptor that was just verified, by way of the descriptor, so that no
/// other file can have taken its name.
fn load_sealed(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    #[expect(unsafe_code, reason = "the file's seal shows that this host's own compiler wrote it for this engine")]
    // SAFETY: the contents come from `Engine::precompile_component` in our child process, and the
    // HMAC over them, under a key that only this host has, has just been verified.
    unsafe {
        Component::deserialize_file(engine, path)
    }
}
