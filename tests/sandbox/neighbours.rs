//! Long and hostile runs leave their neighbours alone: each ends as it would have by itself.

use aaasp::limits::RunLimits;
use aaasp::runtime::{Finished, Outcome};
use tokio::task::JoinHandle;

use crate::support::hostile::component;
use crate::support::sandbox::{RUNTIME, invocation, load};

/// How often each guest runs.
const HOSTILE: usize = 8;
const POLITE: usize = 100;

async fn spawned(guest: &str, limits: RunLimits) -> JoinHandle<Finished> {
    let component = load(&component(guest)).await;
    tokio::spawn(async move { RUNTIME.invoke(&component, invocation(limits)).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polite_runs_succeed_beside_endless_ones() {
    let alone = spawned("honest", RunLimits::default()).await.await.unwrap();
    let loops = load(&component("endless-loop")).await;
    let (mut endless, mut cancels) = (Vec::new(), Vec::new());
    for _ in 0..HOSTILE {
        let (loops, run) = (loops.clone(), invocation(RunLimits { fuel: u64::MAX / 2, ..RunLimits::default() }));
        cancels.push(run.cancel.clone());
        endless.push(tokio::spawn(async move { RUNTIME.invoke(&loops, run).await }));
    }
    for _ in 0..POLITE {
        let finished = spawned("honest", RunLimits::default()).await.await.unwrap();
        assert_eq!(finished.outcome, Outcome::Succeeded, "{:?}", finished.error);
        assert_eq!(finished.usage.fuel, alone.usage.fuel, "a neighbour changed what the run is charged for");
    }
    // Had they ended, the polite runs would have had no neighbours.
    assert!(endless.iter().all(|run| !run.is_finished()));
    cancels.iter().for_each(|cancel| cancel.cancel());
    for run in endless {
        assert_eq!(run.await.unwrap().outcome, Outcome::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_ends_as_it_does_alone_beside_all_others() {
    let limits = || RunLimits { fuel: 20_000_000, wall_clock_ms: 60_000, ..RunLimits::default() };
    let attacks = [
        ("endless-loop", Outcome::OutOfFuel),
        ("busy-calls", Outcome::OutOfFuel),
        ("deep-recursion", Outcome::Trapped),
        ("log-flood", Outcome::LimitExceeded("log_lines".into())),
        ("resource-bomb", Outcome::LimitExceeded("resource_handles".into())),
        ("honest", Outcome::Succeeded),
    ];
    let mut runs = Vec::new();
    for _ in 0..HOSTILE {
        for (guest, outcome) in &attacks {
            runs.push((guest, outcome, spawned(guest, limits()).await));
        }
    }
    for (guest, outcome, run) in runs {
        let finished = run.await.unwrap();
        assert_eq!(finished.outcome, *outcome, "{guest}: {:?}", finished.error);
        let charged = finished.usage.fuel + finished.usage.trap_slack_fuel;
        assert!(charged > 0 && charged <= limits().fuel, "{guest}: {:?}", finished.usage);
    }
}
