//! Commands and proxies that know nothing of us run by the conventions of their kind.

use aaasp::limits::RunLimits;
use aaasp::runtime::{Finished, Kind, Outcome};

use crate::support::hostile::component;
use crate::support::sandbox::{RUNTIME, invocation, load};

async fn echo(input: &str, limits: RunLimits) -> Finished {
    let mut invocation = invocation(limits);
    invocation.input = input.into();
    RUNTIME.invoke(&load(&component("echo-command")).await, invocation).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reads_its_input_and_writes_its_output() {
    assert_eq!(RUNTIME.inspect(component("echo-command")).await.unwrap().kind, Kind::Command);
    for json in ["{\"a\": [1, 2]}", "\"text\""] {
        let finished = echo(json, RunLimits::default()).await;
        assert_eq!(
            (finished.outcome, finished.output.as_deref()),
            (Outcome::Succeeded, Some(json)),
            "{:?}",
            finished.error
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commands_output_that_is_no_json_is_a_string() {
    let finished = echo("it's \"so\"", RunLimits::default()).await;
    assert_eq!(finished.output.as_deref(), Some("\"it's \\\"so\\\"\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commands_output_is_limited() {
    let finished = echo("\"0123456789\"", RunLimits { output_bytes: 5, ..RunLimits::default() }).await;
    assert_eq!(finished.outcome, Outcome::LimitExceeded("output_bytes".into()), "{:?}", finished.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_exits_with_an_error_has_failed() {
    let finished = echo("", RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::Failed);
    assert!(finished.error.unwrap().message.contains("exit code 1"));
}
