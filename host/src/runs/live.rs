//! Runs that this host executes now, and who waits for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ids::{AccountId, RunId};

/// A run that executes here.
pub(super) struct Live {
    pub account: AccountId,
    /// Stops the guest.
    pub cancel: CancellationToken,
    /// The host stops, not the account: the run is lost rather than cancelled.
    pub lost: AtomicBool,
}

/// The registry of live runs.
#[derive(Default)]
pub(super) struct LiveRuns {
    registry: Mutex<Registry>,
    /// Told whenever a run ends here.
    ended: Notify,
}

#[derive(Default)]
struct Registry {
    runs: HashMap<RunId, Arc<Live>>,
    /// Runs that are being admitted or claimed and are not in `runs` yet.
    beginning: usize,
    stage: Stage,
}

/// How far the host's stop has come.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// No run begins any more.
    Closed,
    /// What has not ended is lost.
    Losing,
}

/// The right to make a run this host's. A stop waits for it, so that nothing is admitted or claimed behind its
/// back; it is kept until the run is registered, or is not to run.
pub(super) struct Beginning(Arc<LiveRuns>);

/// Keeps a run in the registry until it is dropped.
pub(super) struct Registered {
    live_runs: Arc<LiveRuns>,
    run: RunId,
    pub live: Arc<Live>,
}

impl Live {
    /// Ends the run, because the host may not execute it any longer.
    fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.cancel.cancel();
    }
}

impl LiveRuns {
    /// Asks to make a run this host's. None when the host stops.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Beginning> {
        let mut registry = self.locked();
        if registry.stage != Stage::Open {
            return None;
        }
        registry.beginning += 1;
        Some(Beginning(Arc::clone(self)))
    }

    pub(super) fn get(&self, run: RunId) -> Option<Arc<Live>> {
        self.locked().runs.get(&run).cloned()
    }

    /// Runs that execute here, or are about to.
    pub(super) fn count(&self) -> usize {
        let registry = self.locked();
        registry.runs.len() + registry.beginning
    }

    /// Lets no run begin any more.
    pub(super) fn close(&self) {
        self.locked().stage = Stage::Closed;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.locked().stage != Stage::Open
    }

    /// Ends every run, because they are another process's now.
    pub(super) fn lose_all(&self) {
        self.locked().runs.values().for_each(|live| live.lose());
    }

    /// Ends every run, and those that are about to begin, because the host stops.
    pub(super) fn lose_all_for_good(&self) {
        self.locked().stage = Stage::Losing;
        self.lose_all();
    }

    /// Waits until some run has ended here.
    pub(super) async fn some_end(&self) {
        self.ended.notified().await;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beginning {
    /// Registers the run that has begun.
    pub(super) fn register(self, run: RunId, account: AccountId) -> Registered {
        let live = Arc::new(Live { account, cancel: CancellationToken::new(), lost: AtomicBool::new(false) });
        let mut registry = self.0.locked();
        if registry.stage == Stage::Losing {
            live.lose();
        }
        registry.runs.insert(run, Arc::clone(&live));
        drop(registry);
        Registered { live_runs: Arc::clone(&self.0), run, live }
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        self.0.locked().beginning -= 1;
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.live_runs.locked().runs.remove(&self.run);
        self.live_runs.ended.notify_waiters();
    }
}
