//! The data keys of accounts: rotated, moved to where they don't belong, and destroyed.

use std::path::Path;

use aaasp::clock::Clock;
use aaasp::config::{Config, Overrides};
use aaasp::folder::Folder;
use aaasp::host::Store;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{key, key_json, refused};
use crate::support::{Client, Server, guests, server, until};

#[tokio::test]
async fn a_rotated_data_key_seals_what_is_written_and_opens_what_was() {
    let mut server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({"config": {"a": "b"}})).await;
    let before = server.account.run("echo", json!("before")).await;
    let id = account_id(&server.account).await;

    let rotated = key_json(&server, &["rotate", "--account", &id]);
    assert_eq!(rotated["version"], 2);
    let between = server.account.run("echo", json!("between")).await;
    server.stop();
    assert_eq!(key_json(&server, &["rotate", "--account", &id])["version"], 3, "without a server too");
    server.serve();
    let after = server.account.run("echo", json!("after")).await;

    let account = server.account.get("/v1/account").await.expect(200);
    assert_eq!(account["email"], "owner@localhost");
    for run in [&before, &between, &after] {
        assert_eq!(&server.account.get(&path(run, "")).await.expect(200), run);
        assert_eq!(server.account.get(&path(run, "/input")).await.expect(200), run["output"]);
    }
    let mut connection = server.connect().await;
    let versions: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT sealed_input FROM runs ORDER BY id").fetch_all(&mut connection).await.unwrap();
    assert_eq!(versions.iter().map(|(sealed,)| sealed[4]).collect::<Vec<_>>(), [1, 2, 3]);
    let (email,): (Vec<u8>,) =
        sqlx::query_as("SELECT sealed_email FROM accounts").fetch_one(&mut connection).await.unwrap();
    assert_eq!(email[4], 3, "what is kept for good is sealed anew");
}

#[tokio::test]
async fn a_run_that_waits_through_a_rotation_is_answered() {
    let server = Server::with_config("[limits.account]\nconcurrent_runs = 1\n").await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let id = account_id(&server.account).await;
    let waiting: Vec<_> = (0..16)
        .map(|number| {
            let account = server.account.clone();
            tokio::spawn(async move { account.run("echo", json!(number)).await })
        })
        .collect();
    for version in 2..6 {
        let made = server.operator().post(&format!("/v1/admin/accounts/{id}/data-keys"), json!({})).await.expect(201);
        assert_eq!(made["version"], version);
    }
    for (number, run) in waiting.into_iter().enumerate() {
        assert_eq!(run.await.unwrap()["output"], number);
    }
}

#[tokio::test]
async fn another_host_opens_what_a_rotated_key_sealed_at_once() {
    let first = Server::start().await;
    let Some(second) = first.second_host() else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    first.account.deploy("echo", guests::echo(), json!({})).await;
    let id = account_id(&second.account).await;
    first.operator().post(&format!("/v1/admin/accounts/{id}/data-keys"), json!({})).await.expect(201);
    let run = first.account.run("echo", json!("sealed under version 2")).await;
    // The second host has just looked the account up, and believes what it saw for most of a second.
    assert_eq!(second.account.get(&path(&run, "")).await.expect(200), run);
}

#[tokio::test]
async fn an_account_that_is_not_there_has_no_data_key_to_rotate() {
    let server = Server::start().await;
    let said = refused(&key(&server, &["rotate", "--account", "acc_01h455vb4pex5vsknk084sn02q"]));
    assert!(said.contains("no such account"), "{said}");
    server.operator().post("/v1/admin/accounts/acc_01h455vb4pex5vsknk084sn02q/data-keys", json!({})).await.problem(404);
}

#[tokio::test]
async fn a_wrapped_key_in_another_accounts_row_opens_nothing() {
    let mut server = Server::start().await;
    let other = server.another_account("other@example.org", 0).await;
    let (mine, theirs) = (account_id(&server.account).await, account_id(&other).await);
    server.stop();
    sqlx::query(
        "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE account_id = $1) WHERE account_id = $2",
    )
    .bind(&theirs)
    .bind(&mine)
    .execute(&mut server.connect().await)
    .await
    .unwrap();
    server.serve();
    server.account.get("/v1/account").await.problem(500);
    assert_eq!(server.account.with_key(Some(other.key())).get("/v1/account").await.status, 200);
}

#[tokio::test]
async fn a_destroyed_data_key_is_in_no_file_and_its_account_opens_no_more() {
    let mut server = Server::start().await;
    let other = server.another_account("other@example.org", 0).await;
    let id = account_id(&server.account).await;
    key_json(&server, &["rotate", "--account", &id]);
    server.stop();
    let wrapped: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT wrapped FROM data_keys WHERE account_id = $1")
        .bind(&id)
        .fetch_all(&mut server.connect().await)
        .await
        .unwrap();
    assert_eq!(wrapped.len(), 2);

    let store = store(&server).await;
    let found = |when: &str| -> usize { in_files(&server, when, &wrapped) };
    if !server::on_postgres() {
        assert!(found("before") > 0, "the search finds what is there");
    }
    assert!(store.rotation.destroy_data_key(id.parse().unwrap()).await.unwrap());
    assert_eq!(found("after"), 0);
    assert!(store.accounts.load(id.parse().unwrap()).await.unwrap().is_none());
    assert!(!store.rotation.destroy_data_key(id.parse().unwrap()).await.unwrap(), "there is nothing more to destroy");
    store.db.close().await;
    drop(store);

    server.serve();
    server.account.get("/v1/account").await.problem(401);
    assert_eq!(server.account.with_key(Some(other.key())).get("/v1/account").await.status, 200);
}

/// One run at a time, so that the next one is queued.
const NARROW: &str = "[limits.account]\nconcurrent_runs = 1\n";

/// Starts a run that goes on, and one that waits behind it. Returns the second.
async fn one_behind_another(account: &Client) -> Value {
    account.deploy("slow", guests::slow(), json!({})).await;
    let ask = async |input: i64| account.post("/v1/deployments/slow/runs", json!({ "input": input })).await.expect(202);
    assert_eq!(ask(25_000).await["status"], "running");
    let behind = ask(0).await;
    assert_eq!(behind["status"], "queued");
    behind
}

/// A host that was killed while its account, whose id is returned, and another one each had a run that waited behind
/// another; with the other account and its run that waits.
async fn killed_with_queues() -> (Server, String, Client, Value) {
    let mut server = Server::with_config(NARROW).await;
    let other = server.another_account("other@example.org", 10_000_000).await;
    let id = account_id(&server.account).await;
    one_behind_another(&server.account).await;
    let theirs = one_behind_another(&other).await;
    server.kill();
    (server, id, other, theirs)
}

async fn succeeds(account: &Client, run: &Value) {
    let ended = until("the end of the queued run", async || {
        let run = account.get(&path(run, "")).await.expect(200);
        (run["status"] == "finished").then_some(run)
    })
    .await;
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
}

#[tokio::test]
async fn a_host_starts_and_settles_the_runs_of_an_account_without_its_data_key() {
    let (mut server, id, other, theirs) = killed_with_queues().await;
    // As after a backup whose latest keys were put back, in which this one had been destroyed.
    let mut database = server.connect().await;
    sqlx::query("DELETE FROM data_keys WHERE account_id = $1").bind(&id).execute(&mut database).await.unwrap();
    server.serve();
    succeeds(&server.account.with_key(Some(other.key())), &theirs).await;
    let statuses: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT status, outcome FROM runs WHERE account_id = $1 ORDER BY id")
            .bind(&id)
            .fetch_all(&mut database)
            .await
            .unwrap();
    let lost = ("finished".to_owned(), Some("lost".to_owned()));
    assert_eq!(statuses, [lost, ("queued".to_owned(), None)], "what needs no key is done, what needs one waits for it");
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn an_account_whose_data_key_is_damaged_holds_up_no_other() {
    let (mut server, id, other, theirs) = killed_with_queues().await;
    sqlx::query("UPDATE data_keys SET wrapped = $1 WHERE account_id = $2")
        .bind(vec![0_u8; 60])
        .bind(&id)
        .execute(&mut server.connect().await)
        .await
        .unwrap();
    server.serve();
    succeeds(&server.account.with_key(Some(other.key())), &theirs).await;
    server.stop();
    server.verify_ledger();
}

/// How many of the wrapped keys are found in the database's files: the file and the WAL of SQLite.
fn in_files(server: &Server, when: &str, wrapped: &[(Vec<u8>,)]) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(server.data()).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("aaasp.db") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for (key,) in wrapped {
            // The middle of a key: a row's ends may be shared with its neighbours in a page.
            let middle = &key[5..37];
            let times = bytes.windows(middle.len()).filter(|window| *window == middle).count();
            eprintln!("{when}: {times} times in {}", path.display());
            found += times;
        }
    }
    found
}

async fn store(server: &Server) -> Store {
    let database = server::on_postgres().then(|| SecretString::from(server.database_url()));
    let data: &Path = &server.data();
    let config = Config::load(data, &Overrides { database, ..Overrides::default() }).unwrap();
    Store::open(Folder::take(data).unwrap(), config, Clock::System).await.unwrap()
}

async fn account_id(account: &Client) -> String {
    account.get("/v1/account").await.expect(200)["id"].as_str().unwrap().to_owned()
}

fn path(run: &Value, below: &str) -> String {
    format!("/v1/runs/{}{below}", run["id"].as_str().unwrap())
}
