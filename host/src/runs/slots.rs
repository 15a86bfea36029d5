//! Slots: how many runs execute at the same time, of one deployment, of one account, on this host.
//!
//! Each is first come, first served, so a run that waits is never passed by a later one of its deployment,
//! and no account can take more of the host than its own limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::ids::{AccountId, DeploymentId};

/// A slot, given back when it is dropped.
pub(super) struct Slot {
    _of_deployment: Taken,
    _of_account: Taken,
    _of_host: OwnedSemaphorePermit,
}

/// What a run needs a slot for.
#[derive(Clone, Copy)]
pub(super) struct SlotRequest {
    pub account: AccountId,
    pub account_runs: u64,
    pub deployment: DeploymentId,
    pub deployment_runs: u64,
    pub memory_bytes: u64,
}

pub(super) struct Slots {
    accounts: Keyed<AccountId>,
    deployments: Keyed<DeploymentId>,
    /// One permit is a slot's share of the host's memory, so that memory and runs are one semaphore.
    host: Arc<Semaphore>,
    share_bytes: u64,
    shares: u32,
}

impl Slots {
    /// Room for so many runs, or for fewer that use more than an equal share of the memory each.
    pub(super) fn new(runs: u32, memory_bytes: u64) -> Self {
        let share_bytes = (memory_bytes / u64::from(runs.max(1))).max(1);
        Self {
            accounts: Keyed::default(),
            deployments: Keyed::default(),
            host: Arc::new(Semaphore::new(runs as usize)),
            share_bytes,
            shares: runs,
        }
    }

    /// Waits for a slot.
    pub(super) async fn acquire(&self, request: SlotRequest) -> Slot {
        Slot {
            _of_deployment: self.deployments.counter(request.deployment).take(request.deployment_runs).await,
            _of_account: self.accounts.counter(request.account).take(request.account_runs).await,
            _of_host: acquired(Arc::clone(&self.host), self.shares_of(request.memory_bytes)).await,
        }
    }

    /// Takes a slot that is free now.
    pub(super) fn try_acquire(&self, request: SlotRequest) -> Option<Slot> {
        let shares = self.shares_of(request.memory_bytes);
        Some(Slot {
            _of_deployment: self.deployments.counter(request.deployment).try_take(request.deployment_runs)?,
            _of_account: self.accounts.counter(request.account).try_take(request.account_runs)?,
            _of_host: Arc::clone(&self.host).try_acquire_many_owned(shares).ok()?,
        })
    }

    fn shares_of(&self, memory_bytes: u64) -> u32 {
        u32::try_from(memory_bytes.div_ceil(self.share_bytes)).unwrap_or(u32::MAX).clamp(1, self.shares)
    }
}

async fn acquired(semaphore: Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    loop {
        // The semaphore is never closed; asking again is what would be right if one were.
        if let Ok(permit) = Arc::clone(&semaphore).acquire_many_owned(permits).await {
            return permit;
        }
    }
}

/// Runs that have a slot, counted for each key. The limit is whatever the request that asks says, so that those
/// that were counted under another limit still count.
struct Keyed<K>(Mutex<HashMap<K, Arc<Counter>>>);

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

/// Beyond so many keys, those that nobody holds a slot of are forgotten.
const KEYS_KEPT: usize = 10_000;

impl<K: Eq + Hash> Keyed<K> {
    fn counter(&self, key: K) -> Arc<Counter> {
        let mut keyed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keyed.len() >= KEYS_KEPT {
            keyed.retain(|_, counter| Arc::strong_count(counter) > 1);
        }
        Arc::clone(keyed.entry(key).or_default())
    }
}

/// How many are taken.
#[derive(Default)]
struct Counter {
    taken: AtomicU64,
    /// Whoever holds it is first in line; only that one waits for `freed`.
    line: tokio::sync::Mutex<()>,
    freed: Notify,
}

/// One of a counter's, given back when it is dropped.
struct Taken(Arc<Counter>);

impl Counter {
    async fn take(self: Arc<Self>, limit: u64) -> Taken {
        let _first = self.line.lock().await;
        loop {
            if let Some(taken) = self.take_below(limit) {
                return taken;
            }
            self.freed.notified().await;
        }
    }

    /// Takes one that is free now, unless somebody waits for it already.
    fn try_take(self: Arc<Self>, limit: u64) -> Option<Taken> {
        let _first = self.line.try_lock().ok()?;
        self.take_below(limit)
    }

    fn take_below(self: &Arc<Self>, limit: u64) -> Option<Taken> {
        let one_more = |taken| (taken < limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        Some(Taken(Arc::clone(self)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_no_more_than_its_limit_and_the_host_no_more_than_its_memory() {
        let slots = Slots::new(4, 400);
        let request = |account, memory_bytes| SlotRequest {
            account,
            account_runs: 2,
            deployment: DeploymentId::generate(),
            deployment_runs: 10,
            memory_bytes,
        };
        let (first, second) = (AccountId::generate(), AccountId::generate());
        let held: Vec<_> = (0..2).map(|_| slots.try_acquire(request(first, 100)).unwrap()).collect();
        assert!(slots.try_acquire(request(first, 100)).is_none(), "the account's limit");
        assert!(slots.try_acquire(request(second, 300)).is_none(), "the host's memory");
        let third = slots.try_acquire(request(second, 200));
        assert!(third.is_some());
        drop(held);
        assert!(slots.try_acquire(request(first, 100)).is_some());
    }

    #[tokio::test]
    async fn whoever_waits_is_served_in_order_and_counts_what_was_taken_under_another_limit() {
        let slots = Slots::new(100, 100);
        let (account, deployment) = (AccountId::generate(), DeploymentId::generate());
        let request =
            |deployment_runs| SlotRequest { account, account_runs: 100, deployment, deployment_runs, memory_bytes: 1 };
        let mut held: Vec<_> = (0..3).map(|_| slots.try_acquire(request(3)).unwrap()).collect();
        assert!(slots.try_acquire(request(2)).is_none(), "three are taken, whatever the limit was");
        held.push(slots.try_acquire(request(4)).unwrap());

        let first = slots.acquire(request(1));
        tokio::pin!(first);
        assert!(futures::poll!(&mut first).is_pending());
        assert!(slots.try_acquire(request(100)).is_none(), "nobody passes the one that waits");
        let second = slots.acquire(request(2));
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        held.truncate(1);
        assert!(futures::poll!(&mut first).is_pending(), "one is still taken");
        held.clear();
        assert!(futures::poll!(&mut second).is_pending());
        let first = first.await;
        let second = second.await;
        assert!(slots.try_acquire(request(2)).is_none());
        drop((first, second));
        assert!(slots.try_acquire(request(1)).is_some());
    }
}
