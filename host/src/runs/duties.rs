//! What a host does besides executing runs: it renews its lease, claims queued runs, hears of cancellations,
//! recovers the runs of hosts that died, and forgets what was kept long enough.

use std::sync::Arc;
use std::time::Duration;

use super::Runs;
use crate::db::runs::StoredRun;
use crate::db::{DbError, Settlement, accounts, hosts, runs};

/// How long a host that says nothing is believed to live, in milliseconds.
pub const LEASE_MS: i64 = 15_000;

/// How often the lease is renewed, in ticks of one second: three chances before it is over.
const RENEW_TICKS: u64 = 4;

impl Runs {
    /// Settles the runs that older epochs of this host left behind. Called before the host answers.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn recover(&self) -> Result<usize, DbError> {
        let mut recovered = 0;
        loop {
            let mine = self.host.0.to_string();
            let left = runs::running_elsewhere(&self.db, self.host).await?;
            let lost: Vec<_> =
                left.iter().filter(|run| run.host.as_ref().is_some_and(|(host, _)| *host == mine)).collect();
            if lost.is_empty() {
                return Ok(recovered);
            }
            let settled = self.settle_lost(&lost).await?;
            recovered += settled;
            // What can't be settled was logged; it does not keep the host from serving the others.
            if settled == 0 {
                return Ok(recovered);
            }
        }
    }

    /// Does the host's duties until it stops.
    pub async fn do_duties(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick = 0_u64;
        while !self.is_stopping() {
            ticks.tick().await;
            if let Err(error) = self.duties(tick).await {
                tracing::warn!(%error, "the host's duties could not all be done; they will be tried again");
            }
            tick += 1;
        }
    }

    async fn duties(self: &Arc<Self>, tick: u64) -> Result<(), DbError> {
        if tick.is_multiple_of(RENEW_TICKS) {
            let until = self.clock.now().plus_ms(LEASE_MS);
            if !hosts::renew_lease(&self.db, self.host.0, self.host.1, until).await? {
                tracing::error!("another process has taken over this host's identity; its runs here are lost");
                self.live.lose_all();
            }
            self.recover_dead_hosts().await?;
        }
        for (account, deployment) in runs::deployments_with_queued_runs(&self.db).await? {
            match self.accounts.load(account).await {
                Ok(Some(account)) => self.serve_queue(Arc::new(account), deployment),
                // Without its data key nothing of it opens; its runs wait for the key.
                Ok(None) => {}
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => tracing::error!(%account, %error, "the account's queue can't be served"),
            }
        }
        for (account, run) in runs::queued_and_restricted(&self.db).await? {
            match self.accounts.load(account).await {
                Ok(Some(account)) => drop(self.cancel_queued(&account, run).await?),
                Ok(None) => {}
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => tracing::error!(%run, %error, "a run of a restricted account can't be cancelled"),
            }
        }
        for run in runs::cancel_requested(&self.db, self.host.0).await? {
            if let Some(live) = self.live.get(run) {
                live.cancel.cancel();
            }
        }
        Ok(())
    }

    /// Settles runs of other hosts, once their lease is over.
    async fn recover_dead_hosts(&self) -> Result<(), DbError> {
        let now = self.clock.now();
        let mut dead = Vec::new();
        let left = runs::running_elsewhere(&self.db, self.host).await?;
        for run in &left {
            if let Some((host, epoch)) = &run.host
                && hosts::lease_is_over(&self.db, host, *epoch, now).await?
            {
                dead.push(run);
            }
        }
        if !dead.is_empty() {
            tracing::warn!(runs = dead.len(), "recovering the runs of hosts whose lease is over");
        }
        self.settle_lost(&dead).await?;
        Ok(())
    }

    /// Finishes runs whose host died: nothing is charged and the hold is released. Returns how many; one that can't
    /// be settled is logged and left as it is.
    async fn settle_lost(&self, lost: &[&StoredRun]) -> Result<usize, DbError> {
        let mut settled = 0;
        for run in lost {
            match self.settle_one_lost(run).await {
                Ok(()) => settled += 1,
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => {
                    tracing::error!(run = %run.id, account = %run.account, %error, "a lost run could not be settled");
                }
            }
        }
        Ok(settled)
    }

    /// Asks for no more of the account than its place in the ledger: its data key may be gone.
    async fn settle_one_lost(&self, run: &StoredRun) -> Result<(), DbError> {
        let (host, epoch) = run.host.as_ref().ok_or(DbError::Missing("host"))?;
        let host = (host.parse().map_err(DbError::corrupt)?, *epoch);
        let tenant = accounts::tenant(&self.db, run.account).await?;
        self.db.settle(Settlement::free(run, tenant, host, "lost", self.clock.now())).await?;
        Ok(())
    }
}
