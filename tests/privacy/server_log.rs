//! The server log says where requests came from, for some days, and nothing of accounts that are erased.

use std::fs;

use serde_json::{Value, json};

use super::erasure::{confirm, erased, letter};
use crate::api::text;
use crate::support::{Server, until};

const EMAIL: &str = "grace@example.org";

fn files(server: &Server) -> Vec<(String, String)> {
    let entries = fs::read_dir(server.data().join("server-log")).into_iter().flatten().flatten();
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut files: Vec<_> = entries.map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap())).collect();
    files.sort();
    files
}

fn lines(server: &Server) -> Vec<Value> {
    let files = files(server);
    files.iter().flat_map(|(_, text)| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_request_is_there_with_its_address_and_program_for_some_days() {
    let mut server = Server::start().await;
    let account = server.account.get("/v1/account").await.expect(200);
    let request =
        server.account.request(reqwest::Method::GET, "/v1/agents/secret-name").header("user-agent", "abacus/1");
    request.send().await.unwrap();
    let line =
        until("the line", async || lines(&server).into_iter().find(|line| line["user_agent"] == "abacus/1")).await;
    assert_eq!((text(&line, "address"), text(&line, "route")), ("127.0.0.1", "/v1/agents/{name}"));
    assert_eq!((&line["account"], &line["status"]), (&account["id"], &json!(404)));
    server.stop();
    let folder = server.data().join("server-log");
    fs::write(folder.join("2020-01-01.jsonl"), "{}\n").unwrap();
    server.serve();
    until("the old file to go", async || {
        files(&server).iter().all(|(name, _)| name != "2020-01-01.jsonl").then_some(())
    })
    .await;
    assert!(lines(&server).iter().any(|line| line["user_agent"] == "abacus/1"));
}

#[tokio::test]
async fn nothing_of_an_erased_account_is_in_it() {
    let config = "[accounts]\nclosing_days = 0\n[host]\nslow_client_ms = 1000\n";
    let mut server = Server::with_config(config).await;
    let grace = server.another_account(EMAIL, 1).await;
    let id = text(&grace.get("/v1/account").await.expect(200), "id").to_owned();
    grace.request(reqwest::Method::GET, "/v1/runs").header("user-agent", "compiler/1").send().await.unwrap();
    server.account.request(reqwest::Method::GET, "/v1/runs").header("user-agent", "other/1").send().await.unwrap();
    grace.delete("/v1/account").await.expect(202);
    confirm(&server, letter(&server, EMAIL, "Delete your account").await.link()).await;
    erased(&server).await;
    // Files are looked through at the start, and every ten minutes.
    server.stop();
    let before = lines(&server).len();
    assert!(lines(&server).iter().any(|line| line["account"] == json!(id)));
    server.serve();
    until("the account to go", async || lines(&server).iter().all(|line| line["account"] != json!(id)).then_some(()))
        .await;
    let left = lines(&server);
    assert!(left.len() >= before, "that there was a request may be known");
    let says = |program: &str| left.iter().any(|line| line["user_agent"] == program);
    assert!(says("other/1") && !says("compiler/1"));
}

#[tokio::test]
async fn an_operator_may_have_none() {
    let mut server = Server::with_config("[retention]\nserver_log_days = 0\n").await;
    server.account.get("/v1/account").await.expect(200);
    server.stop();
    assert!(files(&server).is_empty());
}
