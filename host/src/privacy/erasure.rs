//! Erasure: an account that its owner deleted goes, table by table as the data map says, once the time to think again
//! is over. Every step can be done twice, so that a host that dies in between, or another one, goes on where it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::erased::{self, Erased};
use super::map::{About, Erasure, tables};
use crate::accounts::{Account, Accounts, Status};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::db::erasures::{self, Certificate, ErasureState, StoredErasure};
use crate::db::{Db, DbError, accounts, data_keys, holds, hosts, letters, payments, told};
use crate::ids::{AccountId, ErasureId, HostId};
use crate::mail::{self, Letter};
use crate::payments::Payments;
use crate::runs::Runs;
use crate::vault::rotation::Rotation;

/// How often a host looks for erasures that are due.
const EVERY: Duration = Duration::from_secs(2);

/// How long a request goes on whose caller was believed before the account was closed, besides reading its body.
const LATE_MS: i64 = 2_000;

/// How long the last letter may take before the address that it goes to is erased too.
const LETTER_MS: i64 = 24 * 3_600_000;

/// Tables that the last letter needs, which are erased after it.
const NEEDED_FOR_THE_LETTER: &[&str] = &["letters", "data_keys"];

/// Why what is kept is kept.
const KEPT_WHY: &str = "Billing records are kept for as long as the law asks for, under a pseudonym: nothing in them \
                        says whose they were. The ledger, which names nobody, is kept as long as the service.";

/// What erases accounts.
pub struct Erasures {
    db: Db,
    accounts: Accounts,
    config: LiveConfig,
    clock: Clock,
    rotation: Arc<Rotation>,
    payments: Arc<Payments>,
    runs: Arc<Runs>,
}

impl Erasures {
    /// Over all that holds something of an account.
    #[must_use]
    pub fn new(
        (db, accounts): (Db, Accounts),
        (config, clock): (LiveConfig, Clock),
        (rotation, payments, runs): (Arc<Rotation>, Arc<Payments>, Arc<Runs>),
    ) -> Self {
        Self { db, accounts, config, clock, rotation, payments, runs }
    }

    /// Erases what is due, for as long as the host lives. One of the hosts of a region does so.
    pub async fn do_duties(self, host: HostId) {
        loop {
            if let Err(error) = self.erase_what_is_due(host).await {
                tracing::warn!(%error, "what is to be erased could not be looked after; it will be tried again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn erase_what_is_due(&self, host: HostId) -> Result<(), DbError> {
        let now = self.clock.now();
        let due = erasures::due(&self.db, now).await?;
        if due.is_empty() || !hosts::is_first(&self.db, host, now).await? {
            return Ok(());
        }
        holds::end_expired(&self.db, now).await?;
        // One that was held until just now is not any more when it comes back.
        for erasure in due.into_iter().filter(|erasure| !erasure.is_held) {
            if let Err(error) = self.erase(&erasure).await {
                tracing::warn!(erasure = %erasure.id, %error, "an account could not be erased yet; it will be tried again");
            }
        }
        Ok(())
    }

    /// Takes an erasure one step further, if it is time for that.
    async fn erase(&self, erasure: &StoredErasure) -> Result<(), DbError> {
        let Some(account) = erasure.account else { return Ok(()) };
        let been_there_ms = (self.clock.now().0 - erasure.state_at.0) / 1_000;
        match erasure.state {
            ErasureState::Asked => self.begin(erasure.id, account).await,
            ErasureState::Erasing => {
                let body_ms = self.config.now().values.host.slow_client_ms;
                if been_there_ms < LATE_MS.saturating_add(i64::try_from(body_ms).unwrap_or(i64::MAX)) {
                    return Ok(());
                }
                let Some(owner) = self.accounts.load(account).await? else {
                    return self.finish(erasure, account).await;
                };
                if self.runs_have_ended(&owner).await? {
                    self.erase_all_but_the_letter(erasure, &owner).await?;
                }
                Ok(())
            }
            ErasureState::Telling => {
                if been_there_ms > LETTER_MS || !erasures::has_waiting_letters(&self.db, account).await? {
                    self.finish(erasure, account).await?;
                }
                Ok(())
            }
            ErasureState::Erased => Ok(()),
        }
    }

    /// From here on nothing new begins, and nobody can think again.
    async fn begin(&self, id: ErasureId, account: AccountId) -> Result<(), DbError> {
        let at = self.clock.now();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if erasures::begin(tx, id, account, at).await? {
                        accounts::set_status(tx, account, Status::Closed).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Ends the account's runs. False while one of them still executes.
    async fn runs_have_ended(&self, owner: &Account) -> Result<bool, DbError> {
        let left = erasures::unfinished_runs(&self.db, owner.id).await?;
        for run in &left {
            self.runs.cancel(owner, *run).await?;
        }
        Ok(left.is_empty() || erasures::unfinished_runs(&self.db, owner.id).await?.is_empty())
    }

    async fn erase_all_but_the_letter(&self, erasure: &StoredErasure, owner: &Account) -> Result<(), DbError> {
        let certificate = match &erasure.certificate {
            Some(certificate) => certificate.clone(),
            None => self.certify(erasure.id, owner.id).await?,
        };
        // The processor has to be told before nobody knows any more what of.
        if let Err(error) = self.payments.end_auto_top_up(owner, None).await {
            tracing::warn!(erasure = %erasure.id, %error, "a mandate could not be ended");
        }
        self.delete_rows(owner.id, NEEDED_FOR_THE_LETTER).await?;
        self.tell(erasure.id, owner, certificate).await
    }

    /// Counts what is about to be erased, and what will be kept.
    async fn certify(&self, id: ErasureId, account: AccountId) -> Result<Certificate, DbError> {
        let (mut erased, mut kept) = (BTreeMap::new(), BTreeMap::new());
        for table in tables().filter(|table| table.about == About::Account) {
            let counted = match table.erasure {
                Erasure::Deleted => &mut erased,
                Erasure::Pseudonymised => &mut kept,
                Erasure::Itself | Erasure::Untouched => continue,
            };
            match told::count(&self.db, table, account).await? {
                0 => {}
                rows => drop(counted.insert(table.name.to_owned(), rows)),
            }
        }
        let certificate = Certificate { erased, kept, kept_why: KEPT_WHY.to_owned() };
        let text = serde_json::to_string(&certificate).map_err(DbError::corrupt)?;
        self.db
            .write(move |tx| {
                let text = text.clone();
                Box::pin(async move { erasures::certify(tx, id, &text).await })
            })
            .await?;
        Ok(certificate)
    }

    /// Deletes what is deleted, but for some tables.
    async fn delete_rows(&self, account: AccountId, but: &[&str]) -> Result<(), DbError> {
        let about_accounts = tables().filter(|table| table.about == About::Account);
        for table in about_accounts.filter(|table| table.erasure == Erasure::Deleted && !but.contains(&table.name)) {
            erasures::delete_rows(&self.db, table, account).await?;
        }
        Ok(())
    }

    /// Writes the last letter, which says what was done.
    async fn tell(&self, id: ErasureId, owner: &Account, certificate: Certificate) -> Result<(), DbError> {
        let (step, at) = ((ErasureState::Erasing, ErasureState::Telling), self.clock.now());
        let letter = Letter::AccountErased { erasure: id.to_string(), certificate };
        let letter = mail::sealed(owner.id, &owner.data_key, &owner.email()?, letter, at)?;
        self.db
            .write(move |tx| {
                let letter = letter.clone();
                Box::pin(async move {
                    if erasures::advance(tx, id, step, at).await? { letters::put(tx, &letter).await } else { Ok(()) }
                })
            })
            .await
    }

    /// Gives what is kept to the pseudonym, destroys the key, so that what is left of what was sealed opens nowhere, and
    /// deletes the rest.
    async fn finish(&self, erasure: &StoredErasure, account: AccountId) -> Result<(), DbError> {
        self.give_to_pseudonym(erasure.pseudonym, account).await?;
        self.rotation.destroy_data_key(account).await?;
        // What another host wrote late is there again.
        self.delete_rows(account, &[]).await?;
        let now = self.clock.now();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    erasures::forget_whose(tx, account, now).await?;
                    erasures::delete_account(tx, account).await
                })
            })
            .await?;
        let deleted: Vec<_> =
            tables().filter(|table| table.erasure == Erasure::Deleted).map(|table| table.name).collect();
        erasures::vacuum(&self.db, &deleted).await?;
        data_keys::wipe(&self.db).await?;
        let (id, at) = (erasure.id, self.clock.now());
        self.note(Erased::of(erasure, at)).await?;
        let entry = NewEntry::new((Actor::System, Act::Erase, at), None, &Facts::of(id))?;
        self.db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    if erasures::finish(tx, id, at).await? {
                        tx.audit(entry);
                    }
                    Ok(())
                })
            })
            .await?;
        tracing::info!(erasure = %id, "an account is erased");
        Ok(())
    }

    /// Notes it where whoever restores a backup looks. Before that it is not done.
    async fn note(&self, erased: Erased) -> Result<(), DbError> {
        let list = erased::list_of(&self.config.now());
        let noted = tokio::task::spawn_blocking(move || {
            erased::add(&list, &[erased]).map_err(|error| format!("{} can't be written: {error}", list.display()))
        });
        noted.await.map_err(DbError::corrupt)?.map_err(DbError::corrupt)
    }

    /// All of it in one commit, which nothing is booked beside: what the processor tells finds payment and tenant with
    /// the same account, whichever that is.
    async fn give_to_pseudonym(&self, pseudonym: AccountId, account: AccountId) -> Result<(), DbError> {
        let lookup = self.accounts.erasure_digest(pseudonym);
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    payments::alone(tx).await?;
                    erasures::insert_pseudonym(tx, pseudonym, lookup).await?;
                    for table in tables().filter(|table| table.erasure == Erasure::Pseudonymised) {
                        erasures::give_rows(tx, table, account, pseudonym).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
