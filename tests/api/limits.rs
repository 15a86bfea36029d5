//! Limits of an account, and of what it sends.

use serde_json::{Value, json};

use super::{pointers, text};
use crate::support::{Client, Reply, Server, guests};

#[track_caller]
fn assert_limit(reply: &Reply, status: u16, limit: &str, value: u64) {
    let problem = reply.problem(status);
    assert_eq!((text(&problem, "limit"), &problem["value"]), (limit, &json!(value)), "{problem}");
}

#[tokio::test]
async fn an_account_has_as_many_things_as_its_plan_allows() {
    let config = "
        [plans.default.limits.account]
        agents = 2
        versions = 2
        deployments = 1
        api_keys = 2
    ";
    let server = Server::with_config(config).await;
    let account = &server.account;
    account.upload("one", guests::saying("1")).await.expect(201);
    account.upload("one", guests::saying("2")).await.expect(201);
    assert_limit(&account.upload("one", guests::saying("3")).await, 409, "versions", 2);
    account.upload("one", guests::saying("1")).await.expect(200);
    account.upload("two", guests::saying("1")).await.expect(201);
    assert_limit(&account.upload("three", guests::saying("1")).await, 409, "agents", 2);

    account.put("/v1/deployments/one", json!({"agent": "one"})).await.expect(201);
    account.put("/v1/deployments/one", json!({"agent": "two"})).await.expect(200);
    assert_limit(&account.put("/v1/deployments/two", json!({"agent": "two"})).await, 409, "deployments", 1);

    let second = account.post("/v1/api-keys", json!({"name": "second"})).await.expect(201);
    assert_limit(&account.post("/v1/api-keys", json!({"name": "third"})).await, 409, "api_keys", 2);

    // What is given back may be taken again.
    assert_eq!(account.delete(&format!("/v1/api-keys/{}", text(&second, "id"))).await.status, 204);
    account.post("/v1/api-keys", json!({"name": "third"})).await.expect(201);
    assert_eq!(account.delete("/v1/deployments/one").await.status, 204);
    account.put("/v1/deployments/two", json!({"agent": "two"})).await.expect(201);
    assert_eq!(account.delete("/v1/agents/one").await.status, 204);
    account.upload("three", guests::saying("1")).await.expect(201);
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_pass_a_limit_together() {
    let server = Server::with_config("[plans.default.limits.account]\napi_keys = 5\n").await;
    let asked: Vec<_> = (0..20)
        .map(|number| {
            let account = server.account.clone();
            tokio::spawn(async move { account.post("/v1/api-keys", json!({"name": format!("{number}")})).await.status })
        })
        .collect();
    let mut made = 0;
    for status in asked {
        match status.await.unwrap() {
            201 => made += 1,
            other => assert_eq!(other, 409),
        }
    }
    assert_eq!(made, 4, "`init` made the first");
}

#[tokio::test]
async fn plans_differ() {
    let config = "
        [plans.small.limits.run]
        fuel = 1_000_000
        [plans.small.limits.account]
        agents = 1
    ";
    let server = Server::with_config(config).await;
    let body =
        json!({"email": "small@example.org", "plan": "small", "grant_microcredits": 1_000_000, "reason": "a test"});
    let made = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let small = server.account.with_key(made["api_key"].as_str());
    small.deploy("echo", guests::echo(), json!({})).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let effective = async |account: &Client| {
        account.get("/v1/deployments/echo").await.expect(200)["effective_limits"]["fuel"].as_u64().unwrap()
    };
    assert_eq!((effective(&small).await, effective(&server.account).await), (1_000_000, 1_000_000_000));
    assert_limit(&small.upload("second", guests::echo()).await, 409, "agents", 1);
    server.account.upload("second", guests::echo()).await.expect(201);
}

#[tokio::test]
async fn configuration_values_are_limited() {
    let server = Server::with_config("[plans.default.limits.account]\nconfig_bytes = 10\n").await;
    let account = &server.account;
    account.upload("echo", guests::echo()).await.expect(201);
    let put = |config| account.put("/v1/deployments/echo", json!({"agent": "echo", "config": config}));
    put(json!({"key": "1234567"})).await.expect(201);
    let problem = put(json!({"key": "12345678"})).await.problem(422);
    assert_eq!(pointers(&problem), ["/config"]);
    assert!(text(&problem, "detail").contains("`config_bytes` is 10"), "{problem}");
}

#[tokio::test]
async fn an_input_over_the_limit_is_refused_before_anything_is_held() {
    let server = Server::with_config("[limits.run]\ninput_bytes = 1_000\n").await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({"limits": {"input_bytes": 100}})).await;
    let before = account.balance().await;
    // JSON of a text is two quotes longer than the text.
    let run = async |bytes: usize| {
        account.post("/v1/deployments/echo/runs?wait=60", json!({"input": "x".repeat(bytes - 2)})).await
    };
    assert_limit(&run(101).await, 413, "input_bytes", 100);
    // These are stopped while they are read, whatever the deployment says.
    run(1_000_000).await.problem(413);
    run(20_000_000).await.problem(413);
    assert_eq!(account.balance().await, before);
    assert_eq!(text(&run(100).await.expect(200), "outcome"), "succeeded");
}

#[tokio::test]
async fn a_body_of_any_other_request_is_limited_too() {
    let server = Server::start().await;
    let body = json!({"name": "x".repeat(10_000_000)});
    server.account.post("/v1/api-keys", body).await.problem(413);
}

#[tokio::test]
async fn runs_of_one_deployment_take_no_more_slots_than_it_allows() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({"limits": {"concurrent_runs": 2}})).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let run: Value = super::start(account, "slow", json!(20_000)).await;
        statuses.push(text(&run, "status").to_owned());
    }
    assert_eq!(statuses, ["running", "running", "queued"]);
}
