//! Tells owners, once, that a deployment has begun to use a credential.

use std::sync::Arc;

use moka::sync::Cache;

use crate::accounts::Account;
use crate::clock::Clock;
use crate::db::{Db, DbError, first_uses, letters};
use crate::ids::DeploymentId;
use crate::mail::{self, Letter};
use crate::names::Name;

/// Pairs that a host remembers. One that it forgot costs a look at the database, not a second letter.
const REMEMBERED: u64 = 100_000;

/// What this host has seen, so that the database is asked once for each deployment and credential.
#[derive(Clone)]
pub struct FirstUses {
    db: Db,
    clock: Clock,
    seen: Cache<(DeploymentId, Name), ()>,
}

impl FirstUses {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, seen: Cache::new(REMEMBERED) }
    }

    /// Notes a use, without making the run wait for it.
    pub fn note(&self, account: &Arc<Account>, deployment: DeploymentId, credential: &Name) {
        let pair = (deployment, credential.clone());
        if self.seen.contains_key(&pair) {
            return;
        }
        self.seen.insert(pair.clone(), ());
        let Ok(tasks) = tokio::runtime::Handle::try_current() else { return };
        let (known, account, credential) = (self.clone(), Arc::clone(account), credential.clone());
        tasks.spawn(async move {
            if let Err(error) = known.tell(&account, deployment, &credential).await {
                tracing::warn!(%error, "an owner could not be told of a credential's first use; the next use tries again");
                known.seen.invalidate(&pair);
            }
        });
    }

    async fn tell(&self, account: &Account, deployment: DeploymentId, credential: &Name) -> Result<(), DbError> {
        let name = first_uses::deployment_name(&self.db, account.id, deployment).await?;
        let (id, at, credential) = (account.id, self.clock.now(), credential.to_string());
        let letter = Letter::CredentialFirstUsed { credential: credential.clone(), deployment: name };
        let letter = mail::sealed(id, &account.data_key, &account.email()?, letter, at)?;
        self.db
            .write(move |tx| {
                let (letter, credential) = (letter.clone(), credential.clone());
                Box::pin(async move {
                    if first_uses::note(tx, id, deployment, &credential, at).await? {
                        letters::put(tx, &letter).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
