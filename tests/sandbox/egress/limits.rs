//! Limits of the network, each reached.

use std::time::Duration;

use aaasp::limits::RunLimits;
use aaasp::runtime::Outcome;
use serde_json::{Value, json};

use crate::support::https::{HttpsServer, answer};
use crate::support::probe::{Lab, Probed, granted};

async fn limited(limits: RunLimits, body: &'static [u8], step: Value, times: usize) -> (Probed, usize) {
    let server = HttpsServer::start(|_| answer("200 OK", "", body)).await;
    let port = server.address.port();
    let mut lab = Lab::new();
    lab.limits = limits;
    let mut step = step;
    step["authority"] = format!("api.test:{port}").into();
    step["path"] = "/".into();
    let probed = lab.run(granted(port), json!({"steps": vec![step; times]})).await;
    (probed, server.received().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_end_at_their_limit() {
    let limits = RunLimits { http_requests: 2, ..RunLimits::default() };
    let (probed, arrived) = limited(limits, b"ok", json!({}), 5).await;
    assert_eq!((arrived, probed.finished.usage.http_requests), (2, 2));
    assert!(probed.errors(2).contains("ConnectionLimitReached"), "{}", probed.errors(2));
    let lines = probed.log.iter().filter(|line| line.message.contains("http_requests")).count();
    assert_eq!(lines, 1, "a guest that goes on makes one line of it: {:?}", probed.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_requests_end_at_their_limit() {
    let limits = RunLimits { http_request_bytes: 20_000, ..RunLimits::default() };
    let step = json!({"method": "POST", "body": ["x".repeat(30_000)]});
    let (probed, _) = limited(limits.clone(), b"ok", step, 1).await;
    assert!(probed.errors(0).contains("HttpRequestBodySize"), "{}", probed.errors(0));
    assert!(probed.finished.usage.http_request_bytes <= 20_000);
    let step = json!({"headers": [["x-long", "x".repeat(9_000)]]});
    let (probed, arrived) = limited(limits, b"ok", step, 3).await;
    assert_eq!(arrived, 2, "{}", probed.errors(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_answers_end_at_their_limit_counted_after_decoding() {
    use async_compression::tokio::bufread::GzipEncoder;
    use tokio::io::AsyncReadExt as _;
    let limits = RunLimits { http_response_bytes: 100_000, ..RunLimits::default() };
    let mut bomb = Vec::new();
    GzipEncoder::new(vec![0_u8; 50 << 20].as_slice()).read_to_end(&mut bomb).await.unwrap();
    assert!(bomb.len() < 100_000);
    let server = HttpsServer::start(move |_| answer("200 OK", "content-encoding: gzip\r\n", &bomb)).await;
    let port = server.address.port();
    let mut lab = Lab::new();
    lab.limits = limits;
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let probed = lab.run(granted(port), json!({"steps": [step], "tell": "failure"})).await;
    assert_eq!(probed.finished.outcome, Outcome::LimitExceeded("http_response_bytes".into()));
    assert!(probed.finished.usage.http_response_bytes <= 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_decoded_to_nothing_count_as_they_came() {
    use async_compression::tokio::bufread::GzipEncoder;
    use tokio::io::AsyncReadExt as _;
    let mut member = Vec::new();
    GzipEncoder::new(&b""[..]).read_to_end(&mut member).await.unwrap();
    // A skippable frame of zstd: its magic number, its length, and bytes for nobody.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 0xf0, 0x03, 0, 0][..], &[0; 1008]].concat();
    for (coding, piece) in [("gzip", member), ("zstd", skipped)] {
        let bytes = piece.repeat(200_000 / piece.len());
        let server = HttpsServer::start(move |_| answer("200 OK", &format!("content-encoding: {coding}\r\n"), &bytes));
        let server = server.await;
        let port = server.address.port();
        let mut lab = Lab::new();
        let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
        let probed = lab.send(port, json!([step])).await;
        assert!(probed.finished.usage.http_response_bytes > 190_000, "{coding}: {:?}", probed.finished.usage);
        lab.limits = RunLimits { http_response_bytes: 100_000, ..RunLimits::default() };
        let probed = lab.run(granted(port), json!({"steps": [step], "tell": "failure"})).await;
        assert_eq!(probed.finished.outcome, Outcome::LimitExceeded("http_response_bytes".into()), "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_at_a_limit_says_which() {
    let limits = RunLimits { http_requests: 0, ..RunLimits::default() };
    let mut lab = Lab::new();
    lab.limits = limits;
    let step = json!({"authority": "api.test", "path": "/"});
    let probed = lab.run(granted(443), json!({"steps": [step], "tell": "failure"})).await;
    assert_eq!(probed.finished.outcome, Outcome::LimitExceeded("http_requests".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_end_the_run_at_their_limit() {
    let mut lab = Lab::new();
    lab.vault.keep_key("signer", "the-signing-key-of-the-account");
    lab.limits = RunLimits { signatures: 1, ..RunLimits::default() };
    let probed = lab.run(json!({"credentials": {"signer": {}}}), json!({"sign": ["signer", "signer"]})).await;
    assert_eq!(probed.finished.outcome, Outcome::LimitExceeded("signatures".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_costs_no_more_than_the_guest_s_patience() {
    let server = HttpsServer::start(|_| vec![Vec::new()]).await;
    let port = server.address.port();
    let step = json!({"authority": format!("api.test:{port}"), "path": "/", "first_byte_ms": 200});
    let probed = Lab::new().send(port, json!([step])).await;
    assert!(probed.errors(0).contains("ConnectionReadTimeout"), "{}", probed.errors(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_ends_with_the_run_and_its_use_is_closed() {
    let server = HttpsServer::start(|_| vec![Vec::new()]).await;
    let port = server.address.port();
    let mut lab = Lab::new();
    lab.limits = RunLimits { wall_clock_ms: 500, ..RunLimits::default() };
    let step = json!({"authority": format!("api.test:{port}"), "path": "/", "first_byte_ms": 60_000});
    let probed = lab.send(port, json!([step])).await;
    assert_eq!(probed.finished.outcome, Outcome::TimedOut);
    // The request's task is told to stop when the run ends, and stops at its next step.
    let closed = || lab.vault.uses()[0].1 == Some(None);
    for _ in 0..500 {
        if closed() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the use was never closed: {:?}", lab.vault.uses());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_before_the_run_is_paid_for() {
    use aaasp::runtime::Gate;
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let (gate, keeper) = Gate::closed();
    let lab = Lab::new();
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let script = json!({"steps": [step]});
    let run = lab.run_behind(gate, granted(port), script);
    drop(keeper);
    let probed = run.await;
    assert!(probed.errors(0).contains("HttpRequestDenied"), "{}", probed.errors(0));
    assert!(server.received().is_empty() && lab.names.asked().is_empty() && lab.vault.uses().is_empty());
}
