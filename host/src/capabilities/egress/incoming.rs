//! A response on its way to the guest: decoded where it must be searched, cleaned of secrets, limited and timed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream as _;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::runtime::fuel;

use super::coding::{self, Coding, Sizes, Unpacked};
use super::counts::{Counts, InFlight};
use super::denied::Denied;
use super::mask::Masker;
use super::needles::{MASK, Needles, Sought};
use super::outgoing::Failure;

/// What one response is received with.
pub(crate) struct Receiving {
    /// What to look for, where the run has secrets.
    pub(crate) sought: Option<Arc<Sought>>,
    pub(crate) counts: Arc<Counts>,
    /// How long the guest waits between two frames.
    pub(crate) between_bytes: Duration,
    /// What the exchange keeps for as long as it lasts.
    pub(crate) held: Option<(InFlight, tokio::sync::OwnedSemaphorePermit)>,
    /// Why the request's body broke off, if it did: then so does the answer.
    pub(crate) failure: Failure,
    /// Takes the reason when the body breaks off.
    pub(crate) broke: Box<dyn Fn(Denied) + Send>,
}

/// The response as the guest gets it.
pub(crate) fn received(
    response: http::Response<Incoming>,
    receiving: Receiving,
) -> Result<http::Response<WasiBody>, Denied> {
    let (mut parts, body) = response.into_parts();
    let coding = if receiving.sought.is_some() { Coding::of(&parts.headers)? } else { None };
    let coding = coding.filter(|_| !body.is_end_stream());
    if coding.is_some() {
        parts.headers.remove(CONTENT_ENCODING);
        parts.headers.remove(CONTENT_LENGTH);
    }
    receiving.clean(&mut parts.headers);
    let head_bytes = head_bytes(&parts.headers);
    receiving.counts.response_bytes(head_bytes)?;
    receiving.counts.owe((head_bytes as u64).saturating_mul(fuel::BYTE));
    let frames = match coding {
        None => Frames::Plain(body),
        Some(coding) => {
            let sizes = Arc::new(Sizes::new(Arc::clone(&receiving.counts)));
            Frames::Unpacked(coding.unpack(body.into_data_stream(), Arc::clone(&sizes)), sizes)
        }
    };
    let body = Received {
        frames,
        masker: receiving.sought.clone().map(Masker::new),
        timer: Box::pin(tokio::time::sleep(receiving.between_bytes)),
        trailers: None,
        ended: false,
        receiving,
    };
    Ok(http::Response::from_parts(parts, body.boxed_unsync()))
}

impl Receiving {
    /// Takes what is known by now out of headers or trailers.
    fn clean(&self, headers: &mut HeaderMap) {
        if let Some(sought) = &self.sought {
            clean(headers, &sought.now());
        }
    }
}

/// A name can only be taken out whole.
fn clean(headers: &mut HeaderMap, needles: &Needles) {
    if needles.is_empty() {
        return;
    }
    let unfit: Vec<HeaderName> =
        headers.keys().filter(|name| needles.are_in_any_case(name.as_str().as_bytes())).cloned().collect();
    for name in unfit {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let mut from = 0;
        let mut masked = None;
        while let Some((start, end)) = needles.next(value.as_bytes(), from) {
            masked.get_or_insert_with(|| value.as_bytes().to_vec())[start..end].fill(MASK);
            from = start + 1;
        }
        if let Some(masked) = masked {
            *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static(""));
        }
    }
}

fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

enum Frames {
    Plain(Incoming),
    Unpacked(Unpacked, Arc<Sizes>),
}

impl Frames {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Denied>>> {
        match self {
            Self::Plain(body) => {
                Pin::new(body).poll_frame(context).map_err(|_| Denied::Broken("the server".to_owned()))
            }
            Self::Unpacked(stream, _) => Pin::new(stream)
                .poll_next(context)
                .map(|item| item.map(|bytes| bytes.map(Frame::data).map_err(|error| coding::broke(&error)))),
        }
    }
}

struct Received {
    frames: Frames,
    masker: Option<Masker>,
    timer: Pin<Box<Sleep>>,
    trailers: Option<HeaderMap>,
    ended: bool,
    receiving: Receiving,
}

impl Received {
    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Option<Frame<Bytes>>, Denied> {
        let frame = match frame.into_data() {
            Ok(bytes) => {
                match &self.frames {
                    Frames::Plain(_) => self.receiving.counts.response_bytes(bytes.len())?,
                    Frames::Unpacked(_, sizes) => sizes.became(bytes.len())?,
                }
                let bytes = match &mut self.masker {
                    Some(masker) => masker.feed(&bytes),
                    None => bytes,
                };
                return Ok((!bytes.is_empty()).then(|| Frame::data(bytes)));
            }
            Err(frame) => frame,
        };
        if let Ok(mut trailers) = frame.into_trailers() {
            self.receiving.clean(&mut trailers);
            self.receiving.counts.response_bytes(head_bytes(&trailers))?;
            self.trailers = Some(trailers);
        }
        Ok(None)
    }

    fn last(&mut self) -> Option<Frame<Bytes>> {
        let rest = self.masker.take().map(|mut masker| masker.finish()).filter(|rest| !rest.is_empty());
        rest.map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                this.receiving.held = None;
                return Poll::Ready(this.last().map(Ok));
            }
            let passed = match this.frames.poll(context) {
                Poll::Ready(None) => {
                    this.ended = true;
                    continue;
                }
                Poll::Ready(Some(frame)) => frame.and_then(|frame| this.pass(frame)),
                Poll::Pending => {
                    ready!(this.timer.as_mut().poll(context));
                    Err(Denied::TooSlow { to: "the server".to_owned(), doing: "between two parts of its answer" })
                }
            };
            match passed {
                Ok(frame) => {
                    let next = tokio::time::Instant::now() + this.receiving.between_bytes;
                    this.timer.as_mut().reset(next);
                    if let Some(frame) = frame {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                Err(denied) => {
                    let denied = this.receiving.failure.get().cloned().unwrap_or(denied);
                    // What is kept back may be the beginning of a secret, and nobody will know any more. It is as much
                    // whether it is or not.
                    this.masker = None;
                    this.trailers = None;
                    this.ended = true;
                    let code = denied.code();
                    (this.receiving.broke)(denied);
                    return Poll::Ready(Some(Err(code)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        match &self.frames {
            Frames::Plain(body) => body.size_hint(),
            Frames::Unpacked(..) => SizeHint::default(),
        }
    }
}
