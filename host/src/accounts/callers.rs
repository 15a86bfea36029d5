//! Who a request is from: keys looked up by digest, kept for less than a second so that a revocation holds
//! everywhere within one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use moka::sync;
use subtle::ConstantTimeEq as _;

use super::{Account, Accounts, ApiKey, Role};
use crate::clock::Clock;
use crate::db::keys::StoredApiKey;
use crate::db::{Db, DbError, keys, operator_keys};
use crate::ids::{ApiKeyId, OperatorKeyId};

/// How long a key's account is believed. Another host's revocation is seen after at most this.
const BELIEVED: Duration = Duration::from_millis(900);

/// How long it is remembered that a key was good, which says nothing about whether it still is.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// How often it is written down when keys were last used.
const NOTED_EVERY: Duration = Duration::from_secs(5);

/// The authenticated principal of one request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Arc<Account>,
    /// The key that the request came with.
    pub key: Arc<StoredApiKey>,
}

impl Caller {
    /// Whether the key may be used from an address.
    #[must_use]
    pub fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        let allowed = &self.key.addresses;
        allowed.is_empty() || address.is_some_and(|address| allowed.iter().any(|network| network.contains(&address)))
    }
}

/// Looks callers up.
#[derive(Clone)]
pub struct Callers {
    db: Db,
    accounts: Accounts,
    by_digest: Cache<[u8; 32], Option<Caller>>,
    /// Keys that were good when they were last looked up.
    good: sync::Cache<[u8; 32], ()>,
    clock: Clock,
    /// When keys were last used, as far as the database doesn't know.
    used: Arc<Mutex<HashMap<ApiKeyId, i64>>>,
}

impl Callers {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock) -> Self {
        let by_digest = Cache::builder().max_capacity(100_000).time_to_live(BELIEVED).build();
        let good = sync::Cache::builder().max_capacity(100_000).time_to_live(REMEMBERED).build();
        Self { db, accounts, by_digest, good, clock, used: Arc::default() }
    }

    /// What is believed of a key without a question to the database: none when nothing is.
    pub async fn believed(&self, key: &ApiKey) -> Option<Option<Caller>> {
        self.by_digest.get(&key.digest()).await
    }

    /// The caller that a key belongs to, if it belongs to anybody.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn find(&self, key: &ApiKey) -> Result<Option<Caller>, Arc<DbError>> {
        let digest = key.digest();
        let found = self.by_digest.try_get_with(digest, self.look_up(&digest)).await?;
        self.note(digest, found.is_some());
        Ok(found)
    }

    /// Whether a key was good when it was last looked up, not long ago: of an account, or of an operator.
    #[must_use]
    pub fn knew(&self, key: &ApiKey) -> bool {
        self.good.contains_key(&key.digest())
    }

    fn note(&self, digest: [u8; 32], good: bool) {
        if good {
            self.good.insert(digest, ());
        } else {
            self.good.invalidate(&digest);
        }
    }

    async fn look_up(&self, digest: &[u8; 32]) -> Result<Option<Caller>, DbError> {
        let found = keys::api_key_by_digest(&self.db, digest).await?;
        // The index found the digest; that it is the same is decided in constant time.
        let Some(key) = found.filter(|(_, stored)| digest.ct_eq(stored.as_slice()).into()).map(|(key, _)| key) else {
            return Ok(None);
        };
        let now = self.clock.now();
        if key.expires_at.is_some_and(|at| at <= now) {
            return Ok(None);
        }
        let account = self.accounts.load(key.account).await?;
        if account.is_some() {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key.id, now.0);
        }
        Ok(account.map(|account| Caller { account: Arc::new(account), key: Arc::new(key) }))
    }

    /// Writes down when keys were last used, for as long as the host lives.
    pub async fn do_duties(self) {
        loop {
            tokio::time::sleep(NOTED_EVERY).await;
            self.note_used().await;
        }
    }

    /// Writes down when keys were last used, as far as this host knows: at once for whoever wants to see it.
    pub async fn note_used(&self) {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let mut used: Vec<_> = used.into_iter().map(|(key, at)| (key.to_string(), at)).collect();
        // Two hosts touch the rows in the same order, so that neither waits for the other.
        used.sort_unstable();
        if used.is_empty() {
            return;
        }
        let written = self.db.write(move |tx| {
            let used = used.clone();
            Box::pin(async move { keys::note_used(tx, &used).await })
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "it could not be written down when keys were last used");
        }
    }

    /// The operator that a key belongs to, and what the key is for.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn find_operator(&self, key: &ApiKey) -> Result<Option<(OperatorKeyId, Role)>, DbError> {
        let found = operator_keys::by_digest(&self.db, &key.digest()).await?;
        self.note(key.digest(), found.is_some());
        Ok(found)
    }

    /// Forgets what is known of keys, so that a change on this host holds at once.
    pub fn forget(&self) {
        self.by_digest.invalidate_all();
    }
}
