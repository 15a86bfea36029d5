//! What owners set on their accounts: when they are warned, and what may be spent in a day.

use super::{Account, Accounts};
use crate::audit::{Act, Facts};
use crate::db::{DbError, accounts, low_balances};
use crate::ids::{AccountId, ApiKeyId};
use crate::ledger::Microcredits;

impl Accounts {
    /// Below which balance an account's owner is warned; zero is never.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn low_balance(&self, account: AccountId) -> Result<Microcredits, DbError> {
        Ok(low_balances::threshold(&self.db, account).await?.unwrap_or_else(|| self.default_low_balance()))
    }

    /// Sets below which balance an account's owner is warned; zero is never.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn set_low_balance(
        &self,
        (account, by): (&Account, ApiKeyId),
        threshold: Microcredits,
    ) -> Result<(), DbError> {
        let facts = Facts { amount: Some(threshold), ..Facts::default() }.with_key(by);
        let (id, entry) = (account.id, self.own_act(account, Act::LowBalance, &facts)?);
        // What changes nothing is no act: the audit is kept for years.
        let changes = low_balances::threshold(&self.db, id).await? != Some(threshold);
        self.db
            .write(move |tx| {
                if changes {
                    tx.audit(entry.clone());
                }
                Box::pin(low_balances::set(tx, id, threshold))
            })
            .await
    }

    /// Sets what an account's owner lets it spend in a day; none is as much as it has.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn set_daily_spend(
        &self,
        (account, by): (&Account, ApiKeyId),
        most: Option<Microcredits>,
    ) -> Result<(), DbError> {
        let facts = Facts { amount: most, ..Facts::default() }.with_key(by);
        let (id, entry) = (account.id, self.own_act(account, Act::DailySpend, &facts)?);
        self.db
            .write(move |tx| {
                tx.audit(entry.clone());
                Box::pin(accounts::set_daily_spend(tx, id, most))
            })
            .await
    }

    pub(super) fn default_low_balance(&self) -> Microcredits {
        self.config.now().values.accounts.low_balance_microcredits
    }
}
