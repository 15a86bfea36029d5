//! What owners set on their accounts: when they are warned, and what may be spent in a day.

use super::Accounts;
use crate::db::{DbError, accounts, low_balances};
use crate::ids::AccountId;
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
    pub async fn set_low_balance(&self, account: AccountId, threshold: Microcredits) -> Result<(), DbError> {
        self.db.write(move |tx| Box::pin(low_balances::set(tx, account, threshold))).await
    }

    /// Sets what an account's owner lets it spend in a day; none is as much as it has.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn set_daily_spend(&self, account: AccountId, most: Option<Microcredits>) -> Result<(), DbError> {
        self.db.write(move |tx| Box::pin(accounts::set_daily_spend(tx, account, most))).await
    }

    pub(super) fn default_low_balance(&self) -> Microcredits {
        self.config.now().values.accounts.low_balance_microcredits
    }
}
