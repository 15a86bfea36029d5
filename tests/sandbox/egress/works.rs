//! What must work: requests that are granted, with the credential put in, over HTTP/1.1 and HTTP/2.

use std::collections::BTreeSet;
use std::convert::Infallible;

use aaasp::runtime::Outcome;
use aaasp::vault::custody::Purpose;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::https::{HttpsServer, acceptor, answer};
use crate::support::probe::{Lab, SECRET, granted};

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_request_goes_out_with_its_credential_and_its_use_is_written_down() {
    let server = HttpsServer::start(|_| answer("200 OK", "x-kind: test\r\n", b"hello")).await;
    let port = server.address.port();
    let lab = Lab::new();
    let steps = json!([{"authority": format!("api.test:{port}"), "path": "/v1/things?q=1", "headers": [["accept", "text/plain"]]}]);
    let probed = lab.send(port, steps).await;
    assert_eq!(probed.finished.outcome, Outcome::Succeeded, "{:?}", probed.finished.error);
    let seen = probed.seen(0);
    assert_eq!((seen["status"].as_u64(), seen["body"].as_str()), (Some(200), Some("hello")), "{seen}");
    let received = &server.received()[0];
    assert_eq!(received.values("authorization"), [format!("Bearer {SECRET}")]);
    assert_eq!(received.values("host"), [format!("api.test:{port}")]);
    assert_eq!(received.target(), "/v1/things?q=1");
    let uses = lab.vault.uses();
    let purpose =
        Purpose::Request { method: "GET".into(), host: format!("api.test:{port}"), path: "/v1/things".into() };
    assert_eq!((&uses[0].0.purpose, uses[0].1), (&purpose, Some(Some(200))));
    let usage = &probed.finished.usage;
    assert_eq!((usage.http_requests, usage.http_requests_sent), (1, 1));
    assert!(usage.http_request_bytes > 0 && usage.http_response_bytes >= 5, "{usage:?}");
    probed.assert_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_out_and_back() {
    let server = HttpsServer::start(|request| answer("200 OK", "", &request.body)).await;
    let port = server.address.port();
    let big = "a line of text\n".repeat(20_000);
    let step = json!({"method": "POST", "authority": format!("api.test:{port}"), "path": "/", "body": [big, "end"]});
    let probed = Lab::new().send(port, json!([step])).await;
    assert_eq!(probed.seen(0)["body"].as_str().map(str::len), Some(big.len() + 3), "{}", probed.errors(0));
    assert_eq!(probed.finished.usage.http_response_bytes / 1_000, (big.len() as u64) / 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_where_the_server_offers_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = acceptor(&[b"h2"]);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = tls.accept(stream).await else { continue };
            let echo = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let text =
                    format!("{:?} {} {:?}", request.version(), request.uri(), request.headers()["authorization"]);
                let mut response = http::Response::new(Full::new(Bytes::from(text)));
                let echoed = request.headers()["authorization"].clone();
                response.headers_mut().insert("x-echo", echoed);
                Ok::<_, Infallible>(response)
            });
            let serve = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serve.serve_connection(TokioIo::new(stream), echo));
        }
    });
    let probed = Lab::new().send(port, json!([{"authority": format!("api.test:{port}"), "path": "/two"}])).await;
    let seen = probed.seen(0).to_string();
    assert!(seen.contains("HTTP/2.0") && seen.contains(&format!("https://api.test:{port}/two")), "{seen}");
    assert!(seen.contains("Bearer ****"), "{seen}");
    probed.assert_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_place_is_filled_as_its_binding_says() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    for place in [
        json!({"header": {"name": "x-key", "prefix": "token "}}),
        json!({"basic": {"username": "user"}}),
        json!({"query": {"name": "key"}}),
    ] {
        let mut grants = granted(port);
        grants["credentials"]["token"]["place"] = place;
        let step = json!({"authority": format!("api.test:{port}"), "path": "/p?a=b"});
        let probed = lab.run(grants, json!({"steps": [step]})).await;
        assert_eq!(probed.seen(0)["status"], 200, "{}", probed.errors(0));
        probed.assert_no_secret();
    }
    let received = server.received();
    assert_eq!(received[0].values("x-key"), [format!("token {SECRET}")]);
    assert_eq!(received[1].values("authorization"), ["Basic dXNlcjpzM2NyM3QvU3dvcmQrZmlzaD0xMjM0fnRhaWw="]);
    assert_eq!(received[2].target(), "/p?a=b&key=s3cr3t%2FSword%2Bfish%3D1234%7Etail");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_keeps_its_connections_and_shares_them_with_no_other() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let mut lab = Lab::new();
    let mut rounds = Vec::new();
    for _ in 0..2 {
        // A connection is free again shortly after its answer was read; on a busy machine a request may come before.
        for _ in 0..5 {
            lab.send(port, json!([step, step])).await;
        }
        rounds.push(server.received().len());
        lab.account = aaasp::ids::AccountId::generate();
    }
    let received: Vec<usize> = server.received().iter().map(|received| received.connection).collect();
    let used = |round: &[usize]| round.iter().copied().collect::<BTreeSet<_>>();
    let (first, second) = (used(&received[..rounds[0]]), used(&received[rounds[0]..]));
    assert_eq!(received.len(), 20);
    assert!(first.is_disjoint(&second), "{received:?}");
    assert!(first.len() < 10 && second.len() < 10, "no connection was kept: {received:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_the_guest_s_to_follow() {
    let server = HttpsServer::start(|_| answer("302 Found", "location: https://elsewhere.test/\r\n", b"")).await;
    let port = server.address.port();
    let lab = Lab::new();
    let probed = lab.send(port, json!([{"authority": format!("api.test:{port}"), "path": "/"}])).await;
    assert_eq!(probed.seen(0)["status"], 302);
    assert!(!lab.names.asked().contains(&"elsewhere.test".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_comes_back_and_a_credential_s_bytes_do_not() {
    let lab = Lab::new();
    lab.vault.keep_key("signer", "the-signing-key-of-the-account");
    let grants = json!({"credentials": {"signer": {}, "token": {}}});
    let probed = lab.run(grants, json!({"sign": ["signer", "token", "another", "No Name"]})).await;
    let output: serde_json::Value = serde_json::from_str(probed.finished.output.as_ref().unwrap()).unwrap();
    assert_eq!(output["names"], json!(["signer", "token"]));
    assert_eq!(output["exists"], json!([true, true, false, false]));
    assert_eq!(output["signed"][0]["Ok"].as_array().map(Vec::len), Some(32), "{output}");
    assert!(output["signed"][1]["Err"].as_str().unwrap().contains("can't sign"), "{output}");
    assert_eq!(output["signed"][2]["Err"], "Error::NotGranted", "{output}");
    assert!(!probed.everything().contains("the-signing-key"));
    assert_eq!(lab.vault.uses().len(), 1);
}
