//! `aaasp key rotate`: every data key gets the new master key, while runs go on and though the host is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{key, key_json, keys_in_file, refused, wrapped};
use crate::support::components::built;
use crate::support::{Client, Server, guests, server, until};

const ACCOUNTS: usize = 1_000;
/// So many of the accounts have as many credentials each, and an agent that signs with all of them.
const HOLDERS: usize = 100;
const CREDENTIALS: usize = 10;
const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_twice_ends_with_every_account_and_credential_readable_and_no_failed_run() {
    let mut server = Server::start().await;
    let accounts = accounts(&server).await;
    let holders = &accounts[..HOLDERS];
    join_all(holders.iter().map(|(account, email)| keep_credentials(account, email))).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let finished = Arc::new(AtomicUsize::new(0));

    let mut kills = 0;
    for attempt in 0.. {
        assert!(attempt < 20, "no kill landed in the middle");
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(run(server.account.clone(), finished.clone(), stop.clone()))).collect();
        let signers = holders.iter().take(CLIENTS).map(|(account, email)| {
            tokio::spawn(signs(server.account.with_key(Some(account.key())), email.clone(), stop.clone()))
        });
        let clients: Vec<_> = clients.into_iter().chain(signers).collect();
        // What an earlier kill has interrupted goes on by itself; only a finished rotation is followed by another.
        let operator = server.operator();
        let begun = operator.post("/v1/admin/master-keys", json!({})).await.expect(200);
        let newest = begun["newest"].as_i64().unwrap();
        until("the first batch to be wrapped anew", || async {
            let status = operator.get("/v1/admin/master-keys").await.expect(200);
            let (all, older) = (status["data_keys"].as_i64().unwrap(), status["older_data_keys"].as_i64().unwrap());
            (status["current"] == newest && older < all).then_some(())
        })
        .await;
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            assert!(client.await.unwrap(), "a run failed during the rotation");
        }
        let left = wrapped(&server).await;
        kills += usize::from(left.len() == 2 && left.iter().all(|(_, count)| *count > 0));
        server.serve();
        if kills == 2 {
            break;
        }
    }

    // The server's start goes on where the kill stopped it.
    let newest = until("the rotation to end", || async {
        let status = server.operator().get("/v1/admin/master-keys").await.expect(200);
        (status["older_data_keys"] == 0 && status["current"] == status["newest"]).then(|| status["newest"].clone())
    })
    .await;
    assert_eq!(wrapped(&server).await, [(newest.as_i64().unwrap(), i64::try_from(ACCOUNTS + 1).unwrap())]);
    assert!(finished.load(Ordering::SeqCst) > 0, "no run was made meanwhile");

    key_json(&server, &["retire", "--below", &newest.to_string()]);
    assert_eq!(keys_in_file(&server).len(), 1);
    server.stop();
    server.serve();
    readable(&server, &accounts).await;
    for (account, email) in holders {
        let account = server.account.with_key(Some(account.key()));
        let request = account.request(Method::POST, SIGN).json(&json!({"input": {"sign": names()}}));
        assert_eq!(Client::send(request).await.expect(200)["output"]["signed"], signatures(email));
    }
    let runs = server.account.get("/v1/runs?limit=100").await.expect(200);
    for run in runs["items"].as_array().unwrap() {
        assert!(run["outcome"] == "succeeded" || run["outcome"] == "lost", "{run}");
    }
    server.stop();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_under_load_while_a_rotation_wraps_everything_anew() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    for number in 0..64 {
        server.another_account(&format!("{number}@example.org"), 0).await;
    }
    let (finished, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(run(server.account.clone(), finished.clone(), stop.clone()))).collect();
    for rotation in 2..=4 {
        let before = finished.load(Ordering::SeqCst);
        let command = tokio::task::block_in_place(|| key_json(&server, &["rotate"]));
        assert_eq!((&command["current"], &command["older_data_keys"]), (&json!(rotation), &json!(0)));
        until("runs after the rotation", || async { (finished.load(Ordering::SeqCst) > before).then_some(()) }).await;
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.await.unwrap(), "a run failed during a rotation");
    }
}

#[tokio::test]
async fn without_a_server_the_command_works_on_the_folder() {
    let mut server = Server::start().await;
    let email = server.account.get("/v1/account").await.expect(200)["email"].clone();
    server.stop();
    let first = key_json(&server, &["list"]);
    assert_eq!((&first["current"], &first["master_keys"][0]["data_keys"]), (&json!(1), &json!(1)));
    let rotated = key_json(&server, &["rotate"]);
    assert_eq!(rotated["master_keys"][1]["data_keys"], 1);
    let shown = String::from_utf8(key(&server, &["list"]).stdout).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("VERSION") && lines[1].contains("old") && lines[2].contains("current"), "{shown}");
    for secret in keys_in_file(&server) {
        assert!(!shown.contains(secret.trim_matches('"')));
    }
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.expect(200)["email"], email);
}

#[tokio::test]
async fn a_host_that_lacks_the_new_key_is_named_and_the_key_waits_for_it() {
    let first = Server::start().await;
    let Some(second) = first.second_host() else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    let id = std::fs::read_to_string(second.data().join("host")).unwrap();
    let said = refused(&key(&first, &["rotate"]));
    assert!(said.contains(id.trim()) && said.contains("master key 2"), "{said}");
    // Accounts made meanwhile are wrapped with the key that both have.
    first.another_account("ada@example.org", 0).await;
    assert_eq!(wrapped(&first).await, [(1, 2)]);
    assert_eq!(key_json(&first, &["list"])["hosts_lacking"], json!([id.trim()]));
    refused(&key(&first, &["retire", "--below", "2"]));

    std::fs::copy(first.data().join("keys/keyring.toml"), second.data().join("keys/keyring.toml")).unwrap();
    until("the second host to take the key up", || async { (wrapped(&first).await == [(2, 2)]).then_some(()) }).await;
    assert_eq!(second.account.get("/v1/account").await.status, 200);

    // Retired on one host, the old key leaves the other one's folder too.
    key_json(&first, &["retire", "--below", "2"]);
    until("the second host to drop the old key", || async { (keys_in_file(&second).len() == 1).then_some(()) }).await;
    assert_eq!(keys_in_file(&second), keys_in_file(&first));
    assert_eq!(second.account.get("/v1/account").await.status, 200);
}

/// Makes accounts, and returns them with their addresses.
async fn accounts(server: &Server) -> Vec<(Client, String)> {
    let mut made = Vec::with_capacity(ACCOUNTS);
    for hundred in 0..ACCOUNTS / 100 {
        let some = (0..100).map(|number| async move {
            let email = format!("{}@example.org", hundred * 100 + number);
            (server.another_account(&email, 100_000_000).await, email)
        });
        made.extend(join_all(some).await);
    }
    made
}

/// Every account's address, which its data key seals, is what it was.
async fn readable(server: &Server, accounts: &[(Client, String)]) {
    for (account, email) in accounts {
        let account = server.account.with_key(Some(account.key()));
        assert_eq!(account.get("/v1/account").await.expect(200)["email"], email.as_str());
    }
}

const SIGN: &str = "/v1/deployments/probe/runs?wait=60";

fn names() -> Vec<String> {
    (0..CREDENTIALS).map(|number| format!("key-{number}")).collect()
}

/// A secret that no other credential has.
fn secret(email: &str, name: &str) -> String {
    format!("{name} of {email}")
}

/// What the agent's signatures with all credentials of an account are.
fn signatures(email: &str) -> Value {
    let sign = |name: &String| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret(email, name).as_bytes()).unwrap();
        mac.update(b"message");
        json!({"Ok": mac.finalize().into_bytes().to_vec()})
    };
    names().iter().map(sign).collect()
}

async fn keep_credentials(account: &Client, email: &str) {
    for name in names() {
        let credential = json!({"kind": "hmac", "secret": secret(email, &name)});
        account.put(&format!("/v1/credentials/{name}"), credential).await.expect(201);
    }
    let grants: serde_json::Map<_, _> = names().into_iter().map(|name| (name, json!({}))).collect();
    account.deploy("probe", built("egress-probe"), json!({"credentials": grants})).await;
}

/// Signs until it is told to stop or the server is gone. False when a run failed or a signature is not the credential's.
async fn signs(account: Client, email: String, stop: Arc<AtomicBool>) -> bool {
    while !stop.load(Ordering::SeqCst) {
        let request = account.request(Method::POST, SIGN).json(&json!({"input": {"sign": names()}}));
        let Ok(reply) = Client::try_send(request).await else { return true };
        let run: Value = serde_json::from_str(&reply.text).unwrap();
        if reply.status != 429 && run["output"]["signed"] != signatures(&email) {
            eprintln!("{reply:?}");
            return false;
        }
    }
    true
}

/// Runs until it is told to stop or the server is gone. False when a run failed.
async fn run(account: Client, finished: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> bool {
    while !stop.load(Ordering::SeqCst) {
        let request = account.request(Method::POST, "/v1/deployments/echo/runs?wait=60").json(&json!({"input": "x"}));
        let Ok(reply) = Client::try_send(request).await else { return true };
        if reply.status == 429 {
            continue;
        }
        let run: Value = serde_json::from_str(&reply.text).unwrap();
        if reply.status != 200 || run["outcome"] != "succeeded" {
            eprintln!("{reply:?}");
            return false;
        }
        finished.fetch_add(1, Ordering::SeqCst);
    }
    true
}
