//! The API's connections. Each is served within the operator's patience, so that no slow client holds for ever what
//! others need: one that is silent is hung up on, and so is one that does not read its answer.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::address::Peer;

/// Before the next try when the host has run out of file descriptors: connections end meanwhile.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// Serves until it is told to stop, then lets open connections end their requests.
pub async fn serve(listener: TcpListener, router: Router, patience: Duration, mut stopped: watch::Receiver<bool>) {
    let open = TaskTracker::new();
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(patience);
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
                open.spawn(serve_one(protocol.clone(), (stream, Peer(peer.ip())), router.clone(), stopped.clone()));
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

async fn serve_one(
    protocol: http1::Builder,
    (stream, peer): (TcpStream, Peer),
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().call(request)
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
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
