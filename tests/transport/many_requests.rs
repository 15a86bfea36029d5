//! HTTP/2: many requests on one connection, which a client holds only as long as it uses it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::{address, authority, secure};
use crate::support::Server;

/// A connection, and what becomes of it; its windows hold so many bytes.
async fn connected(server: &Server, window: u32) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let mut roots = RootCertStore::empty();
    roots.add(authority::certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address(server)).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol.initial_stream_window_size(window).initial_connection_window_size(1 << 20);
    let (sender, connection) = protocol.handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn get(server: &Server, path: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("https://{}{path}", address(server)));
    request.header("authorization", format!("Bearer {}", server.account.key())).body(Empty::new()).unwrap()
}

async fn ends(connection: JoinHandle<hyper::Result<()>>) {
    let ended = tokio::time::timeout(Duration::from_secs(30), connection).await;
    assert!(ended.is_ok(), "the connection is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_are_answered_on_one_connection() {
    let (server, _folder) = secure("").await;
    let (sender, _connection) = connected(&server, 1 << 20).await;
    let answers = join_all((0..200).map(|_| {
        let (mut sender, request) = (sender.clone(), get(&server, "/v1/account"));
        async move {
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200));
            assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
            answer.into_body().collect().await.unwrap().to_bytes().len()
        }
    }));
    assert!(answers.await.into_iter().all(|bytes| bytes > 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let (server, _folder) = secure("[host]\nslow_client_ms = 300\n").await;
    let (mut sender, connection) = connected(&server, 1 << 20).await;
    let answer = sender.send_request(get(&server, "/healthz")).await.unwrap();
    assert_eq!(answer.status(), 204);
    ends(connection).await;
    let (_sender, silent) = connected(&server, 1 << 20).await;
    ends(silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_its_answers_is_hung_up_on() {
    let (server, _folder) = secure("[host]\nslow_client_ms = 300\n").await;
    // The client acknowledges all that arrives, and never makes room for more.
    let (mut sender, connection) = connected(&server, 100).await;
    let answer = sender.send_request(get(&server, "/v1/openapi.json")).await.unwrap();
    ends(connection).await;
    drop(answer);
    server.account.get("/v1/account").await.expect(200);
}
