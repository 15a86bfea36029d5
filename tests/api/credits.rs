//! `/v1/credits`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{all_items, begun, fields, items, start, text};
use crate::support::{Server, guests};

#[tokio::test]
async fn an_account_sees_what_is_available_and_what_is_held() {
    let server = Server::with("", 5).await;
    assert_eq!(server.account.balance().await, (5_000_000, 0));
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(&server.account, "slow", json!(20_000)).await;
    begun(&server.account, &run).await;
    let held = run["held_microcredits"].as_i64().unwrap();
    assert!(held > 0);
    assert_eq!(server.account.balance().await, (5_000_000 - held, held));
}

#[tokio::test]
async fn transactions_explain_the_balance_and_page_latest_first() {
    let server = Server::with("", 5).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let first = account.run("echo", json!(1)).await;
    let second = account.run("echo", json!(2)).await;

    let all = all_items(account, "/v1/credits/transactions", 2).await;
    assert_eq!(fields(&all, "reason"), ["settle", "release", "hold", "settle", "release", "hold", "grant"]);
    let subjects = fields(&all, "subject");
    assert!(subjects[..3].iter().all(|subject| subject == text(&second, "id")), "{subjects:?}");
    assert!(subjects[3..6].iter().all(|subject| subject == text(&first, "id")), "{subjects:?}");
    let ids = fields(&all, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "one is shown twice: {ids:?}");

    let available: i64 = all.iter().map(change_of_available).sum();
    assert_eq!(account.balance().await, (available, 0));
    let charged: i64 = [&first, &second].iter().map(|run| run["charge_microcredits"].as_i64().unwrap()).sum();
    assert_eq!(available, 5_000_000 - charged);
}

fn change_of_available(transaction: &Value) -> i64 {
    let amount = transaction["amount_microcredits"].as_i64().unwrap();
    match (text(transaction, "from"), text(transaction, "to")) {
        (_, "credits") => amount,
        ("credits", _) => -amount,
        _ => 0,
    }
}

#[tokio::test]
async fn an_account_without_credits_is_told_what_a_run_requires() {
    let server = Server::with("", 0).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let deployed = server.account.get("/v1/deployments/echo").await.expect(200);
    let problem = server.account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(402);
    assert_eq!(text(&problem, "type"), "urn:aaasp:problem:insufficient-credits");
    assert_eq!(problem["required_microcredits"], deployed["hold_microcredits"]);
    assert_eq!((&problem["available_microcredits"], &problem["held_microcredits"]), (&json!(0), &json!(0)));
    assert!(items(&server.account.get("/v1/runs").await.expect(200)).is_empty());
    assert!(items(&server.account.get("/v1/credits/transactions").await.expect(200)).is_empty());
}
