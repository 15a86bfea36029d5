//! Components that were not written for us run unmodified.

use aaasp::limits::RunLimits;
use aaasp::runtime::{Finished, Kind, Outcome};
use serde_json::{Value, json};

use crate::support::foreign::component;
use crate::support::sandbox::{RUNTIME, invocation, load};

const COMMAND: &str = "cli-command-no_std";
const PROXY: &str = "http-proxy-no_std";

async fn run(example: &str, input: Value, limits: RunLimits) -> Finished {
    let mut invocation = invocation(limits);
    invocation.input = input.to_string();
    RUNTIME.invoke(&load(&component(example)).await, invocation).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_command_runs() {
    assert_eq!(RUNTIME.inspect(component(COMMAND)).await.unwrap().kind, Kind::Command);
    let finished = run(COMMAND, Value::Null, RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::Succeeded, "{:?}", finished.error);
    assert_eq!(finished.output.as_deref(), Some("\"Hello, WASI!\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_proxy_answers_a_request() {
    assert_eq!(RUNTIME.inspect(component(PROXY)).await.unwrap().kind, Kind::Proxy);
    for input in [
        json!({}),
        json!({"method": "POST", "path": "/a?b=c", "headers": {"accept": ["a/b", "c/d"]}, "body": {"any": "JSON"}}),
    ] {
        let finished = run(PROXY, input, RunLimits::default()).await;
        assert_eq!(finished.outcome, Outcome::Succeeded, "{:?}", finished.error);
        let response: Value = serde_json::from_str(&finished.output.unwrap()).unwrap();
        assert_eq!(response, json!({"status": 200, "headers": {}, "body": "Hello, WASI!", "body_encoding": "utf8"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_is_no_request_is_invalid() {
    for input in [json!("text"), json!({"unknown": 1}), json!({"path": "no path"}), json!({"headers": {"a b": "c"}})] {
        let finished = run(PROXY, input.clone(), RunLimits::default()).await;
        assert_eq!(finished.outcome, Outcome::Failed, "{input}");
        assert_eq!(finished.error.unwrap().code, "invalid_input", "{input}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_limited() {
    let finished = run(PROXY, json!({}), RunLimits { output_bytes: 5, ..RunLimits::default() }).await;
    assert_eq!(finished.outcome, Outcome::LimitExceeded("output_bytes".into()), "{:?}", finished.error);
}
