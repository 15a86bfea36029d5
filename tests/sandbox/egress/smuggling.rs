//! Requests that two readers would read in two ways.

use serde_json::json;

use crate::support::https::{HttpsServer, answer};
use crate::support::probe::{Lab, granted};

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_the_connection_and_line_breaks_do_not_leave() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let headers = json!([
        ["host", "evil.test"],
        ["Host", "evil.test"],
        ["transfer-encoding", "chunked"],
        ["Transfer-Encoding", "identity"],
        ["connection", "upgrade"],
        ["upgrade", "websocket"],
        ["proxy-authorization", "Basic eDp5"],
        ["proxy-connection", "keep-alive"],
        ["keep-alive", "timeout=5"],
        ["x-line", "a\r\nx-smuggled: 1"],
        ["x-return", "a\rb"],
        ["x-zero", "a\u{0}b"],
        ["x bad", "name"],
        ["x-name\r\nx-smuggled", "1"],
        ["x-kept", "yes"],
    ]);
    let step = json!({"authority": format!("api.test:{port}"), "path": "/", "headers": headers});
    let probed = Lab::new().send(port, json!([step])).await;
    assert_eq!(probed.seen(0)["errors"].as_array().map(Vec::len), Some(14), "{}", probed.errors(0));
    let received = server.received();
    assert_eq!(received.len(), 1);
    let head = received[0].head.to_lowercase();
    assert_eq!(received[0].values("host"), [format!("api.test:{port}")]);
    assert_eq!(received[0].values("x-kept"), ["yes"]);
    for name in ["evil", "transfer-encoding", "connection", "upgrade", "proxy-", "keep-alive", "smuggled", "x-line"] {
        assert!(!head.contains(name), "{name} in {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_wasi_lets_pass_and_we_do_not() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    for name in [
        "te",
        "trailer",
        "expect",
        "via",
        "alt-used",
        "Transfer_Encoding",
        "proxy-authentication-info",
        "x-http-method",
        "X-HTTP-Method-Override",
        "X_HTTP_Method_Override",
        "x-method-override",
        "X-Original-URL",
        "x-rewrite-url",
    ] {
        let step = json!({"authority": format!("api.test:{port}"), "path": "/", "headers": [[name, "x"]]});
        let probed = lab.send(port, json!([step])).await;
        assert!(probed.errors(0).contains("HttpRequestDenied"), "{name}: {}", probed.seen(0));
    }
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_not_the_body_s() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    for lengths in [&["3"][..], &["100"], &["+9"], &["9, 9"], &["9", "9"], &["0x9"]] {
        let headers: Vec<_> = lengths.iter().map(|length| json!(["content-length", length])).collect();
        let step = json!({
            "method": "POST", "authority": format!("api.test:{port}"), "path": "/",
            "headers": headers, "body": ["nine bytes"[..9]],
        });
        let probed = lab.send(port, json!([step])).await;
        let seen = probed.seen(0);
        assert!(seen["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{lengths:?}: {seen}");
        assert!(server.received().iter().all(|received| received.body.len() == 9), "{:?}", server.received());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_with_line_breaks_spaces_or_a_fragment() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    for path in ["/a\r\nhost: evil", "/a b", "/a HTTP/1.1\r\n\r\nGET /b", "http://evil.test/", "/a\u{0}", "/a\tb"] {
        let probed = lab.send(port, json!([{"authority": format!("api.test:{port}"), "path": path}])).await;
        assert!(probed.errors(0).len() > 2, "{path:?}: {}", probed.seen(0));
    }
    assert!(server.received().is_empty(), "{:?}", server.received());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_climbs_out_of_its_prefix() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let grants = json!({"egress": {"allow": [{"host": "api.test", "port": port, "path": "/repos"}]}});
    let lab = Lab::new();
    for path in [
        "/repos/../admin",
        "/repos/%2e%2e/admin",
        "/repos/..%2fadmin",
        "/repos/%2e%2e%2fadmin",
        "/repos/..;/admin",
        "/repos/..%5cadmin",
        "/repos/%252e%252e/admin",
        "/repos/%25252e%25252e/admin",
        "/repos/%2525252e%2525252e/admin",
        "/reposx",
        "/REPOS/a",
        "//repos/a",
        "/",
    ] {
        let step = json!({"authority": format!("api.test:{port}"), "path": path});
        let probed = lab.run(grants.clone(), json!({"steps": [step]})).await;
        let errors = probed.errors(0);
        assert!(errors.contains("HttpRequestDenied") || errors.contains("UriInvalid"), "{path}: {}", probed.seen(0));
    }
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_are_never_sent() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    for method in ["TRACE", "CONNECT", "TRACE ", "GET /evil HTTP/1.1\r\n\r\nGET", "\u{0}"] {
        let step = json!({"method": method, "authority": format!("api.test:{port}"), "path": "/"});
        let probed = Lab::new().send(port, json!([step])).await;
        assert!(probed.errors(0).len() > 2, "{method:?}: {}", probed.seen(0));
    }
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_a_binding_owns_in_any_case_or_number() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    for headers in [
        json!([["authorization", "Bearer mine"]]),
        json!([["Authorization", ""]]),
        json!([["AUTHORIZATION", "a"], ["authorization", "b"]]),
    ] {
        let step = json!({"authority": format!("api.test:{port}"), "path": "/", "headers": headers});
        let probed = lab.send(port, json!([step])).await;
        assert!(probed.errors(0).contains("HttpRequestDenied"), "{headers}: {}", probed.seen(0));
        assert!(probed.log[0].message.contains("belongs to the credential `token`"), "{:?}", probed.log);
    }
    let mut grants = granted(port);
    grants["credentials"]["token"]["place"] = json!({"query": {"name": "key"}});
    for path in ["/?key=mine", "/?a=b&KEY=mine", "/?%6b%65%79=mine"] {
        let step = json!({"authority": format!("api.test:{port}"), "path": path});
        let probed = lab.run(grants.clone(), json!({"steps": [step]})).await;
        assert!(probed.errors(0).contains("HttpRequestDenied"), "{path}: {}", probed.seen(0));
    }
    assert!(server.received().is_empty());
}
