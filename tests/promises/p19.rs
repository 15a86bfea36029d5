//! P19: a deleted account is erased within 30 days, whatever the operator sets.

use serde_json::json;

use crate::privacy::erasure::{confirm, erased, letter};
use crate::support::Server;

#[tokio::test]
async fn the_time_to_think_again_is_30_days_at_most() {
    let mut server = Server::with_config("[accounts]\nclosing_days = 30\n").await;
    server.stop();
    std::fs::write(server.data().join("aaasp.toml"), "[accounts]\nclosing_days = 31\n").unwrap();
    let refused = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("accounts.closing_days"), "{error}");
}

#[tokio::test]
async fn what_was_deleted_answers_no_more() {
    let server = Server::with_config("[accounts]\nclosing_days = 0\n[host]\nslow_client_ms = 1000\n").await;
    let ada = server.another_account("ada@example.org", 1_000_000).await;
    ada.post("/v1/api-keys", json!({"name": "another"})).await.expect(201);
    ada.delete("/v1/account").await.expect(202);
    confirm(&server, letter(&server, "ada@example.org", "Delete your account").await.link()).await;
    erased(&server).await;
    ada.get("/v1/account").await.problem(401);
    assert_eq!(server.count("SELECT COUNT(*) FROM api_keys WHERE name = 'another'").await, 0);
}
