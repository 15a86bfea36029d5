//! A request to stop: no new runs, the running ones within the grace period, the rest lost.

use std::time::Duration;

use serde_json::json;

use super::{MUCH_FUEL, deploy_guests};
use crate::support::{Client, Server, guests, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_within_the_grace_period_is_answered() {
    let mut server = Server::with_config(MUCH_FUEL).await;
    deploy_guests(&server.account, 1_500).await;
    let waiting = started(&server.account).await;
    let stopped = tokio::task::spawn_blocking(move || (server.stop(), server));
    let run = waiting.await.unwrap().expect(200);
    assert_eq!(run["outcome"], "timed_out");
    let (_, server) = stopped.await.unwrap();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_outlives_the_grace_period_is_lost_and_costs_nothing() {
    let mut server = Server::with_config(&format!("{MUCH_FUEL}[host]\nshutdown_grace_ms = 200\n")).await;
    deploy_guests(&server.account, 60_000).await;
    let before = server.account.balance().await.0;
    let waiting = started(&server.account).await;
    let mut server = tokio::task::spawn_blocking(move || {
        let took = server.stop();
        assert!(took < Duration::from_secs(10), "{took:?}");
        server
    })
    .await
    .unwrap();
    let run = waiting.await.unwrap().expect(200);
    assert_eq!(run["outcome"], "lost");
    assert_eq!(run["charge_microcredits"], 0);
    server.serve();
    assert_eq!(server.account.balance().await, (before, 0));
}

/// One run at a time, and hardly any time for it to end.
const NARROW: &str = "
[host]
shutdown_grace_ms = 200
[plans.default.limits.account]
concurrent_runs = 1
";

#[tokio::test(flavor = "multi_thread")]
async fn queued_runs_are_left_in_the_queue_and_run_after_the_restart() {
    let narrow = NARROW.replace("= 200", "= 3_000");
    let mut server = Server::with_config(&format!("{MUCH_FUEL}{narrow}")).await;
    let other = server.another_account("other@example.org", 1_000_000_000_000).await;
    for account in [&server.account, &other] {
        deploy_guests(account, 60_000).await;
    }
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let ask = async |account: &Client, name: &str, input: i64| {
        account.post(&format!("/v1/deployments/{name}/runs"), json!({ "input": input })).await.expect(202)
    };
    let path = |run: &serde_json::Value| format!("/v1/runs/{}", run["id"].as_str().unwrap());
    let blocker = ask(&server.account, "burner", 0).await;
    // Longer than a host that stops waits for anything.
    let second = ask(&server.account, "slow", 30_000).await;
    let third = ask(&server.account, "prompt", 0).await;
    assert_eq!([&blocker, &second, &third].map(|run| &run["status"]), ["running", "queued", "queued"]);
    // Keeps the host from stopping before the end of its grace.
    ask(&other, "burner", 0).await;

    let account = server.account.clone();
    let stopping = tokio::task::spawn_blocking(move || (server.stop(), server).1);
    until("the host to stop", async || {
        let request = account.request(reqwest::Method::POST, "/v1/deployments/prompt/runs").json(&json!({"input": 0}));
        let reply = Client::try_send(request).await;
        reply.map_or(true, |reply| reply.status == 503).then_some(())
    })
    .await;
    // Its slot becomes free while the host waits for the other account's run.
    let cancel = account.request(reqwest::Method::POST, &format!("{}/cancel", path(&blocker))).json(&json!({}));
    let _ = Client::try_send(cancel).await;
    let mut server = stopping.await.unwrap();
    server.serve();

    let account = &server.account;
    assert_eq!(account.get(&path(&blocker)).await.expect(200)["status"], "finished");
    until("the second run to begin", async || {
        let run = account.get(&path(&second)).await.expect(200);
        assert_ne!(run["status"], "finished", "{run}");
        (run["status"] == "running").then_some(())
    })
    .await;
    account.post(&format!("{}/cancel", path(&second)), json!({})).await.expect(200);
    let third = until("the end of the third run", async || {
        let run = account.get(&path(&third)).await.expect(200);
        (run["status"] == "finished").then_some(run)
    })
    .await;
    assert_eq!(third["outcome"], "succeeded");
    server.stop();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_for_a_slot_is_told_that_the_host_stops() {
    let mut server = Server::with_config(&format!("{MUCH_FUEL}{NARROW}")).await;
    deploy_guests(&server.account, 60_000).await;
    let _blocker = server.account.post("/v1/deployments/burner/runs", json!({"input": null})).await.expect(202);
    let account = server.account.clone();
    let waiting =
        tokio::spawn(async move { account.post("/v1/deployments/burner/runs?wait=60", json!({"input": null})).await });
    // Whatever was sent before this is answered has been heard.
    server.account.get("/v1/runs").await.expect(200);
    let mut server = tokio::task::spawn_blocking(move || (server.stop(), server)).await.unwrap().1;
    let refused = waiting.await.unwrap().problem(503);
    assert!(refused["detail"].as_str().unwrap().contains("shutting down"), "{refused}");
    server.serve();
    let runs = server.account.get("/v1/runs").await.expect(200);
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "it left no run behind: {runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_folder_is_refused() {
    let server = Server::start().await;
    let second = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("is in use by another aaasp"), "{said}");
}

/// A burner that runs, with a client that waits for it.
async fn started(account: &Client) -> tokio::task::JoinHandle<crate::support::Reply> {
    let client = account.clone();
    let waiting =
        tokio::spawn(async move { client.post("/v1/deployments/burner/runs?wait=60", json!({"input": null})).await });
    for _ in 0..200 {
        let running = account.get("/v1/runs?status=running&limit=1").await.expect(200);
        if !running["items"].as_array().unwrap().is_empty() {
            return waiting;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the run did not start");
}
