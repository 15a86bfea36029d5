//! The commands that look back: requests, transactions, charges, receipts and statements.

use super::shell::Shell;
use crate::support::{Server, until};

#[tokio::test]
async fn requests_are_listed_by_what_they_were_answered() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    shell.run(&["agents", "show", "nobody-s"]).expect(1);
    shell.run(&["credits"]).expect(0);
    let found = until("the request to be written", async || {
        let listed = shell.run(&["requests", "--status", "404", "--json"]).json(0);
        (listed != serde_json::json!([])).then_some(listed)
    })
    .await;
    assert_eq!(found[0]["route"], "/v1/agents/{name}");
    let table = shell.run(&["requests", "--route", "/v1/agents/{name}", "--from", "2026-01-01"]).expect(0).out;
    assert!(table.lines().count() == 2 && table.contains("404"), "{table}");
    assert!(shell.run(&["requests", "--to", "2026-01-01"]).expect(0).err.contains("no such requests"));
    shell.run(&["requests", "--from", "yesterday"]).expect(2);
}

#[tokio::test]
async fn history_is_filtered_and_printed_as_a_table_for_spreadsheets() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let run = one_run(&shell);
    let reasons = |arguments: &[&str]| {
        let found = shell.run(&[&["credits", "history", "--json"], arguments].concat()).json(0);
        found.as_array().unwrap().iter().map(|moved| moved["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&["--subject", &run]), ["settle", "release", "hold"]);
    assert_eq!(reasons(&["--reason", "grant"]), ["grant"]);
    assert!(reasons(&["--to", "2026-01-01"]).is_empty());
    let table = shell.run(&["credits", "history", "--csv"]).expect(0).out;
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.starts_with("id,at,reason,"), "{table}");
    assert_eq!(shell.run(&["credits", "history", "--csv", "--limit", "2"]).expect(0).out.lines().count(), 3);
    shell.run(&["credits", "history", "--csv", "--json"]).expect(2);
    assert!(shell.run(&["credits", "history", "--reason", "theft"]).expect(1).err.contains("theft"));
}

#[tokio::test]
async fn a_charge_is_explained_and_one_more_is_estimated() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let run = one_run(&shell);
    let explained = shell.run(&["runs", "charges", &run]).expect(0).out;
    assert!(explained.contains("0.001000 for 1 million fuel") && explained.contains("total"), "{explained}");
    let estimate = shell.run(&["deployments", "estimate", "honest", "--input", "{}"]).expect(0).out;
    assert!(estimate.contains("the one run that has finished") && estimate.contains("median"), "{estimate}");
    assert_eq!(shell.run(&["deployments", "estimate", "honest", "--json"]).json(0)["runs"], 1);
    assert!(shell.run(&["credits", "statements"]).expect(0).err.contains("no statements yet"));
}

#[tokio::test]
async fn a_receipt_is_verified_without_the_server_and_a_changed_one_is_refused() {
    let mut server = Server::start().await;
    let shell = Shell::of(&server.account);
    let run = one_run(&shell);
    let receipt = shell.run(&["receipt", "get", &run]).expect(0).out;
    shell.file("receipt.json", receipt.as_bytes());
    shell.file("input.json", b"{ }\n");
    shell.file("output.json", b"null\n");
    let key = shell.run(&["receipt", "key"]).expect(0).out.trim().to_owned();
    shell.file("jwks.json", shell.run(&["receipt", "key", "--json"]).expect(0).out.as_bytes());
    let verify = ["receipt", "verify", "receipt.json"];
    assert!(shell.run(&verify).expect(0).out.contains("signed by the operator"));
    server.stop();
    shell.run(&verify).expect(1);
    for key in [key.as_str(), "jwks.json"] {
        let given = ["--key", key, "--input", "input.json", "--output", "output.json"];
        assert!(shell.run(&[&verify[..], &given].concat()).expect(0).out.contains(&run));
    }
    let wrong = [&verify[..], &["--key", &key, "--input", "output.json"]].concat();
    assert!(shell.run(&wrong).expect(1).err.contains("not the input of this run"));
    let mut changed: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    changed["payload"] = changed["protected"].clone();
    shell.file("receipt.json", changed.to_string().as_bytes());
    let refused = shell.run(&[&verify[..], &["--key", &key]].concat()).expect(1);
    assert!(refused.err.contains("not genuine") && refused.err.contains("changed"), "{}", refused.err);
}

/// Deploys an agent and runs it once.
fn one_run(shell: &Shell) -> String {
    let guest = shell.guest("honest");
    shell.run(&["deploy", &guest]).expect(0);
    shell.run(&["start", "honest", "--input", "{}", "--json"]).json(0)["id"].as_str().unwrap().to_owned()
}
