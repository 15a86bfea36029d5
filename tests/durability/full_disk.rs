//! The disk of the data folder is full: the host says so, acknowledges nothing that it can't keep, and goes on by
//! itself when there is room again.

use reqwest::Method;
use serde_json::{Value, json};

use super::{MUCH_FUEL, deploy_guests};
use crate::support::{Client, Reply, Server, hostile, server, until};

/// Room for the artifacts of a few small guests, and for what SQLite keeps.
const DISK_MIB: u32 = 32;

/// Asks for a run under a key, so that asking again is the same request.
async fn ask(account: &Client, deployment: &str, key: &str) -> Reply {
    let request = account.request(Method::POST, &format!("/v1/deployments/{deployment}/runs?wait=60"));
    Client::send(request.header("idempotency-key", key).json(&json!({"input": null}))).await
}

fn is_disk_full(reply: &Reply) {
    let problem = reply.problem(507);
    assert_eq!(problem["type"], "urn:aaasp:problem:disk-full");
    assert!(problem["detail"].as_str().unwrap().contains("has made room"), "{problem}");
    assert!(reply.headers.contains_key("retry-after"));
}

fn charge(run: &Value) -> i64 {
    assert_eq!(run["status"], "finished", "{run}");
    run["charge_microcredits"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_charged_twice_while_the_disk_is_full() {
    if server::on_postgres() {
        // Its disk is its own; what PostgreSQL says of a full one is read as SQLite's answer is.
        return;
    }
    let mut server = Server::on_tiny_disk(DISK_MIB, MUCH_FUEL).await;
    let account = server.account.clone();
    deploy_guests(&account, 1_000).await;
    let (before, _) = account.balance().await;

    let (client, burner) = (account.clone(), "burner");
    let under_way = tokio::spawn(async move { ask(&client, burner, "under way").await });
    until("the burner runs", || async {
        let running = account.get("/v1/runs?status=running").await.expect(200);
        (!running["items"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    server.disk().fill();
    is_disk_full(&account.get("/readyz").await);
    assert_eq!(account.get("/healthz").await.status, 204);

    // SQLite has some room in its own files; when that is used up, each request is refused.
    let (mut told, mut refused) = (Vec::new(), Vec::new());
    for number in 0.. {
        let key = format!("key {number}");
        let reply = ask(&account, "prompt", &key).await;
        match reply.status {
            200 => told.push(reply.expect(200)),
            // Admitted in the last of the room, and not yet settled.
            202 => panic!("a run waited longer than it should: {}", reply.text),
            _ => {
                is_disk_full(&reply);
                refused.push(key);
            }
        }
        if refused.len() == 20 {
            break;
        }
    }
    is_disk_full(&account.upload("another", hostile::component("endless-loop").to_vec()).await);
    is_disk_full(&account.post("/v1/api-keys", json!({"name": "another"})).await);
    for run in &told {
        assert_eq!(account.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200), *run);
    }

    server.disk().free();
    until("readiness", || async { (account.get("/readyz").await.status == 204).then_some(()) }).await;
    assert!(server.is_running());
    let burned = under_way.await.unwrap().expect(200);
    assert_eq!(burned["outcome"], "timed_out");
    told.push(burned);
    for key in refused {
        told.push(ask(&account, "prompt", &key).await.expect(200));
    }
    for run in &told {
        assert_eq!(account.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200), *run);
    }
    let charged: i64 = told.iter().map(charge).sum();
    assert_eq!(account.balance().await, (before - charged, 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_run_waits_for_room_for_its_component() {
    if !server::on_postgres() {
        // Where the queue is on the full disk too, a run does not even leave it.
        return;
    }
    let config = format!("{MUCH_FUEL}[limits.account]\nconcurrent_runs = 1\n");
    let mut server = Server::on_tiny_disk(DISK_MIB, &config).await;
    deploy_guests(&server.account, 60_000).await;
    let burner = server.account.post("/v1/deployments/burner/runs", json!({"input": null})).await.expect(202);
    let queued = server.account.post("/v1/deployments/prompt/runs", json!({"input": null})).await.expect(202);
    server.kill();
    // The next start finds no compiled artifacts, and no room for them.
    std::fs::remove_dir_all(server.data().join("artifacts")).unwrap();
    server.disk().fill();
    server.serve();
    let account = server.account.clone();
    server.says("the queue could not be served").await;
    is_disk_full(&account.get("/readyz").await);
    is_disk_full(&ask(&account, "prompt", "key").await);
    let seen = |run: &Value| {
        let (account, path) = (account.clone(), format!("/v1/runs/{}", run["id"].as_str().unwrap()));
        async move { account.get(&path).await.expect(200) }
    };
    assert_eq!(seen(&queued).await["status"], "queued");

    server.disk().free();
    let ended = until("the queued run", || async {
        let run = seen(&queued).await;
        (run["status"] == "finished").then_some(run)
    })
    .await;
    assert_eq!(ended["outcome"], "succeeded");
    let lost = seen(&burner).await;
    assert_eq!((&lost["outcome"], &lost["charge_microcredits"]), (&json!("lost"), &json!(0)));
    server.stop();
    server.verify_ledger();
}
