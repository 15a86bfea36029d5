//! Requests that are made more than once.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{items, runs_of, text};
use crate::support::{Client, Reply, Server, guests, until};

async fn ask(account: &Client, key: &str, deployment: &str, input: Value) -> Reply {
    let request = account.request(Method::POST, &format!("{}?wait=60", runs_of(deployment)));
    Client::send(request.header("idempotency-key", key).json(&json!({ "input": input }))).await
}

#[tokio::test]
async fn the_same_key_and_request_is_the_same_run_and_is_charged_once() {
    let server = Server::with("", 10).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let first = ask(account, "a key", "echo", json!({"n": 1})).await.expect(200);
    let balance = account.balance().await;
    let second = ask(account, "a key", "echo", json!({"n": 1})).await.expect(200);
    assert_eq!(second, first);
    assert_eq!(account.balance().await, balance);
    assert_ne!(ask(account, "another", "echo", json!({"n": 1})).await.expect(200)["id"], first["id"]);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    account.put("/v1/deployments/other", json!({"agent": "echo"})).await.expect(201);
    ask(account, "once", "echo", json!(1)).await.expect(200);
    let problem = ask(account, "once", "echo", json!(2)).await.problem(422);
    assert!(text(&problem, "detail").contains("used for another request"), "{problem}");
    ask(account, "once", "other", json!(1)).await.problem(422);
    assert_eq!(items(&account.get("/v1/runs").await.expect(200)).len(), 1);
}

#[tokio::test]
async fn a_key_is_the_accounts_own() {
    let server = Server::start().await;
    let other = server.another_account("other@example.org", 10_000_000).await;
    let mut ids = BTreeSet::new();
    for account in [&server.account, &other] {
        account.deploy("echo", guests::echo(), json!({})).await;
        ids.insert(text(&ask(account, "once", "echo", json!(1)).await.expect(200), "id").to_owned());
    }
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_run_that_was_done_is_answered_again_after_its_deployment_is_gone() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let first = ask(account, "once", "echo", json!(1)).await.expect(200);
    assert_eq!(account.delete("/v1/deployments/echo").await.status, 204);
    assert_eq!(ask(account, "once", "echo", json!(1)).await.expect(200), first);
    ask(account, "once", "echo", json!(2)).await.problem(422);
    ask(account, "another", "echo", json!(1)).await.problem(404);
}

#[tokio::test]
async fn twenty_at_the_same_time_are_one_run() {
    let server = Server::with("", 10).await;
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let account = server.account.clone();
            tokio::spawn(async move { ask(&account, "once", "slow", json!(50)).await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    let mut charge = 0;
    for reply in asked {
        let run = reply.await.unwrap().expect(200);
        charge = run["charge_microcredits"].as_i64().unwrap();
        ids.insert(text(&run, "id").to_owned());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(items(&server.account.get("/v1/runs").await.expect(200)).len(), 1);
    assert_eq!(server.account.balance().await, (10_000_000 - charge, 0));
}

#[tokio::test]
async fn twenty_at_the_same_time_that_nobody_can_pay_are_all_refused_as_such() {
    let server = Server::with("", 0).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let account = server.account.clone();
            tokio::spawn(async move { ask(&account, "once", "echo", json!(1)).await })
        })
        .collect();
    for reply in asked {
        let problem = reply.await.unwrap().problem(402);
        assert!(problem["required_microcredits"].as_i64().unwrap() > 0, "{problem}");
    }
}

#[tokio::test]
async fn a_refused_request_may_be_made_again_under_its_key() {
    let server = Server::with("", 0).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    ask(account, "once", "echo", json!(1)).await.problem(402);
    let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
    let grant = json!({"amount_microcredits": 10_000_000, "reason": "a test"});
    server.operator().post(&format!("/v1/admin/accounts/{id}/grants"), grant).await.expect(201);
    assert_eq!(ask(account, "once", "echo", json!(1)).await.expect(200)["output"], 1);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    for key in ["", &"x".repeat(256)] {
        let problem = ask(&server.account, key, "echo", json!(1)).await.problem(422);
        assert!(text(&problem, "detail").contains("Idempotency-Key"), "{problem}");
    }
    ask(&server.account, &"x".repeat(255), "echo", json!(1)).await.expect(200);
}

/// A write under a key.
async fn write(client: &Client, key: &str, method: Method, path: &str, body: Value) -> Reply {
    Client::send(client.request(method, path).header("idempotency-key", key).json(&body)).await
}

async fn make_key(account: &Client, key: &str, name: &str) -> Reply {
    write(account, key, Method::POST, "/v1/api-keys", json!({ "name": name })).await
}

#[tokio::test]
async fn an_api_key_is_made_once_and_its_lost_answer_can_be_had_again() {
    let mut server = Server::start().await;
    let first = make_key(&server.account, "once", "ci").await.expect(201);
    let secret = text(&first, "api_key").to_owned();
    assert_eq!(make_key(&server.account, "once", "ci").await.expect(201), first);
    server.kill();
    server.serve();
    let account = &server.account;
    assert_eq!(make_key(account, "once", "ci").await.expect(201), first);
    assert_eq!(items(&account.get("/v1/api-keys").await.expect(200)).len(), 2);
    account.with_key(Some(&secret)).get("/v1/account").await.expect(200);
    assert_ne!(make_key(account, "another", "ci").await.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn a_kept_answer_is_sealed() {
    let mut server = Server::start().await;
    let made = make_key(&server.account, "once", "ci").await.expect(201);
    let secret = text(&made, "api_key").to_owned();
    server.stop();
    let mut read = 0;
    for entry in std::fs::read_dir(server.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
            read += bytes.len();
        }
    }
    assert!(read > 0);
}

#[tokio::test]
async fn a_key_that_was_used_for_another_write_is_refused() {
    let server = Server::start().await;
    let (account, operator) = (&server.account, server.operator());
    account.deploy("echo", guests::echo(), json!({})).await;
    make_key(account, "once", "ci").await.expect(201);
    for reply in [make_key(account, "once", "other").await, ask(account, "once", "echo", json!(1)).await] {
        let problem = reply.problem(422);
        assert!(text(&problem, "detail").contains("used for another request"), "{problem}");
    }
    let accounts = "/v1/admin/accounts";
    let new = |email: &str| json!({"email": email, "reason": "a test"});
    write(&operator, "once", Method::POST, accounts, new("a@example.org")).await.expect(201);
    write(&operator, "once", Method::POST, accounts, new("b@example.org")).await.problem(422);
    assert_eq!(items(&operator.get(accounts).await.expect(200)).len(), 2);
}

#[tokio::test]
async fn an_account_is_made_once_with_its_key_and_its_credits() {
    let server = Server::start().await;
    let operator = server.operator();
    let new = json!({"email": "new@example.org", "grant_microcredits": 7, "reason": "a test"});
    let first = write(&operator, "once", Method::POST, "/v1/admin/accounts", new.clone()).await.expect(201);
    assert_eq!(write(&operator, "once", Method::POST, "/v1/admin/accounts", new.clone()).await.expect(201), first);
    let account = server.account.with_key(first["api_key"].as_str());
    assert_eq!(account.balance().await, (7, 0));
    // Without the key it is a second account of the same address.
    operator.post("/v1/admin/accounts", new).await.problem(409);
}

#[tokio::test]
async fn twenty_grants_at_the_same_time_are_one() {
    let mut server = Server::with("", 0).await;
    let id = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    let path = format!("/v1/admin/accounts/{id}/grants");
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let (operator, path) = (server.operator(), path.clone());
            tokio::spawn(async move {
                write(&operator, "once", Method::POST, &path, json!({"amount_microcredits": 3, "reason": "a test"}))
                    .await
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for reply in asked {
        ids.insert(text(&reply.await.unwrap().expect(201), "id").to_owned());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(server.account.balance().await, (3, 0));
    let other = server.another_account("other@example.org", 0).await.get("/v1/account").await.expect(200);
    let path = format!("/v1/admin/accounts/{}/grants", text(&other, "id"));
    let elsewhere =
        write(&server.operator(), "once", Method::POST, &path, json!({"amount_microcredits": 3, "reason": "a test"}))
            .await;
    elsewhere.problem(422);
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn a_write_that_was_refused_leaves_its_key_free() {
    let server = Server::with_config("[limits.account]\napi_keys = 2\n").await;
    let account = &server.account;
    let second = make_key(account, "first", "a").await.expect(201);
    assert_eq!(make_key(account, "once", "b").await.problem(409)["limit"], "api_keys");
    assert_eq!(account.delete(&format!("/v1/api-keys/{}", text(&second, "id"))).await.status, 204);
    make_key(account, "once", "b").await.expect(201);
}

#[tokio::test]
async fn what_is_safe_to_repeat_by_itself_ignores_the_header() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let path = "/v1/deployments/echo";
    for log_output in [false, true] {
        let body = json!({"agent": "echo", "log_output": log_output});
        let put = write(account, "once", Method::PUT, path, body).await.expect(200);
        assert_eq!(put["log_output"], log_output);
    }
    write(account, &"x".repeat(300), Method::PUT, path, json!({"agent": "echo"})).await.expect(200);
    assert_eq!(write(account, "once", Method::DELETE, path, Value::Null).await.status, 204);
    write(account, "once", Method::DELETE, path, Value::Null).await.problem(404);
}

#[tokio::test]
async fn an_answer_is_forgotten_when_its_time_is_over() {
    let mut server = Server::with_config("[retention]\nidempotency_hours = 24\n").await;
    let first = make_key(&server.account, "once", "ci").await.expect(201);
    server.stop();
    std::fs::write(server.data().join("aaasp.toml"), "[retention]\nidempotency_hours = 0\n").unwrap();
    server.serve();
    until("the end of the answer's time", async || {
        let again = make_key(&server.account, "once", "ci").await.expect(201);
        (again["id"] != first["id"]).then_some(())
    })
    .await;
}
