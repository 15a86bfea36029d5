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
    runs: Mutex<HashMap<RunId, Arc<Live>>>,
    /// Told whenever a run ends here.
    ended: Notify,
}

/// Keeps a run in the registry until it is dropped.
pub(super) struct Registered {
    live_runs: Arc<LiveRuns>,
    run: RunId,
    pub live: Arc<Live>,
}

impl LiveRuns {
    pub(super) fn register(self: &Arc<Self>, run: RunId, account: AccountId) -> Registered {
        let live = Arc::new(Live { account, cancel: CancellationToken::new(), lost: AtomicBool::new(false) });
        self.locked().insert(run, Arc::clone(&live));
        Registered { live_runs: Arc::clone(self), run, live }
    }

    pub(super) fn get(&self, run: RunId) -> Option<Arc<Live>> {
        self.locked().get(&run).cloned()
    }

    pub(super) fn count(&self) -> usize {
        self.locked().len()
    }

    /// Ends every run, because the host stops.
    pub(super) fn lose_all(&self) {
        for live in self.locked().values() {
            live.lost.store(true, Ordering::SeqCst);
            live.cancel.cancel();
        }
    }

    /// Waits until some run has ended here.
    pub(super) async fn some_end(&self) {
        self.ended.notified().await;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<Live>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.live_runs.locked().remove(&self.run);
        self.live_runs.ended.notify_waiters();
    }
}
