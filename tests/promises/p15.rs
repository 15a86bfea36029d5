//! P15: what the operator's people can see is limited and recorded, and the account sees the record.

use serde_json::json;

use crate::api::{items, text};
use crate::support::{Server, guests};

#[tokio::test]
async fn nobody_looks_without_a_reason_and_unseen() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 5_000_000).await;
    ada.deploy("echo", guests::echo(), json!({})).await;
    ada.run("echo", json!("what was said")).await;
    let id = text(&ada.get("/v1/account").await.expect(200), "id").to_owned();
    let body = json!({"name": "sam", "role": "support", "reason": "a test"});
    let made = server.operator().post("/v1/admin/keys", body).await.expect(201);
    let sam = server.account.with_key(made["operator_key"].as_str());
    let runs = format!("/v1/admin/accounts/{id}/runs");
    sam.get(&runs).await.problem(403);
    let access = json!({"reason": "a run is stuck", "minutes": 5});
    sam.post(&format!("/v1/admin/accounts/{id}/access"), access).await.expect(201);
    assert_eq!(items(&sam.get(&runs).await.expect(200)).len(), 1);
    let seen = ada.get("/v1/account/accesses").await.expect(200);
    assert!(seen.to_string().contains("a run is stuck") && items(&seen).len() >= 2, "{seen}");
}
