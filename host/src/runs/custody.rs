//! The vault as one run sees it, and the audit of what the run does with credentials.
//!
//! A use is handed to the writer before the request leaves, without waiting for it. What the database has not
//! acknowledged by then is written while the run goes on, and the rest with its settlement, in one commit: once a
//! run has an answer, its audit is durable.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;

use super::first_uses::FirstUses;
use crate::accounts::Account;
use crate::clock::Clock;
use crate::db::credential_uses::CredentialUse;
use crate::db::{Db, DbError};
use crate::ids::{AccountId, CredentialUseId, DeploymentId, RunId};
use crate::names::Name;
use crate::vault::credentials::Credentials;
use crate::vault::custody::{Custody, Lent, Purpose, Use, UseId, Withheld};
use crate::vault::{DataKey, Place, RowSeal};

const TABLE: &str = "credential_uses";

/// What a run may borrow, and what it has used so far.
pub struct RunCustody {
    vault: Credentials,
    db: Db,
    clock: Clock,
    first_uses: FirstUses,
    account: Arc<Account>,
    deployment: DeploymentId,
    run: RunId,
    uses: Mutex<Vec<Noted>>,
}

/// A use, and whether the database has it as it is.
struct Noted {
    used: CredentialUse,
    written: bool,
}

impl std::fmt::Debug for RunCustody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunCustody({})", self.run)
    }
}

impl RunCustody {
    /// For a run of a deployment.
    #[must_use]
    pub fn new(
        vault: Credentials,
        (db, clock, first_uses): (Db, Clock, FirstUses),
        account: Arc<Account>,
        (deployment, run): (DeploymentId, RunId),
    ) -> Self {
        Self { vault, db, clock, first_uses, account, deployment, run, uses: Mutex::default() }
    }

    /// The uses that the database may not have as they are, each with its position.
    #[must_use]
    pub fn unwritten(&self) -> Vec<(usize, CredentialUse)> {
        let uses = self.uses();
        uses.iter()
            .enumerate()
            .filter(|(_, noted)| !noted.written)
            .map(|(at, noted)| (at, noted.used.clone()))
            .collect()
    }

    /// Notes that the database has these, unless they have ended meanwhile.
    pub fn written(&self, written: &[(usize, CredentialUse)]) {
        let mut uses = self.uses();
        for (position, used) in written {
            if let Some(noted) = uses.get_mut(*position) {
                noted.written = noted.used.ended_at == used.ended_at;
            }
        }
    }

    fn uses(&self) -> MutexGuard<'_, Vec<Noted>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Custody for RunCustody {
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        Box::pin(self.vault.lend(&self.account, name, self))
    }

    fn sign<'a>(&'a self, name: &'a Name, bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        Box::pin(async move {
            let (signature, version) = self.vault.sign(&self.account, name, bytes).await?;
            let used = self.used(Use { credential: name.clone(), version, purpose: Purpose::Signature });
            self.ended(used, None);
            Ok(signature)
        })
    }

    fn used(&self, used: Use) -> UseId {
        let id = CredentialUseId::generate();
        let sealed_purpose = sealed_purpose(&self.account, id, &used.purpose).unwrap_or_else(|error| {
            // The use is written down all the same; it only says less.
            tracing::error!(run = %self.run, %error, "the purpose of a credential's use could not be sealed");
            Vec::new()
        });
        let used = CredentialUse {
            id,
            account: self.account.id,
            deployment: self.deployment,
            run: self.run,
            credential: used.credential,
            version: used.version,
            sealed_purpose,
            status: None,
            used_at: self.clock.now(),
            ended_at: None,
        };
        self.db.note_use(used.clone());
        self.first_uses.note(&self.account, self.deployment, &used.credential);
        let mut uses = self.uses();
        uses.push(Noted { used, written: false });
        UseId(uses.len() as u64 - 1)
    }

    fn ended(&self, id: UseId, status: Option<u16>) {
        let mut uses = self.uses();
        let Some(noted) = usize::try_from(id.0).ok().and_then(|position| uses.get_mut(position)) else { return };
        noted.written = false;
        noted.used.status = status;
        noted.used.ended_at = Some(self.clock.now());
        let (name, version) = (noted.used.credential.clone(), noted.used.version);
        drop(uses);
        if status == Some(401)
            && let Ok(tasks) = tokio::runtime::Handle::try_current()
        {
            let (vault, account) = (self.vault.clone(), Arc::clone(&self.account));
            tasks.spawn(async move { vault.refused(&account, &name, version).await });
        }
    }
}

/// Seals what a use was for: method, host and path are what a run said.
fn sealed_purpose(account: &Account, id: CredentialUseId, purpose: &Purpose) -> Result<Vec<u8>, DbError> {
    let text = serde_json::to_vec(purpose).map_err(DbError::corrupt)?;
    seal(&account.data_key, account.id, id)?.seal("purpose", &text).map_err(DbError::sealed(TABLE))
}

/// Opens what a use was for.
///
/// # Errors
/// [`DbError`] when it doesn't open.
pub fn opened_purpose(account: &Account, used: &CredentialUse) -> Result<Option<Purpose>, DbError> {
    if used.sealed_purpose.is_empty() {
        return Ok(None);
    }
    let seal = seal(&account.data_key, used.account, used.id)?;
    let text = seal.open("purpose", &used.sealed_purpose).map_err(DbError::sealed(TABLE))?;
    serde_json::from_slice(&text).map(Some).map_err(DbError::corrupt)
}

fn seal(key: &DataKey, account: AccountId, id: CredentialUseId) -> Result<RowSeal, DbError> {
    let row = id.to_string();
    key.row(Place { account, table: TABLE, row: &row }).map_err(DbError::sealed(TABLE))
}
