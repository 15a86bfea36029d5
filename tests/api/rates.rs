//! Rates: what is counted, what is told, and that the operator's file changes them while the host serves.

use reqwest::Method;
use serde_json::json;

use super::{fields, text};
use crate::support::{Client, Server, guests, until};

const SMALL: &str = "
    [plans.default.rates]
    account_requests_per_minute = 6
    key_requests_per_minute = 4
";

#[tokio::test]
async fn a_key_and_its_account_are_counted_and_told_how_they_stand() {
    let server = Server::with_config(SMALL).await;
    let first = server.account.get("/v1/account").await;
    assert_eq!(first.headers["ratelimit-policy"], "\"account\";q=6;w=60, \"key\";q=4;w=60");
    assert_eq!(first.headers["ratelimit"], "\"account\";r=5;t=10, \"key\";r=3;t=15");
    let made = server.account.post("/v1/api-keys", json!({"name": "second"})).await.expect(201);
    for _ in 0..2 {
        server.account.get("/v1/account").await.expect(200);
    }
    let refused = server.account.get("/v1/account").await;
    let problem = refused.problem(429);
    assert_eq!((text(&problem, "limit"), &problem["value"]), ("key_requests_per_minute", &json!(4)));
    assert_eq!(refused.headers["ratelimit"], "\"key\";r=0;t=60");
    let seconds: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=15).contains(&seconds), "{seconds}");

    let second = server.account.with_key(made["api_key"].as_str());
    for _ in 0..2 {
        second.get("/v1/account").await.expect(200);
    }
    assert_eq!(text(&second.get("/v1/account").await.problem(429), "limit"), "account_requests_per_minute");
}

#[tokio::test]
async fn another_account_is_counted_by_itself() {
    let server = Server::with_config(SMALL).await;
    for _ in 0..4 {
        server.account.get("/v1/account").await.expect(200);
    }
    server.account.get("/v1/account").await.problem(429);
    server.another_account("other@example.org", 0).await.get("/v1/account").await.expect(200);
}

#[tokio::test]
async fn who_guesses_keys_is_told_to_wait() {
    let server = Server::with_config("[rates]\naddress_failures_per_minute = 3\n").await;
    let unused = server.another_account("unused@example.org", 0).await;
    let operator = server.operator();
    server.account.get("/v1/account").await.expect(200);
    let guess = server.account.with_key(Some("aaasp_guess"));
    for _ in 0..3 {
        guess.get("/v1/account").await.problem(401);
    }
    let refused = guess.get("/v1/account").await;
    assert_eq!(text(&refused.problem(429), "limit"), "address_failures_per_minute");
    assert!(refused.headers.contains_key("retry-after"));
    // Who has asked with a good key is none of them, wherever he asks from; any other key is not even looked up.
    server.account.get("/v1/account").await.expect(200);
    operator.get("/v1/admin/accounts").await.expect(200);
    assert_eq!(text(&unused.get("/v1/account").await.problem(429), "limit"), "address_failures_per_minute");
    unused.get("/v1/admin/accounts").await.problem(429);
}

#[tokio::test]
async fn an_address_is_counted_whatever_it_asks_for() {
    let config = "trusted_proxies = [\"127.0.0.0/8\"]\n[rates]\naddress_requests_per_minute = 20\n";
    let server = Server::with_config(config).await;
    let from = async |address: &str| {
        let request = server.account.request(Method::GET, "/healthz").header("x-forwarded-for", address);
        Client::send(request).await.status
    };
    for _ in 0..20 {
        assert_eq!(from("2001:db8::1").await, 204);
    }
    assert_eq!(from("2001:db8::2").await, 429, "it is of the same network");
    assert_eq!(from("2001:db8:0:1::1").await, 204);
}

#[tokio::test]
async fn a_plan_that_changes_holds_at_once_and_a_mistake_changes_nothing() {
    let server = Server::with_config("[plans.default.limits.account]\nagents = 3\n").await;
    let operator = server.operator();
    let limit = async || server.account.get("/v1/account").await.expect(200)["limits"]["account"]["agents"].clone();
    assert_eq!(limit().await, 3);
    assert_eq!(
        operator.post("/v1/admin/reload", json!({"reason": "a test"})).await.expect(200),
        json!({"changes": []})
    );

    let before = std::fs::read_to_string(server.data().join("aaasp.toml")).unwrap();
    std::fs::write(server.data().join("aaasp.toml"), before.replace("agents = 3", "agents = 5")).unwrap();
    let reloaded = operator.post("/v1/admin/reload", json!({"reason": "a test"})).await.expect(200);
    assert_eq!(
        reloaded["changes"],
        json!([{"key": "plans.default.limits.account.agents", "before": "3", "after": "5", "taken": "now"}])
    );
    assert_eq!(limit().await, 5);

    std::fs::write(server.data().join("aaasp.toml"), before.replace("agents = 3", "agents = \"many\"")).unwrap();
    let problem = operator.post("/v1/admin/reload", json!({"reason": "a test"})).await.problem(422);
    assert!(text(&problem, "detail").contains("`agents`: invalid type"), "{problem}");
    assert_eq!(limit().await, 5);

    std::fs::write(server.data().join("aaasp.toml"), before.replace("agents = 3", "agents = 7")).unwrap();
    let signalled = std::process::Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().unwrap();
    assert!(signalled.success());
    until("the file to be read again", async || (limit().await == 7).then_some(())).await;
}

#[tokio::test]
async fn a_run_keeps_the_prices_that_it_was_admitted_under() {
    let server = Server::with_config("[prices]\nrun_microcredits = 10\n").await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let cheap = account.run("echo", json!(1)).await;
    account.deploy("sleepy", guests::slow(), json!({})).await;
    let started = account.post("/v1/deployments/sleepy/runs", json!({"input": 1_500})).await.expect(202);

    let before = std::fs::read_to_string(server.data().join("aaasp.toml")).unwrap();
    let dear = before.replace("run_microcredits = 10", "run_microcredits = 1_000_000");
    std::fs::write(server.data().join("aaasp.toml"), dear).unwrap();
    let reloaded = server.operator().post("/v1/admin/reload", json!({"reason": "a test"})).await.expect(200);
    assert_eq!(fields(reloaded["changes"].as_array().unwrap(), "key"), ["prices.run_microcredits"]);
    until("runs to be dearer", async || {
        let run = account.run("echo", json!(1)).await;
        let dearer =
            run["charge_microcredits"].as_i64() > cheap["charge_microcredits"].as_i64().map(|was| was + 900_000);
        dearer.then_some(())
    })
    .await;
    let path = format!("/v1/runs/{}", text(&started, "id"));
    let slept = until("the run to end", async || {
        let run = account.get(&path).await.expect(200);
        (run["status"] == "finished").then_some(run)
    })
    .await;
    assert!(slept["charge_microcredits"].as_i64().unwrap() < 900_000, "{slept}");
}
