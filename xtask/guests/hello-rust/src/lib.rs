//! Logs one line and answers: the trivial agent of the benchmark.

use aaasp_sdk::{Failure, log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom to greet.
#[derive(Deserialize, JsonSchema)]
struct Input {
    name: String,
}

/// The greeting.
#[derive(Serialize, JsonSchema)]
struct Greeting {
    greeting: String,
}

#[aaasp_sdk::agent]
fn hello(input: Input) -> Result<Greeting, Failure> {
    log::info!("greeting {}", input.name);
    Ok(Greeting { greeting: format!("Hello, {}!", input.name) })
}
