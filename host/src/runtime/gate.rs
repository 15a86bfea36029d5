//! Lets a guest start while its hold commits, and holds back its first outward call until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const REFUSED: u8 = 2;

/// What every outward call of a run waits for.
#[derive(Clone, Debug, Default)]
pub struct Gate(Option<Arc<Shared>>);

/// The other end of a [`Gate`]: dropped without [`open`](GateKeeper::open), it refuses.
#[derive(Debug)]
pub struct GateKeeper(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    changed: Notify,
}

impl Gate {
    /// A gate that never holds anything back.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// A gate that holds outward calls back until its keeper opens it.
    #[must_use]
    pub fn closed() -> (Self, GateKeeper) {
        let shared = Arc::new(Shared::default());
        (Self(Some(Arc::clone(&shared))), GateKeeper(shared))
    }

    /// Waits for the keeper; true when the gate is open, false when it never will be.
    pub async fn passed(&self) -> bool {
        let Some(shared) = &self.0 else { return true };
        loop {
            let changed = shared.changed.notified();
            match shared.state.load(Ordering::Acquire) {
                CLOSED => changed.await,
                state => return state == OPEN,
            }
        }
    }
}

impl GateKeeper {
    /// Lets outward calls pass from now on.
    pub fn open(self) {
        self.0.state.store(OPEN, Ordering::Release);
    }
}

impl Drop for GateKeeper {
    fn drop(&mut self) {
        let _ = self.0.state.compare_exchange(CLOSED, REFUSED, Ordering::AcqRel, Ordering::Acquire);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_waits_until_the_gate_opens() {
        let (gate, keeper) = Gate::closed();
        let waiting = tokio::spawn(async move { gate.passed().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        keeper.open();
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn a_keeper_that_goes_away_refuses() {
        let (gate, keeper) = Gate::closed();
        drop(keeper);
        assert!(!gate.passed().await);
    }
}
