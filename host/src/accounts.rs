//! Accounts and operators: who a caller is, and what the account may use.

mod accesses;
mod acts;
mod api_key;
mod breaches;
mod callers;
mod closing;
mod confirm;
mod consents;
mod duties;
mod email;
mod holds;
mod links;
mod once;
mod operators;
mod policy;
mod register;
mod rights;
mod roles;
mod scopes;
mod sealed;
mod settings;
mod sign_up;
mod status;
mod support;

use std::sync::Arc;

pub use accesses::MOST_ACCESS_MINUTES;
pub use acts::{Because, Told};
pub use api_key::{ApiKey, KEY_PREFIX, MalformedKey};
pub use breaches::{Concerned, Draft, table_scope};
pub use callers::{Caller, Callers};
pub use confirm::Confirmed;
pub use holds::Hold;
use ipnet::IpNet;
pub use links::{LinkSecret, MalformedLink, PAGE, Purpose};
pub use register::Step;
pub use rights::Restriction;
pub use roles::*;
pub use scopes::*;
use serde::{Deserialize, Serialize};
pub use sign_up::{SignUps, TooManySignUps};
pub use status::{Needs, Status};
pub use support::{Begun, Message, Thread};

use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::{Clock, Micros};
use crate::config::LiveConfig;
use crate::db::accounts::{NewAccount, StoredAccount};
use crate::db::data_keys::StoredDataKey;
use crate::db::keys::StoredApiKey;
use crate::db::letters::NewLetter;
use crate::db::{Db, DbError, Once, accounts, data_keys, keys, ledger, letters};
use crate::ids::{AccountId, ApiKeyId, GrantId};
use crate::ledger::{Microcredits, Tenant, Verb};
use crate::limits::{AccountLimits, RunLimits};
use crate::mail::{self, Letter};
use crate::names::Name;
use crate::vault::{DataKey, Keyring, SealError};

/// Versions that an account's data key may have: one a week for four years. Each is unwrapped with the account.
const MOST_DATA_KEY_VERSIONS: u32 = 208;

/// An account with all that its requests need: loaded once, kept for a second.
#[derive(Debug)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// The plan's name.
    pub plan: String,
    /// Where its data stays; none is anywhere.
    pub region: Option<Name>,
    /// What its callers may do.
    pub status: Status,
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
    /// What it may spend in a day: the smaller of what its plan and its owner say.
    pub daily_spend: Option<Microcredits>,
    sealed_email: Vec<u8>,
}

impl Account {
    /// The email address.
    ///
    /// # Errors
    /// [`DbError`] when the address doesn't open.
    pub fn email(&self) -> Result<String, DbError> {
        email::opened(self.id, &self.data_key, email::ACCOUNTS, &self.sealed_email)
    }
}

/// An account to open.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Its email address.
    pub email: &'a str,
    /// Its plan.
    pub plan: &'a str,
    /// Where its data stays; none is anywhere.
    pub region: Option<&'a Name>,
    /// The credits that it begins with.
    pub grant: Microcredits,
    /// The operator that opens it, if it is one, and why.
    pub because: Option<&'a Because>,
}

/// An account that was opened.
#[derive(Serialize, Deserialize)]
pub struct Opened {
    /// The account.
    pub account: AccountId,
    /// Its first key, to be shown once.
    #[serde(with = "once::sealed_key")]
    pub api_key: ApiKey,
}

/// An API key to make.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Where requests with it may come from; from anywhere when there are none.
    pub addresses: Vec<IpNet>,
    /// From when on it is refused.
    pub expires_at: Option<Micros>,
}

impl NewKey {
    /// The first key of an account, which may do everything.
    fn first() -> Self {
        Self { name: "first".to_owned(), scopes: Scopes::EVERYTHING, addresses: Vec::new(), expires_at: None }
    }
}

/// An API key that was made.
#[derive(Serialize, Deserialize)]
pub struct CreatedApiKey {
    /// The key, as it is listed.
    pub key: StoredApiKey,
    /// The key itself, to be shown once.
    #[serde(with = "once::sealed_key")]
    pub api_key: ApiKey,
}

/// Makes and loads accounts, keys and grants.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    keyring: Arc<Keyring>,
    config: LiveConfig,
    clock: Clock,
}

impl Accounts {
    /// Over a database and a keyring.
    #[must_use]
    pub fn new(db: Db, keyring: Arc<Keyring>, config: LiveConfig, clock: Clock) -> Self {
        Self { db, keyring, config, clock }
    }

    /// Opens an active account with its first key and its credits, in one commit.
    ///
    /// # Errors
    /// [`DbError::Exists`] when the address is taken.
    pub async fn open(&self, new: &Opening<'_>, once: Option<Once>) -> Result<Opened, DbError> {
        let (account, data_key) = self.fresh_account(new.email, (new.plan, new.region), None)?;
        let (id, at) = (account.id, account.at);
        let (key, secret) = self.fresh_api_key(id, NewKey::first())?;
        let (digest, grant) = (secret.digest(), (GrantId::generate().to_string(), new.grant));
        let act = |because| {
            self.act((id, &data_key), because, Act::Create, Facts { amount: Some(new.grant), ..Facts::of(id) })
        };
        let act = new.because.map(act).transpose()?;
        let answer = Opened { account: id, api_key: secret };
        self.write_once(once, (id, &data_key), id.to_string(), answer, move |tx| {
            let (account, key, grant, act) = (account.clone(), key.clone(), grant.clone(), act.clone());
            Box::pin(async move {
                accounts::displace_pending(tx, &account.email_lookup).await?;
                let tenant = accounts::insert(tx, &account).await?;
                if let Some(act) = act {
                    tx.audit(act);
                }
                // An account without any key could not be used at all, whatever its plan says.
                keys::insert_api_key(tx, &key, &digest, 1).await?;
                let (grant, amount) = grant;
                if amount > Microcredits::ZERO {
                    ledger::pay_in(tx, tenant, (Verb::Grant, &grant), amount, at).await?;
                }
                Ok(())
            })
        })
        .await
    }

    fn fresh_account(
        &self,
        email: &str,
        (plan, region): (&str, Option<&Name>),
        pending_until: Option<Micros>,
    ) -> Result<(NewAccount, DataKey), DbError> {
        let id = AccountId::generate();
        let (data_key, wrapped_key) = self.keyring.fresh_data_key(id, 1).map_err(DbError::sealed("data_keys"))?;
        let account = NewAccount {
            id,
            sealed_email: email::sealed(id, &data_key, email::ACCOUNTS, email)?,
            email_lookup: self.keyring.email_lookup(email),
            plan: plan.to_owned(),
            region: region.cloned(),
            wrapped_key,
            pending_until,
            at: self.clock.now(),
        };
        Ok((account, data_key))
    }

    /// Loads an account. Whatever a host does for one begins here, so that one of another region is refused here.
    ///
    /// # Errors
    /// [`DbError::Elsewhere`] when another host serves it; otherwise [`DbError`] when the database doesn't answer or the
    /// data key doesn't open.
    pub async fn load(&self, id: AccountId) -> Result<Option<Account>, DbError> {
        let Some(stored) = accounts::get(&self.db, id).await? else { return Ok(None) };
        match &stored.region {
            Some(region) if !self.db.serves(Some(region)) => {
                let url = self.config.now().values.regions.get(region).cloned();
                Err(DbError::Elsewhere { region: region.clone(), url })
            }
            _ => self.opened(stored).map(Some),
        }
    }

    /// Loads an account of whatever region: for what is told to one host and has to be booked there, a payment. What is
    /// written to its owner about it goes out of a host of its region.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer or the data key doesn't open.
    pub async fn load_anywhere(&self, id: AccountId) -> Result<Option<Account>, DbError> {
        accounts::get(&self.db, id).await?.map(|stored| self.opened(stored)).transpose()
    }

    /// The accounts that this host serves, latest first: for operators.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer or a data key doesn't open.
    pub async fn list(&self, before: Option<AccountId>, limit: i64) -> Result<Vec<Account>, DbError> {
        accounts::list(&self.db, before, limit).await?.into_iter().map(|stored| self.opened(stored)).collect()
    }

    /// Opens something of an account. What was sealed under a version of the data key that was made since the
    /// account was loaded opens with the account loaded again; else this asks the database nothing.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open, or the database doesn't answer.
    pub async fn opening<T>(
        &self,
        account: &Account,
        open: impl Fn(&Account) -> Result<T, DbError> + Send,
    ) -> Result<T, DbError> {
        match open(account) {
            Err(DbError::Sealed { source: SealError::KeyVersion(wanted), .. })
                if wanted > account.data_key.version() =>
            {
                open(&self.load(account.id).await?.ok_or(DbError::Missing("account"))?)
            }
            opened => opened,
        }
    }

    fn opened(&self, stored: StoredAccount) -> Result<Account, DbError> {
        let versions = stored
            .data_keys
            .iter()
            .map(|(version, wrapped)| self.keyring.unwrap_data_key(stored.id, *version, wrapped))
            .collect::<Result<_, _>>()
            .map_err(DbError::sealed("data_keys"))?;
        let data_key = DataKey::of(versions).ok_or(DbError::Missing("data key"))?;
        let config = self.config.now();
        Ok(Account {
            id: stored.id,
            run_limits: config.run_limits(&stored.plan),
            limits: config.account_limits(&stored.plan),
            daily_spend: {
                let planned = config.plan(&stored.plan).and_then(|plan| plan.daily_spend_microcredits);
                planned.into_iter().chain(stored.daily_spend).min()
            },
            plan: stored.plan,
            region: stored.region,
            status: stored.status,
            created_at: stored.created_at,
            tenant: stored.tenant,
            data_key,
            sealed_email: stored.sealed_email,
        })
    }

    /// Makes an API key; its secret is shown once, here. A key that it takes the place of ends at the moment given.
    ///
    /// # Errors
    /// [`DbError::Limit`] when the account has as many keys as it may have.
    pub async fn create_api_key(
        &self,
        (account, by): (&Account, ApiKeyId),
        new: NewKey,
        replaced: Option<(ApiKeyId, Micros)>,
        once: Option<Once>,
    ) -> Result<CreatedApiKey, DbError> {
        let (key, secret) = self.fresh_api_key(account.id, new)?;
        let (digest, most) = (secret.digest(), account.limits.api_keys);
        let told = Letter::KeyCreated { name: key.name.clone(), scopes: key.scopes.to_string() };
        let letter = self.letter(account, told)?;
        let entry = self.own_act(account, Act::CreateKey, &Facts::of(key.id).with_key(by))?;
        let answer = CreatedApiKey { key: key.clone(), api_key: secret };
        self.write_once(once, (account.id, &account.data_key), key.id.to_string(), answer, move |tx| {
            let (key, letter, entry) = (key.clone(), letter.clone(), entry.clone());
            Box::pin(async move {
                tx.audit(entry);
                if let Some((old, at)) = replaced {
                    keys::end_api_key(tx, key.account, old, at).await?;
                }
                // A key and the one in its place are one, as long as both last.
                let most = most.saturating_add(u64::from(replaced.is_some()));
                keys::insert_api_key(tx, &key, &digest, most).await?;
                letters::put(tx, &letter).await
            })
        })
        .await
    }

    /// Revokes an API key.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the account has no such key.
    pub async fn revoke_api_key(&self, (account, by): (&Account, ApiKeyId), key: ApiKeyId) -> Result<(), DbError> {
        let known = keys::api_key(&self.db, account.id, key).await?.ok_or(DbError::Missing("API key"))?;
        let letter = self.letter(account, Letter::KeyRevoked { name: known.name })?;
        let (id, at) = (account.id, self.clock.now());
        let entry = self.own_act(account, Act::RevokeKey, &Facts::of(key).with_key(by))?;
        self.db
            .write(move |tx| {
                let (letter, entry) = (letter.clone(), entry.clone());
                Box::pin(async move {
                    tx.audit(entry);
                    keys::revoke_api_key(tx, id, key, at).await?;
                    letters::put(tx, &letter).await
                })
            })
            .await
    }

    /// A letter to the account's own address, to be written in the commit of its cause.
    fn letter(&self, account: &Account, letter: Letter) -> Result<NewLetter, DbError> {
        mail::sealed(account.id, &account.data_key, &account.email()?, letter, self.clock.now())
    }

    fn fresh_api_key(&self, account: AccountId, new: NewKey) -> Result<(StoredApiKey, ApiKey), DbError> {
        let secret = ApiKey::generate().map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        let NewKey { name, scopes, addresses, expires_at } = new;
        let (id, created_at) = (ApiKeyId::generate(), self.clock.now());
        Ok((StoredApiKey { id, account, name, scopes, addresses, created_at, expires_at, last_used_at: None }, secret))
    }

    /// Adds a version to an account's data key, and returns its number. It seals for whoever loads the account
    /// from then on.
    ///
    /// # Errors
    /// [`DbError::Limit`] when it has as many versions as it may have.
    pub async fn add_data_key_version(&self, account: &Account, by: Actor, once: Option<Once>) -> Result<u32, DbError> {
        let version = account.data_key.version() + 1;
        if version > MOST_DATA_KEY_VERSIONS {
            let (limit, value) = ("data_key_versions", u64::from(MOST_DATA_KEY_VERSIONS));
            return Err(DbError::Limit { limit, value });
        }
        let (_, wrapped) = self.keyring.fresh_data_key(account.id, version).map_err(DbError::sealed("data_keys"))?;
        let (key, at) = (StoredDataKey { account: account.id, version, wrapped }, self.clock.now());
        let (did, about) = ((by, Act::RotateDataKey, at), (account.id, &account.data_key));
        let entry = NewEntry::new(did, Some(about), &Facts::of(version))?;
        self.write_once(once, (account.id, &account.data_key), version.to_string(), version, move |tx| {
            let key = key.clone();
            tx.audit(entry.clone());
            Box::pin(async move { data_keys::insert(tx, &key, at).await })
        })
        .await
    }
}
