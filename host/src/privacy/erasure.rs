//! Erasure: an account that its owner deleted goes, table by table as the data map says, once the time to think again
//! is over. Every step can be done twice, so that a host that dies in between, or another one, goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use super::map::{About, Erasure, Form, Table, tables};
use crate::accounts::{Accounts, Status};
use crate::clock::Clock;
use crate::db::erasures::{self, Certificate, ErasureState, StoredErasure};
use crate::db::{Db, DbError, accounts, letters};
use crate::ids::{AccountId, ErasureId};
use crate::mail::{self, Letter};
use crate::runs::Runs;
use crate::runtime::Runtime;
use crate::vault::rotation::Rotation;

/// How often a host looks for erasures that are due.
const EVERY: Duration = Duration::from_secs(2);

/// Rows of one commit; fewer of those that hold much, so that no run waits for it.
const ROWS: i64 = 500;
const LARGE_ROWS: i64 = 16;

/// How long the last letter may take before the address that it goes to is erased too.
const LETTER_MS: i64 = 24 * 3_600_000;

/// Why what is kept is kept.
const KEPT_WHY: &str = "Billing records are kept for as long as the law asks for, under a pseudonym: nothing in them \
                        says whose they were, and they are deleted when that time is over.";

/// What the erasure of an account can be done by.
pub struct Erasures {
    db: Db,
    accounts: Accounts,
    rotation: Arc<Rotation>,
    runs: Arc<Runs>,
    runtime: Arc<Runtime>,
    clock: Clock,
}

impl Erasures {
    /// Over all that holds something of an account.
    #[must_use]
    pub fn new(
        (db, accounts, clock): (Db, Accounts, Clock),
        rotation: Arc<Rotation>,
        (runs, runtime): (Arc<Runs>, Arc<Runtime>),
    ) -> Self {
        Self { db, accounts, rotation, runs, runtime, clock }
    }

    /// Erases what is due, for as long as the host lives. Hosts that share a database may do it at the same time.
    pub async fn do_duties(self) {
        loop {
            if let Err(error) = self.erase_what_is_due().await {
                tracing::warn!(%error, "what is to be erased could not be looked after; it will be tried again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn erase_what_is_due(&self) -> Result<(), DbError> {
        for erasure in erasures::due(&self.db, self.clock.now()).await? {
            if let Err(error) = self.erase(&erasure).await {
                tracing::warn!(erasure = %erasure.id, %error, "an account could not be erased yet; it will be tried again");
            }
        }
        Ok(())
    }

    /// Goes on with an erasure as far as it can.
    async fn erase(&self, erasure: &StoredErasure) -> Result<(), DbError> {
        let Some(account) = erasure.account else { return Ok(()) };
        let mut state = erasure.state;
        if state == ErasureState::Asked {
            self.begin(erasure.id, account).await?;
            state = ErasureState::Erasing;
        }
        if state == ErasureState::Erasing {
            if !self.runs_have_ended(account).await? {
                return Ok(());
            }
            let certificate = self.erase_tables(erasure, account, &[]).await?;
            self.tell(erasure.id, account, &certificate).await?;
            state = ErasureState::Telling;
        }
        if state == ErasureState::Telling && self.is_told(erasure, account).await? {
            self.finish(erasure, account).await?;
        }
        Ok(())
    }

    /// From here on nothing new begins, and nobody can think again.
    async fn begin(&self, id: ErasureId, account: AccountId) -> Result<(), DbError> {
        let step = (ErasureState::Asked, ErasureState::Erasing);
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if erasures::advance(tx, id, step, None).await? {
                        accounts::set_status(tx, account, Status::Closed).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Ends the account's runs. False while one of them still executes.
    async fn runs_have_ended(&self, account: AccountId) -> Result<bool, DbError> {
        let left = erasures::unfinished_runs(&self.db, account).await?;
        let Some(owner) = self.accounts.load(account).await?.filter(|_| !left.is_empty()) else { return Ok(true) };
        for run in &left {
            self.runs.cancel(&owner, run.parse().map_err(DbError::corrupt)?).await?;
        }
        Ok(erasures::unfinished_runs(&self.db, account).await?.is_empty())
    }

    /// Goes through the tables, but for those that the last letter needs.
    async fn erase_tables(
        &self,
        erasure: &StoredErasure,
        account: AccountId,
        with: &[&str],
    ) -> Result<Certificate, DbError> {
        let (pseudonym, lookup) = (erasure.pseudonym, self.accounts.erasure_digest(erasure.pseudonym));
        self.db.write(move |tx| Box::pin(erasures::insert_pseudonym(tx, pseudonym, lookup))).await?;
        let mut certificate = Certificate { kept_why: KEPT_WHY.to_owned(), ..Certificate::default() };
        for table in tables().filter(|table| table.about == About::Account) {
            if NEEDED_FOR_THE_LETTER.contains(&table.name) && !with.contains(&table.name) {
                continue;
            }
            let (done, name) = match table.erasure {
                Erasure::Deleted => (&mut certificate.erased, table.name),
                Erasure::Pseudonymised => (&mut certificate.kept, table.name),
                Erasure::Itself | Erasure::Untouched => continue,
            };
            let rows = self.erase_table(table, account, pseudonym).await?;
            if rows > 0 {
                done.insert(name.to_owned(), rows);
            }
        }
        Ok(certificate)
    }

    async fn erase_table(
        &self,
        table: &'static Table,
        account: AccountId,
        pseudonym: AccountId,
    ) -> Result<u64, DbError> {
        if table.erasure == Erasure::Pseudonymised {
            return self.db.write(move |tx| Box::pin(erasures::give_rows(tx, table, account, pseudonym))).await;
        }
        let is_large = |form: Form| matches!(form, Form::Bytes | Form::Sealed(_) | Form::Json);
        let most = if table.columns.iter().any(|column| is_large(column.form)) { LARGE_ROWS } else { ROWS };
        let mut rows = 0;
        loop {
            let batch = self.db.write(move |tx| Box::pin(erasures::delete_rows(tx, table, account, most))).await?;
            rows += batch;
            if batch < most.unsigned_abs() {
                return Ok(rows);
            }
        }
    }

    /// Writes the last letter, which says what was done.
    async fn tell(&self, id: ErasureId, account: AccountId, certificate: &Certificate) -> Result<(), DbError> {
        let text = serde_json::to_string(certificate).map_err(DbError::corrupt)?;
        let owner = self.accounts.load(account).await?;
        let letter = owner
            .map(|owner| {
                let letter = Letter::AccountErased { erasure: id.to_string(), certificate: certificate.clone() };
                mail::sealed(owner.id, &owner.data_key, &owner.email()?, letter, self.clock.now())
            })
            .transpose()?;
        let step = (ErasureState::Erasing, ErasureState::Telling);
        self.db
            .write(move |tx| {
                let (text, letter) = (text.clone(), letter.clone());
                Box::pin(async move {
                    match &letter {
                        Some(letter) if erasures::advance(tx, id, step, Some(&text)).await? => {
                            letters::put(tx, letter).await
                        }
                        Some(_) => Ok(()),
                        None => erasures::advance(tx, id, step, Some(&text)).await.map(drop),
                    }
                })
            })
            .await
    }

    /// Whether the last letter is sent, or was given up.
    async fn is_told(&self, erasure: &StoredErasure, account: AccountId) -> Result<bool, DbError> {
        let late = erasure.due_at.plus_ms(LETTER_MS) < self.clock.now();
        Ok(late || !erasures::has_waiting_letters(&self.db, account).await?)
    }

    /// Destroys the key, so that what is left of what was sealed opens nowhere, and deletes the rest.
    async fn finish(&self, erasure: &StoredErasure, account: AccountId) -> Result<(), DbError> {
        self.rotation.destroy_data_key(account).await?;
        let letters = erasures::letters(&self.db, account).await?;
        if let Err(error) = mail::forget_files(&self.accounts.data_folder(), &letters) {
            tracing::error!(%error, "letters that were kept as files could not be deleted");
        }
        // What another host wrote late is there again.
        self.erase_tables(erasure, account, NEEDED_FOR_THE_LETTER).await?;
        let (id, at) = (erasure.id, self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    erasures::delete_account(tx, account).await?;
                    erasures::finish(tx, id, at).await
                })
            })
            .await?;
        self.forget_files().await?;
        tracing::info!(erasure = %id, "an account is erased");
        Ok(())
    }

    /// What is left of it beside the rows: compiled components that nobody has any more, and bytes of rows that were
    /// deleted.
    async fn forget_files(&self) -> Result<(), DbError> {
        let kept = crate::db::agents::digests(&self.db).await?;
        if let Err(error) = self.runtime.forget_artifacts(&kept) {
            tracing::error!(%error, "compiled components that nobody has any more could not be deleted");
        }
        let deleted: Vec<_> =
            tables().filter(|table| table.erasure == Erasure::Deleted).map(|table| table.name).collect();
        erasures::vacuum(&self.db, &deleted).await?;
        crate::db::data_keys::wipe(&self.db).await
    }
}

/// Tables that are erased last.
const NEEDED_FOR_THE_LETTER: &[&str] = &["letters", "data_keys", "tenants"];
