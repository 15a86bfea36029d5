//! What a response's body is packed in, unpacked where it must be searched, and counted both ways.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::header::{CONTENT_ENCODING, HeaderMap, TRANSFER_ENCODING};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::counts::Counts;
use super::denied::Denied;

/// Bytes that a decoder gives at a time.
const DECODED_CHUNK_BYTES: usize = 32 << 10;

/// What a body is packed in.
#[derive(Clone, Copy)]
pub(super) enum Coding {
    Gzip,
    Zlib,
    Brotli,
    Zstd,
}

/// A body, unpacked.
pub(super) type Unpacked = ReaderStream<Pin<Box<dyn AsyncRead + Send>>>;

impl Coding {
    /// The body's coding, refused when a secret could hide in it. What the server calls it could be a secret too.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Denied> {
        for value in headers.get_all(TRANSFER_ENCODING) {
            if !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Denied::Coding("transfer-encoding"));
            }
        }
        let unreadable = Denied::Coding("content-encoding");
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = codings.next() else { return Ok(None) };
        if codings.next().is_some() {
            return Err(unreadable);
        }
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(None),
            b"gzip" | b"x-gzip" => Ok(Some(Self::Gzip)),
            b"deflate" => Ok(Some(Self::Zlib)),
            b"br" => Ok(Some(Self::Brotli)),
            b"zstd" => Ok(Some(Self::Zstd)),
            _ => Err(unreadable),
        }
    }

    /// Unpacks a body, whose bytes are counted as they come.
    pub(super) fn unpack<E>(
        self,
        body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
        sizes: Arc<Sizes>,
    ) -> Unpacked
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let counted = body.map(move |bytes| {
            let bytes = bytes.map_err(io::Error::other)?;
            sizes.came(bytes.len()).map_err(io::Error::other)?;
            Ok::<_, io::Error>(bytes)
        });
        let reader = StreamReader::new(Box::pin(counted));
        let decoder: Pin<Box<dyn AsyncRead + Send>> = match self {
            // A body may be several gzip members or zstd frames, one behind the other.
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Self::Zlib => Box::pin(ZlibDecoder::new(reader)),
            Self::Brotli => Box::pin(BrotliDecoder::new(reader)),
            Self::Zstd => {
                let mut decoder = ZstdDecoder::new(reader);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        };
        ReaderStream::with_capacity(decoder, DECODED_CHUNK_BYTES)
    }
}

/// Why unpacking ended: a limit that was reached on the way in, or the server.
pub(super) fn broke(error: &io::Error) -> Denied {
    let denied = error.get_ref().and_then(|inner| inner.downcast_ref::<Denied>());
    denied.cloned().unwrap_or_else(|| Denied::Broken("the server".to_owned()))
}

/// A body's size, packed and unpacked. The larger of the two counts: much may become of little, and little of much.
pub(super) struct Sizes {
    counts: Arc<Counts>,
    sizes: Mutex<(usize, usize)>,
}

impl Sizes {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self { counts, sizes: Mutex::default() }
    }

    fn came(&self, bytes: usize) -> Result<(), Denied> {
        self.grow(|(packed, _)| *packed += bytes)
    }

    /// So much was unpacked.
    pub(super) fn became(&self, bytes: usize) -> Result<(), Denied> {
        self.grow(|(_, unpacked)| *unpacked += bytes)
    }

    fn grow(&self, by: impl FnOnce(&mut (usize, usize))) -> Result<(), Denied> {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sizes.0.max(sizes.1);
        by(&mut sizes);
        self.counts.response_bytes(sizes.0.max(sizes.1) - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RunLimits;

    #[test]
    fn the_larger_size_counts() {
        let counts = Arc::new(Counts::new(&RunLimits { http_response_bytes: 100, ..RunLimits::default() }));
        let sizes = Sizes::new(Arc::clone(&counts));
        sizes.came(40).unwrap();
        sizes.became(30).unwrap();
        assert_eq!(counts.totals()[3], 40);
        sizes.became(50).unwrap();
        assert_eq!(counts.totals()[3], 80);
        assert!(sizes.came(61).is_err());
    }
}
