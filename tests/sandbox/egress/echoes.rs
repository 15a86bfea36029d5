//! Servers that send the secret back, in every way that a server can.

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::support::https::{HttpsServer, Pieces, Received, answer, chunked};
use crate::support::probe::{Lab, Probed, SECRET, forms, granted};

/// One request to a server that answers so, and what became of it; the secret has gone out and not come back.
async fn echoed(reply: impl Fn(&Received) -> Pieces + Send + Sync + 'static) -> Probed {
    let server = HttpsServer::start(reply).await;
    let port = server.address.port();
    let (lab, steps) = (Lab::new(), json!([{"authority": format!("api.test:{port}"), "path": "/"}]));
    let probed = lab.send(port, steps.clone()).await;
    assert!(server.received()[0].head.contains(SECRET), "the server never had the secret");
    probed.assert_no_secret();
    lab.assert_not_in_memory(port, steps).await;
    probed
}

fn body(probed: &Probed) -> String {
    probed.seen(0)["body"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_headers() {
    let probed = echoed(|request| {
        let authorization = &request.values("authorization")[0];
        answer("200 OK", &format!("x-echo: {authorization}\r\n"), b"")
    })
    .await;
    let headers = probed.seen(0)["headers"].to_string();
    assert!(headers.contains(&format!("Bearer {}", "*".repeat(SECRET.len()))), "{headers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_the_secret_as_a_header_s_name() {
    let probed = echoed(|_| {
        let name = hex::encode_upper(SECRET);
        answer("200 OK", &format!("x-{name}: 1\r\n"), b"")
    })
    .await;
    assert!(!probed.everything().to_lowercase().contains(&hex::encode(SECRET)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_bodies_in_every_encoding() {
    let all = forms(SECRET).join("\n");
    let length = all.len();
    let probed = echoed(move |_| answer("200 OK", "", all.as_bytes())).await;
    assert_eq!(body(&probed).len(), length, "a mask is as long as what it hides");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_a_basic_credential_as_it_was_sent() {
    let server =
        HttpsServer::start(|request| answer("200 OK", "", request.values("authorization")[0].as_bytes())).await;
    let port = server.address.port();
    let mut grants = granted(port);
    grants["credentials"]["token"]["place"] = json!({"basic": {"username": "user"}});
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let probed = Lab::new().run(grants, json!({"steps": [step]})).await;
    let sent = STANDARD.encode(format!("user:{SECRET}"));
    assert!(!probed.everything().contains(sent.trim_end_matches('=')));
    probed.assert_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_in_trailers() {
    let probed = echoed(|_| chunked("trailer: x-last\r\n", &[b"body"], &format!("x-last: {SECRET}\r\n"))).await;
    assert_eq!(body(&probed), "body");
    assert!(probed.seen(0)["trailers"].to_string().contains("****"), "{}", probed.seen(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_splits_the_secret_over_chunks() {
    let probed = echoed(|_| {
        let single: Vec<&[u8]> = SECRET.as_bytes().chunks(1).collect();
        let (first, second) = SECRET.as_bytes().split_at(9);
        chunked("", &[&single[..], &[b" ", first, second, b" end"]].concat(), "")
    })
    .await;
    let mask = "*".repeat(SECRET.len());
    assert_eq!(body(&probed), format!("{mask} {mask} end"));
}

async fn packed(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.read_to_end(&mut bytes).await.unwrap();
    bytes
}

async fn unpacked_and_masked(coding: &'static str, bytes: Vec<u8>) {
    let probed = echoed(move |request| {
        assert_eq!(request.values("accept-encoding"), ["identity"]);
        answer("200 OK", &format!("content-encoding: {coding}\r\n"), &bytes)
    })
    .await;
    assert_eq!(body(&probed), format!("the token is {}", "*".repeat(SECRET.len())), "{}", probed.errors(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_packs_the_secret_with_gzip_deflate_brotli_or_zstd() {
    let text = format!("the token is {SECRET}");
    unpacked_and_masked("gzip", packed(GzipEncoder::new(text.as_bytes())).await).await;
    unpacked_and_masked("deflate", packed(ZlibEncoder::new(text.as_bytes())).await).await;
    unpacked_and_masked("br", packed(BrotliEncoder::new(text.as_bytes())).await).await;
    unpacked_and_masked("zstd", packed(ZstdEncoder::new(text.as_bytes())).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_packs_the_secret_over_two_gzip_members() {
    let (first, second) = SECRET.split_at(7);
    let mut bytes = packed(GzipEncoder::new(format!("the token is {first}").as_bytes())).await;
    bytes.extend(packed(GzipEncoder::new(second.as_bytes())).await);
    unpacked_and_masked("gzip", bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_packs_in_a_way_that_nobody_can_search() {
    let packed = packed(GzipEncoder::new(SECRET.as_bytes())).await;
    for headers in [
        "content-encoding: compress\r\n".to_owned(),
        "content-encoding: gzip, gzip\r\n".to_owned(),
        "content-encoding: gzip\r\ncontent-encoding: gzip\r\n".to_owned(),
        format!("content-encoding: {SECRET}\r\n"),
    ] {
        let packed = packed.clone();
        let probed = echoed(move |_| answer("200 OK", &headers, &packed)).await;
        assert!(probed.errors(0).contains("HttpResponseContentCoding"), "{}", probed.errors(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_in_the_status_line() {
    let probed = echoed(|_| answer(&format!("200 {SECRET}"), "", b"ok")).await;
    assert_eq!(body(&probed), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_breaks_off_in_the_middle_of_the_secret() {
    let probed = echoed(|_| {
        let mut pieces = chunked("", &[&SECRET.as_bytes()[..20]], "");
        pieces.pop();
        pieces.push(b"no chunk\r\n".to_vec());
        pieces
    })
    .await;
    let seen = probed.seen(0).to_string();
    assert!(!seen.contains(&SECRET[..4]), "the beginning of the secret left: {seen}");
    assert!(probed.errors(0).len() > 2, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_in_the_middle_of_the_secret() {
    let server = HttpsServer::start(|_| {
        let mut pieces = chunked("", &[b"start\n", b"more ", &SECRET.as_bytes()[..20]], "");
        pieces.pop();
        pieces.push(Vec::new());
        pieces
    })
    .await;
    let port = server.address.port();
    let step = json!({"authority": format!("api.test:{port}"), "path": "/", "between_bytes_ms": 300});
    let (lab, steps) = (Lab::new(), json!([step]));
    let probed = lab.send(port, steps.clone()).await;
    assert_eq!(body(&probed), "start\n", "{}", probed.seen(0));
    assert!(probed.log.iter().any(|line| line.message.contains("took too long")), "{:?}", probed.log);
    probed.assert_no_secret();
    lab.assert_not_in_memory(port, steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_guesses_the_secret_learns_nothing_from_where_an_answer_breaks() {
    let server = HttpsServer::start(|request| {
        let guess = hex::decode(&request.target()[1..]).unwrap();
        let mut pieces = chunked("", &[b"a line\n|", &guess], "");
        pieces.pop();
        pieces.push(b"no chunk\r\n".to_vec());
        pieces
    })
    .await;
    let port = server.address.port();
    let lab = Lab::new();
    for form in forms(SECRET) {
        let mut guesses = Vec::new();
        for length in [1, 2, form.len() - 1] {
            let right = form.as_bytes()[..length].to_vec();
            let mut wrong = right.clone();
            wrong[length - 1] ^= 1;
            guesses.extend([right, wrong]);
        }
        let step =
            |guess| json!({"authority": format!("other.test:{port}"), "path": format!("/{}", hex::encode(guess))});
        let steps: Vec<Value> = guesses.iter().map(step).collect();
        let probed = lab.send(port, json!(steps)).await;
        for number in 0..guesses.len() {
            assert_eq!(probed.seen(number)["body"], "a line\n", "{form}: {}", probed.seen(number));
            assert!(probed.errors(number).len() > 2, "{form}: {}", probed.seen(number));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_the_secret_in_slices() {
    let server = HttpsServer::start(|request| match request.target() {
        "/whole" => answer("200 OK", "", b"ok"),
        _ => answer("206 Partial Content", "content-range: bytes 0-3/27\r\n", &SECRET.as_bytes()[..4]),
    })
    .await;
    let port = server.address.port();
    let lab = Lab::new();
    for name in ["range", "Range", "if-range", "If_Range"] {
        let step =
            |host| json!({"authority": format!("{host}:{port}"), "path": "/whole", "headers": [[name, "bytes=0-3"]]});
        let probed = lab.send(port, json!([step("api.test"), step("other.test")])).await;
        assert!(probed.errors(0).contains("HttpRequestDenied"), "{name}: {}", probed.seen(0));
        assert!(probed.log[0].message.contains("asks for a part of the answer"), "{:?}", probed.log);
        assert_eq!(probed.seen(1)["status"], 200, "no secret goes along with that one");
    }
    assert_eq!(server.received().len(), 4);
    let probed = lab.send(port, json!([{"authority": format!("api.test:{port}"), "path": "/part"}])).await;
    assert!(probed.errors(0).contains("HttpResponseIncomplete") && body(&probed).is_empty(), "{}", probed.seen(0));
    assert!(probed.log[0].message.contains("206"), "{:?}", probed.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reflects_json_as_encoders_write_it() {
    let secret = "a<b>&'\"c-s3cr3t-ü";
    let written = [
        r#"a\u003cb\u003e\u0026'\"c-s3cr3t-ü"#,
        r#"a<b>&'\"c-s3cr3t-\u00fc"#,
        r#"a\u003Cb\u003E\u0026\u0027\u0022c-s3cr3t-\u00FC"#,
    ];
    let all = written.join("\n");
    let masked = written.map(|form| "*".repeat(form.len())).join("\n");
    let server = HttpsServer::start(move |_| answer("200 OK", "", all.as_bytes())).await;
    let port = server.address.port();
    let lab = Lab::new();
    lab.vault.keep("token", secret);
    let mut grants = granted(port);
    grants["credentials"]["token"]["place"] = json!({"basic": {"username": "user"}});
    let step = json!({"authority": format!("api.test:{port}"), "path": "/"});
    let probed = lab.run(grants, json!({"steps": [step]})).await;
    assert_eq!(body(&probed), masked, "{}", probed.errors(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_host_with_the_secret_in_it() {
    let server = HttpsServer::start(|request| match request.target() {
        "/first" => answer("302 Found", &format!("location: https://other.test/?t={SECRET}\r\n"), b""),
        _ => answer("200 OK", "", request.head.as_bytes()),
    })
    .await;
    let port = server.address.port();
    let steps = json!([
        {"authority": format!("api.test:{port}"), "path": "/first"},
        {"authority": format!("other.test:{port}"), "path": "/second", "headers": [["x-from", "{{0}}"]]},
    ]);
    let lab = Lab::new();
    let probed = lab.send(port, steps.clone()).await;
    assert_eq!(probed.seen(0)["status"], 302);
    let second = &server.received()[1];
    assert!(second.values("authorization").is_empty() && !second.head.contains(SECRET), "{}", second.head);
    probed.assert_no_secret();
    lab.assert_not_in_memory(port, steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_that_carries_what_the_first_returned() {
    // The bound host helps: it sends the secret reversed, which nothing recognises, and so does the guest; but
    // once it is turned around again, it does not leave.
    let server =
        HttpsServer::start(|request| answer("200 OK", "", request.values("authorization")[0].as_bytes())).await;
    let port = server.address.port();
    let to = format!("other.test:{port}");
    let steps = json!([
        {"authority": format!("api.test:{port}"), "path": "/"},
        {"authority": to, "path": "/", "headers": [["x-copy", "{{0}}"], ["authorization", "none"]]},
    ]);
    let lab = Lab::new();
    let probed = lab.send(port, steps.clone()).await;
    assert_eq!(probed.seen(1)["status"], 200, "{}", probed.errors(1));
    assert!(server.received()[1].values("x-copy")[0].contains("****"));
    probed.assert_no_secret();
    lab.assert_not_in_memory(port, steps).await;
}

/// Sends requests that hold the secret, as if the guest had learned it elsewhere; none may arrive.
async fn kept_in(step: impl Fn(&str, String) -> Value) {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    for form in forms(SECRET) {
        let probed = Lab::new().send(port, json!([step(&form, format!("other.test:{port}"))])).await;
        assert!(probed.errors(0).contains("HttpRequestDenied"), "{form}: {}", probed.seen(0));
        assert!(probed.log.iter().any(|line| line.message.contains("credential's secret")), "{:?}", probed.log);
    }
    let arrived = server.received().iter().map(|received| received.body.clone()).collect::<Vec<_>>().concat();
    let arrived = String::from_utf8_lossy(&arrived).into_owned();
    assert!(forms(SECRET).iter().all(|form| !arrived.contains(form)), "{arrived}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_in_a_request_s_header_does_not_leave() {
    kept_in(|form, to| json!({"authority": to, "path": "/", "headers": [["x-data", form]]})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_in_a_request_s_url_does_not_leave() {
    kept_in(|form, to| json!({"authority": to, "path": format!("/?{form}")})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_in_a_request_s_body_does_not_leave_however_it_is_cut() {
    kept_in(|form, to| {
        let (first, second) = form.split_at(form.len() / 2);
        json!({"method": "POST", "authority": to, "path": "/", "body": ["begin ", first, second, " end"]})
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn error_messages_logs_failures_and_panics_tell_no_secret() {
    let server = HttpsServer::start(|request| {
        let authorization = request.values("authorization").concat();
        answer(&format!("500 {authorization}"), &format!("x-error: {authorization}\r\n"), authorization.as_bytes())
    })
    .await;
    let port = server.address.port();
    let steps = json!([
        {"authority": format!("api.test:{port}"), "path": "/"},
        {"authority": format!("api.test:{port}"), "path": format!("/{SECRET}")},
        {"authority": format!("{}.test", hex::encode(SECRET)), "path": "/"},
        {"authority": format!("nowhere.test:{port}"), "path": format!("/?{SECRET}")},
    ]);
    for tell in ["output", "log", "failure", "panic"] {
        let lab = Lab::new();
        let probed = lab.run(granted(port), json!({"steps": steps, "tell": tell})).await;
        // The guest was given the secret by this test, in its input; what counts is what the host says.
        let host: Vec<_> = probed.log.iter().filter(|line| line.source == "host").collect();
        assert_eq!(host.len(), 3, "{host:?}");
        let text = format!("{host:?} {:?}", probed.finished.error.as_ref().map(|error| &error.code));
        assert!(forms(SECRET).iter().all(|form| !text.contains(form)), "{text}");
        let all = probed.everything();
        assert!(all.contains("****"), "{tell}: {all}");
        probed.assert_no_secret();
    }
}
