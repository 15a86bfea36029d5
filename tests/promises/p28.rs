//! P28: the policy is published with its date, and a change that matters is announced.

use serde_json::json;

use crate::api::text;
use crate::privacy::erasure::letter;
use crate::support::Server;

#[tokio::test]
async fn a_change_that_matters_is_announced() {
    let server = Server::with_config("[operator]\nname = \"Ada\"\n").await;
    let bob = server.another_account("bob@example.org", 0).await;
    let before = text(&bob.get("/v1/account").await.expect(200)["policy"], "version").to_owned();
    let page = server.account.with_key(None).get("/privacy").await;
    assert!(page.status == 200 && page.text.contains("90 days") && page.text.contains(&before), "{page:?}");
    let config = "[operator]\nname = \"Ada\"\n[retention]\nlog_days = 30\n";
    std::fs::write(server.data().join("aaasp.toml"), config).unwrap();
    server.operator().post("/v1/admin/reload", json!({"reason": "a test"})).await.expect(200);
    let said = json!({"summary": "Logs are kept for less long.", "material": true, "reason": "a test"});
    server.operator().post("/v1/admin/policy", said).await.expect(200);
    let told = letter(&server, "bob@example.org", "The policy changes").await;
    assert!(told.text.contains("Logs are kept for less long."), "{}", told.text);
    assert_ne!(text(&bob.get("/v1/account").await.expect(200)["policy"], "version"), before);
    assert_eq!(server.account.with_key(None).get(&format!("/privacy/{before}")).await.status, 200);
}
