//! The rush for the last credits: many clients, and money for some of them.

use serde_json::json;

use crate::support::{Server, hostile};

/// Burns fuel until the limit ends it, so that its charge is all that was held.
pub(super) const BURNER: &str = r#"
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $for_ever (br $for_ever))
  (unreachable))"#;

/// Only fuel costs anything, so that a burned fuel limit is a charge of the whole hold.
pub(super) const ONLY_FUEL_COSTS: &str = "
[host]
concurrent_runs = 64
[limits.run]
fuel = 1_000_000
memory_bytes = 16_777_216
[limits.account]
concurrent_runs = 64
queued_runs = 1000
[prices]
run_microcredits = 0
million_fuel_microcredits = 1000
gib_second_microcredits = 0
log_mib_microcredits = 0
http_request_microcredits = 0
http_mib_microcredits = 0
";

#[tokio::test(flavor = "multi_thread")]
async fn of_256_clients_exactly_as_many_run_as_the_balance_pays_for() {
    let mut server = Server::with(ONLY_FUEL_COSTS, 1).await;
    let account = server.another_account("rush@example.com", 100 * 1000).await;
    account.deploy("burner", hostile::agent(BURNER).to_vec(), json!({})).await;

    let clients = (0..256).map(|_| {
        let account = account.clone();
        tokio::spawn(async move { account.post("/v1/deployments/burner/runs?wait=60", json!({"input": null})).await })
    });
    let mut ran = 0;
    let mut refused = 0;
    for client in clients.collect::<Vec<_>>() {
        let reply = client.await.unwrap();
        match reply.status {
            200 => {
                let run = reply.expect(200);
                assert_eq!(run["outcome"], "out_of_fuel");
                assert_eq!(run["charge_microcredits"], run["held_microcredits"]);
                ran += 1;
            }
            _ => {
                let problem = reply.problem(402);
                assert_eq!(problem["required_microcredits"], 1000);
                assert!(problem["available_microcredits"].as_i64().unwrap() < 1000);
                assert!(problem["held_microcredits"].is_i64());
                refused += 1;
            }
        }
    }
    assert_eq!((ran, refused), (100, 156));
    assert_eq!(account.balance().await, (0, 0));
    server.stop();
    server.verify_ledger();
}
