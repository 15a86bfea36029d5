//! The certificate in files, and what takes its place.

use reqwest::Method;
use tempfile::TempDir;

use super::{Issued, address, authority, free, secure, until};
use crate::support::{Client, Server, openssl, server};

/// Waits until a server shows a certificate.
async fn shown(server: &Server, issued: &Issued) {
    until("another certificate", || async {
        openssl::shake(address(server), &[]).filter(|shaken| shaken.certificate.as_ref() == Some(&issued.certificate))
    })
    .await;
}

#[tokio::test]
async fn requests_are_answered_over_tls_by_a_certificate_that_clients_trust() {
    let (server, folder) = secure("").await;
    assert!(server.url().unwrap().starts_with("https://"));
    server.account.get("/v1/account").await.expect(200);
    let authority = authority::file(folder.path());
    assert!(openssl::is_vouched_for(address(&server), "127.0.0.1", &authority));
    assert!(!openssl::is_vouched_for(address(&server), "other.test", &authority));
}

#[tokio::test]
async fn another_certificate_is_shown_without_a_restart_and_breaks_no_connection() {
    let (server, folder) = secure("").await;
    // A connection that is open keeps the certificate that it began with, and goes on.
    let old = server.account.clone();
    old.get("/v1/account").await.expect(200);
    let another = Issued::to(&["127.0.0.1", "another.test"]);
    another.put(folder.path());
    shown(&server, &another).await;
    old.get("/v1/account").await.expect(200);

    let third = Issued::to(&["127.0.0.1", "third.test"]);
    third.put(folder.path());
    server.operator().post("/v1/admin/reload", serde_json::json!({"reason": "a test"})).await.expect(200);
    shown(&server, &third).await;
}

#[tokio::test]
async fn the_certificate_before_is_shown_while_another_one_can_t_be_used() {
    let metrics = free();
    let folder = TempDir::new().unwrap();
    let first = Issued::to(&["127.0.0.1"]);
    first.put(folder.path());
    let config = format!("metrics_listen = \"{metrics}\"\n{}", authority::settings(folder.path()));
    let server = Server::with_config(&config).await;
    let failures = || async {
        let text = Client::new(&format!("http://{metrics}"), None).get("/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with("aaasp_tls_certificate_failures_total"))?;
        line.split(' ').nth(1)?.parse::<u64>().ok()
    };
    assert_eq!(failures().await, None);
    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    until("a failure", || async { failures().await.filter(|count| *count == 1) }).await;
    server.says("there is no certificate").await;
    shown(&server, &first).await;

    // The key of another one is a failure too, until its certificate has come.
    let another = Issued::to(&["127.0.0.1"]);
    std::fs::write(folder.path().join("key.pem"), another.key.serialize_pem()).unwrap();
    until("a second failure", || async { failures().await.filter(|count| *count == 2) }).await;
    shown(&server, &first).await;
    another.put(folder.path());
    shown(&server, &another).await;
    let text = Client::new(&format!("http://{metrics}"), None).get("/metrics").await.text;
    let ends = text.lines().find_map(|line| line.strip_prefix("aaasp_tls_certificate_ends_in_seconds "));
    assert!(ends.unwrap().parse::<f64>().unwrap() > 86_400.0, "{text}");
}

#[tokio::test]
async fn a_host_does_not_start_with_a_certificate_that_can_t_be_used() {
    let (mut server, folder) = secure("").await;
    server.stop();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let refused = |said: &str| {
        let ended = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
        let error = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && error.contains(said), "{error}");
    };
    std::fs::write(&key, Issued::to(&["127.0.0.1"]).key.serialize_pem()).unwrap();
    refused("certificate and key can't be used together");
    std::fs::write(&certificate, "").unwrap();
    refused("there is no certificate in its file");
    std::fs::remove_file(&certificate).unwrap();
    refused("cert.pem can't be read");
}

#[tokio::test]
async fn every_answer_says_that_the_host_is_reached_by_tls_only() {
    let (server, _folder) = secure("hsts_seconds = 600\n").await;
    for (path, status) in [("/v1/account", 200), ("/healthz", 204), ("/v1/no-such-route", 404)] {
        let reply = server.account.get(path).await;
        assert_eq!(
            (reply.status, reply.headers["strict-transport-security"].to_str().unwrap()),
            (status, "max-age=600")
        );
    }
    let refused = server.account.with_key(None).get("/v1/account").await;
    assert_eq!((refused.status, &refused.headers["strict-transport-security"]), (401, &"max-age=600".parse().unwrap()));
    let silent = secure("hsts_seconds = 0\n").await.0;
    assert!(silent.account.get("/healthz").await.headers.get("strict-transport-security").is_none());
    let year = secure("").await.0;
    let said = &year.account.get("/healthz").await.headers["strict-transport-security"];
    assert_eq!(said, "max-age=31536000");
}

#[tokio::test]
async fn a_request_in_clear_text_is_told_to_come_again_by_tls() {
    let redirects = free();
    let folder = TempDir::new().unwrap();
    Issued::to(&["127.0.0.1"]).put(folder.path());
    let settings = authority::settings(folder.path());
    let config = format!("public_url = \"https://agents.example.com/\"\n{settings}redirect_from = \"{redirects}\"\n");
    let _server = Server::with_config(&config).await;
    let clear = Client::new(&format!("http://{redirects}"), Some("aaasp_some_key"));
    for (method, path) in
        [(Method::GET, "/v1/runs?limit=5"), (Method::POST, "/v1/deployments/a/runs"), (Method::GET, "//evil.example/")]
    {
        let request = clear.request(method, path).header("host", "evil.example");
        let reply = Client::send(request).await;
        assert_eq!(reply.status, 308);
        assert_eq!(reply.headers["location"], format!("https://agents.example.com{path}"));
        // Browsers must not believe this of an answer in clear text (RFC 6797, 7.2).
        assert!(reply.headers.get("strict-transport-security").is_none());
    }
}

#[tokio::test]
async fn the_command_line_talks_to_a_server_over_tls() {
    let (server, folder) = secure("").await;
    let mut command = server::command(folder.path(), None);
    let shown = command
        .args(["account", "--url", &server.url().unwrap(), "--json"])
        .env("AAASP_API_KEY", server.account.key())
        .env("SSL_CERT_FILE", authority::file(folder.path()))
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
}
