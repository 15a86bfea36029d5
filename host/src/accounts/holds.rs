//! Holds: an operator has what is there of an account kept, since the law asks for it. The account knows that there is
//! one, and not why: an investigation may depend on that. So the reason is with the hold, sealed, where no copy takes it
//! from, and the audit names the hold.

use super::{Account, Accounts, Because, sealed};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::holds::{self, HoldOn, StoredHold};
use crate::ids::{AccountId, HoldId};

const TABLE: &str = "holds";

/// A hold, opened.
#[derive(Clone, Debug)]
pub struct Hold {
    /// As it is stored.
    pub stored: StoredHold,
    /// Why.
    pub reason: String,
    /// Why it was lifted.
    pub lift_reason: Option<String>,
}

impl Accounts {
    /// Sets a hold on an account.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account's erasure has begun meanwhile.
    pub async fn set_hold(
        &self,
        account: &Account,
        until: Option<Micros>,
        because: &Because,
    ) -> Result<HoldId, DbError> {
        let (id, at) = (HoldId::generate(), self.clock.now());
        let hold = StoredHold {
            id,
            account: account.id,
            sealed_reason: sealed::seal(account.sealer(), (TABLE, &id.to_string(), "reason"), &because.reason)?,
            sealed_lift_reason: None,
            at,
            expires_at: until,
            ended_at: None,
        };
        let entry = self.act_of_hold(account, because, Act::SetHold, Facts { until, ..Facts::of(id) })?;
        self.db
            .write(move |tx| {
                let (hold, entry) = (hold.clone(), entry.clone());
                Box::pin(async move {
                    tx.audit(entry);
                    holds::insert(tx, &hold).await
                })
            })
            .await?;
        Ok(id)
    }

    /// Lifts a hold on an account. False when it has ended.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn lift_hold(&self, account: &Account, hold: HoldId, because: &Because) -> Result<bool, DbError> {
        let place = (TABLE, &*hold.to_string(), "lift_reason");
        let sealed = sealed::seal(account.sealer(), place, &because.reason)?;
        let entry = self.act_of_hold(account, because, Act::LiftHold, Facts::of(hold))?;
        self.db
            .write(move |tx| {
                let (sealed, entry) = (sealed.clone(), entry.clone());
                Box::pin(async move {
                    let lifted = holds::lift(tx, hold, &sealed, entry.at).await?;
                    if lifted {
                        tx.audit(entry);
                    }
                    Ok(lifted)
                })
            })
            .await
    }

    /// Opens a hold: for operators.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open, or the database doesn't answer.
    pub async fn hold(&self, stored: StoredHold) -> Result<Hold, DbError> {
        let account = self.load(stored.account).await?.ok_or(DbError::Missing("account"))?;
        let row = stored.id.to_string();
        let open = |column, sealed: &[u8]| sealed::open(account.sealer(), (TABLE, &row, column), sealed);
        let reason = open("reason", &stored.sealed_reason)?;
        let lifted = stored.sealed_lift_reason.as_deref();
        let lift_reason = lifted.map(|sealed| open("lift_reason", sealed)).transpose()?;
        Ok(Hold { stored, reason, lift_reason })
    }

    /// That an account is held, if it is: for its owner.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn hold_on(&self, account: AccountId) -> Result<Option<HoldOn>, DbError> {
        holds::on(&self.db, account).await
    }

    /// What the audit says: all but why.
    fn act_of_hold(&self, of: &Account, because: &Because, act: Act, facts: Facts) -> Result<NewEntry, DbError> {
        NewEntry::new((Actor::Operator(because.operator), act, self.clock.now()), Some((of.id, &of.data_key)), &facts)
    }
}
