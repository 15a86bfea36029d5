//! `wasi:clocks`: wall clock, a monotonic clock that starts with the run, and waiting.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::runtime::{State, fuel};

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1 })
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        Ok(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        self.owe(fuel::POLLABLE);
        let elapsed = self.started.elapsed();
        wait(&mut self.table, Duration::from_nanos(when).saturating_sub(elapsed))
    }

    fn subscribe_duration(&mut self, nanos: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        self.owe(fuel::POLLABLE);
        wait(&mut self.table, Duration::from_nanos(nanos))
    }
}

fn wait(table: &mut ResourceTable, duration: Duration) -> wasmtime::Result<Resource<DynPollable>> {
    let deadline = tokio::time::Instant::now().checked_add(duration);
    let timer = table.push(Timer { deadline, yielded: false })?;
    subscribe(table, timer)
}

/// Ready at its deadline, or never when that is beyond what the clock can tell. The run's own
/// wall-clock limit ends every wait.
struct Timer {
    deadline: Option<tokio::time::Instant>,
    yielded: bool,
}

#[async_trait]
impl Pollable for Timer {
    /// A deadline that has passed still lets others run once, so that a guest that polls without
    /// waiting can't starve what it polls for.
    async fn ready(&mut self) {
        match self.deadline {
            Some(deadline) if deadline <= tokio::time::Instant::now() => {
                if !std::mem::replace(&mut self.yielded, true) {
                    tokio::task::yield_now().await;
                }
            }
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}
