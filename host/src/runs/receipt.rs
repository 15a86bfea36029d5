//! The receipt of a run that is settled.

use super::{Runs, record};
use crate::accounts::Account;
use crate::db::{DbError, deployments, runs};
use crate::ids::RunId;
use crate::receipts::{Receipt, digest};

impl Runs {
    /// What a receipt says of a run; none before the run is settled. Input and output are opened for their digests.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such run.
    pub async fn receipt(&self, account: &Account, run: RunId) -> Result<Option<Receipt>, DbError> {
        let stored = runs::get(&self.db, account.id, run).await?.ok_or(DbError::Missing("run"))?;
        let (Some(charged), Some(finished_at)) = (stored.charged, stored.finished_at) else { return Ok(None) };
        let input = self.input(account, run).await?;
        let opened = self.accounts.opening(account, |account| record::opened(account, &stored)).await?;
        let revision = deployments::at_revision(&self.db, account.id, stored.deployment, stored.revision);
        let revision = revision.await?.ok_or(DbError::Missing("deployment revision"))?;
        let explained = self.explained(&stored).await?;
        Ok(Some(Receipt {
            run,
            account: account.id,
            deployment: stored.deployment_name,
            deployment_revision: stored.revision,
            agent: stored.agent_name,
            version: stored.agent_version,
            component: revision.digest.parse().map_err(DbError::corrupt)?,
            input: digest(&input),
            output: opened.output.map(|output| digest(output.get())),
            outcome: stored.outcome.unwrap_or_default(),
            fuel: stored.fuel.unwrap_or_default(),
            fuel_schedule: explained.fuel_schedule,
            price_version: explained.price_version,
            charge_microcredits: charged,
            charges: opened.charges.lines,
            created_at: stored.created_at,
            started_at: stored.started_at,
            finished_at,
        }))
    }
}
