//! P18: logs, inputs and outputs are kept for 90 days, billing records for seven years, unless the operator keeps less.

use serde_json::{Value, json};

use crate::api::{items, text};
use crate::cli::shell::Shell;
use crate::support::{Server, guests, until};

#[test]
fn what_was_promised_is_the_default_and_billing_has_no_less() {
    let shell = Shell::open();
    let shown = shell.run(&["config", "show", "--json"]).expect(0).out;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    for (key, days) in [("log_days", "90"), ("content_days", "90"), ("billing_days", "2557")] {
        let key = format!("retention.{key}");
        let found = shown.as_array().unwrap().iter().find(|item| text(item, "key") == key);
        assert_eq!(found.map(|item| text(item, "value")), Some(days), "{key}");
    }
    shell.file("aaasp.toml", b"[retention]\nbilling_days = 2000\n");
    let refused = shell.run(&["config", "show", "--config", "aaasp.toml"]).expect(1);
    assert!(refused.err.contains("retention.billing_days"), "{}", refused.err);
}

#[tokio::test]
async fn a_log_goes_when_its_days_are_over() {
    let mut server = Server::with_config("[retention]\nlog_days = 1\n").await;
    server.account.deploy("greet", guests::greet(), json!({})).await;
    let run = server.account.run("greet", json!(2)).await;
    let old = aaasp::ids::RunId::first_at(aaasp::clock::Micros(1_600_000_000_000_000));
    server.execute(&format!("UPDATE log_chunks SET run_id = '{old}', created_at = 1600000000000000")).await;
    server.execute(&format!("UPDATE runs SET id = '{old}'")).await;
    assert_eq!(run["outcome"], "succeeded");
    server.stop();
    server.serve();
    until("the log to go", async || (server.count("SELECT COUNT(*) FROM log_chunks").await == 0).then_some(())).await;
    assert!(items(&server.account.get(&format!("/v1/runs/{old}/logs")).await.expect(200)).is_empty());
}
