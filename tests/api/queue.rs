//! Runs that wait for a slot.

use serde_json::{Value, json};

use super::{begun, finished, start, text};
use crate::support::{Client, Server, guests};

/// One run at a time, and two that wait.
const NARROW: &str = "
[plans.default.limits.account]
concurrent_runs = 1
queued_runs = 2
";

/// A server whose only slot is taken by a run that goes on until it is cancelled.
async fn busy_server() -> (Server, Value) {
    let server = Server::with(NARROW, 10).await;
    server.account.deploy("slow", guests::slow(), json!({})).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let blocker = start(&server.account, "slow", json!(25_000)).await;
    begun(&server.account, &blocker).await;
    (server, blocker)
}

async fn cancel(account: &Client, run: &Value) -> Value {
    account.post(&format!("/v1/runs/{}/cancel", text(run, "id")), json!({})).await.expect(200)
}

#[tokio::test]
async fn a_run_without_a_slot_waits_in_the_queue_and_a_full_queue_says_when_to_come_back() {
    let (server, blocker) = busy_server().await;
    let account = &server.account;
    let first = start(account, "echo", json!(1)).await;
    let second = start(account, "echo", json!(2)).await;
    assert_eq!((text(&first, "status"), &first["started_at"]), ("queued", &Value::Null));

    let before = account.balance().await;
    let full = account.post("/v1/deployments/echo/runs", json!({"input": 3})).await;
    let problem = full.problem(429);
    assert_eq!((text(&problem, "limit"), &problem["value"]), ("queued_runs", &json!(2)));
    assert!(full.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(account.balance().await, before, "nothing is held for a run that was refused");

    cancel(account, &blocker).await;
    let (first, second) = (finished(account, &first).await, finished(account, &second).await);
    assert_eq!((&first["output"], &second["output"]), (&json!(1), &json!(2)));
    assert!(text(&first, "started_at") <= text(&second, "started_at"), "first come, first served");
}

#[tokio::test]
async fn a_queued_run_is_cancelled_at_once_and_costs_nothing() {
    let (server, _blocker) = busy_server().await;
    let account = &server.account;
    let before = account.balance().await;
    let queued = start(account, "echo", json!(1)).await;
    assert_ne!(account.balance().await, before, "a queued run holds its credits");
    let cancelled = cancel(account, &queued).await;
    assert_eq!((text(&cancelled, "status"), text(&cancelled, "outcome")), ("finished", "cancelled"));
    assert_eq!((&cancelled["charge_microcredits"], &cancelled["charges"]), (&json!(0), &json!([])));
    assert_eq!(account.balance().await, before);
}

#[tokio::test]
async fn a_caller_who_waits_gets_a_run_that_was_queued_first() {
    let (server, blocker) = busy_server().await;
    let account = server.account.clone();
    let waiting = tokio::spawn(async move { account.run("echo", json!("patience")).await });
    // The caller's patience for a slot ends with a queued run.
    super::until("the run to be queued", async || {
        let queued = server.account.get("/v1/runs?status=queued").await.expect(200);
        (!super::items(&queued).is_empty()).then_some(())
    })
    .await;
    cancel(&server.account, &blocker).await;
    assert_eq!(waiting.await.unwrap()["output"], "patience");
}

#[tokio::test]
async fn queued_runs_survive_a_restart_in_their_order() {
    let (mut server, _blocker) = busy_server().await;
    let first = start(&server.account, "echo", json!(1)).await;
    let second = start(&server.account, "echo", json!(2)).await;
    server.kill();
    server.serve();
    let account = &server.account;
    let (first, second) = (finished(account, &first).await, finished(account, &second).await);
    assert_eq!((&first["output"], &second["output"]), (&json!(1), &json!(2)));
    assert!(text(&first, "started_at") <= text(&second, "started_at"), "first come, first served");
}

#[tokio::test]
async fn a_deployment_that_is_busy_does_not_hold_up_another() {
    let server = Server::with("", 10).await;
    let account = &server.account;
    for name in ["busy", "brisk"] {
        account.deploy(name, guests::slow(), json!({"limits": {"concurrent_runs": 1}})).await;
    }
    let blocker = start(account, "busy", json!(25_000)).await;
    let behind = start(account, "busy", json!(0)).await;
    let short = start(account, "brisk", json!(1_000)).await;
    let after = start(account, "brisk", json!(0)).await;
    assert_eq!([&behind, &short, &after].map(|run| text(run, "status")), ["queued", "running", "queued"]);

    assert_eq!(text(&finished(account, &after).await, "outcome"), "succeeded");
    let status = async |run: &Value| account.get(&format!("/v1/runs/{}", text(run, "id"))).await.expect(200);
    assert_eq!(text(&status(&behind).await, "status"), "queued");
    cancel(account, &blocker).await;
    assert_eq!(text(&finished(account, &behind).await, "outcome"), "succeeded");
}

#[tokio::test]
async fn the_queue_of_a_suspended_account_stands_still_and_can_be_cancelled() {
    let (server, blocker) = busy_server().await;
    let (account, operator) = (&server.account, server.operator());
    let (first, second) = (start(account, "echo", json!(1)).await, start(account, "echo", json!(2)).await);
    let path = format!("/v1/admin/accounts/{}", text(&account.get("/v1/account").await.expect(200), "id"));
    operator.patch(&path, json!({"status": "suspended", "reason": "a test"})).await.expect(200);
    let held = account.balance().await;
    cancel(account, &blocker).await;

    // Another account's run comes and goes through the queue meanwhile.
    let other = server.another_account("other@example.org", 10_000_000).await;
    other.deploy("slow", guests::slow(), json!({})).await;
    let ahead = start(&other, "slow", json!(2_000)).await;
    let behind = start(&other, "slow", json!(0)).await;
    assert_eq!((text(&ahead, "status"), text(&behind, "status")), ("running", "queued"));
    assert_eq!(text(&finished(&other, &behind).await, "outcome"), "succeeded");

    let status = async |run: &Value| account.get(&format!("/v1/runs/{}", text(run, "id"))).await.expect(200);
    assert_eq!((text(&status(&first).await, "status"), text(&status(&second).await, "status")), ("queued", "queued"));
    assert!(account.balance().await.1 < held.1, "the blocker's hold is released");
    assert!(account.balance().await.1 > 0, "those of the queued runs are kept");
    assert_eq!(text(&cancel(account, &first).await, "outcome"), "cancelled");

    operator.patch(&path, json!({"status": "active", "reason": "a test"})).await.expect(200);
    assert_eq!(finished(account, &second).await["output"], 2);
}

#[tokio::test]
async fn runs_that_began_under_another_limit_count() {
    let server = Server::with("", 10).await;
    let account = &server.account;
    let limited = |runs: u64| json!({"agent": "slow", "limits": {"concurrent_runs": runs}});
    account.deploy("slow", guests::slow(), json!({"limits": {"concurrent_runs": 1}})).await;
    let first = start(account, "slow", json!(25_000)).await;
    account.put("/v1/deployments/slow", limited(2)).await.expect(200);
    let second = start(account, "slow", json!(25_000)).await;
    let third = start(account, "slow", json!(0)).await;
    assert_eq!([&first, &second, &third].map(|run| text(run, "status")), ["running", "running", "queued"]);
    account.put("/v1/deployments/slow", limited(1)).await.expect(200);
    let fourth = start(account, "slow", json!(0)).await;
    assert_eq!(text(&fourth, "status"), "queued");
    cancel(account, &first).await;
    cancel(account, &second).await;
    assert_eq!(text(&finished(account, &third).await, "outcome"), "succeeded");
    assert_eq!(text(&finished(account, &fourth).await, "outcome"), "succeeded");
}

#[tokio::test]
async fn a_request_in_the_queue_is_idempotent_too() {
    let (server, blocker) = busy_server().await;
    let request = || {
        let request = server.account.request(reqwest::Method::POST, "/v1/deployments/echo/runs");
        Client::send(request.header("idempotency-key", "once").json(&json!({"input": 1})))
    };
    let (first, second) = (request().await.expect(202), request().await.expect(202));
    assert_eq!(text(&first, "id"), text(&second, "id"));
    cancel(&server.account, &blocker).await;
    finished(&server.account, &first).await;
    assert_eq!(request().await.expect(200)["output"], 1, "the same request gets the finished run");
}
