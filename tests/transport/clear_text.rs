//! What a host refuses to do in clear text, where others could read along.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{address, secure};
use crate::support::{Client, Server};

/// What the host says when it starts as these arguments and this file say, which it must not.
fn refused(server: &Server, config: &str, arguments: &[&str]) -> String {
    std::fs::write(server.data().join("aaasp.toml"), config).unwrap();
    let ended = server.command().arg("serve").args(arguments).output().unwrap();
    assert!(!ended.status.success());
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn a_host_does_not_listen_to_others_in_clear_text() {
    let mut server = Server::start().await;
    server.stop();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let error = refused(&server, "", &["--listen", address]);
        for part in [address, "clear text", "`tls.certificate`", "`tls.acme`", "`tls.behind_proxy = true`", "127.0.0.1"]
        {
            assert!(error.contains(part), "{error}");
        }
    }
    let error = refused(&server, "metrics_listen = \"0.0.0.0:0\"\n", &["--listen", "127.0.0.1:0"]);
    assert!(error.contains("`metrics_listen` is 0.0.0.0:0"), "{error}");
}

#[tokio::test]
async fn a_host_behind_a_proxy_listens_in_clear_text_and_tells_browsers_of_tls() {
    let mut server = Server::start().await;
    server.stop();
    std::fs::write(server.data().join("aaasp.toml"), "listen = \"0.0.0.0:0\"\n[tls]\nbehind_proxy = true\n").unwrap();
    server.serve_with(&[]);
    let port = address(&server).port();
    let reply = Client::new(&format!("http://127.0.0.1:{port}"), None).get("/healthz").await;
    assert_eq!(
        (reply.status, &reply.headers["strict-transport-security"]),
        (204, &"max-age=31536000".parse().unwrap())
    );
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused() {
    let mut server = Server::start().await;
    server.stop();
    for (config, said) in [
        ("[tls]\ncertificate = \"a.pem\"\n", "aaasp.toml:2: `tls.certificate`: its key is missing"),
        ("[tls]\nkey = \"a.pem\"\n", "aaasp.toml:2: `tls.key`: its certificate is missing"),
        (
            "[tls]\nbehind_proxy = true\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n",
            "aaasp.toml:2: `tls.behind_proxy`: TLS is done by the host or by a proxy",
        ),
        ("[tls]\nredirect_from = \"0.0.0.0:80\"\n", "aaasp.toml:2: `tls.redirect_from`: there is no TLS"),
        (
            "[tls]\nredirect_from = \"0.0.0.0:80\"\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n",
            "aaasp.toml:2: `tls.redirect_from`: say where to: `public_url",
        ),
        ("public_url = \"http://agents.example.com\"\n", "aaasp.toml:1: `public_url`: expected a URL like `https://"),
        ("[tls.acme]\ndomains = []\n", "aaasp.toml:2: `tls.acme.domains`: name one domain"),
        (
            "[tls.acme]\ndomains = [\"*.example.com\"]\n",
            "aaasp.toml:2: `tls.acme.domains`: `*.example.com` is no domain",
        ),
        ("[tls.acme]\ndomains = [\"192.0.2.1\"]\n", "aaasp.toml:2: `tls.acme.domains`: `192.0.2.1` is no domain"),
        (
            "[tls.acme]\ndomains = [\"a.example.com\"]\ndirectory = \"http://a.example\"\n",
            "aaasp.toml:3: `tls.acme.directory`: expected a URL",
        ),
    ] {
        let error = refused(&server, config, &["--listen", "127.0.0.1:0"]);
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn who_speaks_clear_text_where_tls_is_spoken_is_hung_up_on() {
    let (server, _folder) = secure("").await;
    let mut connection = TcpStream::connect(address(&server)).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

/// Connections that say nothing.
async fn silent(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(TcpStream::connect(address(server)).await.unwrap());
    }
    silent
}

async fn is_hung_up_on(mut connection: TcpStream) {
    let ended = tokio::time::timeout(Duration::from_secs(30), connection.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "a connection that says nothing is still open");
}

#[tokio::test]
async fn who_never_ends_a_handshake_is_hung_up_on() {
    let (server, _folder) = secure("handshake_ms = 300\n").await;
    for connection in silent(&server, 3).await {
        is_hung_up_on(connection).await;
    }
    server.account.get("/healthz").await.expect(204);
}

#[tokio::test]
async fn those_who_only_hold_a_place_keep_nobody_out() {
    let (server, _folder) = secure("handshake_ms = 600_000\npending_handshakes = 3\n").await;
    let mut holding = silent(&server, 7).await;
    server.account.get("/healthz").await.expect(204);
    // Of eight, three are left at most, and who shook hands is done.
    for connection in holding.drain(..4) {
        is_hung_up_on(connection).await;
    }
}
