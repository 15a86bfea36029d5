//! Takes all that it is given: the neighbour that the benchmark puts beside a polite account.

use aaasp_sdk::{Failure, log};
use schemars::JsonSchema;
use serde::Deserialize;

/// What to take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Time of the processor, for ever.
    Loop,
    /// Lines of log, as fast as they go.
    Log,
    /// Memory, page by page, each of them written.
    Memory,
}

/// Never returns by itself.
///
/// # Errors
/// None.
#[aaasp_sdk::agent]
pub fn hostile(input: Input) -> Result<u64, Failure> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    let mut round = 0_u64;
    loop {
        round = std::hint::black_box(round.wrapping_add(1));
        match input {
            Input::Loop => {}
            // What can be compressed is the words; half of a line is as good as random.
            Input::Log => {
                let word =
                    round.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                log::info!("request {word:016x} of {round} was answered with 200 in {} us", word % 100_003);
            }
            Input::Memory => taken.push(vec![1; 64 << 10]),
        }
    }
}
