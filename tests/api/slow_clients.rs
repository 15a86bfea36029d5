//! A slow client holds nothing for ever, and nobody else notices it.

use std::net::SocketAddr;

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, until};

const IMPATIENT: &str = "[host]\nslow_client_ms = 300\n";

async fn connected(server: &Server) -> TcpStream {
    let url = server.account.request(Method::GET, "").build().unwrap().url().clone();
    TcpStream::connect(url.authority()).await.unwrap()
}

/// All that the server sends before it hangs up.
async fn answered(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset ends it as well as an orderly end.
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn who_never_ends_a_head_is_hung_up_on() {
    let server = Server::with_config(IMPATIENT).await;
    for begun in ["", "GET /healthz HTT", "GET /healthz HTTP/1.1\r\nhost: a\r\nx-more: "] {
        let mut connection = connected(&server).await;
        connection.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(answered(connection).await, "", "{begun}");
    }
    server.account.get("/v1/account").await.expect(200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let server = Server::with_config(IMPATIENT).await;
    let mut connection = connected(&server).await;
    connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = answered(connection).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}

#[tokio::test]
async fn who_never_ends_a_body_is_told_that_it_took_too_long() {
    let server = Server::with_config(IMPATIENT).await;
    let key = server.account.key();
    for (method, path, kind, begun) in [
        ("POST", "/v1/api-keys", "application/json", "{\"name\":"),
        ("PUT", "/v1/agents/slow", "application/wasm", "\0asm"),
    ] {
        let mut connection = connected(&server).await;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\n\
             content-length: 1000\r\n\r\n{begun}"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let answer = answered(connection).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("urn:aaasp:problem:too-slow"), "{answer}");
        assert!(answer.contains("host.slow_client_ms"), "{answer}");
    }
}

#[tokio::test]
async fn who_does_not_read_its_answers_is_hung_up_on() {
    let server = Server::with_config(IMPATIENT).await;
    let mut connection = connected(&server).await;
    let ends = (connection.peer_addr().unwrap(), connection.local_addr().unwrap());
    assert!(is_open(ends));
    let request = b"GET /v1/openapi.json HTTP/1.1\r\nhost: a\r\n\r\n";
    // Until the answers fill every buffer between the two, and with them the requests.
    let writing = tokio::spawn(async move {
        while connection.write_all(request).await.is_ok() {}
        connection
    });
    until("the server to hang up", || async { (!is_open(ends)).then_some(()) }).await;
    writing.abort();
    server.account.get("/v1/account").await.expect(200);
}

/// Whether the server's end of a connection still exists, as the kernel tells it.
fn is_open((server, client): (SocketAddr, SocketAddr)) -> bool {
    let ends = format!("0100007F:{:04X} 0100007F:{:04X}", server.port(), client.port());
    std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| line.contains(&format!(" {ends} ")))
}
