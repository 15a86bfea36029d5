//! PostgreSQL is killed and started again under load: the host says that it can't, and goes on when it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aaasp::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::kill::{Journal, all_finish, check};
use super::{MUCH_FUEL, deploy_guests};
use crate::support::cluster::Cluster;
use crate::support::{Client, Server, guests, server, until};

const CLIENTS: usize = 32;
const OUTAGES: usize = 5;
/// Connections are ended while the server stays: the host can ask at once what became of a transaction.
const DISCONNECTS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_outages_of_the_database() {
    if !server::on_postgres() {
        return;
    }
    let mut cluster = Cluster::start();
    let config = format!("{MUCH_FUEL}[limits.account]\nconcurrent_runs = 16\n");
    let mut server = Server::on_database(cluster.database(), &config);
    deploy_guests(&server.account, 20).await;
    let (before, _) = server.account.balance().await;
    let (journal, stop, refused) =
        (Journal::default(), Arc::new(AtomicBool::new(false)), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (account, journal) = (server.account.clone(), journal.clone());
            let (stop, refused) = (stop.clone(), refused.clone());
            tokio::spawn(async move { client(&account, number, &journal, &stop, &refused).await })
        })
        .collect();
    for _ in 0..OUTAGES {
        for _ in 0..DISCONNECTS / OUTAGES {
            cluster.database().disconnect_all().await;
            grows("acknowledged runs", || journal.lock().unwrap().len(), 10).await;
        }
        cluster.kill();
        grows("refusals", || refused.load(Ordering::SeqCst), CLIENTS / 2).await;
        assert_eq!(server.account.get("/readyz").await.problem(503)["type"], "urn:aaasp:problem:unavailable");
        cluster.restart();
    }
    grows("acknowledged runs", || journal.lock().unwrap().len(), 100).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert!(server.is_running());
    all_finish(&server.account).await;
    check(&server.account, &journal).await;

    // Each request was repeated until it was acknowledged, so that no run is unknown to the journal.
    let told = journal.lock().unwrap().clone();
    let charged: i64 = told.values().map(|(_, run)| run["charge_microcredits"].as_i64().unwrap()).sum();
    assert_eq!(server.account.balance().await, (before - charged, 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_goes_on_while_its_log_can_not_be_written() {
    if !server::on_postgres() {
        return;
    }
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    let mut connection = server.connect().await;
    let mut lock = connection.begin().await.unwrap();
    sqlx::query("LOCK TABLE log_chunks IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let run = account.post("/v1/deployments/slow/runs", json!({"input": 1_000})).await.expect(202);
    // Its first line is on its way to the database before the second one is logged, and stays there for seconds.
    let begun = Clock::System.now();
    until("a few seconds", async || (Clock::System.now() > begun.plus_ms(5_000)).then_some(())).await;
    let unlocked = Clock::System.now();
    lock.rollback().await.unwrap();

    all_finish(account).await;
    let log = account.get(&format!("/v1/runs/{}/logs", run["id"].as_str().unwrap())).await.expect(200);
    let ended = log["items"].as_array().unwrap().iter().find(|line| line["message"] == "ended").unwrap();
    assert!(ended["at"].as_str().unwrap() < unlocked.rfc3339().as_str(), "{ended}");
}

async fn grows(what: &str, count: impl Fn() -> usize, by: usize) {
    let from = count();
    until(what, || async { (count() >= from + by).then_some(()) }).await;
}

/// Starts runs, one after the other, and repeats each request until it is acknowledged.
async fn client(account: &Client, number: usize, journal: &Journal, stop: &AtomicBool, refused: &AtomicUsize) {
    let mut sequence = 0;
    while !stop.load(Ordering::SeqCst) {
        sequence += 1;
        let (deployment, wait) = match (number + sequence) % 4 {
            0 => ("prompt", 0),
            1 => ("burner", 60),
            _ => ("prompt", 60),
        };
        loop {
            let request = account
                .request(Method::POST, &format!("/v1/deployments/{deployment}/runs?wait={wait}"))
                .header("idempotency-key", format!("{number}-{sequence}"))
                .json(&json!({"input": sequence}));
            let reply = Client::send(request).await;
            if reply.status == 200 || reply.status == 202 {
                let run: Value = serde_json::from_str(&reply.text).unwrap();
                journal.lock().unwrap().insert(run["id"].as_str().unwrap().to_owned(), (reply.status, run));
                break;
            }
            assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
            if reply.status != 429 {
                reply.problem(503);
                refused.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
