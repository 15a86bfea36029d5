//! What one more run of a deployment may cost, before it is paid for: what its last runs did cost, and what would be
//! held for it now.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Refused, Runs, check_input};
use crate::accounts::Account;
use crate::db::runs;
use crate::ledger::{Microcredits, price_version};

/// The last runs that are looked at.
const RUNS: i64 = 1_000;

/// What one more run may cost.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// The deployment's name.
    pub deployment: String,
    /// The deployment's revision, which one more run would be of.
    pub deployment_revision: i64,
    /// How many runs this is taken from: the last that have finished, at most a thousand, of whatever revision.
    pub runs: usize,
    /// Half of them cost no more.
    pub median_microcredits: Option<Microcredits>,
    /// All but one in twenty cost no more.
    pub p95_microcredits: Option<Microcredits>,
    /// None of them cost more.
    pub worst_microcredits: Option<Microcredits>,
    /// What would be held for a run that starts now, which costs no more than that.
    pub hold_microcredits: Microcredits,
    /// Names the prices that it would be charged under.
    pub price_version: String,
}

impl Runs {
    /// Estimates what a run would cost. An input is only checked, as the run's would be.
    ///
    /// # Errors
    /// [`Refused`] when the run would be refused for its deployment or its input, or the database doesn't answer.
    pub async fn estimate(&self, account: &Account, name: &str, input: Option<&RawValue>) -> Result<Estimate, Refused> {
        let current = self.deployments.current(account, name).await?;
        let deployed = current.ok_or_else(|| Refused::NoDeployment(name.to_owned()))?;
        if let Some(input) = input {
            check_input(input.get(), deployed.input_schema.as_ref(), &deployed.limits)?;
        }
        let mut charges = runs::charged(&self.db, account.id, deployed.id, RUNS).await?;
        charges.sort_unstable();
        Ok(Estimate {
            deployment: deployed.name.clone(),
            deployment_revision: deployed.revision,
            runs: charges.len(),
            median_microcredits: percentile(&charges, 50),
            p95_microcredits: percentile(&charges, 95),
            worst_microcredits: charges.last().copied(),
            hold_microcredits: deployed.held,
            price_version: price_version(&deployed.terms.json()).map_err(crate::db::DbError::corrupt)?,
        })
    }
}

/// The smallest amount that so many of a hundred don't pass (nearest rank).
fn percentile(sorted: &[Microcredits], percent: usize) -> Option<Microcredits> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_an_amount_that_was_charged() {
        let amounts = |count: i64| (1..=count).map(Microcredits).collect::<Vec<_>>();
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&amounts(1), 95), Some(Microcredits(1)));
        assert_eq!(percentile(&amounts(4), 50), Some(Microcredits(2)));
        assert_eq!(percentile(&amounts(100), 95), Some(Microcredits(95)));
        assert_eq!(percentile(&amounts(1_000), 95), Some(Microcredits(950)));
    }
}
