//! The life of keys: master keys are added, taken into use, and retired; data keys are wrapped anew, rotated and
//! destroyed.
//!
//! Nothing here is a procedure that has to end. The keyring and the database say what is to be done, and each
//! [`Rotation::advance`] does what is left of it: it makes the keyring's master keys known, takes the newest into
//! use once every live host has it, and wraps with it what an older one has wrapped. A host does so every few
//! seconds, so a rotation goes on after a crash, and two hosts that do the same are in nobody's way.

mod data_key;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use data_key::{Rotated, SealedTable, SealedValue};
pub use status::{MasterKeyState, MasterKeyStatus, Status};
use tokio::sync::{Mutex, Notify};

use super::{Keyring, KeyringError};
use crate::accounts::Accounts;
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::Clock;
use crate::db::master_keys::MasterKey;
use crate::db::{Db, DbError, data_keys, master_keys};
use crate::faults;
use crate::ids::HostId;

/// Data keys of one commit: few, so that runs hardly wait for them and a crash loses little.
const BATCH: i64 = 16;

/// How often a host looks whether there is something to do.
const LOOK: Duration = Duration::from_secs(2);

/// Why keys can't be used or changed. No key is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The keyring failed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A master key is not the one that the database knows.
    #[error(
        "master key {version} in {place} is not the database's master key {version}; put a copy of the keyring of a \
         host that works there, or restore it from your backup of the keys"
    )]
    OtherMaster {
        /// Where the keyring is.
        place: String,
        /// The version.
        version: u32,
    },
    /// The keyring lacks a master key that the database needs.
    #[error(
        "{place} lacks master key {version}, which the database needs (for {data_keys} data keys); put a copy of the keyring \
         of a host that has it there, or restore it from your backup of the keys"
    )]
    Lacking {
        /// Where the keyring is.
        place: String,
        /// The version.
        version: u32,
        /// How many data keys it wraps.
        data_keys: u64,
    },
    /// Another host has added a master key at the same time.
    #[error("another host has added master key {0} just now; put a copy of its keyring here")]
    AddedElsewhere(u32),
    /// A version can't be retired up to, since it does not wrap yet.
    #[error("master key {below} is not in use; the one in use is {current}, so `--below` can be at most that")]
    NotInUse {
        /// What was asked for.
        below: u32,
        /// The version that wraps.
        current: u32,
    },
    /// Data keys need an older master key.
    #[error(
        "master keys below {below} still wrap data keys, {data_keys} of them; `aaasp key rotate` wraps them anew, and \
         `aaasp key list` shows how many are left"
    )]
    Needed {
        /// What was asked for.
        below: u32,
        /// How many data keys are in the way.
        data_keys: u64,
    },
}

/// Rotates keys. One for each process that has a data folder.
pub struct Rotation {
    db: Db,
    keyring: Arc<Keyring>,
    accounts: Accounts,
    host: HostId,
    clock: Clock,
    /// Held while the keyring changes.
    changing: Mutex<()>,
    /// Data keys that did not open when they were last looked at.
    damaged: AtomicU64,
    wake: Notify,
}

impl Rotation {
    /// Over a database and a keyring, for a host.
    #[must_use]
    pub fn new(db: Db, keyring: Arc<Keyring>, accounts: Accounts, host: HostId, clock: Clock) -> Self {
        let (changing, damaged, wake) = (Mutex::default(), AtomicU64::default(), Notify::new());
        Self { db, keyring, accounts, host, clock, changing, damaged, wake }
    }

    /// Checks that keyring and database belong together, and learns which master key wraps.
    ///
    /// # Errors
    /// [`RotationError`] says what is missing or wrong, and what to do.
    pub async fn agree(&self) -> Result<(), RotationError> {
        let _changing = self.changing.lock().await;
        self.agreed(Actor::System).await.map(drop)
    }

    /// Adds a master key, unless the newest one has not yet wrapped everything anew. [`Rotation::advance`] does
    /// the rest. The audit says who did it, in the commit that makes it known.
    ///
    /// # Errors
    /// [`RotationError`] when the keyring can't be written; nothing was changed then.
    pub async fn begin(&self, by: Actor) -> Result<Status, RotationError> {
        {
            let _changing = self.changing.lock().await;
            self.keyring.refresh()?;
            let known = self.agreed(Actor::System).await?;
            let newest = known.last().map_or(0, |key| key.version);
            if newest == self.keyring.current() && data_keys::older(&self.db, newest, None, 1).await?.is_empty() {
                self.add(newest + 1, by).await?;
            }
            self.take_into_use().await?;
        }
        self.wake.notify_one();
        self.status().await
    }

    /// Does what is left to do: takes up what was added to the keyring, takes the newest master key into use when
    /// every live host has it, and wraps anew what an older one has wrapped.
    ///
    /// # Errors
    /// [`RotationError`] when the keyring is wrong or the database does not answer; what was done stays done.
    pub async fn advance(&self) -> Result<(), RotationError> {
        {
            let _changing = self.changing.lock().await;
            self.keyring.refresh()?;
            self.agreed(Actor::System).await?;
            self.take_into_use().await?;
        }
        self.rewrap().await?;
        Ok(())
    }

    /// Advances until the host stops.
    pub async fn do_duties(self: Arc<Self>) {
        let mut said = String::new();
        loop {
            let advanced = faults::duty("rotation", self.advance()).await;
            let now = advanced.err().map(|error| error.to_string()).unwrap_or_default();
            if now != said && !now.is_empty() {
                tracing::error!(error = now, "the keys are not as they should be; this is looked at again and again");
            }
            said = now;
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// Removes the master keys below a version, for good, from the database, this keyring, and within seconds
    /// those of other hosts.
    ///
    /// # Errors
    /// [`RotationError`] when something needs one of them; nothing was changed then.
    pub async fn retire(&self, below: u32, by: Actor) -> Result<Status, RotationError> {
        {
            let _changing = self.changing.lock().await;
            self.agreed(Actor::System).await?;
            let current = self.keyring.current();
            if below > current {
                return Err(RotationError::NotInUse { below, current });
            }
            let older = data_keys::counts(&self.db).await?.into_iter().filter(|(version, _)| *version < below);
            let data_keys = older.map(|(_, count)| count).sum();
            if data_keys > 0 {
                return Err(RotationError::Needed { below, data_keys });
            }
            // The database first: from then on no host can wrap with them, whatever it has in memory.
            let did = (by, Act::RetireMasterKeys, self.clock.now());
            let entry = NewEntry::new(did, None, &Facts::of(format_args!("below {below}")))?;
            self.db
                .write(move |tx| {
                    let entry = entry.clone();
                    Box::pin(async move {
                        if master_keys::retire(tx, below).await? > 0 {
                            tx.audit(entry);
                        }
                        Ok(())
                    })
                })
                .await?;
            if below > self.keyring.lowest() {
                self.keyring.retire_below(below)?;
            }
        }
        self.status().await
    }

    /// Agreement of keyring and database, from which both know the same master keys; whoever added one is in the audit.
    /// A keyring that does not belong to the database changes neither.
    async fn agreed(&self, by: Actor) -> Result<Vec<MasterKey>, RotationError> {
        let mut known = master_keys::all(&self.db).await?;
        self.check(&known).await?;
        let (first, newest) = (known.first().map(|key| key.version), known.last().map(|key| key.version));
        if let Some(first) = first
            && self.keyring.versions().iter().any(|(version, _)| *version < first)
        {
            // Another host has retired them, or this one was stopped while it did. Nothing needs them.
            match self.keyring.retire_below(first) {
                Err(KeyringError::Fixed) => {
                    tracing::warn!("{} still holds master keys that were retired", self.keyring.place());
                }
                done => done?,
            }
        }
        let at = self.clock.now();
        let unknown: Vec<_> = self
            .keyring
            .versions()
            .into_iter()
            .filter(|(version, _)| {
                newest.is_none_or(|newest| *version > newest)
                    || known.iter().any(|key| key.version == *version && key.fingerprint.is_empty())
            })
            .map(|(version, fingerprint)| MasterKey {
                version,
                fingerprint,
                created_at: at,
                ready_at: first.is_none().then_some(at),
            })
            .collect();
        if !unknown.is_empty() {
            // The keys that a database begins with are nobody's rotation.
            let entry = match (newest, unknown.last()) {
                (Some(newest), Some(last)) if last.version > newest => {
                    Some(NewEntry::new((by, Act::RotateMasterKey, at), None, &Facts::of(last.version))?)
                }
                _ => None,
            };
            self.db
                .write(move |tx| {
                    let (unknown, entry) = (unknown.clone(), entry.clone());
                    Box::pin(async move {
                        // Another host may have said so just now.
                        if master_keys::register(tx, &unknown).await? > 0
                            && let Some(entry) = entry
                        {
                            tx.audit(entry);
                        }
                        Ok(())
                    })
                })
                .await?;
            known = master_keys::all(&self.db).await?;
            // Another host may have made another key known as the same version, just before.
            self.check(&known).await?;
        }
        self.keyring.wrap_with(in_use(&known));
        Ok(known)
    }

    /// Refuses a keyring whose master keys are others than the database's, or that lacks one that is needed.
    async fn check(&self, known: &[MasterKey]) -> Result<(), RotationError> {
        let (place, mine) = (self.keyring.place(), self.keyring.versions());
        for (version, fingerprint) in &mine {
            // One without a fingerprint is not known yet.
            let other = |key: &MasterKey| !key.fingerprint.is_empty() && key.fingerprint != *fingerprint;
            if known.iter().any(|key| key.version == *version && other(key)) {
                return Err(RotationError::OtherMaster { place, version: *version });
            }
        }
        let missing: Vec<_> =
            known.iter().map(|key| key.version).filter(|known| mine.iter().all(|(mine, _)| mine != known)).collect();
        if !missing.is_empty() {
            let counts = data_keys::counts(&self.db).await?;
            for version in missing {
                let count = counts.iter().find(|(counted, _)| *counted == version).map_or(0, |(_, count)| *count);
                if count > 0 || version == in_use(known) {
                    return Err(RotationError::Lacking { place, version, data_keys: count });
                }
            }
        }
        Ok(())
    }

    /// Keeps a fresh master key, then makes it known.
    async fn add(&self, version: u32, by: Actor) -> Result<(), RotationError> {
        self.keyring.add(version)?;
        match self.agreed(by).await {
            // It has wrapped nothing, since it was never known.
            Err(RotationError::OtherMaster { version: other, .. }) if other == version => {
                self.keyring.take_back(version)?;
                Err(RotationError::AddedElsewhere(version))
            }
            agreed => agreed.map(drop),
        }
    }

    /// Says which master key this host has, and wraps with the newest one if every live host has it.
    async fn take_into_use(&self) -> Result<(), RotationError> {
        let (host, newest, now) = (self.host, self.keyring.newest(), self.clock.now());
        if newest == self.keyring.current() {
            return Ok(());
        }
        let lacking = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    master_keys::report(tx, host, newest).await?;
                    master_keys::make_ready(tx, newest, now).await
                })
            })
            .await?;
        if lacking.is_empty() {
            tracing::info!(version = newest, "this master key wraps from now on");
            self.keyring.wrap_with(newest);
        }
        Ok(())
    }

    /// Wraps with the current master key what an older one has wrapped, batch by batch.
    async fn rewrap(&self) -> Result<(), DbError> {
        let current = self.keyring.current();
        let mut damaged = 0;
        let mut last = None;
        loop {
            let batch = data_keys::older(&self.db, current, last.as_ref(), BATCH).await?;
            if batch.is_empty() {
                break;
            }
            last = batch.last().cloned();
            let mut changes = Vec::with_capacity(batch.len());
            for key in batch {
                match self.keyring.rewrap(key.account, key.version, &key.wrapped.bytes) {
                    Ok(wrapped) => changes.push((key, wrapped)),
                    Err(error) => {
                        damaged += 1;
                        tracing::error!(account = %key.account, version = key.version, %error, "a data key can't be wrapped anew");
                    }
                }
            }
            self.db
                .write(move |tx| {
                    let changes = changes.clone();
                    Box::pin(async move {
                        for (old, wrapped) in &changes {
                            // One that has changed meanwhile was wrapped anew by another host, or is gone.
                            data_keys::replace(tx, old, wrapped).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        self.damaged.store(damaged, Ordering::Relaxed);
        Ok(())
    }
}

/// The version that wraps.
fn in_use(known: &[MasterKey]) -> u32 {
    known.iter().rev().find(|key| key.ready_at.is_some()).map_or(0, |key| key.version)
}
