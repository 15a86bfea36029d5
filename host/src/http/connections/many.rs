//! HTTP/2: many requests at once on one connection. The protocol's own timer knows of peers that are gone, and not of
//! those that ask nothing more or do not read what they asked for; this hangs up on both.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower_service::Service as _;

use super::told_to_stop;
use crate::http::address::Peer;

/// Requests that one connection may have open at the same time.
const REQUESTS: u32 = 100;

/// Bytes that the headers of a request may have.
const HEADER_BYTES: u32 = 16 << 10;

/// How the protocol is spoken.
pub(super) fn protocol(patience: Duration) -> http2::Builder<TokioExecutor> {
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(patience))
        .keep_alive_timeout(patience)
        .max_concurrent_streams(REQUESTS)
        .max_header_list_size(HEADER_BYTES);
    protocol
}

/// Serves one connection until its end.
pub(super) async fn serve(
    protocol: http2::Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (peer, router): (Peer, Router),
    patience: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let life = Arc::new(Life::new());
    let begun = Arc::clone(&life);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let (open, mut router) = (begun.begin(), router.clone());
        async move {
            let response = router.call(request).await?;
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer { body, open }))
        }
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let (mut looks, mut leaving) = (tokio::time::interval(patience / 4), None);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = told_to_stop(&mut stopped), if leaving.is_none() => {
                connection.as_mut().graceful_shutdown();
                leaving = Some(Instant::now());
            }
            _ = looks.tick() => match life.look(patience) {
                Look::Busy => {}
                Look::Idle if leaving.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    leaving = Some(Instant::now());
                }
                // What is left of its answers it does not read either.
                Look::Idle if leaving.is_some_and(|since| since.elapsed() < patience) => {}
                Look::Idle | Look::Unread => return,
            },
        }
    }
}

/// What becomes of the requests of a connection.
struct Life(Mutex<Requests>);

struct Requests {
    begun: u64,
    /// Since when a part of each answer waits for its reader; none while it is the host's turn.
    open: HashMap<u64, Option<Instant>>,
    /// When the last one began or ended.
    moved: Instant,
}

enum Look {
    Busy,
    Idle,
    Unread,
}

impl Life {
    fn new() -> Self {
        Self(Mutex::new(Requests { begun: 0, open: HashMap::new(), moved: Instant::now() }))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Requests) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(self: &Arc<Self>) -> Open {
        let number = self.change(|requests| {
            requests.begun += 1;
            requests.moved = Instant::now();
            requests.open.insert(requests.begun, None);
            requests.begun
        });
        Open { life: Arc::clone(self), number }
    }

    fn look(&self, patience: Duration) -> Look {
        self.change(|requests| {
            if requests.open.values().flatten().any(|since| since.elapsed() >= patience) {
                Look::Unread
            } else if requests.open.is_empty() && requests.moved.elapsed() >= patience {
                Look::Idle
            } else {
                Look::Busy
            }
        })
    }
}

/// A request that is not answered to the end.
struct Open {
    life: Arc<Life>,
    number: u64,
}

impl Open {
    fn waits(&self, since: Option<Instant>) {
        self.life.change(|requests| requests.open.insert(self.number, since));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.life.change(|requests| {
            requests.open.remove(&self.number);
            requests.moved = Instant::now();
        });
    }
}

/// An answer's body, which is asked for more only when there is room for more on its way.
struct Answer {
    body: Body,
    open: Open,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        this.open.waits(None);
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        this.open.waits(Some(Instant::now()));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
