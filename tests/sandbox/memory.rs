//! Memory, tables, instances and handles are limited by their sum.

use aaasp::grants::Grants;
use aaasp::limits::RunLimits;
use aaasp::runtime::Outcome;

use crate::support::hostile::component;
use crate::support::sandbox::{RUNTIME, invocation, load, run};

const MIB: u64 = 1 << 20;

fn memory(memory_bytes: u64) -> RunLimits {
    // Growing is priced by the page that is asked for, so the absurd requests need absurd fuel.
    RunLimits { memory_bytes, fuel: u64::MAX / 2, ..RunLimits::default() }
}

async fn runs_out_of_memory(name: &str, limit: u64) -> u64 {
    let finished = run(&component(name), memory(limit)).await;
    assert_eq!(finished.outcome, Outcome::OutOfMemory, "{name}: {:?}", finished.error);
    assert!(finished.usage.peak_memory_bytes <= limit, "{name}: {:?}", finished.usage);
    finished.usage.peak_memory_bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_at_once_is_refused() {
    runs_out_of_memory("memory-at-once", 64 * MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_in_steps_ends_at_the_limit() {
    assert_eq!(runs_out_of_memory("memory-in-steps", 8 * MIB).await, 8 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_never_count_down() {
    runs_out_of_memory("memory-countdown", 8 * MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_memories_share_one_limit() {
    runs_out_of_memory("memory-in-many", 32 * MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_never_fits_ends_before_it_starts() {
    runs_out_of_memory("honest", 65_536).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_share_one_limit() {
    let finished = run(&component("table-bomb"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::LimitExceeded("table_elements".into()), "{:?}", finished.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn core_instances_are_limited() {
    let finished = run(&component("instance-bomb"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::LimitExceeded("core_instances".into()), "{:?}", finished.error);
    let limits = RunLimits { core_instances: 200, ..RunLimits::default() };
    assert_eq!(run(&component("instance-bomb"), limits).await.outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_are_limited_whatever_they_are_of() {
    for (what, limit) in [
        ("o", "resource_handles"),
        ("t", "resource_handles"),
        ("p", "resource_handles"),
        ("f", "resource_handles"),
        ("e", "resource_handles"),
        ("d", "open_files"),
    ] {
        let mut invocation = invocation(RunLimits::default());
        invocation.input = format!("\"{what}\"");
        invocation.grants = Grants { scratch: true, ..Grants::default() }.into();
        let finished = RUNTIME.invoke(&load(&component("handle-bomb")).await, invocation).await;
        assert_eq!(finished.outcome, Outcome::LimitExceeded(limit.into()), "{what}: {:?}", finished.error);
        let usage = finished.usage;
        assert!(usage.fuel > 0 && usage.fuel + usage.trap_slack_fuel <= RunLimits::default().fuel, "{what}: {usage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_of_a_guests_own_are_limited() {
    let finished = run(&component("resource-bomb"), RunLimits::default()).await;
    assert_eq!(finished.outcome, Outcome::LimitExceeded("resource_handles".into()), "{:?}", finished.error);
    let usage = finished.usage;
    assert!(usage.fuel > 0 && usage.fuel + usage.trap_slack_fuel <= RunLimits::default().fuel, "{usage:?}");
}
