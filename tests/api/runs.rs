//! `/v1/deployments/{name}/runs` and `/v1/runs`.

use serde_json::{Value, json};

use super::{all_items, begun, fields, finished, items, pointers, start, text};
use crate::support::{Server, guests, hostile};

#[tokio::test]
async fn a_caller_who_waits_gets_the_finished_run() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let input = json!({"text": "grüß dich", "list": [1, 2.5, null, true]});
    let reply = server.account.post("/v1/deployments/echo/runs?wait=60", json!({"input": input})).await;
    let run = reply.expect(200);
    assert_eq!((text(&run, "status"), text(&run, "outcome"), &run["output"]), ("finished", "succeeded", &input));
    assert_eq!((text(&run, "deployment"), text(&run, "agent"), &run["version"]), ("echo", "echo", &json!(1)));
    assert_eq!(run["error"], Value::Null);
    assert!(run["fuel"].as_i64().unwrap() > 0);
    let path = format!("/v1/runs/{}", text(&run, "id"));
    assert_eq!(reply.headers["location"], path.as_str());
    assert_eq!(server.account.get(&path).await.expect(200), run);
    assert_eq!(server.account.get(&format!("{path}/input")).await.expect(200), input);
}

#[tokio::test]
async fn a_caller_who_does_not_wait_gets_the_run_so_far_and_finds_it_finished_later() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    let reply = account.post("/v1/deployments/slow/runs", json!({"input": 300})).await;
    let so_far = reply.expect(202);
    assert_eq!((text(&so_far, "status"), &so_far["outcome"]), ("running", &Value::Null));
    assert_eq!(reply.headers["location"], format!("/v1/runs/{}", text(&so_far, "id")).as_str());
    let run = finished(account, &so_far).await;
    assert_eq!((text(&run, "outcome"), &run["output"]), ("succeeded", &Value::Null));

    let too_short = account.post("/v1/deployments/slow/runs?wait=1", json!({"input": 20_000})).await.expect(202);
    assert_eq!(text(&too_short, "status"), "running");
}

#[tokio::test]
async fn every_failure_is_told_as_the_agent_told_it() {
    let server = Server::start().await;
    server.account.deploy("fail", guests::fail(), json!({})).await;
    for (case, code) in ["invalid_input", "retryable", "failed"].iter().enumerate() {
        let run = server.account.run("fail", json!(case)).await;
        assert_eq!((text(&run, "outcome"), &run["output"]), ("failed", &Value::Null));
        assert_eq!(run["error"], json!({"code": code, "message": "as asked"}));
    }
}

#[tokio::test]
async fn a_trap_carries_the_backtrace_of_the_guest() {
    let server = Server::start().await;
    server.account.deploy("trap", guests::trap(), json!({})).await;
    let run = server.account.run("trap", json!(1)).await;
    assert_eq!((text(&run, "outcome"), text(&run["error"], "code")), ("trapped", "trapped"));
    assert!(text(&run["error"], "message").contains("divide by zero"), "{run}");
    let frames = fields(run["error"]["backtrace"].as_array().unwrap(), "function");
    assert!(frames[0].contains("inner") && frames.len() >= 2, "{frames:?}");
    let items = fields(run["charges"].as_array().unwrap(), "item");
    assert!(items.contains(&"trap_slack".to_owned()), "{items:?}");
}

#[tokio::test]
async fn a_backtrace_names_functions_files_and_lines() {
    let server = Server::start().await;
    server.account.deploy("trap", guests::trap_with_lines(), json!({})).await;
    let run = server.account.run("trap", json!(1)).await;
    let frames: Vec<_> = run["error"]["backtrace"].as_array().unwrap().iter().collect();
    assert!(text(frames[0], "function").contains("inner"), "{run}");
    // Where `trap.wat` divides, and where it calls what does.
    for (frame, line) in frames.iter().zip([2, 4]) {
        assert!(text(frame, "file").ends_with("trap.wat"), "{run}");
        assert_eq!(frame["line"], line, "{run}");
    }
}

#[tokio::test]
async fn a_limit_that_ends_a_run_is_named() {
    let server = Server::start().await;
    let account = &server.account;
    let cases = [
        ("endless-loop", json!({"fuel": 100_000}), "out_of_fuel", "fuel"),
        ("endless-sleep", json!({"wall_clock_ms": 50}), "timed_out", "wall_clock_ms"),
        ("memory-at-once", json!({"memory_bytes": 1_048_576}), "out_of_memory", "memory_bytes"),
        ("log-flood", json!({"log_lines": 10}), "limit_exceeded", "log_lines"),
    ];
    for (guest, limits, outcome, limit) in cases {
        account.deploy(guest, hostile::component(guest).into(), json!({"limits": limits})).await;
        let run = account.run(guest, Value::Null).await;
        assert_eq!((text(&run, "outcome"), text(&run["error"], "limit")), (outcome, limit), "{guest}: {run}");
        assert!(!text(&run["error"], "message").is_empty(), "{guest}");
    }
}

#[tokio::test]
async fn an_output_that_is_not_json_is_a_failure() {
    let server = Server::start().await;
    server.account.deploy("babble", guests::saying("not json"), json!({})).await;
    let run = server.account.run("babble", Value::Null).await;
    assert_eq!((text(&run, "outcome"), &run["output"]), ("failed", &Value::Null));
    assert!(text(&run["error"], "message").contains("not JSON"), "{run}");
}

#[tokio::test]
async fn a_charge_is_the_sum_of_its_lines_and_the_rest_of_the_hold_is_released() {
    let server = Server::with("", 10).await;
    let account = &server.account;
    account.deploy("greet", guests::greet(), json!({})).await;
    account.deploy("trap", guests::trap(), json!({})).await;
    account.deploy("burn", hostile::component("endless-loop").into(), json!({"limits": {"fuel": 5_000_000}})).await;
    let mut available = 10_000_000;
    for (deployment, input) in [("greet", 5), ("trap", 0), ("burn", 0)] {
        let run = account.run(deployment, json!(input)).await;
        let charges = run["charges"].as_array().unwrap();
        let sum: i64 = charges.iter().map(|line| line["amount_microcredits"].as_i64().unwrap()).sum();
        assert_eq!(run["charge_microcredits"], sum, "{run}");
        assert!(sum > 0 && sum <= run["held_microcredits"].as_i64().unwrap(), "{run}");
        let quantity = |item: &str| charges.iter().find(|line| line["item"] == item).unwrap()["quantity"].clone();
        assert_eq!((quantity("run"), quantity("fuel")), (json!(1), run["fuel"].clone()));
        available -= sum;
        assert_eq!(account.balance().await, (available, 0), "after {deployment}");
    }
}

#[tokio::test]
async fn prices_are_the_operators() {
    let config = "
        [prices]
        run_microcredits = 7
        million_fuel_microcredits = 0
        gib_second_microcredits = 0
        log_mib_microcredits = 0
        http_request_microcredits = 0
        http_mib_microcredits = 0
    ";
    let server = Server::with(config, 1).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let run = server.account.run("echo", json!(1)).await;
    assert_eq!((&run["charge_microcredits"], &run["held_microcredits"]), (&json!(7), &json!(7)));
}

#[tokio::test]
async fn a_running_run_is_cancelled_and_pays_for_what_it_did() {
    let server = Server::with("", 10).await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(account, "slow", json!(25_000)).await;
    begun(account, &run).await;
    let path = format!("/v1/runs/{}/cancel", text(&run, "id"));
    let cancelled = account.post(&path, json!({})).await.expect(200);
    assert_eq!((text(&cancelled, "status"), text(&cancelled, "outcome")), ("finished", "cancelled"));
    let charge = cancelled["charge_microcredits"].as_i64().unwrap();
    assert!(charge > 0, "{cancelled}");
    assert_eq!(account.balance().await, (10_000_000 - charge, 0));
    assert_eq!(account.post(&path, json!({})).await.expect(200), cancelled, "once more changes nothing");
}

#[tokio::test]
async fn a_finished_run_stays_as_it_is_when_it_is_cancelled() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let run = server.account.run("echo", json!(1)).await;
    let path = format!("/v1/runs/{}/cancel", text(&run, "id"));
    assert_eq!(server.account.post(&path, json!({})).await.expect(200), run);
}

#[tokio::test]
async fn an_input_that_breaks_the_schema_is_refused_by_pointer_before_anything_is_held() {
    let server = Server::with("", 0).await;
    let schema = json!({
        "type": "object",
        "required": ["count"],
        "properties": {
            "count": {"type": "integer", "minimum": 1},
            "tags": {"type": "array", "items": {"type": "string"}},
            "a/b": {"type": "string"},
        },
    });
    server.account.deploy("strict", guests::strict(&schema.to_string()), json!({})).await;
    let cases = [
        (json!({"count": 0}), vec!["/input/count"]),
        (json!({"count": "1"}), vec!["/input/count"]),
        (json!({"count": 1, "tags": ["a", 2, 3]}), vec!["/input/tags/1", "/input/tags/2"]),
        (json!({"count": 1, "a/b": 1}), vec!["/input/a~1b"]),
        (json!({}), vec!["/input"]),
        (json!([]), vec!["/input"]),
    ];
    for (input, expected) in cases {
        // Without credits a run that fits would be refused with 402, so nothing was asked of the ledger.
        let problem = server.account.post("/v1/deployments/strict/runs", json!({"input": input})).await.problem(422);
        assert_eq!(pointers(&problem), expected, "{problem}");
    }
    server.account.post("/v1/deployments/strict/runs", json!({"input": {"count": 1}})).await.problem(402);
}

#[tokio::test]
async fn a_request_for_a_run_is_an_input_and_nothing_else() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let post = |path: &'static str, body| server.account.post(path, body);
    let runs = "/v1/deployments/echo/runs";
    assert_eq!(pointers(&post(runs, json!({})).await.problem(422)), [""]);
    assert_eq!(pointers(&post(runs, json!({"input": 1, "inputs": 2})).await.problem(422)), ["/inputs"]);
    post(runs, json!([1])).await.problem(422);
    for wait in ["-1", "61", "1.5", "soon", ""] {
        let path = format!("{runs}?wait={wait}");
        let problem = server.account.post(&path, json!({"input": 1})).await.problem(422);
        assert!(text(&problem, "detail").contains("`wait`"), "{problem}");
    }
    let problem = post("/v1/deployments/echo/runs?timeout=5", json!({"input": 1})).await.problem(422);
    assert!(text(&problem, "detail").contains("timeout"), "{problem}");
    post("/v1/deployments/nothing/runs", json!({"input": 1})).await.problem(404);
    assert!(items(&server.account.get("/v1/runs").await.expect(200)).is_empty());
}

#[tokio::test]
async fn runs_are_listed_page_by_page_latest_first_and_filtered() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    account.deploy("fail", guests::fail(), json!({})).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let deployment = if number % 2 == 0 { "echo" } else { "fail" };
        ids.insert(0, text(&account.run(deployment, json!(2)).await, "id").to_owned());
    }
    assert_eq!(fields(&all_items(account, "/v1/runs", 2).await, "id"), ids);
    let listed = async |query: &str| fields(items(&account.get(&format!("/v1/runs?{query}")).await.expect(200)), "id");
    let failed = [ids[1].as_str(), ids[3].as_str()];
    assert_eq!(listed("deployment=fail").await, failed);
    assert_eq!(listed("outcome=failed&status=finished").await, failed);
    assert_eq!(listed(&format!("outcome=failed&after={}", ids[1])).await, failed[1..]);
    assert_eq!(listed("status=queued").await, [""; 0]);
}

#[tokio::test]
async fn configuration_and_instances_are_fresh_for_every_run() {
    let server = Server::start().await;
    let counter = hostile::agent(
        r#"(global $runs (mut i32) (i32.const 48))
           (data (i32.const 1024) "\00\00\00\00\10\04\00\00\01\00\00\00")
           (func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
             (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
             (i32.store8 (i32.const 1040) (global.get $runs))
             (i32.const 1024))"#,
    );
    server.account.deploy("counter", counter.into(), json!({})).await;
    for _ in 0..3 {
        assert_eq!(server.account.run("counter", Value::Null).await["output"], 1);
    }
}
