//! `wasi:io`: wasmtime's streams and polling, with a price on every byte and every wait.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::io::{error, poll, streams};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError, StreamError, StreamResult};

use crate::runtime::{State, fuel};

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.owe(fuel::POLLABLE.saturating_mul(pollables.len() as u64));
        poll::Host::poll(&mut self.table, pollables).await
    }
}

impl poll::HostPollable for State {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.owe(fuel::POLLABLE);
        poll::HostPollable::block(&mut self.table, pollable).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

impl error::Host for State {}

impl error::HostError for State {
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        // The debug form may name places on the host's disk; the plain one says what happened.
        let text = self.table.get(&error)?.to_string();
        self.owe_bytes(text.len());
        Ok(text)
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        error::HostError::drop(&mut self.table, error)
    }
}

impl streams::Host for State {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        streams::Host::convert_stream_error(&mut self.table, error)
    }
}

impl streams::HostInputStream for State {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let bytes = streams::HostInputStream::read(&mut self.table, stream, len)?;
        self.owe_bytes(bytes.len());
        Ok(bytes)
    }

    async fn blocking_read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let bytes = streams::HostInputStream::blocking_read(&mut self.table, stream, len).await?;
        self.owe_bytes(bytes.len());
        Ok(bytes)
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let skipped = streams::HostInputStream::skip(&mut self.table, stream, len)?;
        self.owe(skipped.saturating_mul(fuel::BYTE));
        Ok(skipped)
    }

    async fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let skipped = streams::HostInputStream::blocking_skip(&mut self.table, stream, len).await?;
        self.owe(skipped.saturating_mul(fuel::BYTE));
        Ok(skipped)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostInputStream::subscribe(&mut self.table, stream)
    }

    async fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        streams::HostInputStream::drop(&mut self.table, stream).await
    }
}

impl streams::HostOutputStream for State {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        streams::HostOutputStream::check_write(&mut self.table, stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.owe_bytes(bytes.len());
        streams::HostOutputStream::write(&mut self.table, stream, bytes)
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.owe_bytes(bytes.len());
        streams::HostOutputStream::blocking_write_and_flush(&mut self.table, stream, bytes).await
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        streams::HostOutputStream::flush(&mut self.table, stream)
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        streams::HostOutputStream::blocking_flush(&mut self.table, stream).await
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostOutputStream::subscribe(&mut self.table, stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        self.owe(len.saturating_mul(fuel::BYTE));
        streams::HostOutputStream::write_zeroes(&mut self.table, stream, len)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        self.owe(len.saturating_mul(fuel::BYTE));
        streams::HostOutputStream::blocking_write_zeroes_and_flush(&mut self.table, stream, len).await
    }

    fn splice(
        &mut self,
        stream: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let moved = streams::HostOutputStream::splice(&mut self.table, stream, from, len)?;
        self.owe(moved.saturating_mul(fuel::BYTE));
        Ok(moved)
    }

    async fn blocking_splice(
        &mut self,
        stream: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let moved = streams::HostOutputStream::blocking_splice(&mut self.table, stream, from, len).await?;
        self.owe(moved.saturating_mul(fuel::BYTE));
        Ok(moved)
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        streams::HostOutputStream::drop(&mut self.table, stream).await
    }
}
