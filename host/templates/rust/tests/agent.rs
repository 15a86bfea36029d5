//! The agent as a function: what it answers, and what it refuses.

use aaasp_sdk::Failure;
use agent::{Input, run};

#[test]
fn the_sample_input_is_counted() {
    let input: Input = serde_json::from_str(include_str!("../input.json")).unwrap();
    let output = run(input).unwrap();
    assert_eq!(output.words, 8);
    assert_eq!(output.top, [("the".to_owned(), 3), ("home".to_owned(), 1)]);
}

#[test]
fn an_empty_text_is_refused() {
    let refused = run(Input { text: " ".into(), top: None });
    assert_eq!(refused, Err(Failure::InvalidInput("/text: is empty".into())));
}
