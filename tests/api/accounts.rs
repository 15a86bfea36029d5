//! `/v1/account`.

use serde_json::json;

use super::text;
use crate::support::{Server, guests, until};

#[tokio::test]
async fn an_account_sees_its_plan_and_its_effective_limits() {
    let config = "
        [limits.run]
        fuel = 5_000
        [plans.default.limits.run]
        fuel = 4_000
        [plans.default.limits.account]
        agents = 3
    ";
    let server = Server::with_config(config).await;
    let account = server.account.get("/v1/account").await.expect(200);
    assert_eq!((text(&account, "plan"), text(&account, "status")), ("default", "active"));
    assert_eq!(text(&account, "email"), "owner@localhost");
    assert_eq!(
        (&account["limits"]["run"]["fuel"], &account["limits"]["account"]["agents"]),
        (&json!(4_000), &json!(3))
    );
}

#[tokio::test]
async fn a_suspended_account_can_read_and_change_nothing() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let run = account.run("echo", json!(1)).await;
    let path = format!("/v1/admin/accounts/{}", text(&account.get("/v1/account").await.expect(200), "id"));
    server.operator().patch(&path, json!({"status": "suspended", "reason": "a test"})).await.expect(200);

    let refused = account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(403);
    assert!(text(&refused, "detail").contains("suspended"), "{refused}");
    account.upload("echo", guests::greet()).await.problem(403);
    account.put("/v1/deployments/echo", json!({"agent": "echo"})).await.problem(403);
    account.delete("/v1/agents/echo").await.problem(403);
    account.post("/v1/api-keys", json!({"name": "another"})).await.problem(403);
    account.post(&format!("/v1/runs/{}/cancel", text(&run, "id")), json!({})).await.expect(200);
    account.get("/v1/agents/echo").await.expect(200);
    account.get(&format!("/v1/runs/{}", text(&run, "id"))).await.expect(200);
    account.get("/v1/credits/transactions").await.expect(200);

    server.operator().patch(&path, json!({"status": "active", "reason": "a test"})).await.expect(200);
    until("the account to be active again", async || {
        (account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.status == 202).then_some(())
    })
    .await;
}
