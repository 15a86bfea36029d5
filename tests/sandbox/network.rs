//! The network is closed but for egress, and egress until a deployment can allow hosts.

use std::time::Duration;

use aaasp::limits::RunLimits;
use aaasp::runtime::{Gate, Outcome};

use crate::support::hostile::component;
use crate::support::sandbox::{RUNTIME, invocation, load, run};

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_refused_counted_and_logged() {
    let invocation = invocation(RunLimits::default());
    let log = invocation.log.clone();
    let finished = RUNTIME.invoke(&load(&component("egress")).await, invocation).await;
    assert_eq!(finished.outcome, Outcome::Succeeded, "{:?}", finished.error);
    assert_eq!(finished.usage.http_requests, 3);
    let entries = log.drain();
    assert_eq!(entries.len(), 3);
    assert!(entries[0].source == "host" && entries[0].message.contains("example.com"), "{entries:?}");
    assert_eq!(finished.usage.log_lines, 0, "the host's lines are not the guest's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outward_call_waits_for_the_gate() {
    let mut invocation = invocation(RunLimits::default());
    let (gate, keeper) = Gate::closed();
    invocation.gate = gate;
    let log = invocation.log.clone();
    let component = load(&component("egress")).await;
    let waiting = tokio::spawn(async move { RUNTIME.invoke(&component, invocation).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished() && log.drain().is_empty());
    keeper.open();
    assert_eq!(waiting.await.unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_and_names_are_refused() {
    let finished = run(&component("sockets"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::Succeeded, "{:?}", finished.error);
}
