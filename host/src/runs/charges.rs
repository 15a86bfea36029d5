//! What a run cost, and why: its charge with the prices that it was admitted under.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Runs;
use crate::accounts::Account;
use crate::clock::Micros;
use crate::db::runs::StoredRun;
use crate::db::{DbError, runs};
use crate::ids::RunId;
use crate::ledger::{Charge, ExplainedLine, Microcredits, Terms, price_version};
use crate::words::{RunOutcome, RunStatus};

/// The charge of a run, explained.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunCharges {
    /// The run.
    pub run: RunId,
    /// `queued`, `running` or `finished`.
    #[schema(value_type = RunStatus)]
    pub status: String,
    /// How it ended, once it has.
    #[schema(value_type = Option<RunOutcome>)]
    pub outcome: Option<String>,
    /// Names the prices that it was admitted under; the same prices have the same version.
    pub price_version: String,
    /// The release's fuel schedule that it was metered by.
    pub fuel_schedule: u32,
    /// What was held before it started.
    pub held_microcredits: Microcredits,
    /// What it cost; none before it has finished.
    pub charge_microcredits: Option<Microcredits>,
    /// What was given back of the hold.
    pub released_microcredits: Option<Microcredits>,
    /// What the charge is the sum of.
    pub lines: Vec<ExplainedLine>,
    /// When it was admitted.
    pub created_at: Micros,
    /// When it was charged.
    pub finished_at: Option<Micros>,
}

impl Runs {
    /// What a run cost, line by line.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such run.
    pub async fn charges(&self, account: &Account, run: RunId) -> Result<RunCharges, DbError> {
        let stored = runs::get(&self.db, account.id, run).await?.ok_or(DbError::Missing("run"))?;
        self.explained(&stored).await
    }

    pub(super) async fn explained(&self, stored: &StoredRun) -> Result<RunCharges, DbError> {
        let text = runs::terms(&self.db, &stored.terms).await?;
        let terms: Terms = serde_json::from_str(&text).map_err(DbError::corrupt)?;
        let charge: Option<Charge> =
            stored.charges.as_deref().map(serde_json::from_str).transpose().map_err(DbError::corrupt)?;
        Ok(RunCharges {
            run: stored.id,
            status: stored.status.clone(),
            outcome: stored.outcome.clone(),
            price_version: price_version(&text).map_err(DbError::corrupt)?,
            fuel_schedule: terms.fuel_schedule,
            held_microcredits: stored.held,
            charge_microcredits: stored.charged,
            released_microcredits: stored.charged.map(|charged| stored.held - charged),
            lines: terms.explain(charge.unwrap_or_default()),
            created_at: stored.created_at,
            finished_at: stored.finished_at,
        })
    }
}
