//! Streams over scratch files: they count as open, and what they write is counted first.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::quota::Handle;
use crate::runtime::is_disk_full;

/// Reads a file.
pub(super) struct Reader {
    pub(super) inner: DynInputStream,
    pub(super) _open: Arc<Handle>,
}

/// Writes a file at a position, or at its end when there is none.
pub(super) struct Writer {
    pub(super) inner: DynOutputStream,
    pub(super) open: Arc<Handle>,
    pub(super) position: Option<u64>,
}

impl Writer {
    fn reserve(&mut self, len: usize) -> StreamResult<()> {
        if !self.open.reserve(self.position, len as u64) {
            let full = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
            return Err(StreamError::LastOperationFailed(full.into()));
        }
        if let Some(position) = &mut self.position {
            *position = position.saturating_add(len as u64);
        }
        Ok(())
    }

    /// Hears of a write that found no room, which may be told with a later call.
    fn heard<T>(&self, result: StreamResult<T>) -> StreamResult<T> {
        if let Err(StreamError::LastOperationFailed(error)) = &result
            && error.downcast_ref::<io::Error>().is_some_and(is_disk_full)
        {
            self.open.note_full_disk();
        }
        result
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    fn skip(&mut self, nelem: usize) -> StreamResult<usize> {
        self.inner.skip(nelem)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.reserve(bytes.len())?;
        let written = self.inner.write(bytes);
        self.heard(written)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.reserve(bytes.len())?;
        let written = self.inner.blocking_write_and_flush(bytes).await;
        self.heard(written)
    }

    fn flush(&mut self) -> StreamResult<()> {
        let flushed = self.inner.flush();
        self.heard(flushed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let writable = self.inner.check_write();
        self.heard(writable)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
