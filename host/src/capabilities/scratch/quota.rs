//! Counts what a run's folder holds, before it holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::RunLimits;

/// The folder's books. Every change to the folder goes through the host, so they need no look at it.
#[derive(Clone, Debug)]
pub(crate) struct Quota(Arc<Mutex<Books>>);

#[derive(Debug)]
struct Books {
    max_bytes: u64,
    max_files: u64,
    max_open: u64,
    bytes: u64,
    peak_bytes: u64,
    files: u64,
    open: u64,
    contents: HashMap<FileId, Content>,
    refused: Option<&'static str>,
    disk_full: bool,
}

/// Identity of a file's content, whatever its names.
pub(crate) type FileId = u64;

/// A file's bytes stay on the disk while it has a name or is open.
#[derive(Debug)]
struct Content {
    size: u64,
    names: u64,
    handles: u64,
}

/// A descriptor, or a stream of one, that is open; dropping the last one closes it in the books.
#[derive(Debug)]
pub(crate) struct Handle {
    quota: Quota,
    file: Option<FileId>,
}

impl Quota {
    pub(crate) fn new(limits: &RunLimits) -> Self {
        Self(Arc::new(Mutex::new(Books {
            max_bytes: limits.scratch_bytes,
            max_files: limits.scratch_files,
            max_open: limits.open_files,
            bytes: 0,
            peak_bytes: 0,
            files: 0,
            open: 0,
            contents: HashMap::new(),
            refused: None,
            disk_full: false,
        })))
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        self.books().peak_bytes
    }

    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.books().refused
    }

    /// Whether the disk had no room for what the quota allowed.
    pub(crate) fn disk_was_full(&self) -> bool {
        self.books().disk_full
    }

    /// Notes that the disk had no room for what the quota allowed.
    pub(crate) fn note_full_disk(&self) {
        self.books().disk_full = true;
    }

    /// Counts one more open descriptor, of that file's content if it is a file's; none left: nothing.
    pub(crate) fn open(&self, file: Option<FileId>) -> Option<Handle> {
        let mut books = self.books();
        if books.open >= books.max_open {
            books.refused = Some("open_files");
            return None;
        }
        books.open += 1;
        if let Some(file) = file {
            books.contents.entry(file).or_insert(Content { size: 0, names: 1, handles: 0 }).handles += 1;
        }
        Some(Handle { quota: self.clone(), file })
    }

    /// Whether another descriptor may be opened; says no only once the limit is reached.
    pub(crate) fn may_open(&self) -> bool {
        let mut books = self.books();
        let room = books.open < books.max_open;
        if !room {
            books.refused = Some("open_files");
        }
        room
    }

    /// Counts one more file, folder or link, if the limit allows.
    pub(crate) fn add_name(&self) -> bool {
        let mut books = self.books();
        let room = books.files < books.max_files;
        if room {
            books.files += 1;
        } else {
            books.refused = Some("scratch_files");
        }
        room
    }

    /// Counts one file, folder or link less.
    pub(crate) fn remove_name(&self) {
        let mut books = self.books();
        books.files = books.files.saturating_sub(1);
    }

    /// A file's content has one more name.
    pub(crate) fn link(&self, file: FileId) {
        if let Some(content) = self.books().contents.get_mut(&file) {
            content.names += 1;
        }
    }

    /// A file's content has one name less; its bytes are free when nobody has it open.
    pub(crate) fn unlink(&self, file: FileId) {
        let mut books = self.books();
        if let Some(content) = books.contents.get_mut(&file) {
            content.names = content.names.saturating_sub(1);
        }
        books.settle(file);
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Makes room for `len` bytes at `offset`, or at the end when there is none.
    pub(crate) fn reserve(&self, offset: Option<u64>, len: u64) -> bool {
        let Some(file) = self.file else { return true };
        let mut books = self.quota.books();
        let size = books.contents.get(&file).map_or(0, |content| content.size);
        let end = offset.unwrap_or(size).saturating_add(len);
        end <= size || books.resize(file, end)
    }

    /// Notes that the disk had no room for what the quota allowed.
    pub(crate) fn note_full_disk(&self) {
        self.quota.note_full_disk();
    }

    /// Sets the file's size in the books; false when that would be too large.
    pub(crate) fn resize(&self, size: u64) -> bool {
        let Some(file) = self.file else { return true };
        self.quota.books().resize(file, size)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut books = self.quota.books();
        books.open -= 1;
        if let Some(file) = self.file {
            if let Some(content) = books.contents.get_mut(&file) {
                content.handles = content.handles.saturating_sub(1);
            }
            books.settle(file);
        }
    }
}

impl Books {
    /// A file counts by its length: one with a hole could be filled at any moment.
    fn resize(&mut self, file: FileId, size: u64) -> bool {
        let Some(content) = self.contents.get_mut(&file) else { return true };
        let total = (self.bytes - content.size).saturating_add(size);
        if size > content.size && total > self.max_bytes {
            self.refused = Some("scratch_bytes");
            return false;
        }
        content.size = size;
        self.bytes = total;
        self.peak_bytes = self.peak_bytes.max(total);
        true
    }

    fn settle(&mut self, file: FileId) {
        if let Some(content) = self.contents.get(&file)
            && content.names == 0
            && content.handles == 0
        {
            self.bytes -= content.size;
            self.contents.remove(&file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(bytes: u64, files: u64, open: u64) -> Quota {
        Quota::new(&RunLimits { scratch_bytes: bytes, scratch_files: files, open_files: open, ..RunLimits::default() })
    }

    #[test]
    fn bytes_are_refused_before_they_are_written() {
        let quota = quota(10, 9, 9);
        let handle = quota.open(Some(1)).unwrap();
        assert!(handle.reserve(Some(0), 10));
        assert!(handle.reserve(Some(5), 5), "overwriting takes no room");
        assert!(!handle.reserve(None, 1));
        assert_eq!((quota.peak_bytes(), quota.refused()), (10, Some("scratch_bytes")));
    }

    #[test]
    fn a_hole_counts() {
        let quota = quota(10, 9, 9);
        let handle = quota.open(Some(1)).unwrap();
        assert!(!handle.reserve(Some(u64::MAX), 1));
        assert!(!handle.resize(11));
    }

    #[test]
    fn an_unlinked_file_counts_until_it_is_closed() {
        let quota = quota(10, 9, 9);
        let first = quota.open(Some(1)).unwrap();
        assert!(first.reserve(None, 10));
        quota.unlink(1);
        let second = quota.open(Some(2)).unwrap();
        assert!(!second.reserve(None, 1));
        drop(first);
        assert!(second.reserve(None, 1));
    }

    #[test]
    fn a_second_name_keeps_the_bytes() {
        let quota = quota(10, 9, 9);
        let handle = quota.open(Some(1)).unwrap();
        assert!(handle.reserve(None, 10));
        drop(handle);
        quota.link(1);
        quota.unlink(1);
        assert!(!quota.open(Some(2)).unwrap().reserve(None, 1));
    }

    #[test]
    fn handles_and_names_are_counted() {
        let quota = quota(10, 1, 1);
        let handle = quota.open(None).unwrap();
        assert!(quota.open(None).is_none());
        drop(handle);
        assert!(quota.open(None).is_some());
        assert!(quota.add_name());
        assert!(!quota.add_name());
        quota.remove_name();
        assert!(quota.add_name());
    }
}
