//! Writes that may be asked for again: the second time nothing is written and the first answer is given again.
//!
//! The answer is kept, sealed under the data key of the account that it is about, in the same commit as the write,
//! and deleted after the retention time of idempotency keys. That includes a key that is shown once: whoever lost the
//! answer on the way is who needs it again, and to be told only that a key was made would leave one that works and
//! that nobody holds. It opens to nobody new: only the principal who made the key can ask for it, with a key that is
//! still valid and the same request, and that principal could make another one. A request without an idempotency key
//! keeps no answer, and so leaves nothing of a secret but its digest.

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Account, Accounts, ApiKey};
use crate::db::{DbError, Earlier, Once, WriteTx, answered};
use crate::ids::AccountId;
use crate::vault::{DataKey, Place, RowSeal};

const TABLE: &str = "answered_requests";

impl Accounts {
    /// A request of a caller, an account or an operator, under an idempotency key.
    pub fn once(&self, caller: impl ToString, key: &str, asked: &[&str]) -> Once {
        Once { caller: caller.to_string(), name: key.to_owned(), digest: self.keyring.request_digest(asked) }
    }

    /// Does a write of an account, whose data key seals the answer if the request may be made again.
    pub(super) async fn write_once<A, F>(
        &self,
        once: Option<Once>,
        (account, key): (AccountId, &DataKey),
        subject: String,
        answer: A,
        write: F,
    ) -> Result<A, DbError>
    where
        A: Serialize + DeserializeOwned,
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<(), DbError>> + Send + Sync + 'static,
    {
        let Some(once) = once else {
            self.db.write(write).await?;
            return Ok(answer);
        };
        let text = Zeroizing::new(serde_json::to_vec(&answer).map_err(DbError::corrupt)?);
        let sealed = seal(key, account, &once)?.seal("answer", &text).map_err(DbError::sealed(TABLE))?;
        let at = self.clock.now();
        match self.db.write_once(once.clone(), (account, subject, sealed), at, write).await? {
            None => Ok(answer),
            Some(earlier) => self.answered(&once, &earlier).await,
        }
    }

    /// What became of the same request, where others take part in it: nothing when it was not made, and no answer when
    /// nobody knows how it ended.
    pub(crate) async fn became<A: DeserializeOwned>(&self, once: &Once) -> Result<Option<Option<A>>, DbError> {
        match answered::earlier(&self.db, once).await? {
            None => Ok(None),
            Some(earlier) if earlier.sealed_answer.is_none() => Ok(Some(None)),
            Some(earlier) => Ok(Some(Some(self.answered(once, &earlier).await?))),
        }
    }

    /// Keeps the answer of a request whose key was taken before others were asked; without one the key is free again.
    pub(crate) async fn keep_answer<A: Serialize>(
        &self,
        account: &Account,
        once: &Once,
        answer: Option<&A>,
    ) -> Result<(), DbError> {
        let sealed = match answer {
            Some(answer) => {
                let text = Zeroizing::new(serde_json::to_vec(answer).map_err(DbError::corrupt)?);
                let sealed = seal(&account.data_key, account.id, once)?.seal("answer", &text);
                Some(sealed.map_err(DbError::sealed(TABLE))?)
            }
            None => None,
        };
        let once = once.clone();
        self.db
            .write(move |tx| {
                let (once, sealed) = (once.clone(), sealed.clone());
                Box::pin(async move {
                    match &sealed {
                        Some(sealed) => answered::keep(tx, &once, sealed).await,
                        None => answered::forget(tx, &once).await,
                    }
                })
            })
            .await
    }

    async fn answered<A: DeserializeOwned>(&self, once: &Once, earlier: &Earlier) -> Result<A, DbError> {
        let sealed = earlier.sealed_answer.as_deref().ok_or_else(|| DbError::corrupt("a write without its answer"))?;
        let account = self.load_anywhere(earlier.account).await?.ok_or(DbError::Missing("account"))?;
        let seal = seal(&account.data_key, account.id, once)?;
        let text = Zeroizing::new(seal.open("answer", sealed).map_err(DbError::sealed(TABLE))?);
        serde_json::from_slice(&text).map_err(DbError::corrupt)
    }
}

fn seal(key: &DataKey, account: AccountId, once: &Once) -> Result<RowSeal, DbError> {
    let row = format!("{}/{}", once.caller, once.name);
    key.row(Place { account, table: TABLE, row: &row }).map_err(DbError::sealed(TABLE))
}

/// An API key within an answer that is about to be sealed. The type itself has no serde, so that nothing writes a
/// secret without saying so.
pub(super) mod sealed_key {
    use super::{ApiKey, Deserialize as _, Deserializer, Serializer};

    pub(in crate::accounts) fn serialize<S: Serializer>(key: &ApiKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(key.expose())
    }

    pub(in crate::accounts) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiKey, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
