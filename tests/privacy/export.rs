//! Whoever asks has a copy of everything that is kept about the account, and can take the agents elsewhere.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::erasure::{confirm, erased, letter};
use crate::api::{items, text};
use crate::cli::shell::Shell;
use crate::support::{Client, Server, guests, until};

const SECRET: &str = "the-secret-of-ada-1843";
const INPUT: &str = "a first, \"quoted\"\nline";
const LINKS: &str = "/v1/privacy/exports/links";

/// An account that has something in most places.
async fn ada(server: &Server) -> Client {
    let ada = server.another_account("ada@example.org", 5_000_000).await;
    ada.put("/v1/credentials/github", json!({"kind": "bearer", "secret": SECRET})).await.expect(201);
    let allow = json!({"allow": [{"host": "api.github.com"}]});
    let credentials = json!({"github": {"to": [{"host": "api.github.com"}]}});
    let deployment = json!({"config": {"language": "en"}, "egress": allow, "credentials": credentials});
    ada.deploy("echo", guests::echo(), deployment).await;
    ada.deploy("logger", guests::greet(), json!({})).await;
    assert_eq!(ada.run("echo", json!(INPUT)).await["outcome"], "succeeded");
    ada
}

pub async fn ready(account: &Client) -> Value {
    until("the copy to be ready", async || {
        let export = account.get("/v1/privacy/exports").await.expect(200);
        assert_ne!(export["state"], "failed", "{export}");
        (export["state"] == "ready").then_some(export)
    })
    .await
}

pub async fn download(account: &Client) -> Vec<u8> {
    let link = account.post(LINKS, json!({})).await.expect(201);
    let path = path_of(text(&link, "link"));
    let reply = account.with_key(None).request(Method::POST, &path).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.headers()["content-disposition"].to_str().unwrap().contains("aaasp-export-20"));
    reply.bytes().await.unwrap().to_vec()
}

/// Lets what was asked for have been asked for a while ago.
async fn older(server: &Server) {
    server.execute("UPDATE exports SET state_at = state_at - 3600000000 WHERE state = 'ready'").await;
}

fn path_of(link: &str) -> String {
    format!("/downloads/{}", link.rsplit('/').next().unwrap())
}

pub fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let name = file.name().unwrap().into_owned();
        assert!(files.insert(name, bytes).is_none());
    }
    files
}

fn rows(files: &BTreeMap<String, Vec<u8>>, table: &str) -> Vec<Value> {
    let text = String::from_utf8(files[&format!("tables/{table}.jsonl")].clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_copy_has_everything_but_what_is_secret() {
    let server = Server::start().await;
    let ada = ada(&server).await;
    let noisy = ada.run("logger", json!(1500)).await;
    // What is kept no longer leaves nothing to open.
    let forgotten = text(&ada.run("echo", json!("forgotten")).await, "id").to_owned();
    server
        .execute(&format!("UPDATE runs SET sealed_input = SUBSTR(sealed_input, 1, 0) WHERE id = '{forgotten}'"))
        .await;
    // Everything else that is sealed somewhere.
    ada.post("/v1/support", json!({"subject": "a question of ada", "text": "Where is it?"})).await.expect(201);
    ada.patch("/v1/account", json!({"email": "ada@example.net"})).await;
    let id = text(&ada.get("/v1/account").await.expect(200), "id").to_owned();
    let grant = json!({"amount_microcredits": 1, "reason": "the reason of an operator"});
    server.operator().post(&format!("/v1/admin/accounts/{id}/grants"), grant).await.expect(201);
    ada.put("/v1/privacy/restriction", json!({"reason": "the reason of ada"})).await.expect(200);
    ada.get("/v1/privacy/exports").await.problem(404);
    ada.post(LINKS, json!({})).await.problem(409);
    ada.post("/v1/privacy/exports", json!({})).await.expect(202);
    let export = ready(&ada).await;
    // What is asked for meanwhile is noted, too.
    assert!(export["rows_read"].as_u64() >= export["rows"].as_u64(), "{export}");
    let archive = download(&ada).await;
    assert_eq!(hex::encode(Sha256::digest(&archive)), text(&export, "sha256"));
    assert_eq!(archive.len() as u64, export["bytes"].as_u64().unwrap());

    let files = unpacked(&archive);
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(manifest["format"], "aaasp-export-1");
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len(), files.len() - 1);
    for file in listed {
        let bytes = &files[text(file, "path")];
        assert_eq!(hex::encode(Sha256::digest(bytes)), text(file, "sha256"), "{file}");
        assert_eq!(bytes.len() as u64, file["bytes"].as_u64().unwrap(), "{file}");
    }
    // Each line is what its schema says, and CSV has the same rows.
    for path in files.keys().filter(|path| path.ends_with(".jsonl")) {
        let table = path.trim_start_matches("tables/").trim_end_matches(".jsonl");
        let schema: Value = serde_json::from_slice(&files[&format!("tables/{table}.schema.json")]).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let rows = rows(&files, table);
        for row in &rows {
            assert!(validator.is_valid(row), "{table}: {row}");
        }
        let csv = String::from_utf8(files[&format!("tables/{table}.csv")].clone()).unwrap();
        assert!(csv.matches("\r\n").count() > rows.len(), "{table}");
        let head: Vec<_> = csv.lines().next().unwrap().split(',').map(str::to_owned).collect();
        let properties: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(head.len(), properties.len(), "{table}");
    }
    assert_eq!(rows(&files, "accounts")[0]["email"], "ada@example.org");
    for (table, field, said) in [
        ("support_messages", "text", "Where is it?"),
        ("support_threads", "subject", "a question of ada"),
        ("email_changes", "email", "ada@example.net"),
        ("restrictions", "reason", "the reason of ada"),
    ] {
        assert_eq!(rows(&files, table)[0][field], said, "{table}");
    }
    let audit = rows(&files, "audit_contents");
    let granted = audit.iter().find(|entry| entry["content"]["reason"] == "the reason of an operator");
    assert_eq!(granted.map(|entry| text(entry, "act")), Some("grant"), "{audit:?}");
    let runs = rows(&files, "runs");
    assert!(runs.iter().any(|run| run["input"] == INPUT && run["output"] == INPUT), "{runs:?}");
    let lines = rows(&files, "log_chunks");
    let own: Vec<_> = lines.iter().filter(|line| line["run_id"] == noisy["id"]).collect();
    assert!(own.len() >= 1500, "{}", own.len());
    assert!(own.iter().enumerate().all(|(at, line)| line["seq"] == at), "lines are in their order");
    assert_eq!(rows(&files, "deployment_revisions")[0]["config"]["language"], "en");
    assert!(rows(&files, "request_batches").iter().any(|request| request["route"] == "/v1/deployments/{name}/runs"));
    assert!(!rows(&files, "transfers").is_empty());
    assert_eq!(rows(&files, "credentials")[0]["name"], "github");
    let digest = text(&rows(&files, "agent_versions")[0], "digest").to_owned();
    assert!(files.contains_key(&format!("components/{digest}.wasm")));
    assert!(files.iter().any(|(path, bytes)| path.starts_with("components/") && *bytes == guests::echo()));
    for (path, bytes) in &files {
        for secret in [SECRET, ada.key()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{path}");
        }
    }
    let page = String::from_utf8(files["index.html"].clone()).unwrap();
    assert!(
        page.contains("ada@example.org") && page.contains("tables/runs.csv") && !page.contains("<script"),
        "{page}"
    );
}

#[tokio::test]
async fn a_link_downloads_once_and_only_the_latest() {
    let server = Server::start().await;
    let ada = ada(&server).await;
    ada.post("/v1/privacy/exports", json!({})).await.expect(202);
    let export = ready(&ada).await;
    let told = letter(&server, "ada@example.org", "The copy of your data is ready").await;
    let stranger = ada.with_key(None);
    let of_letter = path_of(told.link());
    // To look at it uses it up as little as a program does that looks at mail.
    for _ in 0..2 {
        let page = stranger.get(&of_letter).await;
        assert!(page.status == 200 && page.text.contains("Download"), "{page:?}");
    }
    // It does nothing but what it is for.
    stranger.post("/v1/accounts/confirm", json!({"link": told.link()})).await.problem(410);
    let link = ada.post(LINKS, json!({})).await.expect(201);
    assert_eq!(stranger.get(&of_letter).await.status, 410);
    let path = path_of(text(&link, "link"));
    let archive = Client::send(stranger.request(Method::POST, &path)).await;
    assert_eq!(archive.status, 200);
    assert_eq!(Client::send(stranger.request(Method::POST, &path)).await.status, 410);
    assert_eq!(stranger.get("/downloads/nonsense").await.status, 410);

    // Who asks at once has the one that is there, later another one; somebody else's is their own.
    assert_eq!(ada.post("/v1/privacy/exports", json!({})).await.expect(202)["id"], export["id"]);
    let key = age::x25519::Identity::generate().to_public().to_string();
    ada.post("/v1/privacy/exports", json!({"recipient": key})).await.problem(409);
    older(&server).await;
    ada.post("/v1/privacy/exports", json!({})).await.expect(202);
    assert_ne!(ready(&ada).await["id"], export["id"]);
    server.account.get("/v1/privacy/exports").await.problem(404);
}

#[tokio::test]
async fn a_copy_for_a_recipient_opens_for_nobody_else() {
    let server = Server::start().await;
    let ada = ada(&server).await;
    let refused = ada.post("/v1/privacy/exports", json!({"recipient": "age1nonsense"})).await.problem(422);
    assert_eq!(refused["errors"][0]["pointer"], "/recipient");
    let key = age::x25519::Identity::generate();
    let recipient = key.to_public().to_string();
    ada.post("/v1/privacy/exports", json!({"recipient": recipient})).await.expect(202);
    assert_eq!(ready(&ada).await["recipient"], recipient);
    let sealed = download(&ada).await;
    let stranger = age::x25519::Identity::generate();
    let decryptor = || age::Decryptor::new(&sealed[..]).unwrap();
    assert!(decryptor().decrypt(std::iter::once(&stranger as &dyn age::Identity)).is_err());
    let mut opened = Vec::new();
    let mut reader = decryptor().decrypt(std::iter::once(&key as &dyn age::Identity)).unwrap();
    reader.read_to_end(&mut opened).unwrap();
    assert_eq!(rows(&unpacked(&opened), "accounts")[0]["email"], "ada@example.org");
}

#[tokio::test]
async fn agents_and_deployments_move_to_another_server() {
    let (here, there) = (Server::start().await, Server::start().await);
    let ada = ada(&here).await;
    let shell = Shell::of(&ada);
    let made = shell.run(&["account", "export", "--file", "mine.zip"]).expect(0);
    assert!(made.out.starts_with("mine.zip"), "{}", made.out);

    let other = Shell::of(&there.account);
    std::fs::copy(shell.path("mine.zip"), other.path("mine.zip")).unwrap();
    let planned = other.run(&["import", "mine.zip", "--dry-run"]).expect(1);
    assert!(
        planned.out.contains("echo: it needs github") && planned.err.contains("credential set github"),
        "{planned:?}"
    );
    assert!(items(&there.account.get("/v1/agents").await.expect(200)).is_empty());
    there
        .account
        .put("/v1/credentials/github", json!({"kind": "bearer", "secret": "another-secret-of-ada"}))
        .await
        .expect(201);
    other.run(&["import", "mine.zip"]).expect(0);
    let deployment = there.account.get("/v1/deployments/echo").await.expect(200);
    assert_eq!((text(&deployment["config"], "language"), deployment["version"].as_i64()), ("en", Some(1)));
    assert_eq!(deployment["egress"]["allow"][0]["host"], "api.github.com");
    assert_eq!(there.account.run("echo", json!(INPUT)).await["output"], INPUT);
    // Once more changes nothing.
    let again = other.run(&["import", "mine.zip", "--json"]).expect(0);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["deployed"].as_array().unwrap().len(), 2, "{again}");
    assert_eq!(items(&there.account.get("/v1/agents").await.expect(200)).len(), 2);

    other.file("nothing.zip", b"nothing");
    let refused = other.run(&["import", "nothing.zip"]).expect(1);
    assert!(refused.err.contains("is no copy of an account"), "{}", refused.err);
}

#[tokio::test]
async fn a_copy_whose_host_dies_at_any_step_is_begun_anew() {
    let mut server = Server::start().await;
    let mut ada = ada(&server).await;
    for step in 1.. {
        older(&server).await;
        server.execute("UPDATE exports SET sha256 = 'of the copy before' WHERE state = 'ready'").await;
        server.stop();
        server.serve_to_die("export", step);
        // The answer may be lost with the host.
        let again = server.account.with_key(Some(ada.key())).request(Method::POST, "/v1/privacy/exports");
        let _ = Client::try_send(again.json(&json!({}))).await;
        let ready_again = "SELECT COUNT(*) FROM exports WHERE state = 'ready' AND sha256 <> 'of the copy before'";
        let died = server.dies_before(async |server| server.count(ready_again).await == 1).await;
        server.kill();
        // What its writer said last was long ago.
        server.execute("UPDATE exports SET state_at = 0 WHERE state = 'writing'").await;
        server.serve();
        ada = server.account.with_key(Some(ada.key()));
        let export = ready(&ada).await;
        let archive = download(&ada).await;
        assert_eq!(hex::encode(Sha256::digest(&archive)), text(&export, "sha256"));
        assert_eq!(rows(&unpacked(&archive), "accounts").len(), 1);
        let attempts = server.count("SELECT COUNT(DISTINCT attempt) FROM export_parts").await;
        assert_eq!(attempts, 1, "parts of a try that was given up are left");
        if !died {
            assert!(step > 4, "it has but {step} steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_copy_expires_and_goes_with_its_account() {
    let server = Server::with_config("[accounts]\nclosing_days = 0\n[host]\nslow_client_ms = 1000\n").await;
    let ada = ada(&server).await;
    ada.post("/v1/privacy/exports", json!({})).await.expect(202);
    ready(&ada).await;
    let link = ada.post(LINKS, json!({})).await.expect(201);
    server.execute("UPDATE exports SET expires_at = 1").await;
    until("the copy to expire", async || {
        (ada.get("/v1/privacy/exports").await.expect(200)["state"] == "expired").then_some(())
    })
    .await;
    assert_eq!(server.count("SELECT COUNT(*) FROM export_parts").await, 0);
    let path = path_of(text(&link, "link"));
    assert_eq!(Client::send(ada.request(Method::POST, &path)).await.status, 410);
    ada.post(LINKS, json!({})).await.problem(409);

    ada.post("/v1/privacy/exports", json!({})).await.expect(202);
    ready(&ada).await;
    let link = ada.post(LINKS, json!({})).await.expect(201);
    ada.delete("/v1/account").await.expect(202);
    confirm(&server, letter(&server, "ada@example.org", "Delete your account").await.link()).await;
    erased(&server).await;
    let path = path_of(text(&link, "link"));
    assert_eq!(Client::send(server.account.with_key(None).request(Method::POST, &path)).await.status, 410);
    assert_eq!(server.count("SELECT COUNT(*) FROM export_parts").await, 0);
    assert_eq!(server.count("SELECT COUNT(*) FROM exports").await, 0);
}
