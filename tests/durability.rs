//! What was acknowledged is there after any fault, and nothing is left half done.

mod backup;
mod fsync;
mod full_disk;
mod hosts;
mod kill;
mod outage;
mod shutdown;

use serde_json::json;

use crate::support::{Client, hostile};

/// Burns fuel until a limit ends it.
const BURNER: &str = r#"
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $for_ever (br $for_ever))
  (unreachable))"#;

/// Answers at once.
const PROMPT: &str = r#"
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (global.get $null))"#;

/// Deploys `prompt`, which answers at once, and `burner`, which takes as long as it may.
async fn deploy_guests(account: &Client, burner_ms: u64) {
    account.deploy("prompt", hostile::agent(PROMPT).to_vec(), json!({})).await;
    let limits = json!({"limits": {"wall_clock_ms": burner_ms}});
    account.deploy("burner", hostile::agent(BURNER).to_vec(), limits).await;
}

/// Lets the burner take as long as it may.
const MUCH_FUEL: &str = "
[limits.run]
fuel = 1_000_000_000_000
wall_clock_ms = 60_000
";
