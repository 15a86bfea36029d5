//! P16: a breach is told to those whom it concerns within 72 hours, and the clock is shown.

use aaasp::clock::Micros;
use serde_json::json;

use crate::api::text;
use crate::privacy::erasure::letter;
use crate::support::{Server, guests};

#[tokio::test]
async fn those_concerned_are_told_and_the_clock_is_72_hours() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 1_000_000).await;
    ada.deploy("echo", guests::echo(), json!({})).await;
    let facts = json!({"facts": "A backup was left in the open.", "advice": "Rotate your keys.", "reason": "a test"});
    let breach = server.operator().post("/v1/admin/breaches", facts).await.expect(201);
    let moment = |name: &str| serde_json::from_value::<Micros>(breach[name].clone()).unwrap().0;
    assert_eq!(moment("due_at") - moment("aware_at"), 72 * 3_600_000_000);
    let path = format!("/v1/admin/breaches/{}", text(&breach, "id"));
    let scope = json!({"tables": ["agents"], "reason": "a test"});
    server.operator().post(&format!("{path}/scope"), scope).await.expect(200);
    server.operator().post(&format!("{path}/notify"), json!({"reason": "a test"})).await.expect(200);
    let told = letter(&server, "ada@example.org", "Your data: something happened").await;
    assert!(told.text.contains("Rotate your keys."), "{}", told.text);
}
