//! A folder that is gone when its owner is.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of our own under the system's temporary folder; dropping it removes it and what is in it.
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes `aaasp-<purpose>-<process>-<n>`, readable by this user alone.
    pub fn create(purpose: &str) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;

        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("aaasp-{purpose}-{}-{n}", std::process::id()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}
