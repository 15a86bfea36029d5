//! P04: balance and history are kept, and agree.

use serde_json::json;

use crate::api::items;
use crate::support::{Server, guests};

#[tokio::test]
async fn the_history_explains_the_balance() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    account.run("echo", json!("one")).await;
    account.run("echo", json!("two")).await;
    let moved = account.get("/v1/credits/transactions").await.expect(200);
    let sum: i64 = items(&moved).iter().map(|item| item["available_change_microcredits"].as_i64().unwrap()).sum();
    let (available, held) = account.balance().await;
    assert_eq!((sum, held), (available, 0), "{moved}");
}
