//! A request's body on its way out: counted, measured against its declared length, and searched for secrets.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::WasiBody;

use super::counts::Counts;
use super::denied::Denied;
use super::headers::{is_reserved, refuse_secrets_in};
use super::mask::Masker;
use super::needles::Sought;

/// Why a body ended early, told to whoever waits for the answer.
pub(crate) type Failure = Arc<OnceLock<Denied>>;

/// The body that is sent. What comes behind its last border waits until it is known to be no part of a secret.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: WasiBody,
    search: Option<Masker>,
    sought: Option<Arc<Sought>>,
    counts: Arc<Counts>,
    declared: Option<u64>,
    sent: u64,
    trailers: Option<http::HeaderMap>,
    ended: bool,
    failure: Failure,
}

/// The body broke off; the reason is in its [`Failure`].
#[derive(Debug, thiserror::Error)]
#[error("the request's body broke off")]
pub(crate) struct BrokenOff;

impl Outgoing {
    pub(crate) fn new(body: WasiBody, declared: Option<u64>, sought: Option<Arc<Sought>>, counts: Arc<Counts>) -> Self {
        let ended = body.is_end_stream();
        let search = sought.clone().filter(|_| !ended).map(Masker::new);
        Self { body, search, sought, counts, declared, sent: 0, trailers: None, ended, failure: Failure::default() }
    }

    pub(crate) fn failure(&self) -> Failure {
        Arc::clone(&self.failure)
    }

    /// What may be sent of the bytes that the guest wrote.
    fn take(&mut self, bytes: Bytes) -> Result<Bytes, Denied> {
        self.counts.request_bytes(bytes.len())?;
        let Some(search) = &mut self.search else { return Ok(bytes) };
        let bytes = search.feed(&bytes);
        if search.found() { Err(Denied::Secret("body")) } else { Ok(bytes) }
    }

    fn take_trailers(&mut self, trailers: http::HeaderMap) -> Result<(), Denied> {
        if let Some(name) = trailers.keys().find(|name| is_reserved(name) || *name == "authorization") {
            return Err(Denied::Header(name.to_string()));
        }
        self.counts.request_bytes(trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum())?;
        if let Some(sought) = &self.sought {
            refuse_secrets_in(&trailers, &sought.now())?;
        }
        self.trailers = Some(trailers);
        Ok(())
    }

    fn data(&mut self, bytes: Bytes) -> Result<Frame<Bytes>, Denied> {
        self.sent += bytes.len() as u64;
        if self.declared.is_some_and(|declared| self.sent > declared) {
            return Err(Denied::Length);
        }
        Ok(Frame::data(bytes))
    }

    fn break_off<T>(&mut self, denied: Denied) -> Poll<Option<Result<T, BrokenOff>>> {
        let _ = self.failure.set(denied);
        self.ended = true;
        Poll::Ready(Some(Err(BrokenOff)))
    }

    /// What is left once the guest has finished.
    fn last(&mut self) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(mut search) = self.search.take() {
            let rest = search.finish();
            if !rest.is_empty() {
                return match self.data(rest) {
                    Ok(frame) => Poll::Ready(Some(Ok(frame))),
                    Err(denied) => self.break_off(denied),
                };
            }
        }
        if self.declared.is_some_and(|declared| self.sent < declared) {
            return self.break_off(Denied::Length);
        }
        match self.trailers.take() {
            Some(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            None => Poll::Ready(None),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if this.failure.get().is_some() {
            return Poll::Ready(None);
        }
        loop {
            if this.ended {
                return this.last();
            }
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                None => {
                    this.ended = true;
                    continue;
                }
                Some(Err(_)) => return this.break_off(Denied::Length),
                Some(Ok(frame)) => frame,
            };
            let taken = match frame.into_data() {
                Ok(bytes) => this.take(bytes),
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => this.take_trailers(trailers).map(|()| Bytes::new()),
                    Err(_) => continue,
                },
            };
            match taken.and_then(|bytes| if bytes.is_empty() { Ok(None) } else { this.data(bytes).map(Some) }) {
                Ok(None) => {}
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Err(denied) => return this.break_off(denied),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.search.is_none() && self.trailers.is_none() && self.declared.is_none_or(|d| d == self.sent)
    }

    fn size_hint(&self) -> SizeHint {
        match self.declared {
            Some(declared) => SizeHint::with_exact(declared.saturating_sub(self.sent)),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::capabilities::egress::needles::Needles;
    use crate::limits::RunLimits;

    /// What leaves of these chunks while the guest has not finished.
    fn left(chunks: &[&'static [u8]]) -> String {
        let frames: Vec<_> = chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk)))).collect();
        let body = StreamBody::new(futures::stream::iter(frames).chain(futures::stream::pending())).boxed_unsync();
        let sought = Sought::default();
        sought.replace(Arc::new(Needles::new([&b"swordfish-1234"[..]])));
        let counts = Arc::new(Counts::new(&RunLimits::default()));
        let mut body = Outgoing::new(body, None, Some(Arc::new(sought)), counts);
        let mut all = Vec::new();
        while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
            all.extend_from_slice(&frame.into_data().unwrap());
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn what_waits_does_not_tell_whether_a_guess_is_right() {
        assert_eq!(left(&[b"line\n|", b"swordf"]), "line\n");
        assert_eq!(left(&[b"line\n|", b"Swordf"]), "line\n");
        assert_eq!(left(&[b"line\n|", b"Swordf\n"]), "line\n|Swordf\n");
    }
}
