//! What OpenSSL's client can agree on with a host: the check that `testssl.sh` does.

use crate::support::openssl::{self, Lax, WEAK};

use super::{address, secure};

const OLD: [&str; 2] = ["-tls1", "-tls1_1"];

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_spoken() {
    let (server, folder) = secure("").await;
    let lax = Lax::start(folder.path());
    for version in OLD {
        let arguments = [version, "-cipher", WEAK];
        assert!(openssl::shake(lax.address, &arguments).is_some(), "this OpenSSL can't speak {version} at all");
        assert_eq!(openssl::shake(address(&server), &arguments), None, "{version}");
    }
    for (argument, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let shaken = openssl::shake(address(&server), &[argument]).unwrap();
        assert_eq!(shaken.version, version);
    }
    assert_eq!(openssl::shake(address(&server), &[]).unwrap().version, "TLSv1.3", "the newest is preferred");
}

#[tokio::test]
async fn no_weak_suite_is_agreed_on() {
    let (server, folder) = secure("").await;
    let lax = Lax::start(folder.path());
    let (mut strong, mut weak) = (Vec::new(), 0);
    for suite in openssl::suites() {
        let cipher = format!("{suite}:@SECLEVEL=0");
        let arguments = ["-tls1_2", "-cipher", &cipher];
        match openssl::shake(address(&server), &arguments) {
            Some(shaken) => strong.push(shaken.suite),
            None => weak += usize::from(openssl::shake(lax.address, &arguments).is_some()),
        }
    }
    strong.sort();
    // Forward secrecy, and a cipher that authenticates what it encrypts; ECDSA is the certificate's kind.
    let all = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"];
    assert_eq!(strong, all);
    assert!(weak >= 5, "the check found {weak} weak suites at a server that has them all");
    let arguments = ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"];
    assert_eq!(openssl::shake(address(&server), &arguments), None);
    for suite in ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
        let shaken = openssl::shake(address(&server), &["-tls1_3", "-ciphersuites", suite]).unwrap();
        assert_eq!(shaken.suite, suite);
    }
}

#[tokio::test]
async fn http_1_and_2_are_offered_and_http_2_is_preferred() {
    let (server, _folder) = secure("").await;
    for (offered, agreed) in [("http/1.1", "http/1.1"), ("h2", "h2"), ("http/1.1,h2", "h2")] {
        let shaken = openssl::shake(address(&server), &["-alpn", offered]).unwrap();
        assert_eq!(shaken.protocol.as_deref(), Some(agreed), "{offered}");
    }
    assert_eq!(openssl::shake(address(&server), &["-alpn", "spdy/3"]), None);
}
