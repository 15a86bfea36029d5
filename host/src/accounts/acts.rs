//! What operators do to accounts, each with its reason. A reason may name people, so it is sealed.

use super::{Account, Accounts, Status};
use crate::db::acts::StoredAct;
use crate::db::{DbError, Once, acts, ledger, letters, restrictions};
use crate::ids::{AccountId, AdjustmentId, GrantId, LetterId, OperatorActId, OperatorKeyId};
use crate::ledger::{Microcredits, Verb};
use crate::vault::{DataKey, Place, RowSeal};

const TABLE: &str = "operator_acts";

/// Who does something, and why.
#[derive(Clone, Debug)]
pub struct Because {
    /// The key that it is done with.
    pub operator: OperatorKeyId,
    /// Why.
    pub reason: String,
}

impl Accounts {
    /// What is to be written down of something that an operator does to an account.
    ///
    /// # Errors
    /// [`DbError`] when there is no randomness to be had.
    pub fn act(
        &self,
        (account, key): (AccountId, &DataKey),
        because: &Because,
        act: &str,
        subject: String,
        amount: Option<Microcredits>,
    ) -> Result<StoredAct, DbError> {
        let id = OperatorActId::generate();
        let seal = seal((account, key), id)?;
        let sealed_reason = Some(seal.seal("reason", because.reason.as_bytes()).map_err(DbError::sealed(TABLE))?);
        Ok(StoredAct {
            id,
            account: Some(account),
            operator: because.operator,
            act: act.to_owned(),
            subject: Some(subject),
            amount,
            sealed_reason,
            reason: None,
            at: self.clock.now(),
        })
    }

    /// What is to be written down of something that an operator does to no account. Its reason is in the open.
    pub(super) fn act_on_all(&self, because: &Because, act: &str, subject: Option<String>) -> StoredAct {
        StoredAct {
            id: OperatorActId::generate(),
            account: None,
            operator: because.operator,
            act: act.to_owned(),
            subject,
            amount: None,
            sealed_reason: None,
            reason: Some(because.reason.clone()),
            at: self.clock.now(),
        }
    }

    /// Why something was done. None when the account is gone, and the reason with its data key.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open.
    pub async fn reason(&self, act: &StoredAct) -> Result<Option<String>, DbError> {
        let (Some(account), Some(sealed)) = (act.account, &act.sealed_reason) else { return Ok(act.reason.clone()) };
        let Some(account) = self.load(account).await? else { return Ok(None) };
        let opened =
            seal((account.id, &account.data_key), act.id)?.open("reason", sealed).map_err(DbError::sealed(TABLE))?;
        String::from_utf8(opened).map(Some).map_err(DbError::corrupt)
    }

    /// Sets an account's status.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is no such account.
    pub async fn set_status(&self, account: &Account, status: Status, because: &Because) -> Result<(), DbError> {
        let act = self.act((account.id, &account.data_key), because, "status", status.to_string(), None)?;
        let id = account.id;
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    acts::insert(tx, &act).await?;
                    restrictions::change_status(tx, id, status, act.at).await
                })
            })
            .await
    }

    /// Lets a letter of the account that was given up be tried again. False when it was not given up.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn resend(&self, account: &Account, letter: LetterId, because: &Because) -> Result<bool, DbError> {
        let act = self.act((account.id, &account.data_key), because, "resend", letter.to_string(), None)?;
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let waits = letters::resend(tx, letter, act.at).await?;
                    if waits {
                        acts::insert(tx, &act).await?;
                    }
                    Ok(waits)
                })
            })
            .await
    }

    /// Writes down what an operator is about to do to no account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn note_act(&self, because: &Because, act: &str) -> Result<(), DbError> {
        let act = self.act_on_all(because, act, None);
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move { acts::insert(tx, &act).await })
            })
            .await
    }

    /// Gives credits to an account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer, or the balance would pass what the ledger can hold.
    pub async fn grant(
        &self,
        account: &Account,
        amount: Microcredits,
        because: &Because,
        once: Option<Once>,
    ) -> Result<GrantId, DbError> {
        let (grant, tenant, at) = (GrantId::generate(), account.tenant, self.clock.now());
        let act = self.act((account.id, &account.data_key), because, "grant", grant.to_string(), Some(amount))?;
        self.write_once(once, (account.id, &account.data_key), grant.to_string(), grant, move |tx| {
            let act = act.clone();
            Box::pin(async move {
                acts::insert(tx, &act).await?;
                ledger::pay_in(tx, tenant, (Verb::Grant, &grant.to_string()), amount, at).await.map(drop)
            })
        })
        .await
    }

    /// Corrects an account's balance, upwards or downwards. A debt is paid first; no more is taken than is there.
    ///
    /// # Errors
    /// [`DbError::Insufficient`] when less is there.
    pub async fn adjust(
        &self,
        account: &Account,
        amount: Microcredits,
        because: &Because,
        once: Option<Once>,
    ) -> Result<AdjustmentId, DbError> {
        let (id, tenant, at) = (AdjustmentId::generate(), account.tenant, self.clock.now());
        let act = self.act((account.id, &account.data_key), because, "adjust", id.to_string(), Some(amount))?;
        self.write_once(once, (account.id, &account.data_key), id.to_string(), id, move |tx| {
            let act = act.clone();
            Box::pin(async move {
                acts::insert(tx, &act).await?;
                let subject = id.to_string();
                if amount < Microcredits::ZERO {
                    ledger::adjust_down(tx, tenant, &subject, Microcredits::ZERO - amount, at).await?;
                } else {
                    ledger::pay_in(tx, tenant, (Verb::AdjustUp, &subject), amount, at).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

fn seal((account, key): (AccountId, &DataKey), id: OperatorActId) -> Result<RowSeal, DbError> {
    let row = id.to_string();
    key.row(Place { account, table: TABLE, row: &row }).map_err(DbError::sealed(TABLE))
}
