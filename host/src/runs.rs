//! The life of a run: admit → hold → invoke → settle.
//!
//! A run is `queued` → `running` → `finished`. Its credits are held in the commit that makes it, and settled in
//! the commit that finishes it. A queued run survives a restart; a running one whose host died is lost.

mod admit;
mod charges;
mod custody;
mod deployed;
mod duties;
mod estimate;
mod execute;
mod first_uses;
mod live;
mod logs;
mod queue;
mod receipt;
mod record;
mod retention;
mod rules;
mod slots;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use admit::{Refused, RunRequest};
pub use charges::RunCharges;
pub use custody::{RunCustody, opened_purpose};
pub use deployed::{Deployed, Deployments, opened_config, sealed_config, terms};
pub use duties::LEASE_MS;
pub use estimate::Estimate;
pub use first_uses::FirstUses;
pub use logs::LogLine;
pub use record::{Failure, Run};
pub use rules::{charged, check_input, checked_output};
use tokio::time::Instant;

use crate::accounts::{Account, Accounts};
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::db::runs::RunFilter;
use crate::db::{Db, DbError, runs};
use crate::ids::{DeploymentId, HostId, RunId};
use crate::runtime::Runtime;
use crate::vault::credentials::Credentials;

/// Starts, follows and ends runs. One for each host.
pub struct Runs {
    db: Db,
    runtime: Arc<Runtime>,
    accounts: Accounts,
    clock: Clock,
    config: LiveConfig,
    host: (HostId, i64),
    /// The vault that runs borrow from.
    pub credentials: Credentials,
    /// Deployments, as runs need them.
    pub deployments: Deployments,
    first_uses: FirstUses,
    slots: slots::Slots,
    live: Arc<live::LiveRuns>,
    claiming: Mutex<HashSet<DeploymentId>>,
}

impl Runs {
    /// For a host in an epoch of its own.
    #[must_use]
    pub fn new(
        db: Db,
        runtime: Arc<Runtime>,
        accounts: Accounts,
        config: LiveConfig,
        clock: Clock,
        host: (HostId, i64),
    ) -> Arc<Self> {
        let values = config.now();
        let values = &values.values;
        Arc::new(Self {
            credentials: Credentials::new(db.clone(), accounts.clone(), clock.clone(), runtime.broker()),
            deployments: Deployments::new(db.clone(), accounts.clone(), config.clone()),
            first_uses: FirstUses::new(db.clone(), clock.clone()),
            slots: slots::Slots::new(values.host.concurrent_runs, values.host.memory_bytes),
            live: Arc::default(),
            claiming: Mutex::default(),
            db,
            runtime,
            accounts,
            clock,
            config,
            host,
        })
    }

    /// One run of the account.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such run.
    pub async fn get(&self, account: &Account, run: RunId) -> Result<Run, DbError> {
        let stored = runs::get(&self.db, account.id, run).await?.ok_or(DbError::Missing("run"))?;
        self.accounts.opening(account, |account| record::opened(account, &stored)).await
    }

    /// The account's runs, latest first.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn list(&self, account: &Account, filter: &RunFilter, limit: i64) -> Result<Vec<Run>, DbError> {
        let stored = runs::list(&self.db, account.id, filter, limit).await?;
        let opened = |account: &Account| stored.iter().map(|run| record::opened(account, run)).collect();
        self.accounts.opening(account, opened).await
    }

    /// The input of a run.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such run, or it was kept long enough.
    pub async fn input(&self, account: &Account, run: RunId) -> Result<String, DbError> {
        let sealed = runs::sealed_input(&self.db, account.id, run).await?;
        if sealed.is_empty() {
            return Err(DbError::Missing("input any more: it was kept for as long as the plan says"));
        }
        self.accounts.opening(account, |account| record::opened_input(account, run, &sealed)).await
    }

    /// Waits until the run has finished, here or on another host, or the time is over.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such run.
    pub async fn wait(&self, account: &Account, run: RunId, until: Instant) -> Result<Run, DbError> {
        loop {
            let ended = self.live.some_end();
            let found = self.get(account, run).await?;
            let left = until.saturating_duration_since(Instant::now());
            if found.is_finished() || left.is_zero() {
                return Ok(found);
            }
            // Another host tells nobody here; it is asked four times a second.
            let _ = tokio::time::timeout(left.min(Duration::from_millis(250)), ended).await;
        }
    }

    /// Cancels a run: at once when it is queued or executes here, within a second elsewhere. A finished run
    /// stays as it is.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such run.
    pub async fn cancel(self: &Arc<Self>, account: &Account, run: RunId) -> Result<Run, DbError> {
        let found = self.get(account, run).await?;
        if found.is_finished() {
            return Ok(found);
        }
        if found.status == "queued" && self.cancel_queued(account, run).await? {
            return self.get(account, run).await;
        }
        match self.live.get(run).filter(|live| live.account == account.id) {
            Some(live) => live.cancel.cancel(),
            None => {
                let (account, at) = (account.id, self.clock.now());
                self.db.write(move |tx| Box::pin(runs::request_cancel(tx, account, run, at))).await?;
            }
        }
        self.wait(account, run, Instant::now() + Duration::from_secs(2)).await
    }

    /// Stops admitting, waits for running runs within the grace period, then ends the rest as lost.
    pub async fn stop(&self) {
        self.live.close();
        let grace = Instant::now() + Duration::from_millis(self.config.now().values.host.shutdown_grace_ms);
        self.drain(grace).await;
        self.live.lose_all_for_good();
        // Ending a guest takes a moment, and its settlement a commit.
        self.drain(Instant::now() + Duration::from_secs(10)).await;
    }

    /// Runs that execute here now.
    #[must_use]
    pub fn executing(&self) -> usize {
        self.live.count()
    }

    fn is_stopping(&self) -> bool {
        self.live.is_closed()
    }

    async fn drain(&self, until: Instant) {
        while self.live.count() > 0 && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let _ = tokio::time::timeout(left.min(Duration::from_millis(50)), self.live.some_end()).await;
        }
    }
}
