//! Whoever deletes an account can think again for a while; then nothing of it is left but what the law asks for.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::api::{items, text};
use crate::cli::shell::Ended;
use crate::support::outbox::Letter;
use crate::support::server::on_postgres;
use crate::support::{Client, Server, guests, until};

pub const AT_ONCE: &str = "
    [accounts]
    closing_days = 0
    [host]
    slow_client_ms = 1000
";

/// What is only an account's own, in every place where it can put something.
pub const EMAIL: &str = "zora.neale@hurston-example.org";
pub const AGENT: &str = "agent-of-zora";
pub const KEY: &str = "key-of-zora";
pub const CREDENTIAL: &str = "credential-of-zora";
pub const SECRET: &str = "the-secret-of-zora-1937";
pub const INPUT: &str = "their eyes were watching";
pub const CONFIG: &str = "configured by zora";

pub async fn letter(server: &Server, to: &str, subject: &str) -> Letter {
    until("a letter to arrive", async || {
        server.letters().into_iter().find(|letter| letter.to == to && letter.subject == subject)
    })
    .await
}

/// An account that has something everywhere.
pub async fn zora(server: &Server) -> Client {
    let zora = server.another_account(EMAIL, 5_000_000).await;
    zora.post("/v1/api-keys", json!({"name": KEY})).await.expect(201);
    zora.put(&format!("/v1/credentials/{CREDENTIAL}"), json!({"kind": "bearer", "secret": SECRET})).await.expect(201);
    zora.deploy(AGENT, guests::echo(), json!({"config": {"who": CONFIG}})).await;
    let run = zora.run(AGENT, json!(INPUT)).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    zora
}

/// Asks for the deletion and opens the link.
pub async fn delete(server: &Server, zora: &Client) -> Letter {
    // The address may have been another account's before.
    let before: Vec<_> = server.letters().into_iter().map(|letter| letter.id).collect();
    zora.delete("/v1/account").await.expect(202);
    let letter = until("the letter with the link", async || {
        let is_it = |letter: &Letter| letter.to == EMAIL && letter.subject == "Delete your account";
        server.letters().into_iter().find(|letter| is_it(letter) && !before.contains(&letter.id))
    })
    .await;
    let confirmed = confirm(server, letter.link()).await;
    assert_eq!(text(&confirmed, "did"), "closed_account");
    letter
}

pub async fn confirm(server: &Server, link: &str) -> Value {
    server.account.with_key(None).post("/v1/accounts/confirm", json!({"link": link})).await.expect(200)
}

pub async fn erased(server: &Server) -> Value {
    until("the account to be erased", async || {
        let list = server.operator().get("/v1/admin/erasures").await.expect(200);
        items(&list).iter().find(|erasure| text(erasure, "state") == "erased").cloned()
    })
    .await
}

#[tokio::test]
async fn whoever_deletes_an_account_can_think_again() {
    let server = Server::start().await;
    let zora = zora(&server).await;
    assert_eq!(zora.get("/v1/account/deletion").await.expect(200)["erased_at"], Value::Null);
    zora.delete("/v1/account").await.expect(202);
    // Nothing happens until the link is opened.
    assert_eq!(text(&zora.get("/v1/account").await.expect(200), "status"), "active");
    let asked = letter(&server, EMAIL, "Delete your account").await;
    assert!(asked.text.contains("14 days"), "{}", asked.text);
    confirm(&server, asked.link()).await;

    assert_eq!(text(&zora.get("/v1/account").await.expect(200), "status"), "closing");
    let due = &zora.get("/v1/account/deletion").await.expect(200)["erased_at"];
    assert_eq!(&zora.delete("/v1/account").await.expect(202)["erased_at"], due);
    let refused = zora.post(&format!("/v1/deployments/{AGENT}/runs"), json!({"input": 1})).await.problem(403);
    assert!(text(&refused, "detail").contains("closing"), "{refused}");
    letter(&server, EMAIL, "Your account is being deleted").await;

    zora.delete("/v1/account/deletion").await.expect(204);
    zora.delete("/v1/account/deletion").await.problem(409);
    assert_eq!(zora.run(AGENT, json!(INPUT)).await["outcome"], "succeeded");
    letter(&server, EMAIL, "Your account is kept").await;
    assert!(items(&server.operator().get("/v1/admin/erasures").await.expect(200)).is_empty());
}

#[tokio::test]
async fn who_is_suspended_while_thinking_again_stays_suspended_and_who_was_activated_is_still_deleted() {
    let server = Server::start().await;
    let zora = zora(&server).await;
    let id = text(&zora.get("/v1/account").await.expect(200), "id").to_owned();
    delete(&server, &zora).await;
    let path = format!("/v1/admin/accounts/{id}");
    for status in ["active", "suspended"] {
        let change = json!({"status": status, "reason": "a test"});
        let changed = server.operator().patch(&path, change).await.expect(200);
        assert_eq!(text(&changed, "status"), "closing");
    }
    zora.delete("/v1/account/deletion").await.expect(204);
    assert_eq!(text(&zora.get("/v1/account").await.expect(200), "status"), "suspended");
}

#[tokio::test]
async fn nothing_of_an_erased_account_is_left_but_what_it_paid() {
    let mut server = Server::with_config(AT_ONCE).await;
    let zora = zora(&server).await;
    let id = text(&zora.get("/v1/account").await.expect(200), "id").to_owned();
    let tenant = tenant(&server, &id).await;
    let asked = delete(&server, &zora).await;
    let erasure = erased(&server).await;
    let certificate = &erasure["certificate"];
    for table in ["runs", "agents", "component_chunks", "deployments", "credentials", "api_keys"] {
        assert!(certificate["erased"][table].as_u64().is_some_and(|rows| rows > 0), "{table}: {certificate}");
    }
    assert_eq!(erasure["account"], Value::Null);
    let last = letter(&server, EMAIL, "Your account is erased").await;
    assert!(last.text.contains(text(&erasure, "id")) && last.text.contains("runs ("), "{}", last.text);

    // Nothing answers: neither key nor link, and the address is free again.
    zora.get("/v1/account").await.problem(401);
    server.account.with_key(None).post("/v1/accounts/confirm", json!({"link": asked.link()})).await.problem(410);
    server.operator().get(&format!("/v1/admin/accounts/{id}")).await.problem(404);
    let listed = server.operator().get("/v1/admin/accounts").await.expect(200);
    assert_eq!(items(&listed).len(), 1, "{listed}");

    // What it paid is there, and adds up; nothing says whose it was.
    let moved: i64 = scalar(&server, "SELECT COUNT(*) FROM transfers WHERE tenant = $1", tenant).await;
    assert!(moved >= 3, "{moved}");
    let whose: Vec<String> = column(&server, "SELECT account_id FROM tenants").await;
    assert!(!whose.contains(&id), "{whose:?}");
    // What is beside the database goes with the next look at it, which a start begins with.
    server.stop();
    server.serve();
    until("the letters to be deleted that were files", async || server.letters().is_empty().then_some(())).await;
    server.stop();
    server.verify_ledger();
    // What the audit said of it is gone, and the audit is whole.
    let audit: Value = Ended::of(server.command().args(["audit", "verify", "--json"]).output().unwrap()).json(0);
    assert!(audit["erased"].as_u64().unwrap() >= 4, "{audit}");
    let needles = [EMAIL, &id, AGENT, KEY, CREDENTIAL, SECRET, INPUT, CONFIG, zora.key()];
    assert_nowhere(&server, &needles).await;
    server.serve();
    server.another_account(EMAIL, 0).await;
}

async fn tenant(server: &Server, id: &str) -> i64 {
    let question = sqlx::query_scalar("SELECT tenant FROM tenants WHERE account_id = $1").bind(id.to_owned());
    question.fetch_one(&mut server.connect().await).await.unwrap()
}

async fn scalar(server: &Server, question: &'static str, bound: i64) -> i64 {
    sqlx::query_scalar(question).bind(bound).fetch_one(&mut server.connect().await).await.unwrap()
}

async fn column(server: &Server, question: &'static str) -> Vec<String> {
    let rows = sqlx::query(question).fetch_all(&mut server.connect().await).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// No file of the data folder holds any of these; nor does the database, which on PostgreSQL is asked row by row.
pub async fn assert_nowhere(server: &Server, needles: &[&str]) {
    for file in files(&server.data()) {
        let bytes = fs::read(&file).unwrap();
        let found: Vec<_> = needles.iter().filter(|needle| holds(&bytes, needle.as_bytes())).collect();
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
    if on_postgres() {
        let mut database = server.connect().await;
        let tables: Vec<String> = column(
            server,
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()",
        )
        .await;
        for table in tables {
            let text = format!("SELECT CAST({table}.* AS text) FROM {table}");
            let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&mut database).await.unwrap();
            for row in rows {
                let row: String = row.get(0);
                let found: Vec<_> = needles.iter().filter(|needle| row.contains(**needle)).collect();
                assert!(found.is_empty(), "{table}: {found:?} in {row}");
            }
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
