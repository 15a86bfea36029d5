//! Accounts and operators: who a caller is, and what the account may use.

mod api_key;
mod callers;

use std::sync::Arc;

pub use api_key::{ApiKey, KEY_PREFIX, MalformedKey};
pub use callers::{Caller, Callers};

use crate::clock::{Clock, Micros};
use crate::config::Config;
use crate::db::accounts::{NewAccount, StoredAccount};
use crate::db::keys::StoredApiKey;
use crate::db::{Db, DbError, accounts, keys, ledger};
use crate::ids::{AccountId, ApiKeyId, GrantId, OperatorKeyId};
use crate::ledger::{Microcredits, Tenant};
use crate::limits::{AccountLimits, RunLimits};
use crate::vault::{DataKey, Keyring, Place};

/// An account with all that its requests need: loaded once, kept for a second.
#[derive(Debug)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// The plan's name.
    pub plan: String,
    /// `active`, or why it isn't.
    pub status: String,
    /// When it was made.
    pub created_at: Micros,
    /// Its place in the ledger.
    pub tenant: Tenant,
    /// The key that its sealed values open with.
    pub data_key: DataKey,
    /// The limits of its runs: host's and plan's.
    pub run_limits: RunLimits,
    /// Its own limits: host's and plan's.
    pub limits: AccountLimits,
    sealed_email: Vec<u8>,
}

impl Account {
    /// Whether the account may do things; one that may not keeps its data and gets it shown.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }

    /// The email address.
    ///
    /// # Errors
    /// [`DbError`] when the address doesn't open.
    pub fn email(&self) -> Result<String, DbError> {
        let row = self.id.to_string();
        let place = Place { account: self.id, table: "accounts", row: &row };
        let opened = self
            .data_key
            .row(place)
            .and_then(|seal| seal.open("email", &self.sealed_email))
            .map_err(DbError::sealed("accounts"))?;
        String::from_utf8(opened).map_err(DbError::corrupt)
    }
}

/// Makes and loads accounts, keys and grants.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    keyring: Arc<Keyring>,
    config: Arc<Config>,
    clock: Clock,
}

impl Accounts {
    /// Over a database and a keyring.
    #[must_use]
    pub fn new(db: Db, keyring: Arc<Keyring>, config: Arc<Config>, clock: Clock) -> Self {
        Self { db, keyring, config, clock }
    }

    /// Makes an active account.
    ///
    /// # Errors
    /// [`DbError::Exists`] when the address is taken.
    pub async fn create(&self, email: &str, plan: &str) -> Result<AccountId, DbError> {
        let id = AccountId::generate();
        let sealed = |error| DbError::Sealed { table: "accounts", source: error };
        let (data_key, wrapped_key) = self.keyring.fresh_data_key(id, 1).map_err(sealed)?;
        let row = id.to_string();
        let place = Place { account: id, table: "accounts", row: &row };
        let sealed_email = data_key.row(place).and_then(|seal| seal.seal("email", email.as_bytes())).map_err(sealed)?;
        let account = NewAccount {
            id,
            sealed_email,
            email_lookup: self.keyring.email_lookup(email),
            plan: plan.to_owned(),
            wrapped_key,
            at: self.clock.now(),
        };
        self.db
            .write(move |tx| {
                let account = account.clone();
                Box::pin(async move { accounts::insert(tx, &account).await })
            })
            .await?;
        Ok(id)
    }

    /// Loads an account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer or the data key doesn't open.
    pub async fn load(&self, id: AccountId) -> Result<Option<Account>, DbError> {
        accounts::get(&self.db, id).await?.map(|stored| self.opened(stored)).transpose()
    }

    /// All accounts, latest first: for operators.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer or a data key doesn't open.
    pub async fn list(&self, before: Option<AccountId>, limit: i64) -> Result<Vec<Account>, DbError> {
        accounts::list(&self.db, before, limit).await?.into_iter().map(|stored| self.opened(stored)).collect()
    }

    fn opened(&self, stored: StoredAccount) -> Result<Account, DbError> {
        let data_key = self
            .keyring
            .unwrap_data_key(stored.id, stored.key_version, &stored.wrapped_key)
            .map_err(DbError::sealed("data_keys"))?;
        Ok(Account {
            id: stored.id,
            run_limits: self.config.run_limits(&stored.plan),
            limits: self.config.account_limits(&stored.plan),
            plan: stored.plan,
            status: stored.status,
            created_at: stored.created_at,
            tenant: stored.tenant,
            data_key,
            sealed_email: stored.sealed_email,
        })
    }

    /// Sets an account's status: `active` or `suspended`.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is no such account.
    pub async fn set_status(&self, id: AccountId, status: &'static str) -> Result<(), DbError> {
        self.db.write(move |tx| Box::pin(accounts::set_status(tx, id, status))).await
    }

    /// Makes an API key; its secret is shown once, here.
    ///
    /// # Errors
    /// [`DbError::Limit`] when the account has as many keys as it may have.
    pub async fn create_api_key(
        &self,
        account: AccountId,
        name: &str,
        most: u64,
    ) -> Result<(StoredApiKey, ApiKey), DbError> {
        let secret = ApiKey::generate().map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        let stored =
            StoredApiKey { id: ApiKeyId::generate(), account, name: name.to_owned(), created_at: self.clock.now() };
        let (digest, kept) = (secret.digest(), stored.clone());
        self.db
            .write(move |tx| {
                let key = kept.clone();
                Box::pin(async move { keys::insert_api_key(tx, &key, &digest, most).await })
            })
            .await?;
        Ok((stored, secret))
    }

    /// Makes an operator key; its secret is shown once, here.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn create_operator_key(&self, name: &'static str) -> Result<ApiKey, DbError> {
        let secret = ApiKey::generate().map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        let (id, digest, at) = (OperatorKeyId::generate(), secret.digest(), self.clock.now());
        self.db
            .write(move |tx| Box::pin(async move { keys::insert_operator_key(tx, id, name, &digest, at).await }))
            .await?;
        Ok(secret)
    }

    /// Gives credits to an account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer, or the balance would pass what the ledger can hold.
    pub async fn grant(&self, tenant: Tenant, amount: Microcredits) -> Result<GrantId, DbError> {
        let (grant, at) = (GrantId::generate(), self.clock.now());
        self.db
            .write(move |tx| Box::pin(async move { ledger::grant(tx, tenant, &grant.to_string(), amount, at).await }))
            .await?;
        Ok(grant)
    }
}
