//! P17: an account's data stay in its region: a host of another one refuses.

use serde_json::json;

use crate::api::text;
use crate::support::Server;

#[tokio::test]
async fn a_host_of_another_region_refuses_the_account() {
    let config = "region = \"eu\"\n[regions]\neu = \"https://eu.example\"\nus = \"https://us.example\"\n\
                  [plans.america]\nregion = \"us\"\n";
    let server = Server::with_config(config).await;
    let body = json!({"email": "mary@example.org", "plan": "america", "reason": "a test"});
    let made = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let refused = server.account.with_key(made["api_key"].as_str()).get("/v1/account").await.problem(421);
    assert!(text(&refused, "detail").contains("https://us.example"), "{refused}");
}
