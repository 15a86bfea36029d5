//! Who a request is from: keys looked up by digest, kept for less than a second so that a revocation holds
//! everywhere within one.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use subtle::ConstantTimeEq as _;

use super::{Account, Accounts, ApiKey};
use crate::db::{Db, DbError, keys};
use crate::ids::{ApiKeyId, OperatorKeyId};

/// How long a key's account is believed. Another host's revocation is seen after at most this.
const BELIEVED: Duration = Duration::from_millis(900);

/// The authenticated principal of one request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Arc<Account>,
    /// The key that the request came with.
    pub key: ApiKeyId,
}

/// Looks callers up.
#[derive(Clone)]
pub struct Callers {
    db: Db,
    accounts: Accounts,
    by_digest: Cache<[u8; 32], Option<Caller>>,
}

impl Callers {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts) -> Self {
        let by_digest = Cache::builder().max_capacity(100_000).time_to_live(BELIEVED).build();
        Self { db, accounts, by_digest }
    }

    /// The caller that a key belongs to, if it belongs to anybody.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn find(&self, key: &ApiKey) -> Result<Option<Caller>, Arc<DbError>> {
        let digest = key.digest();
        if let Some(caller) = self.by_digest.get(&digest).await {
            return Ok(caller);
        }
        self.by_digest.try_get_with(digest, self.look_up(&digest)).await
    }

    async fn look_up(&self, digest: &[u8; 32]) -> Result<Option<Caller>, DbError> {
        let found = keys::api_key_by_digest(&self.db, digest).await?;
        // The index found the digest; that it is the same is decided in constant time.
        let Some(key) = found.filter(|(_, stored)| digest.ct_eq(stored.as_slice()).into()).map(|(key, _)| key) else {
            return Ok(None);
        };
        let account = self.accounts.load(key.account).await?;
        Ok(account.map(|account| Caller { account: Arc::new(account), key: key.id }))
    }

    /// The operator that a key belongs to.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn find_operator(&self, key: &ApiKey) -> Result<Option<OperatorKeyId>, DbError> {
        keys::operator_key_by_digest(&self.db, &key.digest()).await
    }

    /// Forgets what is known of keys, so that a change on this host holds at once.
    pub fn forget(&self) {
        self.by_digest.invalidate_all();
    }
}
