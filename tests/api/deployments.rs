//! `/v1/deployments`.

use serde_json::{Value, json};

use super::{all_items, begun, fields, pointers, start, text};
use crate::support::{Server, guests, until};

#[tokio::test]
async fn a_deployment_is_made_and_replaced_and_each_time_is_a_revision() {
    let server = Server::start().await;
    let account = &server.account;
    account.upload("echo", guests::echo()).await.expect(201);
    let body = json!({"agent": "echo", "config": {"greeting": "hello"}, "log_output": true});
    let first = account.put("/v1/deployments/work", body).await.expect(201);
    assert_eq!((text(&first, "name"), &first["revision"], &first["version"]), ("work", &json!(1), &json!(1)));
    assert_eq!((&first["config"], &first["log_output"]), (&json!({"greeting": "hello"}), &json!(true)));
    assert_eq!(account.get("/v1/deployments/work").await.expect(200), first);

    let second = account.put("/v1/deployments/work", json!({"agent": "echo"})).await.expect(200);
    assert_eq!((&second["revision"], &second["config"], &second["id"]), (&json!(2), &json!({}), &first["id"]));
    assert_eq!(second["created_at"], first["created_at"]);
}

#[tokio::test]
async fn a_deployment_runs_the_version_that_it_pins_and_else_the_latest_of_its_making() {
    let server = Server::start().await;
    let account = &server.account;
    for answer in ["1", "2"] {
        account.upload("agent", guests::saying(answer)).await.expect(201);
    }
    account.put("/v1/deployments/pinned", json!({"agent": "agent", "version": 1})).await.expect(201);
    account.put("/v1/deployments/latest", json!({"agent": "agent"})).await.expect(201);
    account.upload("agent", guests::saying("3")).await.expect(201);
    assert_eq!(account.run("pinned", Value::Null).await["output"], 1);
    assert_eq!(account.run("latest", Value::Null).await["output"], 2);

    account.put("/v1/deployments/latest", json!({"agent": "agent"})).await.expect(200);
    let run = account.run("latest", Value::Null).await;
    assert_eq!((&run["output"], &run["version"], &run["deployment_revision"]), (&json!(3), &json!(3), &json!(2)));
}

#[tokio::test]
async fn the_smallest_limit_of_host_plan_and_deployment_holds() {
    let config = "
        [limits.run]
        fuel = 3_000_000
        log_lines = 30
        output_bytes = 30
        [plans.default.limits.run]
        fuel = 2_000_000
        log_lines = 50
    ";
    let server = Server::with_config(config).await;
    server.account.upload("echo", guests::echo()).await.expect(201);
    let limits = json!({"fuel": 9_000_000, "log_lines": 40, "output_bytes": 10});
    let body = json!({"agent": "echo", "limits": limits});
    let deployed = server.account.put("/v1/deployments/echo", body).await.expect(201);
    assert_eq!(deployed["limits"], limits);
    let effective = &deployed["effective_limits"];
    assert_eq!(effective["fuel"], 2_000_000, "the plan's");
    assert_eq!(effective["log_lines"], 30, "the host's");
    assert_eq!(effective["output_bytes"], 10, "the deployment's");

    let run = server.account.run("echo", json!("more than ten bytes")).await;
    assert_eq!((text(&run, "outcome"), text(&run["error"], "limit")), ("limit_exceeded", "output_bytes"));
}

#[tokio::test]
async fn what_can_not_be_deployed_is_named_by_its_pointer() {
    let server = Server::start().await;
    let account = &server.account;
    account.upload("echo", guests::echo()).await.expect(201);
    let cases = [
        (json!({"agent": "nobody"}), "/agent"),
        (json!({"agent": "No Name"}), "/agent"),
        (json!({"agent": 7}), "/agent"),
        (json!({}), ""),
        (json!({"agent": "echo", "version": 0}), "/version"),
        (json!({"agent": "echo", "version": 2}), "/version"),
        (json!({"agent": "echo", "version": "1"}), "/version"),
        (json!({"agent": "echo", "colour": "red"}), "/colour"),
        (json!({"agent": "echo", "limits": {"fule": 1}}), "/limits/fule"),
        (json!({"agent": "echo", "limits": {"fuel": -1}}), "/limits/fuel"),
        (json!({"agent": "echo", "limits": {"fuel": 1.5}}), "/limits/fuel"),
        (json!({"agent": "echo", "limits": {"concurrent_runs": 0}}), "/limits/concurrent_runs"),
        (json!({"agent": "echo", "config": {"a/b": 1}}), "/config/a~1b"),
        (json!({"agent": "echo", "capabilities": ["scratch", "sockets"]}), "/capabilities/1"),
        (json!({"agent": "echo", "log_output": "yes"}), "/log_output"),
        (json!({"agent": "echo", "egress": {"allow": [{"host": "user@a.example"}]}}), "/egress/allow/0/host"),
        (json!({"agent": "echo", "egress": {"allow": [{"hots": "a.example"}]}}), "/egress/allow/0/hots"),
        (json!({"agent": "echo", "credentials": {"No": {}}}), "/credentials/No"),
        (json!({"agent": "echo", "credentials": {"a": {"to": [{"host": "b.example"}]}}}), "/credentials/a/to/0"),
    ];
    for (body, pointer) in cases {
        let problem = account.put("/v1/deployments/work", body.clone()).await.problem(422);
        assert_eq!(pointers(&problem), [pointer], "{body}: {problem}");
    }
    account.get("/v1/deployments/work").await.problem(404);
}

#[tokio::test]
async fn what_the_agent_asks_for_and_the_deployment_does_not_grant_is_a_warning() {
    let server = Server::start().await;
    let account = &server.account;
    account.upload("strict", guests::strict("true")).await.expect(201);
    let without = account.put("/v1/deployments/strict", json!({"agent": "strict"})).await.expect(201);
    assert!(text(&without["warnings"][0], "detail").contains("`scratch`"), "{without}");
    assert_eq!(without["warnings"][0]["grant"], json!({"capabilities": ["scratch"]}));
    let body = json!({"agent": "strict", "capabilities": ["scratch"]});
    let with = account.put("/v1/deployments/strict", body).await.expect(200);
    assert_eq!((with.get("warnings"), &with["capabilities"]), (None, &json!(["scratch"])));
}

#[tokio::test]
async fn each_warning_holds_what_would_grant_it() {
    let server = Server::start().await;
    let account = &server.account;
    let component = guests::asking(&["api.github.com", "*.example.org"], &["github"], &["model"]);
    account.upload("asking", component).await.expect(201);
    let mut body = json!({"agent": "asking", "capabilities": [], "egress": {"allow": []}, "credentials": {}});
    let without = account.put("/v1/deployments/asking", body.clone()).await.expect(201);
    for warning in without["warnings"].as_array().unwrap() {
        let grant = &warning["grant"];
        for (field, list) in [("/capabilities", "/capabilities"), ("/egress/allow", "/egress/allow")] {
            let more = grant.pointer(field).and_then(Value::as_array).cloned().unwrap_or_default();
            body.pointer_mut(list).unwrap().as_array_mut().unwrap().extend(more);
        }
        let bindings = grant["credentials"].as_object().cloned().unwrap_or_default();
        body["credentials"].as_object_mut().unwrap().extend(bindings);
    }
    let with = account.put("/v1/deployments/asking", body.clone()).await.expect(200);
    assert_eq!((&with["egress"], &with["credentials"]), (&body["egress"], &body["credentials"]));
    // All is granted; what is left to do is to keep the credential.
    assert_eq!(with["warnings"].as_array().unwrap().len(), 1, "{with}");
    assert!(text(&with["warnings"][0], "detail").contains("aaasp credential set github"), "{with}");
    account.put("/v1/credentials/github", json!({"kind": "bearer", "secret": "a token of github"})).await.expect(201);
    let kept = account.get("/v1/deployments/asking").await.expect(200);
    assert_eq!(kept.get("warnings"), None, "{kept}");
}

#[tokio::test]
async fn deployments_are_listed_by_name_page_by_page() {
    let server = Server::start().await;
    server.account.upload("echo", guests::echo()).await.expect(201);
    for name in ["b", "a-c", "ab", "a"] {
        server.account.put(&format!("/v1/deployments/{name}"), json!({"agent": "echo"})).await.expect(201);
    }
    let all = all_items(&server.account, "/v1/deployments", 3).await;
    assert_eq!(fields(&all, "name"), ["a", "a-c", "ab", "b"]);
}

#[tokio::test]
async fn a_deployment_with_an_unfinished_run_stays_and_the_run_is_named() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(account, "slow", json!(20_000)).await;
    begun(account, &run).await;
    let problem = account.delete("/v1/deployments/slow").await.problem(409);
    assert!(text(&problem, "detail").contains(text(&run, "id")), "{problem}");
    account.get("/v1/deployments/slow").await.expect(200);

    account.post(&format!("/v1/runs/{}/cancel", text(&run, "id")), json!({})).await.expect(200);
    assert_eq!(account.delete("/v1/deployments/slow").await.status, 204);
    account.get("/v1/deployments/slow").await.problem(404);
    account.post("/v1/deployments/slow/runs", json!({"input": 1})).await.problem(404);
    let kept = account.get(&format!("/v1/runs/{}", text(&run, "id"))).await.expect(200);
    assert_eq!(text(&kept, "deployment"), "slow");
}

#[tokio::test]
async fn a_change_on_one_host_holds_on_the_other_within_a_second() {
    let server = Server::start().await;
    let Some(second) = server.second_host() else { return };
    server.account.deploy("work", guests::saying("1"), json!({})).await;
    assert_eq!(second.account.run("work", Value::Null).await["output"], 1);
    server.account.deploy("work", guests::saying("2"), json!({})).await;
    let changed = std::time::Instant::now();
    until("the other host to see the change", async || {
        let asked = changed.elapsed();
        let seen = second.account.run("work", Value::Null).await["output"] == 2;
        assert!(seen || asked < std::time::Duration::from_secs(1), "still the old one after {asked:?}");
        seen.then_some(())
    })
    .await;
}
