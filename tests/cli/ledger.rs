//! `aaasp ledger verify`: a sound ledger passes, and each kind of tampering is found.

use serde_json::{Value, json};

use super::shell::Ended;
use crate::support::{Server, hostile};

#[tokio::test]
async fn each_kind_of_tampering_is_found() {
    let mut server = Server::start().await;
    server.account.deploy("honest", hostile::component("honest").to_vec(), json!({})).await;
    for _ in 0..3 {
        server.account.run("honest", json!({})).await;
    }
    server.stop();
    let report = verify(&server, 0);
    assert_eq!((&report["findings"], &report["tenants"]), (&json!([]), &json!(1)));
    assert_eq!(report["transfers"], 10);

    let richer = ("UPDATE balances SET available = available + 7", "UPDATE balances SET available = available - 7");
    assert_eq!(broken_by(&server, richer).await, ["balances", "zero"]);
    let held = ("UPDATE balances SET held = held + 7", "UPDATE balances SET held = held - 7");
    assert_eq!(broken_by(&server, held).await, ["balances", "holds", "zero"]);
    let dearer = ("UPDATE runs SET charged = charged + 1", "UPDATE runs SET charged = charged - 1");
    assert_eq!(broken_by(&server, dearer).await, ["runs"]);
    let later = (
        "UPDATE transfers SET at = at + 1 WHERE host_sequence = 2",
        "UPDATE transfers SET at = at - 1 WHERE host_sequence = 2",
    );
    assert_eq!(broken_by(&server, later).await, ["chains"]);
    let longer = (
        "UPDATE chain_heads SET host_sequence = host_sequence + 1",
        "UPDATE chain_heads SET host_sequence = host_sequence - 1",
    );
    assert_eq!(broken_by(&server, longer).await, ["chains"]);
    verify(&server, 0);

    server.execute("DELETE FROM transfers WHERE host_sequence = 4").await;
    let ended = Ended::of(server.command().args(["ledger", "verify"]).output().unwrap()).expect(1);
    assert!(ended.out.contains("WRONG  every hash chain is whole"), "{}", ended.out);
    assert!(ended.out.contains("number 4 is missing"), "{}", ended.out);
}

#[tokio::test]
async fn a_ledger_that_a_host_writes_to_is_not_opened() {
    let server = Server::start().await;
    let ended = Ended::of(server.command().args(["ledger", "verify"]).output().unwrap()).expect(1);
    assert!(ended.err.contains("is in use by another aaasp"), "{}", ended.err);
}

#[tokio::test]
async fn a_mistyped_folder_is_not_made() {
    let server = Server::start().await;
    let missing = server.data().join("nope");
    let ended = Ended::of(server.command().args(["ledger", "verify", "--data"]).arg(&missing).output().unwrap());
    assert!(ended.expect(1).err.contains("holds no AAASP data"));
    assert!(!missing.exists());
}

/// The rules that verification finds broken by a change, which is taken back afterwards.
async fn broken_by(server: &Server, (change, back): (&str, &str)) -> Vec<String> {
    server.execute(change).await;
    let report = verify(server, 1);
    server.execute(back).await;
    let findings = report["findings"].as_array().unwrap();
    let mut rules: Vec<_> = findings.iter().map(|found| found["check"].as_str().unwrap().to_owned()).collect();
    rules.sort();
    rules.dedup();
    rules
}

fn verify(server: &Server, status: i32) -> Value {
    Ended::of(server.command().args(["ledger", "verify", "--json"]).output().unwrap()).json(status)
}
