//! What operators do to accounts, each with its reason. A reason may name people, so it is sealed.

use super::{Account, Accounts, Status};
use crate::db::acts::StoredAct;
use crate::db::{DbError, Once, accounts, acts, ledger};
use crate::ids::{AdjustmentId, OperatorActId, OperatorKeyId};
use crate::ledger::{Microcredits, Verb};
use crate::vault::{Place, RowSeal};

const TABLE: &str = "operator_acts";

/// Who does something, and why.
#[derive(Clone, Debug)]
pub struct Because {
    /// The key that it is done with.
    pub operator: OperatorKeyId,
    /// Why; none when nobody asked.
    pub reason: Option<String>,
}

impl Accounts {
    /// What is to be written down of something that an operator does to an account.
    ///
    /// # Errors
    /// [`DbError`] when there is no randomness to be had.
    pub fn act(
        &self,
        account: &Account,
        because: &Because,
        act: &str,
        subject: String,
        amount: Option<Microcredits>,
    ) -> Result<StoredAct, DbError> {
        let id = OperatorActId::generate();
        let sealed_reason = match &because.reason {
            Some(reason) => Some(seal(account, id)?.seal("reason", reason.as_bytes()).map_err(DbError::sealed(TABLE))?),
            None => None,
        };
        Ok(StoredAct {
            id,
            account: Some(account.id),
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
    #[must_use]
    pub fn act_on_all(&self, because: &Because, act: &str) -> StoredAct {
        StoredAct {
            id: OperatorActId::generate(),
            account: None,
            operator: because.operator,
            act: act.to_owned(),
            subject: None,
            amount: None,
            sealed_reason: None,
            reason: because.reason.clone(),
            at: self.clock.now(),
        }
    }

    /// Why something was done. None when nobody said, or when the account's data key is gone and the reason with it.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open.
    pub async fn reason(&self, act: &StoredAct) -> Result<Option<String>, DbError> {
        let (Some(account), Some(sealed)) = (act.account, &act.sealed_reason) else { return Ok(act.reason.clone()) };
        let Some(account) = self.load(account).await? else { return Ok(None) };
        let opened = seal(&account, act.id)?.open("reason", sealed).map_err(DbError::sealed(TABLE))?;
        String::from_utf8(opened).map(Some).map_err(DbError::corrupt)
    }

    /// Sets an account's status.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is no such account.
    pub async fn set_status(&self, account: &Account, status: Status, because: &Because) -> Result<(), DbError> {
        let act = self.act(account, because, "status", status.to_string(), None)?;
        let id = account.id;
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    acts::insert(tx, &act).await?;
                    accounts::set_status(tx, id, status).await
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
        let act = self.act(account, because, "adjust", id.to_string(), Some(amount))?;
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

fn seal(account: &Account, id: OperatorActId) -> Result<RowSeal, DbError> {
    let row = id.to_string();
    account.data_key.row(Place { account: account.id, table: TABLE, row: &row }).map_err(DbError::sealed(TABLE))
}
