//! Slots: how many runs execute at the same time, of one deployment, of one account, on this host.
//!
//! Semaphores are first come, first served, so a run that waits is never passed by a later one of its deployment,
//! and no account can take more of the host than its own limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ids::{AccountId, DeploymentId};

/// A slot, given back when it is dropped.
pub(super) struct Slot {
    _permits: [OwnedSemaphorePermit; 3],
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
        let deployment = self.deployments.semaphore(request.deployment, request.deployment_runs);
        let account = self.accounts.semaphore(request.account, request.account_runs);
        let shares = self.shares_of(request.memory_bytes);
        Slot {
            _permits: [
                acquired(deployment, 1).await,
                acquired(account, 1).await,
                acquired(Arc::clone(&self.host), shares).await,
            ],
        }
    }

    /// Takes a slot that is free now.
    pub(super) fn try_acquire(&self, request: SlotRequest) -> Option<Slot> {
        let deployment = self.deployments.semaphore(request.deployment, request.deployment_runs);
        let account = self.accounts.semaphore(request.account, request.account_runs);
        let shares = self.shares_of(request.memory_bytes);
        Some(Slot {
            _permits: [
                deployment.try_acquire_owned().ok()?,
                account.try_acquire_owned().ok()?,
                Arc::clone(&self.host).try_acquire_many_owned(shares).ok()?,
            ],
        })
    }

    fn shares_of(&self, memory_bytes: u64) -> u32 {
        u32::try_from(memory_bytes.div_ceil(self.share_bytes)).unwrap_or(u32::MAX).clamp(1, self.shares)
    }
}

async fn acquired(semaphore: Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    loop {
        // These semaphores are never closed; asking again is what would be right if one were.
        if let Ok(permit) = Arc::clone(&semaphore).acquire_many_owned(permits).await {
            return permit;
        }
    }
}

/// A semaphore for each key, made anew when its limit changes.
struct Keyed<K>(Mutex<HashMap<K, (u64, Arc<Semaphore>)>>);

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

/// Beyond so many keys, those that nobody holds a slot of are forgotten.
const KEYS_KEPT: usize = 10_000;

impl<K: Eq + Hash> Keyed<K> {
    fn semaphore(&self, key: K, limit: u64) -> Arc<Semaphore> {
        let mut keyed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keyed.len() >= KEYS_KEPT {
            keyed.retain(|_, (_, semaphore)| Arc::strong_count(semaphore) > 1);
        }
        let permits = usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let entry = keyed.entry(key).or_insert_with(|| (limit, Arc::new(Semaphore::new(permits))));
        if entry.0 != limit {
            *entry = (limit, Arc::new(Semaphore::new(permits)));
        }
        Arc::clone(&entry.1)
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
}
