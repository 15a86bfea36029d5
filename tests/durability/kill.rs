//! `kill -9` at random points, twenty times, under 64 clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{MUCH_FUEL, deploy_guests};
use crate::support::{Client, Server};

const CLIENTS: usize = 64;
const KILLS: usize = 20;

/// What a client was told: the answer's status, and the run.
pub(super) type Journal = Arc<Mutex<HashMap<String, (u16, Value)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_twenty_kills() {
    let mut server = Server::with_config(&format!("{MUCH_FUEL}[limits.account]\nconcurrent_runs = 16\n")).await;
    deploy_guests(&server.account, 20).await;
    let journal: Journal = Arc::default();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (account, journal, stop) = (server.account.clone(), journal.clone(), stop.clone());
                tokio::spawn(async move { client(&account, round, number, &journal, &stop).await })
            })
            .collect();
        // xorshift: a point in the life of the host that no round shares with another.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(50 + random % 400)).await;
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.await.unwrap();
        }
        server.serve();
        check(&server.account, &journal).await;
    }
    all_finish(&server.account).await;
    let told = journal.lock().unwrap().len();
    assert!(told > KILLS * 10, "only {told} answers were journaled");
    let (_, held) = server.account.balance().await;
    assert_eq!(held, 0, "no hold is left");
    server.stop();
    server.verify_ledger();
}

/// Starts runs until the server dies, and journals what it was told.
async fn client(account: &Client, round: usize, number: usize, journal: &Journal, stop: &AtomicBool) {
    let mut sequence = 0;
    while !stop.load(Ordering::SeqCst) {
        sequence += 1;
        let (deployment, wait) = match (number + sequence) % 4 {
            0 => ("prompt", 0),
            1 => ("burner", 60),
            _ => ("prompt", 60),
        };
        let request = account
            .request(Method::POST, &format!("/v1/deployments/{deployment}/runs?wait={wait}"))
            .header("idempotency-key", format!("{round}-{number}-{sequence}"))
            .json(&json!({"input": sequence}));
        let Ok(reply) = Client::try_send(request).await else { return };
        if reply.status == 429 {
            continue;
        }
        assert!(reply.status == 200 || reply.status == 202, "{reply:?}");
        let run: Value = serde_json::from_str(&reply.text).unwrap();
        journal.lock().unwrap().insert(run["id"].as_str().unwrap().to_owned(), (reply.status, run));
    }
}

/// Every run that was acknowledged is there, and a finished one is unchanged.
pub(super) async fn check(account: &Client, journal: &Journal) {
    let told: Vec<_> = journal.lock().unwrap().clone().into_iter().collect();
    for (id, (status, run)) in told {
        let now = account.get(&format!("/v1/runs/{id}")).await.expect(200);
        if status == 200 {
            assert_eq!(now, run, "a finished run changed");
        } else {
            assert_eq!(now["created_at"], run["created_at"]);
        }
        // What is settled stays so; it need not be looked at after every later kill.
        if now["status"] == "finished" {
            journal.lock().unwrap().insert(id, (200, now));
        }
    }
}

/// Queued runs run, and the unfinished ones of the dead process are settled.
pub(super) async fn all_finish(account: &Client) {
    for _ in 0..600 {
        let queued = account.get("/v1/runs?status=queued&limit=1").await.expect(200);
        let running = account.get("/v1/runs?status=running&limit=1").await.expect(200);
        if queued["items"].as_array().unwrap().is_empty() && running["items"].as_array().unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("runs are left unfinished");
}
