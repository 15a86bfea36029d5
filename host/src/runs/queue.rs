//! The queue: runs that found no slot, or whose caller did not wait. They live in the database, so that they
//! survive a restart and any host may claim them.

use std::sync::{Arc, PoisonError};

use super::admit::{Refused, slot_request};
use super::execute::Job;
use super::live::Beginning;
use super::slots::Slot;
use super::{Deployed, Runs, record};
use crate::accounts::Account;
use crate::clock::Micros;
use crate::db::{DbError, Settlement, runs};
use crate::ids::{AccountId, DeploymentId, RunId};
use crate::runtime::{LoadError, Loaded};

impl Runs {
    /// Sees to it that the deployment's queued runs are claimed as slots become free: one task for each
    /// deployment, so that one that is busy does not hold up the others of its account. It ends when its queue
    /// is empty.
    pub(super) fn serve_queue(self: &Arc<Self>, account: Arc<Account>, deployment: DeploymentId) {
        let first = self.claiming.lock().unwrap_or_else(PoisonError::into_inner).insert(deployment);
        if !first {
            return;
        }
        let runs = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = runs.claim_all(&account, deployment).await {
                tracing::warn!(%deployment, %error, "the queue could not be served; it will be tried again");
            }
            runs.claiming.lock().unwrap_or_else(PoisonError::into_inner).remove(&deployment);
        });
    }

    async fn claim_all(self: &Arc<Self>, account: &Arc<Account>, deployment: DeploymentId) -> Result<(), Refused> {
        while !self.is_stopping() {
            let Some(next) = runs::next_queued(&self.db, account.id, deployment).await? else { return Ok(()) };
            let deployed = self.deployments.at_revision(account, deployment, next.revision).await?;
            let slot = self.slots.acquire(slot_request(account, &deployed)).await;
            let component = self.load(account.id, &deployed.digest).await;
            // What may work later leaves the run in the queue; what never will ends it.
            if let Err(error) = &component
                && error.may_pass()
            {
                return Err(Refused::NotLoaded(error.clone()));
            }
            // The slot may have become free because the host stops; what is not claimed by now stays in the queue.
            let Some(beginning) = self.live.begin() else { return Ok(()) };
            let (id, run, at) = (account.id, next.id, self.clock.now());
            // Another host may have been faster, the run was cancelled, or the account was suspended; then the next
            // one is looked for.
            if self.claim(id, run, Some(at)).await? {
                let runs = Arc::clone(self);
                let account = Arc::clone(account);
                let place = (beginning, slot);
                tokio::spawn(async move { runs.execute_claimed(&account, run, deployed, component, place).await });
            }
        }
        Ok(())
    }

    async fn execute_claimed(
        self: Arc<Self>,
        account: &Arc<Account>,
        run: RunId,
        mut deployed: Deployed,
        component: Result<Arc<Loaded>, LoadError>,
        place: (Beginning, Slot),
    ) {
        // Claimed, it is nobody else's: what it is must be read however long the database does not answer.
        let prepared = async {
            let stored = self.persist(|| runs::get(&self.db, account.id, run)).await?.ok_or(DbError::Missing("run"))?;
            let sealed = self.persist(|| runs::sealed_input(&self.db, account.id, run)).await?;
            let input = self.accounts.opening(account, |account| record::opened_input(account, run, &sealed)).await?;
            // The run is executed and charged under the terms that it was admitted under.
            deployed.under(
                serde_json::from_str(&self.persist(|| runs::terms(&self.db, &stored.terms)).await?)
                    .map_err(DbError::corrupt)?,
            );
            deployed.held = stored.held;
            Ok::<_, DbError>(Job {
                run,
                account: Arc::clone(account),
                deployed: Arc::new(deployed),
                component: component.map_err(DbError::corrupt)?,
                input: input.into(),
                created_at: stored.created_at,
                started_at: self.clock.now(),
            })
        };
        match prepared.await {
            Ok(job) => {
                self.execute(job, place).await;
            }
            Err(error) => {
                tracing::error!(%run, %error, "a queued run could not be started");
                self.abandon(account, run, "lost").await;
            }
        }
    }

    /// Takes a run out of the queue and finishes it as cancelled. False when it was not queued any more.
    pub(super) async fn cancel_queued(&self, account: &Account, run: RunId) -> Result<bool, DbError> {
        // A host that stops leaves it in the queue, with the request to cancel it.
        let Some(_beginning) = self.live.begin() else { return Ok(false) };
        if !self.claim(account.id, run, None).await? {
            return Ok(false);
        }
        self.abandon(account, run, "cancelled").await;
        Ok(true)
    }

    async fn claim(&self, account: AccountId, run: RunId, starts_at: Option<Micros>) -> Result<bool, DbError> {
        let (host, region) = (self.host, self.db.region().to_owned());
        self.db
            .write(move |tx| {
                let region = region.clone();
                Box::pin(async move { runs::claim(tx, account, run, host, &region, starts_at).await })
            })
            .await
    }

    /// Finishes a run of this host that did nothing; it is charged nothing.
    async fn abandon(&self, account: &Account, run: RunId, outcome: &str) {
        let settled = async {
            let stored = self.persist(|| runs::get(&self.db, account.id, run)).await?.ok_or(DbError::Missing("run"))?;
            let settlement = Settlement::free(&stored, account.tenant, self.host, outcome, self.clock.now());
            self.persist(|| self.db.settle(settlement.clone())).await
        };
        if let Err(error) = settled.await {
            tracing::error!(%run, %error, "a run that did not start could not be settled");
        }
    }
}
