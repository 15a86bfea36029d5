//! Every error is a problem document that says what to do about it.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{pointers, text};
use crate::support::{Client, Server, guests};

#[tokio::test]
async fn what_is_no_route_is_a_problem() {
    let server = Server::start().await;
    for path in
        ["/", "/v1", "/v1/nothing", "/v1/runs/", "/v2/runs", "/v1/agents/a/b", "/v1/runs/%FF", "/v1/agents/%2e%2e"]
    {
        let problem = server.account.get(path).await.problem(404);
        assert_eq!(text(&problem, "type"), "urn:aaasp:problem:not-found", "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_answered_with_those_that_it_has() {
    let server = Server::start().await;
    let reply = server.account.delete("/v1/runs").await;
    reply.problem(405);
    assert!(reply.headers["allow"].to_str().unwrap().contains("GET"), "{reply:?}");
    let reply = server.account.post("/v1/agents/echo", json!({})).await;
    reply.problem(405);
    let allow = reply.headers["allow"].to_str().unwrap();
    assert!(["GET", "PUT", "DELETE"].iter().all(|method| allow.contains(method)), "{allow}");
}

#[tokio::test]
async fn a_body_that_can_not_be_read_is_told_from_one_that_is_wrong() {
    let server = Server::start().await;
    let send = async |content_type: &str, body: &[u8]| {
        let request = server.account.request(Method::POST, "/v1/api-keys").header(CONTENT_TYPE, content_type);
        Client::send(request.body(body.to_vec())).await
    };
    for body in [&b""[..], b"{", b"{\"name\": \"a\"} {}", b"\xff\xfe", b"{\"name\": \"\xff\"}", b"name=a"] {
        send("application/json", body).await.problem(400);
    }
    send("text/plain", b"{\"name\": \"a\"}").await.problem(415);
    send("application/x-www-form-urlencoded", b"name=a").await.problem(415);
    for (body, pointer) in [(&b"{}"[..], ""), (b"[]", ""), (b"null", ""), (b"{\"name\": 1}", "/name")] {
        assert_eq!(pointers(&send("application/json", body).await.problem(422)), [pointer]);
    }
    assert_eq!(pointers(&send("application/json", b"{\"name\": \"a\", \"role\": 1}").await.problem(422)), ["/role"]);
    send("application/json; charset=utf-8", b"{\"name\": \"a\"}").await.expect(201);
    send("application/merge-patch+json", b"{\"name\": \"b\"}").await.expect(201);
}

#[tokio::test]
async fn a_page_that_can_not_be_is_refused_on_every_list() {
    let server = Server::start().await;
    let operator = server.operator();
    let lists = ["/v1/api-keys", "/v1/agents", "/v1/deployments", "/v1/runs", "/v1/credits/transactions"];
    let lists = lists.map(|path| (&server.account, path)).into_iter().chain([(&operator, "/v1/admin/accounts")]);
    for (client, path) in lists {
        for query in ["limit=0", "limit=-1", "limit=201", "limit=many", "limit=1&limit=2", "page=2", "after=%00"] {
            let problem = client.get(&format!("{path}?{query}")).await.problem(422);
            assert!(!problem["errors"].as_array().unwrap().is_empty(), "{path}?{query}: {problem}");
        }
        client.get(&format!("{path}?limit=200")).await.expect(200);
        client.get(&format!("{path}?")).await.expect(200);
    }
    for path in ["/v1/runs?after=run_x", "/v1/api-keys?after=acc_01h455vb4pex5vsknk084sn02q", "/v1/runs?deployment=%00"]
    {
        server.account.get(path).await.problem(422);
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let server = Server::start().await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        for path in ["/v1/account", "/healthz", "/nowhere", "/v1/runs?limit=0"] {
            let reply = server.account.get(path).await;
            ids.insert(reply.headers["x-request-id"].to_str().unwrap().to_owned());
        }
    }
    assert_eq!(ids.len(), 12);
}

#[tokio::test]
async fn a_header_that_is_no_text_is_refused() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let odd = HeaderValue::from_bytes(b"\xff\xfe").unwrap();
    let request = server.account.with_key(None).request(Method::GET, "/v1/account");
    Client::send(request.header("authorization", odd.clone())).await.problem(401);
    let request = server.account.with_key(None).request(Method::GET, "/v1/account");
    Client::send(request.basic_auth("aaasp", Some("key"))).await.problem(401);
    let request = server.account.request(Method::POST, "/v1/deployments/echo/runs").json(&json!({"input": 1}));
    Client::send(request.header("idempotency-key", odd)).await.problem(422);
}

#[tokio::test]
async fn a_large_body_that_nobody_wants_is_answered_all_the_same() {
    let server = Server::start().await;
    let send = async |client: &Client, method: Method, path: &str, content_type: &'static str| {
        let request = client.request(method, path).header(CONTENT_TYPE, content_type);
        Client::send(request.body(vec![b' '; 20_000_000])).await
    };
    let (account, nobody) = (&server.account, server.account.with_key(None));
    for _ in 0..3 {
        send(&nobody, Method::PUT, "/v1/agents/echo", "application/wasm").await.problem(401);
        send(account, Method::PUT, "/v1/agents/echo", "application/octet-stream").await.problem(415);
        send(account, Method::PUT, "/v1/agents/No-Name", "application/wasm").await.problem(422);
        send(account, Method::POST, "/v1/api-keys", "application/json").await.problem(413);
        send(account, Method::POST, "/nowhere", "application/json").await.problem(404);
    }
}

#[tokio::test]
async fn a_word_that_no_run_can_have_is_refused_with_those_that_it_can() {
    let server = Server::start().await;
    for (query, parameter, words) in [
        ("status=done", "status", &["queued", "running", "finished"][..]),
        ("status=", "status", &["queued"]),
        ("outcome=ok", "outcome", &["succeeded", "out_of_fuel", "limit_exceeded", "lost"]),
        ("outcome=Succeeded", "outcome", &["succeeded"]),
    ] {
        let problem = server.account.get(&format!("/v1/runs?{query}")).await.problem(422);
        let detail = text(&problem, "detail");
        assert!(detail.contains(&format!("{parameter}: ")), "{detail}");
        assert!(words.iter().all(|word| detail.contains(&format!("`{word}`"))), "{detail}");
    }
    for query in ["status=queued&outcome=lost", "status=running", "status=finished&outcome=timed_out"] {
        server.account.get(&format!("/v1/runs?{query}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_sequence_is_no_object_wherever_one_is_expected() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    for (body, pointer) in [
        (json!({"agent": "echo", "limits": [5]}), "/limits"),
        (json!({"agent": "echo", "limits": []}), "/limits"),
        (json!({"agent": "echo", "config": ["key"]}), "/config"),
        (json!(["echo"]), ""),
    ] {
        let problem = account.put("/v1/deployments/echo", body).await.problem(422);
        assert_eq!(pointers(&problem), [pointer], "{problem}");
        assert!(!text(&problem, "detail").contains("struct"), "{problem}");
    }
    assert_eq!(pointers(&account.post("/v1/deployments/echo/runs", json!([1])).await.problem(422)), [""]);
    assert_eq!(pointers(&account.post("/v1/api-keys", json!(["name"])).await.problem(422)), [""]);
    let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
    for (path, body) in [("", json!(["a@example.org"])), (&format!("/{id}/grants"), json!([1]))] {
        let problem = server.operator().post(&format!("/v1/admin/accounts{path}"), body).await.problem(422);
        assert_eq!(pointers(&problem), [""]);
    }
}

/// What hyper refuses before there is a request has no document; the host goes on all the same.
#[tokio::test]
async fn a_head_that_can_not_be_read_ends_the_connection_and_nothing_else() {
    let server = Server::start().await;
    let address = server.account.request(Method::GET, "").build().unwrap().url().authority().to_owned();
    let many: String = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    for (head, status) in [
        ("NONSENSE\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), "400"),
        (format!("GET /v1/account HTTP/1.1\r\n{many}\r\n"), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)), "414"),
    ] {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    server.account.get("/v1/account").await.expect(200);
}
