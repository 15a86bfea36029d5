//! Ten thousand requests that are almost right: each gets an answer that says what is wrong, and the host goes on.

mod random;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use random::Random;
use request::{Answer, Request};
use serde_json::{Value, json};

use super::openapi::Description;
use super::{items, text};
use crate::support::{Server, guests};

const REQUESTS: usize = 10_000;
const AT_A_TIME: usize = 16;
const SEED: u64 = 2_026;

/// What valid requests are made of.
struct Things {
    account_key: String,
    operator_key: String,
    run: String,
    key: String,
    other_account: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_mutated_requests_break_nothing() {
    let mut server = Server::with_config("[limits.account]\napi_keys = 10_000\nversions = 10_000\n").await;
    let things = Arc::new(things(&server).await);
    let address = server.account.request(reqwest::Method::GET, "").build().unwrap().url().authority().to_owned();
    let description = Arc::new(Description::of(&server).await);
    let next = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..AT_A_TIME)
        .map(|_| {
            let (next, things, address) = (Arc::clone(&next), Arc::clone(&things), address.clone());
            let description = Arc::clone(&description);
            tokio::spawn(async move {
                let mut statuses = BTreeMap::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= REQUESTS {
                        return statuses;
                    }
                    let mut random = Random::new(SEED + number as u64);
                    let request = mutated(&mut random, &things);
                    let answer = request.send(&address).await;
                    check(number, &request, &answer);
                    let told = (answer.status, answer.header("content-type"), answer.body.as_str());
                    if let Err(wrong) = description.check(request.method(), request.path(), told) {
                        panic!("request {number}: {wrong}: {request}\n{answer:?}");
                    }
                    *statuses.entry(answer.status).or_insert(0_usize) += 1;
                }
            })
        })
        .collect();
    let mut statuses = BTreeMap::new();
    for sender in senders {
        for (status, count) in sender.await.unwrap() {
            *statuses.entry(status).or_insert(0) += count;
        }
    }

    let valid: usize = statuses.range(200..300).map(|(_, count)| count).sum();
    assert!(valid >= REQUESTS / 10, "too few are still valid: {statuses:?}");
    let of_the_client: usize = statuses.range(400..500).map(|(_, count)| count).sum();
    assert!(of_the_client >= REQUESTS / 4, "too few are refused: {statuses:?}");
    assert!(server.is_running());
    assert!(!server.said().contains("panicked"), "{}", server.said());
    server.account.deploy("after", guests::echo(), json!({})).await;
    assert_eq!(server.account.run("after", json!("well")).await["output"], "well");
    server.stop();
    server.verify_ledger();
}

#[track_caller]
fn check(number: usize, request: &Request, answer: &Answer) {
    assert!(answer.status < 500, "request {number} broke the host: {request}\n{answer:?}");
    assert!(answer.header("x-request-id").is_some(), "request {number} has no id: {request}\n{answer:?}");
    if answer.status < 400 {
        return;
    }
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{number}: {request}\n{answer:?}");
    if !request.is_head() {
        let problem: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{request}\n{answer:?}"));
        assert_eq!(problem["status"], answer.status, "{request}\n{problem}");
        assert!(!text(&problem, "detail").is_empty(), "{request}\n{problem}");
    }
}

async fn things(server: &Server) -> Things {
    let account = &server.account;
    for name in ["echo", "spare"] {
        account.deploy(name, guests::echo(), json!({})).await;
    }
    let made = account.post("/v1/api-keys", json!({"name": "spare"})).await.expect(201);
    let other = server.another_account("other@example.org", 1_000).await.get("/v1/account").await.expect(200);
    account.run("echo", json!(1)).await;
    let runs = account.get("/v1/runs").await.expect(200);
    Things {
        account_key: account.key().to_owned(),
        operator_key: server.operator().key().to_owned(),
        run: text(&items(&runs)[0], "id").to_owned(),
        key: text(&made, "id").to_owned(),
        other_account: text(&other, "id").to_owned(),
    }
}

fn mutated(random: &mut Random, things: &Things) -> Request {
    let mut request = valid(random, things);
    for _ in 0..random.below(4) {
        request.mutate(random);
    }
    request
}

/// A request that the host would do as it is.
fn valid(random: &mut Random, things: &Things) -> Request {
    let Things { account_key, operator_key, run, key, other_account } = things;
    let name = *random.of(&["echo", "spare"]);
    let account = |method, path: &str| Request::of(method, path, account_key);
    let operator = |method, path: &str| Request::of(method, path, operator_key);
    match random.below(100) {
        0..2 => account("PUT", &format!("/v1/agents/{name}")).with_component(guests::echo()),
        2..12 => account("PUT", &format!("/v1/deployments/{name}")).with_json(deployment(random)),
        12..40 => account("POST", &format!("/v1/deployments/{name}/runs?wait=5"))
            .with_json(json!({"input": {"text": "x".repeat(random.below(50)), "list": [1, null, {"a": 1.5}]}})),
        40..44 => account("POST", "/v1/api-keys").with_json(json!({"name": "mutant"})),
        44..48 => account("POST", &format!("/v1/runs/{run}/cancel")),
        48..52 => operator("POST", "/v1/admin/accounts").with_json(json!({
            "email": format!("{}@example.org", random.next()), "plan": "default", "grant_microcredits": 5,
            "reason": "a test",
        })),
        52..54 => operator("PATCH", &format!("/v1/admin/accounts/{other_account}"))
            .with_json(json!({"status": random.of(&["active", "suspended"]), "reason": "a test"})),
        54..56 => operator("POST", &format!("/v1/admin/accounts/{other_account}/grants"))
            .with_json(json!({"amount_microcredits": 1, "reason": "a test"})),
        56..58 => operator("GET", &format!("/v1/admin/accounts/{other_account}")),
        58..60 => operator("GET", "/v1/admin/accounts?limit=3"),
        60..62 => account("DELETE", &format!("/v1/api-keys/{key}")),
        _ => account("GET", &readable(random, run, name)),
    }
}

fn readable(random: &mut Random, run: &str, name: &str) -> String {
    let paths = [
        "/healthz".to_owned(),
        "/readyz".to_owned(),
        "/v1/account".to_owned(),
        "/v1/api-keys?limit=5".to_owned(),
        "/v1/agents?limit=5&after=a".to_owned(),
        format!("/v1/agents/{name}"),
        "/v1/deployments?limit=5".to_owned(),
        format!("/v1/deployments/{name}"),
        format!("/v1/runs?deployment={name}&status=finished&outcome=succeeded&limit=5"),
        format!("/v1/runs?after={run}"),
        format!("/v1/runs/{run}"),
        format!("/v1/runs/{run}/input"),
        format!("/v1/runs/{run}/logs?after=0&limit=5"),
        format!("/v1/runs/{run}/logs?follow=true"),
        "/v1/credits".to_owned(),
        "/v1/credits/transactions?limit=5".to_owned(),
        format!("/v1/credits/transactions?subject={run}&reason=settle&format=json"),
        "/v1/credits/transactions?from=2026-01-01T00:00:00Z&format=csv".to_owned(),
        "/v1/requests?status=200&route=/v1/credits&to=2099-01-01T00:00:00Z".to_owned(),
        format!("/v1/runs/{run}/charges"),
    ];
    random.of(&paths).clone()
}

fn deployment(random: &mut Random) -> Value {
    json!({
        "agent": "echo",
        "version": 1,
        "config": {"key": "value"},
        "limits": {"fuel": 1_000_000 + random.below(1_000), "wall_clock_ms": 1_000, "log_lines": 5},
        "capabilities": ["scratch"],
        "log_output": false,
    })
}
