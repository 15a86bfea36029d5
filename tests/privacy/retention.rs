//! What runs were given and returned is forgotten in time; what they cost is not.

use aaasp::clock::Clock;
use aaasp::ids::RunId;
use serde_json::{Value, json};

use crate::api::text;
use crate::support::{Client, Server, guests, until};

/// Runs once, and makes the run so many days old behind the server's back.
async fn old_run(server: &Server, account: &Client, days: i64) -> String {
    let run = account.run("echo", json!("what was said")).await;
    let old = RunId::first_at(Clock::System.now().plus_ms(-days * 86_400_000)).to_string();
    server.execute(&format!("UPDATE runs SET id = '{old}' WHERE id = '{}'", text(&run, "id"))).await;
    old
}

#[tokio::test]
async fn inputs_and_outputs_are_kept_for_as_many_days_as_the_plan_says() {
    let config = "[retention]\ncontent_days = 3\n[plans.default]\n[plans.keen]\ncontent_days = 9\n";
    let mut server = Server::with_config(config).await;
    let body = json!({
        "email": "keen@example.org", "plan": "keen", "grant_microcredits": 100_000_000, "reason": "a test",
    });
    let keen = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let key = text(&keen, "api_key").to_owned();
    let keen = server.account.with_key(Some(&key));
    let mut runs = Vec::new();
    for account in [&server.account, &keen] {
        account.deploy("echo", guests::echo(), json!({})).await;
        for days in [1, 4, 10] {
            runs.push(old_run(&server, account, days).await);
        }
    }
    server.stop();
    server.serve();
    let left = "SELECT COUNT(*) FROM runs WHERE LENGTH(sealed_input) > 0";
    until("what is too old to be forgotten", async || (server.count(left).await == 3).then_some(())).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM runs WHERE sealed_output IS NOT NULL").await, 3);

    let old = &runs[1];
    let account = &server.account;
    let run = account.get(&format!("/v1/runs/{old}")).await.expect(200);
    assert_eq!((text(&run, "outcome"), &run["output"]), ("succeeded", &Value::Null));
    assert!(run["charge_microcredits"].as_i64().unwrap() > 0);
    account.get(&format!("/v1/runs/{old}/charges")).await.expect(200);
    let gone = account.get(&format!("/v1/runs/{old}/input")).await.problem(404);
    assert!(text(&gone, "detail").contains("as long as the plan says"), "{gone}");
    account.get(&format!("/v1/runs/{old}/receipt")).await.problem(404);
    let done = "SELECT COUNT(*) FROM accounts WHERE contents_until > 'run_'";
    assert_eq!(server.count(done).await, 2, "nothing is looked at twice");
}
