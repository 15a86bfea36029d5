//! Logs one line and answers: the trivial agent of the benchmark.

use aaasp_sdk::{Failure, log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom to greet.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// The name.
    name: String,
}

/// The greeting.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Greeting {
    /// The sentence.
    greeting: String,
}

/// Greets.
///
/// # Errors
/// None.
#[aaasp_sdk::agent]
pub fn hello(input: Input) -> Result<Greeting, Failure> {
    log::info!("greeting {}", input.name);
    Ok(Greeting { greeting: format!("Hello, {}!", input.name) })
}
