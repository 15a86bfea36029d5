//! P12: support requests are received, and answered.

use serde_json::json;

use crate::api::text;
use crate::privacy::erasure::letter;
use crate::support::Server;

#[tokio::test]
async fn a_question_is_received_and_answered() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 0).await;
    let asked = ada.post("/v1/support", json!({"subject": "a run is stuck", "text": "Which?"})).await.expect(201);
    let path = format!("/v1/admin/support/{}", text(&asked, "id"));
    server.operator().post(&path, json!({"text": "It goes on."})).await.expect(200);
    let answer = letter(&server, "ada@example.org", "Re: a run is stuck").await;
    assert!(answer.text.contains("It goes on."), "{}", answer.text);
}
