//! Long and hostile runs leave their neighbours' pace alone.

use std::time::{Duration, Instant};

use aaasp::limits::RunLimits;
use aaasp::runtime::Outcome;

use crate::support::hostile::component;
use crate::support::sandbox::{RUNTIME, invocation, load};

/// The 99th of a hundred times for an honest run.
async fn p99_of_honest_runs() -> Duration {
    let honest = load(&component("honest")).await;
    let mut times = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        let finished = RUNTIME.invoke(&honest, invocation(RunLimits::default())).await;
        times.push(start.elapsed());
        assert_eq!(finished.outcome, Outcome::Succeeded);
    }
    times.sort();
    times[98]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_runs_keep_their_pace_beside_endless_ones() {
    let loops = load(&component("endless-loop")).await;
    let mut hostile = Vec::new();
    let mut cancels = Vec::new();
    for _ in 0..8 {
        let loops = loops.clone();
        let run = invocation(RunLimits { fuel: u64::MAX / 2, ..RunLimits::default() });
        cancels.push(run.cancel.clone());
        hostile.push(tokio::spawn(async move { RUNTIME.invoke(&loops, run).await }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let crowded = p99_of_honest_runs().await;
    cancels.iter().for_each(|cancel| cancel.cancel());
    for run in hostile {
        assert_eq!(run.await.unwrap().outcome, Outcome::Cancelled);
    }
    // Eight endless loops on two cores would cost each short run many milliseconds, were they equals.
    assert!(crowded < Duration::from_millis(50), "{crowded:?}");
}
