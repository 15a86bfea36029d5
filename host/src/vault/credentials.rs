//! Credentials: what an account keeps for its agents, how it is sealed, and how it is lent.
//!
//! A credential has versions. The latest that is not retired is in use; a value that is set takes effect for the
//! next request on this host, and within a second on every other. There is no way to read one back: `lend` is
//! what egress asks, and metadata is all that the API shows.

mod endpoint;
mod kind;
mod oauth;
mod resealed;
mod secret;

use std::sync::Arc;
use std::time::Duration;

pub use kind::{Kind, OauthClient};
use moka::future::Cache;
pub(super) use resealed::Secrets;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
pub use secret::{LEAST_BYTES, Secret};

use super::custody::{Custody, Lent, Withheld};
use crate::accounts::{Account, Accounts};
use crate::capabilities::egress::Broker;
use crate::clock::Clock;
use crate::db::credentials::{FreshVersion, StoredCredential};
use crate::db::{Db, DbError, credentials};
use crate::ids::{AccountId, CredentialId};
use crate::names::Name;

/// How long a credential is believed. Another host's change is seen after at most this.
const BELIEVED: Duration = Duration::from_millis(900);

/// How often a version is tried to be made while others make versions of the same credential.
const TRIES: usize = 5;

/// A credential's version in use, opened.
#[derive(Debug)]
pub struct Kept {
    /// The credential.
    pub id: CredentialId,
    /// Its name.
    pub name: Name,
    /// The version.
    pub version: u32,
    /// Its kind.
    pub kind: Kind,
    secret: Secret,
}

/// Keeps and lends the credentials of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    db: Db,
    accounts: Accounts,
    clock: Clock,
    /// For token endpoints.
    broker: Arc<Broker>,
    current: Cache<(AccountId, Name), Option<Arc<Kept>>>,
    tokens: oauth::Tokens,
}

impl Credentials {
    /// Over a database; token endpoints are asked through the broker.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock, broker: Arc<Broker>) -> Self {
        let current = Cache::builder().max_capacity(10_000).time_to_live(BELIEVED).build();
        Self { db, accounts, clock, broker, current, tokens: oauth::Tokens::default() }
    }

    /// Sets a credential's value: the next version. True when the credential is new.
    ///
    /// # Errors
    /// [`DbError::Limit`] when there are as many credentials or versions as the account may have.
    pub async fn set(&self, account: &Account, name: &Name, kind: &Kind, secret: &Secret) -> Result<bool, DbError> {
        let most = (account.limits.credentials, account.limits.credential_versions);
        for tried in 1.. {
            let last = credentials::get(&self.db, account.id, name.as_str()).await?;
            let (id, version) =
                last.map_or_else(|| (CredentialId::generate(), 1), |last| (last.id, last.last_version + 1));
            let fresh = self.sealed(account, (id, name, version), kind, secret)?;
            let put = self.db.write(move |tx| {
                let fresh = fresh.clone();
                Box::pin(async move { credentials::put(tx, &fresh, most.0, most.1).await })
            });
            match put.await {
                Err(DbError::Exists(_)) if tried < TRIES => {}
                answer => {
                    self.forget(account.id, name).await;
                    return answer;
                }
            }
        }
        Err(DbError::Closed)
    }

    /// Retires a version; the latest that is left is in use.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is no such credential or version, [`DbError::OnlyVersion`] when it is the last.
    pub async fn retire(&self, account: AccountId, name: &Name, version: i64) -> Result<(), DbError> {
        let retired = name.clone();
        let write = self.db.write(move |tx| {
            let name = retired.clone();
            Box::pin(async move { credentials::retire(tx, account, name.as_str(), version).await })
        });
        write.await?;
        self.forget(account, name).await;
        Ok(())
    }

    /// Deletes a credential and all of its versions.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is none, [`DbError::InUse`] when deployments name it.
    pub async fn delete(&self, account: AccountId, name: &Name) -> Result<(), DbError> {
        let deleted = name.clone();
        let write = self.db.write(move |tx| {
            let name = deleted.clone();
            Box::pin(async move { credentials::delete(tx, account, name.as_str()).await })
        });
        write.await?;
        self.forget(account, name).await;
        Ok(())
    }

    /// Lends the version in use to one request: of an OAuth credential an access token, fetched when there is none.
    ///
    /// # Errors
    /// [`Withheld`] says why not; its text is for the agent's author and tells no secret.
    pub async fn lend(&self, account: &Arc<Account>, name: &Name, custody: &dyn Custody) -> Result<Lent, Withheld> {
        let kept = self.kept(account, name).await?;
        let place = kept.kind.place();
        if kept.kind.oauth().is_none() {
            let secret = secret_bytes(&kept.secret.value);
            return Ok(Lent { version: kept.version, place, secret });
        }
        let token = self
            .tokens
            .token(self, account, &kept, custody)
            .await
            .map_err(|fault| Withheld::Unavailable { name: name.clone(), reason: fault.reason.clone() })?;
        Ok(Lent { version: token.version, place, secret: secret_bytes(&token.value) })
    }

    /// HMAC-SHA-256 of bytes under a credential that is an HMAC key, and the key's version.
    ///
    /// # Errors
    /// [`Withheld`] when there is no such credential, or it is of another kind.
    pub async fn sign(&self, account: &Account, name: &Name, bytes: &[u8]) -> Result<([u8; 32], u32), Withheld> {
        let kept = self.kept(account, name).await?;
        if kept.kind != Kind::Hmac {
            let kind = kept.kind.described();
            return Err(Withheld::Kind { name: name.clone(), kind, wanted: "sign" });
        }
        Ok((kept.secret.hmac_sha256(bytes), kept.version))
    }

    /// Forgets the access token of a credential that a server has just refused, so that the next request fetches
    /// another. One that is only just fetched is kept: another would be refused as well.
    pub async fn refused(&self, account: &Account, name: &Name, version: u32) {
        if let Ok(kept) = self.kept(account, name).await
            && kept.version == version
        {
            self.tokens.forget_refused((kept.id, kept.version)).await;
        }
    }

    /// Waits until no access token is being fetched and every refresh token is kept, though not for ever: a host that
    /// stops must not lose a refresh token that its server has just replaced. False when it may have.
    pub async fn settle(&self) -> bool {
        let settled = self.tokens.settle().await;
        if !settled {
            tracing::error!(
                "access tokens are still being fetched or refresh tokens kept; what was replaced may be lost"
            );
        }
        settled
    }

    async fn forget(&self, account: AccountId, name: &Name) {
        self.current.invalidate(&(account, name.clone())).await;
    }

    /// The version in use, opened.
    async fn kept(&self, account: &Account, name: &Name) -> Result<Arc<Kept>, Withheld> {
        let key = (account.id, name.clone());
        let found = match self.current.get(&key).await {
            Some(found) => Ok(found),
            None => self.current.try_get_with(key, self.load(account, name)).await,
        };
        match found {
            Ok(Some(kept)) => Ok(kept),
            Ok(None) => Err(Withheld::Unknown(name.clone())),
            Err(error) => {
                tracing::error!(credential = %name, account = %account.id, %error, "a credential can't be opened");
                Err(Withheld::Unavailable { name: name.clone(), reason: "the vault does not answer".to_owned() })
            }
        }
    }

    async fn load(&self, account: &Account, name: &Name) -> Result<Option<Arc<Kept>>, DbError> {
        let Some(stored) = credentials::get(&self.db, account.id, name.as_str()).await? else { return Ok(None) };
        let kept = self.accounts.opening(account, |account| opened(account, name, &stored)).await?;
        Ok(Some(Arc::new(kept)))
    }

    fn sealed(
        &self,
        account: &Account,
        (id, name, version): (CredentialId, &Name, i64),
        kind: &Kind,
        secret: &Secret,
    ) -> Result<FreshVersion, DbError> {
        Ok(FreshVersion {
            account: account.id,
            id,
            name: name.clone(),
            version,
            kind: serde_json::to_string(kind).map_err(DbError::corrupt)?,
            sealed_secret: secret.sealed(account, id, version)?,
            at: self.clock.now(),
        })
    }

    /// Keeps a secret that a token endpoint has put in the place of a version's.
    async fn replace(&self, account: &Account, kept: &Kept, secret: &Secret) -> Result<u32, DbError> {
        let (replaced, version) = (i64::from(kept.version), i64::from(kept.version) + 1);
        let fresh = self.sealed(account, (kept.id, &kept.name, version), &kept.kind, secret)?;
        let write = self.db.write(move |tx| {
            let fresh = fresh.clone();
            Box::pin(async move { credentials::replace(tx, &fresh, replaced).await })
        });
        write.await?;
        self.forget(account.id, &kept.name).await;
        u32::try_from(version).map_err(DbError::corrupt)
    }
}

fn opened(account: &Account, name: &Name, stored: &StoredCredential) -> Result<Kept, DbError> {
    Ok(Kept {
        id: stored.id,
        name: name.clone(),
        version: u32::try_from(stored.version).map_err(DbError::corrupt)?,
        kind: serde_json::from_str(&stored.kind).map_err(DbError::corrupt)?,
        secret: Secret::opened(account, stored.id, stored.version, &stored.sealed_secret)?,
    })
}

fn secret_bytes(text: &SecretString) -> SecretSlice<u8> {
    SecretSlice::from(text.expose_secret().as_bytes().to_vec())
}
