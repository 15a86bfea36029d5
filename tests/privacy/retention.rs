//! What runs were given and returned is forgotten in time; what they cost is not.

use aaasp::clock::Clock;
use aaasp::ids::RunId;
use serde_json::{Value, json};

use crate::api::text;
use crate::cli::shell::Shell;
use crate::support::later::Later;
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
    until("nothing is looked at twice", async || (server.count(done).await == 2).then_some(())).await;
}

const LOGS: &str = "SELECT COUNT(DISTINCT run_id) FROM log_chunks";
const CONTENTS: &str = "SELECT COUNT(*) FROM runs WHERE LENGTH(sealed_input) > 0";

#[tokio::test]
async fn a_deployment_keeps_less_than_its_plan_from_when_it_says_so() {
    let mut server = Server::with_config("[retention]\nlog_days = 9\ncontent_days = 8\n").await;
    let account = &server.account;
    let shell = Shell::of(account);
    shell.file("greet.wasm", &guests::greet());
    let less = ["deploy", "greet.wasm", "--name", "less", "--log-days", "2", "--content-days", "3"];
    let said = shell.run(&less).expect(0).out;
    assert!(said.contains("logs of runs after 2 days") && said.contains("contents of runs after 3 days"), "{said}");
    // What is not named stays; a plan's number is not copied.
    shell.run(&["deploy", "greet.wasm", "--name", "less", "--agent", "greet", "--limit", "fuel=50000000"]).expect(0);
    shell.run(&["deploy", "greet.wasm", "--name", "planned"]).expect(0);
    let shown = account.get("/v1/deployments/less").await.expect(200);
    assert_eq!(shown["retention"], json!({"log_days": 2, "content_days": 3}));
    assert_eq!(shown["effective_retention"], shown["retention"]);
    let planned = account.get("/v1/deployments/planned").await.expect(200);
    assert_eq!((&planned["retention"], &planned["effective_retention"]["log_days"]), (&json!({}), &json!(9)));
    let said = shell.run(&["deployments", "show", "less"]).expect(0).out;
    assert!(said.contains("2 days, as the deployment says"), "{said}");
    assert!(shell.run(&["account"]).expect(0).out.contains("logs for 9 days, inputs and outputs for 8"));

    let longer = json!({"agent": "greet", "retention": {"log_days": 10, "content_days": 9}});
    let refused = account.put("/v1/deployments/less", longer).await.problem(422);
    let faults = refused["errors"].to_string();
    assert!(faults.contains("/retention/log_days") && faults.contains("`content_days` is 8"), "{refused}");

    for deployment in ["less", "planned", "less"] {
        account.run(deployment, json!(2)).await;
    }
    server.stop();
    let later = Later::serve(&server, 4).await;
    until("logs and contents to go", async || {
        ((server.count(LOGS).await, server.count(CONTENTS).await) == (1, 1)).then_some(())
    })
    .await;
    let done = "SELECT COUNT(*) FROM deployments WHERE logs_until > 'run_' AND contents_until > 'run_'";
    until("nothing to be looked at twice", async || (server.count(done).await == 1).then_some(())).await;

    // It holds for what is there already.
    let less = json!({"agent": "greet", "retention": {"log_days": 1, "content_days": 0}});
    later.account.put("/v1/deployments/planned", less).await.expect(200);
    later.stop().await;
    let later = Later::serve(&server, 4).await;
    until("the rest to go", async || {
        ((server.count(LOGS).await, server.count(CONTENTS).await) == (0, 0)).then_some(())
    })
    .await;
    later.stop().await;
}

#[tokio::test]
async fn a_run_that_goes_on_keeps_its_log_and_is_come_back_to() {
    let mut server = Server::start().await;
    let account = &server.account;
    account.deploy("greet", guests::greet(), json!({"retention": {"log_days": 2, "content_days": 2}})).await;
    let [first, second] = [account.run("greet", json!(1)).await, account.run("greet", json!(1)).await];
    // The first one still writes: its last chunk is younger than it.
    let young = Clock::System.now().plus_ms(2 * 86_400_000).0;
    server
        .execute(&format!("UPDATE log_chunks SET created_at = {young} WHERE run_id = '{}'", text(&first, "id")))
        .await;
    server.stop();
    let later = Later::serve(&server, 3).await;
    until("the second one's log to go", async || (server.count(LOGS).await == 1).then_some(())).await;
    let waits = "SELECT COUNT(*) FROM deployments WHERE logs_until = (SELECT MIN(id) FROM runs)";
    until("the first one to be come back to", async || (server.count(waits).await == 1).then_some(())).await;
    later.stop().await;
    let later = Later::serve(&server, 5).await;
    until("the first one's log to go", async || (server.count(LOGS).await == 0).then_some(())).await;
    assert_ne!(text(&first, "id"), text(&second, "id"));
    later.stop().await;
}
