//! A request to stop: no new runs, the running ones within the grace period, the rest lost.

use std::time::Duration;

use serde_json::json;

use super::{MUCH_FUEL, deploy_guests};
use crate::support::{Client, Server};

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
