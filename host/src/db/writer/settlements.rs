//! Settlements as a set: finish the runs that are still ours, move the credits of each tenant once.

use std::collections::{BTreeMap, HashSet};

use sqlx::AnyConnection;

use super::requests::Settlement;
use crate::db::{DbError, ledger, runs, spending};
use crate::ledger::{Microcredits, Tenant, Transfer, Verb};

/// Finishes the runs and books what they cost. False for a run that was no longer this host's, and for all
/// but the first settlement of a run that the group settles more than once.
pub(super) async fn settle(
    connection: &mut AnyConnection,
    settlements: &[Settlement],
    transfers: &mut Vec<Transfer>,
) -> Result<Vec<bool>, DbError> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen = HashSet::with_capacity(settlements.len());
    let first: Vec<&Settlement> = settlements.iter().filter(|each| seen.insert(each.run)).collect();
    let mut finished: HashSet<String> = runs::finish(connection, &first).await?;
    let settled: Vec<bool> = settlements.iter().map(|each| finished.remove(&each.run.to_string())).collect();

    let mut moved: BTreeMap<Tenant, (Microcredits, Microcredits)> = BTreeMap::new();
    let mut given_back: BTreeMap<_, Microcredits> = BTreeMap::new();
    for (settlement, _) in settlements.iter().zip(&settled).filter(|(_, settled)| **settled) {
        let charged = settlement.charge.total();
        if charged > settlement.held {
            return Err(DbError::corrupt(format!("run {} would cost more than was held", settlement.run)));
        }
        let released = settlement.held - charged;
        let sums = moved.entry(settlement.tenant).or_default();
        sums.0 += settlement.held;
        sums.1 += released;
        if let Some((deployment, day)) = settlement.counted.filter(|_| released > Microcredits::ZERO) {
            for spender in [None, Some(deployment)] {
                *given_back.entry((settlement.account, spender, day)).or_default() += released;
            }
        }
        for (verb, amount) in [(Verb::Settle, charged), (Verb::Release, released)] {
            if amount > Microcredits::ZERO {
                transfers.push(Transfer {
                    tenant: settlement.tenant,
                    subject: settlement.run.to_string(),
                    verb,
                    amount,
                    at: settlement.at,
                });
            }
        }
    }
    for (tenant, (held, released)) in moved {
        ledger::unhold(connection, tenant, held, released).await?;
    }
    for ((account, deployment, day), released) in given_back {
        spending::give_back(connection, (account, deployment), day, released).await?;
    }
    Ok(settled)
}
