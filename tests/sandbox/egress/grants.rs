//! What was not granted: hosts without a rule, credentials of other deployments and accounts, secrets in the clear.

use serde_json::json;

use crate::support::https::{HttpsServer, answer};
use crate::support::probe::{Lab, SECRET, granted};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_rule_is_refused_and_the_line_says_how_to_grant_it() {
    let lab = Lab::new();
    let step = json!({"method": "POST", "authority": "elsewhere.test:8443", "path": "/private?q=1"});
    let probed = lab.run(json!({}), json!({"steps": [step]})).await;
    assert!(probed.errors(0).contains("HttpRequestDenied"), "{}", probed.errors(0));
    let line = &probed.log[0].message;
    let rule = r#"{"scheme":"https","host":"elsewhere.test","port":8443,"methods":["POST"]}"#;
    assert!(line.contains("no rule of the deployment allows POST to https://elsewhere.test:8443"), "{line}");
    assert!(line.contains(rule) && !line.contains("private"), "{line}");
    assert!(lab.names.asked().is_empty(), "nothing is looked up for what is not allowed");
    assert_eq!((probed.finished.usage.http_requests, probed.finished.usage.http_requests_sent), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_deployment_s_credential_goes_nowhere() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    // The account has the token, but this deployment does not bind it.
    let grants = json!({"egress": {"allow": [{"host": "api.test", "port": port}]}});
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let probed = lab.run(grants, json!({"steps": [step], "sign": ["token"]})).await;
    assert_eq!(probed.seen(0)["status"], 200);
    assert!(server.received()[0].values("authorization").is_empty());
    assert!(probed.everything().contains("NotGranted"));
    assert!(lab.vault.uses().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_s_credential_is_unknown() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    let mut grants = granted(port);
    grants["credentials"] = json!({"theirs": {"to": [{"host": "api.test", "port": port}]}});
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let probed = lab.run(grants, json!({"steps": [step]})).await;
    assert!(probed.errors(0).contains("ConfigurationError"), "{}", probed.errors(0));
    assert!(probed.log[0].message.contains("keeps no credential `theirs`"), "{:?}", probed.log);
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_goes_to_its_own_host_port_and_path_only() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let mut grants = granted(port);
    grants["credentials"]["token"]["to"][0]["path"] = "/api".into();
    let steps = json!([
        {"authority": format!("api.test:{port}"), "path": "/api/x"},
        {"authority": format!("api.test:{port}"), "path": "/apis"},
        {"authority": format!("other.test:{port}"), "path": "/api/x"},
    ]);
    Lab::new().run(grants, json!({"steps": steps})).await;
    let carried: Vec<bool> = server.received().iter().map(|received| received.head.contains(SECRET)).collect();
    assert_eq!(carried, [true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_the_clear_goes_only_where_the_operator_allows() {
    let server = HttpsServer::in_the_clear(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let target = json!({"scheme": "http", "host": "api.test", "port": port});
    let grants = json!({"egress": {"allow": [target]}, "credentials": {"token": {"to": [target]}}});
    let step = json!({"scheme": "http", "authority": format!("api.test:{port}"), "path": "/"});
    let lab = Lab::new();
    let probed = lab.run(grants.clone(), json!({"steps": [step]})).await;
    assert_eq!(probed.seen(0)["status"], 200, "127.0.0.1 is the operator's word: {}", probed.errors(0));
    assert!(server.received()[0].head.contains(SECRET));
    // A public address is nobody's word. It is never dialled, so that none need answer.
    let lab = Lab::new();
    lab.names.set("api.test", &[&["93.184.215.14"]]);
    let probed = lab.run(grants, json!({"steps": [step]})).await;
    assert!(probed.errors(0).contains("HttpRequestDenied"), "{}", probed.errors(0));
    assert!(probed.log[0].message.contains("not sent over plain `http`"), "{:?}", probed.log);
    assert!(lab.vault.uses().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_too_short_is_not_sent() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    lab.vault.keep("token", "elevenbytes");
    let probed = lab.send(port, json!([{"authority": format!("api.test:{port}"), "path": "/"}])).await;
    assert!(probed.errors(0).contains("ConfigurationError"), "{}", probed.errors(0));
    assert!(probed.log[0].message.contains("shorter than 12 bytes"), "{:?}", probed.log);
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_nobody_vouches_for_gets_nothing() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    lab.names.set("evil.test", &[&["127.0.0.1"]]);
    let target = json!({"host": "evil.test", "port": port});
    let grants = json!({"egress": {"allow": [target]}, "credentials": {"token": {"to": [target]}}});
    let step = json!({"authority": format!("evil.test:{port}"), "path": "/"});
    let probed = lab.run(grants, json!({"steps": [step]})).await;
    assert!(probed.errors(0).contains("TlsCertificateError"), "{}", probed.errors(0));
    assert!(server.received().is_empty());
    assert_eq!(lab.vault.uses()[0].1, Some(None), "the use ended without an answer");
}
