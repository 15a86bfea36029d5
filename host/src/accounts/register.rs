//! The register of requests about rights, as operators keep it. Each step has its reason, which is with what operators did.

use super::{Account, Accounts, Because};
use crate::audit::{Act, Facts, NewEntry};
use crate::clock::Micros;
use crate::db::letters::NewLetter;
use crate::db::rights::{self, RightsKind, RightsSource, RightsState, StoredRightsRequest};
use crate::db::{DbError, letters};
use crate::ids::RightsRequestId;
use crate::mail::{self, Letter};

/// What an operator does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finds out who asks; the reason says how.
    Identify,
    /// Puts it off; the reason says why, and whoever asked is told.
    Extend,
    /// Ends it; the reason says what was done, or why not, and whoever asked is told.
    Close(RightsState),
}

impl Step {
    const fn act(self) -> Act {
        match self {
            Self::Identify => Act::RightsIdentify,
            Self::Extend => Act::RightsExtend,
            Self::Close(_) => Act::RightsClose,
        }
    }
}

impl Accounts {
    /// Enters a request that did not come by the API.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn enter_request(
        &self,
        account: Option<&Account>,
        (kind, received_at): (RightsKind, Micros),
        because: &Because,
    ) -> Result<StoredRightsRequest, DbError> {
        let request =
            StoredRightsRequest::new(account.map(|account| account.id), kind, RightsSource::Operator, received_at);
        let act = self.act_on_request(account, because, Act::RightsOpen, request.id)?;
        let entered = request.clone();
        self.db
            .write(move |tx| {
                let (request, act) = (entered.clone(), act.clone());
                Box::pin(async move {
                    tx.audit(act);
                    rights::insert(tx, &request).await
                })
            })
            .await?;
        Ok(request)
    }

    /// Takes a request a step further. False when it has ended, or can't be put off any more.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn step_request(
        &self,
        request: &StoredRightsRequest,
        step: Step,
        because: &Because,
    ) -> Result<bool, DbError> {
        let account = match request.account {
            Some(account) => self.load(account).await?,
            None => None,
        };
        let (id, at) = (request.id, self.clock.now());
        let act = self.act_on_request(account.as_ref(), because, step.act(), id)?;
        let letter = match &account {
            Some(account) => self.answer(account, request, step, &because.reason)?,
            None => None,
        };
        self.db
            .write(move |tx| {
                let (act, letter) = (act.clone(), letter.clone());
                Box::pin(async move {
                    let done = match step {
                        Step::Identify => rights::identify(tx, id).await?,
                        Step::Extend => rights::extend(tx, id, at).await?,
                        Step::Close(state) => rights::end(tx, id, state, at).await?,
                    };
                    if done {
                        tx.audit(act);
                        if let Some(letter) = &letter {
                            letters::put(tx, letter).await?;
                        }
                    }
                    Ok(done)
                })
            })
            .await
    }

    /// How many people wait for longer than the law lets them, as the operator's metrics have it.
    pub(super) async fn count_overdue(&self, now: Micros) -> Result<(), DbError> {
        let overdue = rights::overdue(&self.db, now).await?;
        metrics::gauge!("aaasp_rights_requests_overdue").set(overdue as f64);
        Ok(())
    }

    fn act_on_request(
        &self,
        account: Option<&Account>,
        because: &Because,
        act: Act,
        request: RightsRequestId,
    ) -> Result<NewEntry, DbError> {
        match account {
            Some(account) => self.act((account.id, &account.data_key), because, act, Facts::of(request)),
            None => self.act_on_all(because, act, Facts::of(request)),
        }
    }

    /// What whoever asked is told. Who has no account is answered where they asked.
    fn answer(
        &self,
        account: &Account,
        request: &StoredRightsRequest,
        step: Step,
        because: &str,
    ) -> Result<Option<NewLetter>, DbError> {
        let (request, kind, because) = (request.id.to_string(), request.kind.as_str().to_owned(), because.to_owned());
        let letter = match step {
            Step::Identify => return Ok(None),
            Step::Extend => Letter::RequestExtended { request, asked: kind, because },
            Step::Close(state) => {
                Letter::RequestAnswered { request, asked: kind, answer: state.as_str().to_owned(), because }
            }
        };
        mail::sealed(account.id, &account.data_key, &account.email()?, letter, self.clock.now()).map(Some)
    }
}
