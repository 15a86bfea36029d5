//! Logs, stdout, output and randomness end at their limits.

use aaasp::limits::RunLimits;
use aaasp::runtime::Outcome;

use crate::support::hostile::component;
use crate::support::sandbox::{RUNTIME, invocation, load, run};

fn exceeded(name: &str) -> Outcome {
    Outcome::LimitExceeded(name.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_end_at_their_limit() {
    let limits = RunLimits { log_lines: 100, ..RunLimits::default() };
    let invocation = invocation(limits);
    let log = invocation.log.clone();
    let finished = RUNTIME.invoke(&load(&component("log-flood")).await, invocation).await;
    assert_eq!(finished.outcome, exceeded("log_lines"), "{:?}", finished.error);
    assert_eq!((finished.usage.log_lines, log.drain().len()), (100, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_bytes_end_at_their_limit() {
    let limits = RunLimits { log_bytes: 200_000, ..RunLimits::default() };
    let finished = run(&component("log-bytes"), limits).await;
    assert_eq!(finished.outcome, exceeded("log_bytes"), "{:?}", finished.error);
    assert!(finished.usage.log_bytes <= 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn stdout_is_log_and_limited_as_such() {
    let limits = RunLimits { log_bytes: 100_000, ..RunLimits::default() };
    let finished = run(&component("stdout-flood"), limits).await;
    assert_eq!(finished.outcome, exceeded("log_bytes"), "{:?}", finished.error);
    assert!(finished.usage.log_bytes <= 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_ends_at_its_limit() {
    for output_bytes in [1_000, 1 << 20, 63 << 20] {
        let limits = RunLimits { output_bytes, ..RunLimits::default() };
        let finished = run(&component("output-flood"), limits).await;
        assert_eq!(finished.outcome, exceeded("output_bytes"), "{:?}", finished.error);
        assert_eq!(finished.output, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn randomness_comes_in_small_portions() {
    let finished = run(&component("random-flood"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::Trapped, "{:?}", finished.error);
}
