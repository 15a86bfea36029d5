//! The API's connections. Each is served within the operator's patience, so that no slow client holds for ever what
//! others need: one that is silent is hung up on, and so is one that does not read its answer.

mod many;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::address::Peer;
use crate::tls::{ACME, HTTP_2, Tls};

/// Before the next try when the host has run out of file descriptors: connections end meanwhile.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// Serves until it is told to stop, then lets open connections end their requests. Without TLS it is in clear text.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    tls: Option<Arc<Tls>>,
    mut stopped: watch::Receiver<bool>,
) {
    let open = TaskTracker::new();
    let protocols = Protocols::new(patience);
    let mut handshakes = tls.map(|tls| Handshakes::new(&tls));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told_to_stop(&mut stopped) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = set_up(&stream, patience) {
                    tracing::debug!(%error, "a connection could not be set up as it should be");
                }
                let handshake = handshakes.as_mut().map(Handshakes::begin);
                let connection = Connection { protocols: protocols.clone(), peer, router: router.clone() };
                open.spawn(connection.serve(stream, handshake, stopped.clone()));
            }
            // The peer was gone before it was answered, which concerns nobody else.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Handshakes that go on. Whoever means it is done in a moment: at the limit the oldest gives way, so that nobody is
/// kept out by those who only hold a place.
struct Handshakes {
    acceptor: TlsAcceptor,
    patience: Duration,
    most: usize,
    /// From the oldest on; the other end is gone when a handshake is over.
    begun: VecDeque<oneshot::Sender<()>>,
}

impl Handshakes {
    fn new(tls: &Tls) -> Self {
        Self { acceptor: tls.acceptor(), patience: tls.handshake, most: tls.pending, begun: VecDeque::new() }
    }

    fn begin(&mut self) -> Handshake {
        if self.begun.len() >= self.most {
            self.begun.retain(|begun| !begun.is_closed());
        }
        if self.begun.len() >= self.most {
            self.begun.pop_front();
        }
        let (begun, gives_way) = oneshot::channel();
        self.begun.push_back(begun);
        Handshake { acceptor: self.acceptor.clone(), patience: self.patience, gives_way }
    }
}

struct Handshake {
    acceptor: TlsAcceptor,
    patience: Duration,
    /// Ends when another one needs the place.
    gives_way: oneshot::Receiver<()>,
}

impl Handshake {
    /// None when it came to nothing.
    async fn shake(self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let why = tokio::select! {
            shaken = self.acceptor.accept(stream) => match shaken {
                Ok(stream) => return Some(stream),
                Err(error) => error.to_string(),
            },
            () = tokio::time::sleep(self.patience) => "it takes too long".to_owned(),
            _ = self.gives_way => "too many go on, and it is the oldest".to_owned(),
        };
        metrics::counter!("aaasp_tls_handshakes_failed_total").increment(1);
        tracing::debug!(why, "a handshake came to nothing");
        None
    }
}

/// How each protocol is spoken.
#[derive(Clone)]
struct Protocols {
    one: http1::Builder,
    many: http2::Builder<TokioExecutor>,
    patience: Duration,
}

impl Protocols {
    fn new(patience: Duration) -> Self {
        let mut one = http1::Builder::new();
        one.timer(TokioTimer::new()).header_read_timeout(patience);
        Self { one, many: many::protocol(patience), patience }
    }
}

struct Connection {
    protocols: Protocols,
    peer: SocketAddr,
    router: Router,
}

impl Connection {
    async fn serve(self, stream: TcpStream, handshake: Option<Handshake>, mut stopped: watch::Receiver<bool>) {
        let Some(handshake) = handshake else { return self.serve_one(stream, stopped).await };
        let shaken = tokio::select! {
            shaken = handshake.shake(stream) => shaken,
            () = told_to_stop(&mut stopped) => None,
        };
        let Some(stream) = shaken else { return };
        match stream.get_ref().1.alpn_protocol() {
            Some(HTTP_2) => {
                let Protocols { many, patience, .. } = self.protocols;
                many::serve(many, stream, (Peer(self.peer.ip()), self.router), patience, stopped).await;
            }
            // Who wanted proof has seen it, and may ask for nothing more (RFC 8737, 3).
            Some(ACME) => {}
            _ => self.serve_one(stream, stopped).await,
        }
    }

    /// HTTP/1: one request after the other.
    async fn serve_one(self, stream: impl AsyncRead + AsyncWrite + Unpin, mut stopped: watch::Receiver<bool>) {
        let (router, peer) = (self.router, Peer(self.peer.ip()));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().call(request)
        });
        let mut connection = pin!(self.protocols.one.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told_to_stop(&mut stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Whoever told is gone when the process ends, which is a stop too.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn set_up(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    // An answer is one small write; waiting to fill a packet would only delay it.
    stream.set_nodelay(true)?;
    // What the peer neither reads nor acknowledges; the protocol's own timer knows only of requests.
    let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, millis)?;
    Ok(())
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
