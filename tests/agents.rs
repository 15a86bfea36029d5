//! The agents of `plugins/`, on the server, on real input.

mod outward;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Server, components};

#[tokio::test(flavor = "multi_thread")]
async fn lock_audit_reports_on_this_workspace() {
    let server = Server::start().await;
    server.account.deploy("lock-audit", components::built("lock-audit"), json!({})).await;
    let lock = std::fs::read_to_string(root("Cargo.lock")).unwrap();
    let packages = lock.matches("[[package]]").count();
    let run = server.account.run("lock-audit", json!({"lock": lock})).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(run["output"]["summary"].as_str().unwrap().contains(&packages.to_string()), "{}", run["output"]["summary"]);
    charged_what_the_balance_lost(&server, &run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_triage_labels_its_sample() {
    let run = run_on_sample("webhook-triage").await;
    assert!(!run["output"]["labels"].as_array().unwrap().is_empty(), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_report_describes_its_sample() {
    let run = run_on_sample("csv-report").await;
    assert!(run["output"].to_string().contains("mean"), "{run}");
}

async fn run_on_sample(agent: &str) -> Value {
    let server = Server::start().await;
    server.account.deploy(agent, components::built(agent), json!({})).await;
    let sample = std::fs::read_to_string(root(&format!("plugins/{agent}/sample.json"))).unwrap();
    let run = server.account.run(agent, serde_json::from_str(&sample).unwrap()).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    charged_what_the_balance_lost(&server, &run).await;
    run
}

async fn charged_what_the_balance_lost(server: &Server, run: &Value) {
    let charge = run["charge_microcredits"].as_i64().unwrap();
    let lines = run["charges"].as_array().unwrap().iter().map(|line| line["amount_microcredits"].as_i64().unwrap());
    assert_eq!(lines.sum::<i64>(), charge);
    assert_eq!(server.account.balance().await, (1_000_000_000_000 - charge, 0));
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}
