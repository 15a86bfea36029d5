//! A certificate in files, which somebody else puts anew from time to time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::certificates::{Certificates, Ready, TlsError, now};
use crate::folder::is_private;

/// From how few days on its end is told of.
const FEW_DAYS: i64 = 14;

const DAY_S: i64 = 86_400;

/// What a file looks like from outside: when it changed, how long it is, and which one it is.
type Look = (SystemTime, u64, u64);

/// The files of a certificate and of its key.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// How both looked when they were read, whatever came of it.
    seen: Mutex<Option<[Look; 2]>>,
    /// The day on which it was last told that the certificate is about to end.
    warned_on: AtomicI64,
}

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, seen: Mutex::new(None), warned_on: AtomicI64::new(0) }
    }

    /// Reads and shows them.
    pub(super) fn load(&self, certificates: &Certificates) -> Result<(), TlsError> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = self.looks();
        let ready = Ready::read(&read(&self.certificate)?, &read(&self.key)?)?;
        if !is_private(&self.key) {
            tracing::warn!(file = %self.key.display(), "others on this machine can read the key of the certificate");
        }
        certificates.show(ready);
        self.warn(certificates);
        Ok(())
    }

    /// Warns once a day while the certificate is about to end.
    fn warn(&self, certificates: &Certificates) {
        let Some(current) = certificates.current() else { return };
        let (days, today) = (current.ends_in() / DAY_S, now() / DAY_S);
        if days < FEW_DAYS && self.warned_on.swap(today, Ordering::Relaxed) != today {
            let file = self.certificate.display();
            tracing::warn!(days, %file, "the certificate is about to end; put a newer one in its place");
        }
    }

    /// Shows them anew if they have changed. Two files are not replaced at once: until they fit together, what is shown
    /// stays.
    pub(super) fn look(&self, certificates: &Certificates) {
        self.warn(certificates);
        let looks = self.looks();
        if looks == *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        if let Err(error) = self.load(certificates) {
            metrics::counter!("aaasp_tls_certificate_failures_total").increment(1);
            tracing::error!(%error, "another certificate can't be used yet; the one before is still shown");
        }
    }

    fn looks(&self) -> Option<[Look; 2]> {
        Some([look(&self.certificate)?, look(&self.key)?])
    }
}

fn look(path: &Path) -> Option<Look> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len(), found.ino()))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}
