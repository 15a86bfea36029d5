//! An agent that counts the words of a text.

use std::collections::HashMap;

use aaasp_sdk::{Failure, config, log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run is asked. The JSON Schema of the input comes from this type.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The text to count.
    pub text: String,
    /// How many of the most frequent words to name; the deployment's `top`, or 3, by default.
    pub top: Option<usize>,
}

/// What it answers.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Output {
    /// How many words the text has.
    pub words: usize,
    /// The most frequent words, each with its count.
    pub top: Vec<(String, usize)>,
}

/// One run: a plain function, which tests call as it is.
#[aaasp_sdk::agent(name = "{{name}}")]
pub fn run(input: Input) -> Result<Output, Failure> {
    if input.text.trim().is_empty() {
        return Err(Failure::InvalidInput("/text: is empty".into()));
    }
    let top = match input.top {
        Some(top) => top,
        None => config::get("top")?.map_or(Ok(3), |text| text.parse())?,
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in words(&input.text) {
        *counts.entry(word).or_default() += 1;
    }
    let words = counts.values().sum();
    log::info!("{words} words, {} of them different", counts.len());
    let mut ranked: Vec<(String, usize)> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked.truncate(top);
    Ok(Output { words, top: ranked })
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
