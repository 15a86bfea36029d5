//! Reads what a handler left of a large body: most clients write all of it before they read, and would be told
//! of a broken connection instead of why the request was refused.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;

/// A smaller body lies in the connection's buffers by the time that its head is read.
const SMALL_BYTES: u64 = 64 << 10;

/// The most that is read for nothing, and for how long.
const UNREAD_BYTES: usize = 128 << 20;
const UNREAD: Duration = Duration::from_secs(10);

/// Handles a request, and reads the rest of its body before it is answered.
pub(super) async fn handled(request: Request, next: Next) -> Response {
    let small = request.body().size_hint().upper().is_some_and(|bytes| bytes <= SMALL_BYTES);
    // A client that expects to be told to go on has not sent its body yet.
    if small || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let lent = Lent(Arc::new(Mutex::new(body)));
    let rest = Lent(Arc::clone(&lent.0));
    let response = next.run(Request::from_parts(parts, Body::new(lent))).await;
    // Whoever takes longer has had the chance to stop writing.
    let _ = tokio::time::timeout(UNREAD, discarded(rest)).await;
    response
}

async fn discarded(mut body: Lent) {
    let mut left = UNREAD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(fewer) = left.checked_sub(bytes) else { return };
        left = fewer;
    }
}

/// A body that is still here when the handler has dropped it.
struct Lent(Arc<Mutex<Body>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
