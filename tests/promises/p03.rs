//! P03: agents, deployments and logs are kept that the account made, and are its own.

use serde_json::json;

use crate::api::{items, text};
use crate::support::{Server, guests};

#[tokio::test]
async fn what_an_account_made_is_there_and_is_nobody_else_s() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("greet", guests::greet(), json!({"config": {"language": "en"}})).await;
    let run = account.run("greet", json!(3)).await;
    let log = format!("/v1/runs/{}/logs", text(&run, "id"));
    assert_eq!(account.get("/v1/deployments/greet").await.expect(200)["config"]["language"], "en");
    assert!(items(&account.get(&log).await.expect(200)).len() >= 3);
    let other = server.another_account("other@example.org", 0).await;
    for path in ["/v1/agents/greet", "/v1/deployments/greet", &log] {
        other.get(path).await.problem(404);
    }
}
