//! Certificates that a host gets by itself, from an authority that believes nothing that it has not seen.

use std::time::Duration;

use tempfile::TempDir;

use super::{address, authority, free, secure, until};
use crate::support::acme::Acme;
use crate::support::openssl::{self, Shaken};
use crate::support::{Client, Server};

const DOMAIN: &str = "agents.test";

/// What is shown to whoever asks for the domain, once anything is.
async fn shown(server: &Server) -> Shaken {
    until("a certificate", || async { openssl::shake(address(server), &["-servername", DOMAIN]) }).await
}

async fn metric(metrics: std::net::SocketAddr, name: &str) -> f64 {
    let text = Client::new(&format!("http://{metrics}"), None).get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// The operator, over whatever certificate is shown.
fn reload(server: &Server) {
    let mut command = std::process::Command::new("kill");
    assert!(command.args(["-HUP", &server.pid().to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_had_from_an_authority_and_kept() {
    let (acme, folder) = (Acme::start().await, TempDir::new().unwrap());
    let domains = [DOMAIN, "www.agents.test"];
    let mut server = Server::with_config(&acme.settings(folder.path(), &domains)).await;
    assert_eq!(openssl::shake(address(&server), &[]), None, "there is nothing to be shown yet");
    acme.leads_to(address(&server));
    let first = shown(&server).await;
    assert_eq!(first.version, "TLSv1.3");
    let trusted = authority::file(folder.path());
    for domain in domains {
        assert!(openssl::is_vouched_for(address(&server), domain, &trusted), "{domain}");
    }
    assert!(!openssl::is_vouched_for(address(&server), "other.test", &trusted));
    // Proof is shown to who wants it, and only for as long as it is wanted.
    assert_eq!(openssl::shake(address(&server), &["-alpn", "acme-tls/1", "-servername", DOMAIN]), None);

    server.stop();
    server.serve();
    assert_eq!(openssl::shake(address(&server), &[]).unwrap().certificate, first.certificate);
    assert_eq!((acme.signed(), acme.accounts(), acme.rejected()), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_in_time_and_kept_while_that_fails() {
    let (acme, folder, metrics) = (Acme::start().await, TempDir::new().unwrap(), free());
    // Two thirds of its time are over when it is signed.
    acme.sign_for(Duration::from_secs(600));
    let config = format!("metrics_listen = \"{metrics}\"\n{}", acme.settings(folder.path(), &[DOMAIN]));
    let server = Server::with_config(&config).await;
    acme.leads_to(address(&server));
    let first = shown(&server).await;
    assert!(metric(metrics, "aaasp_tls_certificate_ends_in_seconds").await < 601.0);

    acme.close(true);
    reload(&server);
    until("a failure", || async {
        (metric(metrics, "aaasp_tls_certificate_failures_total").await == 1.0).then_some(())
    })
    .await;
    server.says("no certificate could be had").await;
    server.says("closed for today").await;
    assert_eq!(shown(&server).await.certificate, first.certificate);

    acme.close(false);
    acme.sign_for(Duration::from_secs(90 * 86_400));
    reload(&server);
    until("another certificate", || async { (shown(&server).await.certificate != first.certificate).then_some(()) })
        .await;
    assert!(metric(metrics, "aaasp_tls_certificate_ends_in_seconds").await > 80.0 * 86_400.0);
    assert_eq!((acme.signed(), acme.accounts()), (2, 1), "the account is the same one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_leads_elsewhere_gets_no_certificate_until_it_leads_here() {
    let (acme, folder) = (Acme::start().await, TempDir::new().unwrap());
    let (elsewhere, _certificate) = secure("").await;
    acme.leads_to(address(&elsewhere));
    let server = Server::with_config(&acme.settings(folder.path(), &[DOMAIN])).await;
    server.says("the authority refuses").await;
    server.says("at port 443").await;
    assert_eq!(openssl::shake(address(&server), &["-servername", DOMAIN]), None);
    acme.leads_to(address(&server));
    reload(&server);
    shown(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_domains_are_another_certificate() {
    let (acme, folder) = (Acme::start().await, TempDir::new().unwrap());
    let mut server = Server::with_config(&acme.settings(folder.path(), &[DOMAIN])).await;
    acme.leads_to(address(&server));
    let first = shown(&server).await;
    let more = acme.settings(folder.path(), &[DOMAIN, "more.test"]);
    std::fs::write(server.data().join("aaasp.toml"), more).unwrap();
    server.stop();
    server.serve();
    assert_eq!(shown(&server).await.certificate, first.certificate, "the one before is shown meanwhile");
    acme.leads_to(address(&server));
    let trusted = authority::file(folder.path());
    reload(&server);
    until("a certificate for both", || async {
        openssl::is_vouched_for(address(&server), "more.test", &trusted).then_some(())
    })
    .await;
    assert_eq!(acme.accounts(), 1);
    let kept = std::fs::metadata(server.data().join("keys/acme.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept.permissions()) & 0o777, 0o600);
}
