//! Requests that are made more than once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{items, runs_of, text};
use crate::support::{Client, Reply, Server, guests};

async fn ask(account: &Client, key: &str, deployment: &str, input: Value) -> Reply {
    let request = account.request(reqwest::Method::POST, &format!("{}?wait=60", runs_of(deployment)));
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
    let grant = json!({"amount_microcredits": 10_000_000});
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
