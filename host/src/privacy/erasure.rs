//! Erasure: an account that its owner deleted goes, table by table as the data map says, once the time to think again
//! is over. Every step can be done twice, so that a host that dies in between, or another one, goes on where it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::erased::{self, Erased};
use super::map::{About, Erasure, tables};
use super::recipients::{Holdings, Recipient};
use crate::accounts::{Account, Accounts, Status};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::{Clock, Micros};
use crate::config::LiveConfig;
use crate::db::erasures::{self, Certificate, ErasureState, StoredErasure};
use crate::db::letters::NewLetter;
use crate::db::{Db, DbError, accounts, data_keys, holds, hosts, letters, payments, told};
use crate::faults;
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

/// Tables that the last letters need, which are erased after them.
const NEEDED_FOR_LETTERS: &[&str] = &["auto_top_ups", "letters", "data_keys"];

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
            if let Err(error) = faults::duty("erasure", self.erase_what_is_due(host)).await {
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
            None => {
                // From here on nobody can think again, and a letter will say that it is done.
                self.note(erasure, self.clock.now()).await?;
                self.certify(erasure.id, owner.id).await?
            }
        };
        // The processor has to be told before nobody knows any more what of.
        if let Err(error) = self.payments.end_auto_top_up(owner, None).await {
            tracing::warn!(erasure = %erasure.id, %error, "a mandate could not be ended");
        }
        self.delete_rows(owner.id, NEEDED_FOR_LETTERS).await?;
        self.tell(erasure, owner, certificate).await
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
        let certificate = Certificate { erased, kept, kept_why: KEPT_WHY.to_owned(), told: Vec::new() };
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

    /// Writes the last letter, which says what was done, and those to others who hold something of the account.
    async fn tell(&self, erasure: &StoredErasure, owner: &Account, certificate: Certificate) -> Result<(), DbError> {
        let (step, at) = ((ErasureState::Erasing, ErasureState::Telling), self.clock.now());
        let (id, pseudonym) = (erasure.id, erasure.pseudonym);
        let (told, mut letters) = self.letters_elsewhere(erasure, owner, &certificate, at).await?;
        let certificate = Certificate { told, ..certificate };
        let text = serde_json::to_string(&certificate).map_err(DbError::corrupt)?;
        let letter = Letter::AccountErased { erasure: id.to_string(), certificate };
        letters.push(mail::sealed(owner.id, &owner.data_key, &owner.email()?, letter, at)?);
        let (written, lookup) = (Arc::new((letters, text)), self.accounts.erasure_digest(pseudonym));
        self.db
            .write(move |tx| {
                let written = Arc::clone(&written);
                Box::pin(async move {
                    if !erasures::advance(tx, id, step, at).await? {
                        return Ok(());
                    }
                    let (letters, certificate) = &*written;
                    erasures::certify_told(tx, id, certificate).await?;
                    erasures::insert_pseudonym(tx, pseudonym, lookup).await?;
                    for letter in letters {
                        letters::put(tx, letter).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Whom the operator is to tell, and the letters that say so. They are the pseudonym's, sealed under the service's
    /// key, since they may be on their way when nothing else is left.
    async fn letters_elsewhere(
        &self,
        erasure: &StoredErasure,
        owner: &Account,
        certificate: &Certificate,
        at: Micros,
    ) -> Result<(Vec<String>, Vec<NewLetter>), DbError> {
        let config = self.config.now();
        let references = payments::references(&self.db, owner.id).await?;
        let holdings = Holdings { references, ran: certificate.erased.contains_key("runs") };
        let all = Recipient::all(&config);
        let told = all.iter().filter_map(|recipient| recipient.told_of(erasure.id, &holdings));
        let Some(contact) = &config.values.operator.contact else {
            for (name, _) in told {
                tracing::warn!(erasure = %erasure.id, name, "nobody is told to erase an account: set `operator.contact`");
            }
            return Ok((Vec::new(), Vec::new()));
        };
        let key = self.accounts.service_key()?;
        let seal = |(name, letter)| Ok((name, mail::sealed(erasure.pseudonym, &key, contact, letter, at)?));
        told.map(seal).collect::<Result<Vec<_>, DbError>>().map(|told| told.into_iter().unzip())
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
        self.note(erasure, at).await?;
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
    async fn note(&self, erasure: &StoredErasure, at: Micros) -> Result<(), DbError> {
        faults::step();
        let erased = Erased::of(erasure, self.accounts.keyring_fingerprint(), at);
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
