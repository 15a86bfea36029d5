//! Exports: a copy of everything that is kept about an account, as the data map says what that is, in an archive that
//! people and programs read. Each host writes those that are asked for, one after the other; a try that a dead host
//! began is begun anew.

mod archive;
mod download;
mod page;
mod read;
mod sheet;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use archive::Parts;
pub use download::Download;
use page::{Told, ToldTable};
use sha2::{Digest as _, Sha256};
use sheet::Sheet;
use tokio::sync::mpsc;

use super::map::{Record, tables};
use crate::accounts::{Account, Accounts, LinkSecret, Purpose, Status};
use crate::audit::{Act, Facts};
use crate::clock::{Clock, Micros};
use crate::config::LiveConfig;
use crate::db::exports::{self, ExportState, Progress, StoredExport};
use crate::db::links::{self, NewLink};
use crate::db::rights::{self, RightsKind, RightsState};
use crate::db::told;
use crate::db::{Db, DbError, letters};
use crate::faults;
use crate::ids::{AccountId, ApiKeyId, ExportId};
use crate::mail::{self, Letter};
use crate::vault::{Place, RowSeal};

/// How often a host looks for exports that are asked for.
const EVERY: Duration = Duration::from_secs(1);

/// How often it is noted how far an export has come; one that says nothing for a while has lost its host.
const NOTED_EVERY: Duration = Duration::from_secs(1);
const LOST_AFTER_MS: i64 = 20_000;

/// How long it takes until another export is made in the place of one.
const PAUSE_MS: i64 = 300_000;

/// An export that fails so often has a fault that trying again does not mend.
const MOST_ATTEMPTS: i64 = 5;

/// Pages, and parts, that wait for whoever takes them.
const WAITING: usize = 2;

/// Behind every attempt that there was.
const ALL_ATTEMPTS: i64 = i64::MAX;

/// How long a link works that the API gives.
const LINK_MINUTES: i64 = 15;
const DAY_MS: i64 = 24 * 3_600_000;

const PARTS: &str = "export_parts";

/// Where an export is downloaded, before the secret of its link.
pub const PAGE: &str = "/downloads/";

/// An age recipient, whom alone an export opens for.
#[derive(Clone, Debug)]
pub struct Recipient(String);

/// The text is no recipient.
#[derive(Debug, thiserror::Error)]
#[error("not an age recipient: {0}; it begins with `age1`, as `age-keygen` prints it")]
pub struct NoRecipient(&'static str);

impl FromStr for Recipient {
    type Err = NoRecipient;

    fn from_str(text: &str) -> Result<Self, NoRecipient> {
        let text = text.trim();
        text.parse::<age::x25519::Recipient>().map(|_| Self(text.to_owned())).map_err(NoRecipient)
    }
}

/// What writes exports, and lends them.
pub struct Exports {
    db: Db,
    accounts: Accounts,
    config: LiveConfig,
    clock: Clock,
}

impl Exports {
    /// Over all that is kept.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, config: LiveConfig, clock: Clock) -> Self {
        Self { db, accounts, config, clock }
    }

    /// Asks for an export. One for the same recipient that is being written, or is new, is the answer; an older one makes
    /// room.
    ///
    /// # Errors
    /// [`DbError::Exists`] when such a one is for another recipient.
    pub async fn ask(
        &self,
        (owner, by): (&Account, ApiKeyId),
        recipient: Option<Recipient>,
    ) -> Result<StoredExport, DbError> {
        let account = owner.id;
        let recipient = recipient.map(|Recipient(text)| text);
        let before = self.of(account).await?;
        if let Some(before) = before {
            let goes_on = matches!(before.state, ExportState::Asked | ExportState::Writing);
            // Who asks over and over has the one that is there: each costs as much as the account is large.
            let is_fresh = before.state == ExportState::Ready && self.clock.now() < before.state_at.plus_ms(PAUSE_MS);
            if goes_on || is_fresh {
                let same = before.recipient == recipient;
                return if same { Ok(before) } else { Err(DbError::Exists("an export that is new")) };
            }
            exports::delete_parts(&self.db, account, (before.id, ALL_ATTEMPTS)).await?;
            self.db.write(move |tx| Box::pin(exports::delete(tx, before.id))).await?;
        }
        let (id, at) = (ExportId::generate(), self.clock.now());
        let entry = self.accounts.own_act(owner, Act::Export, &Facts::of(id).with_key(by))?;
        let asked = recipient.clone();
        let inserted = self.db.write(move |tx| {
            let recipient = asked.clone();
            tx.audit(entry.clone());
            Box::pin(async move {
                exports::insert(tx, (id, account), recipient.as_deref(), at).await?;
                rights::register(tx, account, RightsKind::Access, RightsState::Open, at).await.map(drop)
            })
        });
        let inserted = inserted.await;
        match self.of(account).await? {
            // Somebody else asked for the same at the same time.
            Some(export) if export.recipient == recipient => Ok(export),
            _ => Err(inserted.err().unwrap_or(DbError::Missing("export"))),
        }
    }

    /// The account's export, if there is one.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn of(&self, account: AccountId) -> Result<Option<StoredExport>, DbError> {
        exports::of(&self.db, account).await
    }

    /// A link that downloads the account's export once. The one before works no longer.
    ///
    /// # Errors
    /// [`DbError::Missing`] when no export is ready.
    pub async fn link(&self, (owner, by): (&Account, ApiKeyId)) -> Result<(String, Micros), DbError> {
        let account = owner.id;
        let export = self.of(account).await?.filter(|export| export.state == ExportState::Ready);
        let export = export.ok_or(DbError::Missing("export that is ready"))?;
        let until = self.clock.now().plus_ms(LINK_MINUTES * 60_000).min(export.expires_at.unwrap_or(Micros(i64::MAX)));
        let (secret, link) = self.fresh_link(account, until)?;
        let entry = self.accounts.own_act(owner, Act::ExportLink, &Facts::of(export.id).with_key(by))?;
        self.db
            .write(move |tx| {
                tx.audit(entry.clone());
                Box::pin(async move { links::replace(tx, &link).await })
            })
            .await?;
        Ok((secret, until))
    }

    fn fresh_link(&self, account: AccountId, expires_at: Micros) -> Result<(String, NewLink), DbError> {
        let secret = LinkSecret::generate()?;
        let at = self.clock.now();
        let link = NewLink { digest: secret.digest(), account, purpose: Purpose::Export, at, expires_at };
        Ok((secret.link_to(PAGE, &self.config.now()), link))
    }

    /// Uses a link up: what it downloads. None when the link works no longer.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn open(&self, link: &LinkSecret) -> Result<Option<Download>, DbError> {
        let digest = link.digest();
        let found = links::get(&self.db, &digest, self.clock.now()).await?;
        let Some((id, Purpose::Export)) = found else { return Ok(None) };
        let account = self.accounts.load(id).await?.filter(|account| account.status != Status::Closed);
        let export = self.of(id).await?.filter(|export| export.state == ExportState::Ready);
        let (Some(account), Some(export)) = (account, export) else { return Ok(None) };
        match self.db.write(move |tx| Box::pin(async move { links::take(tx, &digest).await })).await {
            Err(DbError::Missing(_)) => Ok(None),
            taken => taken.map(|()| Some(Download { db: self.db.clone(), account, export })),
        }
    }

    /// Writes what is asked for and deletes what expires, for as long as the host lives.
    pub async fn do_duties(self: Arc<Self>) {
        loop {
            if let Err(error) = faults::duty("export", self.look_after()).await {
                tracing::warn!(%error, "exports could not be looked after; it will be tried again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn look_after(&self) -> Result<(), DbError> {
        let now = self.clock.now();
        for export in exports::expiring(&self.db, now).await? {
            exports::delete_parts(&self.db, export.account, (export.id, ALL_ATTEMPTS)).await?;
            let step = (ExportState::Ready, ExportState::Expired);
            self.db.write(move |tx| Box::pin(exports::set_state(tx, export.id, step, now))).await?;
        }
        for export in exports::to_write(&self.db, now.plus_ms(-LOST_AFTER_MS)).await? {
            if let Err(error) = self.write(&export).await {
                tracing::warn!(export = %export.id, %error, "an export could not be written; it will be tried again");
            }
        }
        Ok(())
    }

    async fn write(&self, export: &StoredExport) -> Result<(), DbError> {
        let Some(account) = self.accounts.load(export.account).await? else { return Ok(()) };
        if export.attempt >= MOST_ATTEMPTS {
            exports::delete_parts(&self.db, account.id, (export.id, ALL_ATTEMPTS)).await?;
            let (id, step, at) = (export.id, (ExportState::Writing, ExportState::Failed), self.clock.now());
            return self.db.write(move |tx| Box::pin(exports::set_state(tx, id, step, at))).await;
        }
        let sheets: Vec<_> = tables().filter_map(Sheet::of).map(Arc::new).collect();
        let mut total = 0;
        for sheet in &sheets {
            let rows = told::count(&self.db, sheet.table, account.id).await?;
            total += i64::try_from(rows).map_err(DbError::corrupt)? * if sheet.is_of_files() { 1 } else { 2 };
        }
        let (begun, at) = (export.clone(), self.clock.now());
        let is_ours = self.db.write(move |tx| {
            let begun = begun.clone();
            Box::pin(async move { exports::begin(tx, &begun, total, at).await })
        });
        if !is_ours.await? {
            return Ok(());
        }
        let attempt = export.attempt + 1;
        exports::delete_parts(&self.db, account.id, (export.id, attempt)).await?;

        let told = self.told(&account, &sheets, at)?;
        let recipient = export.recipient.as_deref().map(str::parse::<age::x25519::Recipient>).transpose();
        let recipient = recipient.map_err(DbError::corrupt)?;
        let (next, orders) = mpsc::channel(WAITING);
        let (parts, written) = mpsc::channel(WAITING);
        let archive = archive::start(orders, Parts::new(parts), recipient, told)?;
        let rows_done = AtomicI64::new(0);
        let read = self.read(account.id, sheets, next, &rows_done);
        let keep = self.keep(&account, (export.id, attempt), written, &rows_done);
        // The archive says best why nobody takes or gives any more.
        let (read, kept) = tokio::join!(read, keep);
        let archived = archive.await.map_err(DbError::corrupt)?;
        let kept = kept?;
        archived?;
        read?;
        self.finish(&account, kept).await
    }

    /// What the archive tells of itself.
    fn told(&self, account: &Account, sheets: &[Arc<Sheet>], at: Micros) -> Result<Told, DbError> {
        let config = self.config.now();
        let mut told = Told::new(account.id, account.email()?, at, Record::of(&config));
        let tables = sheets.iter().filter(|sheet| !sheet.is_of_files());
        told.tables = tables.map(|sheet| ToldTable::new(sheet.table, sheet.table.kept.words(&config))).collect();
        Ok(told)
    }

    /// Keeps what the archive hands on, and notes how far it has come.
    async fn keep(
        &self,
        account: &Account,
        (id, attempt): (ExportId, i64),
        mut written: mpsc::Receiver<Vec<u8>>,
        rows_done: &AtomicI64,
    ) -> Result<Kept, DbError> {
        let seal = seal(account, id)?;
        let (mut position, mut bytes, mut digest) = (0, 0, Sha256::new());
        let mut noted = tokio::time::interval(NOTED_EVERY);
        let progress = |bytes: i64| Progress {
            id,
            attempt,
            rows_done: rows_done.load(Ordering::Relaxed),
            bytes,
            at: self.clock.now(),
        };
        loop {
            tokio::select! {
                part = written.recv() => {
                    let Some(part) = part else { break };
                    digest.update(&part);
                    bytes += i64::try_from(part.len()).map_err(DbError::corrupt)?;
                    let sealed: Arc<[u8]> =
                        seal.seal(&column(attempt, position), &part).map_err(DbError::sealed(PARTS))?.into();
                    let (progress, account, at) = (progress(bytes), account.id, position);
                    let kept = self.db.write(move |tx| {
                        let sealed = Arc::clone(&sealed);
                        Box::pin(async move {
                            exports::advance(tx, &progress).await?;
                            exports::put_part(tx, account, (id, attempt, at), &sealed).await
                        })
                    });
                    kept.await?;
                    position += 1;
                }
                _ = noted.tick() => {
                    let progress = progress(bytes);
                    self.db.write(move |tx| Box::pin(async move { exports::advance(tx, &progress).await })).await?;
                }
            }
        }
        Ok(Kept { progress: progress(bytes), sha256: hex::encode(digest.finalize()) })
    }

    /// Notes that an export is ready, and writes the letter that says so.
    async fn finish(&self, account: &Account, kept: Kept) -> Result<(), DbError> {
        let at = self.clock.now();
        let days = self.config.now().values.retention.export_days;
        let expires_at = at.plus_ms(i64::from(days) * DAY_MS);
        // Its address may have changed meanwhile, and what goes to the old one should open nothing.
        let account = self.accounts.load(account.id).await?.ok_or(DbError::Missing("account"))?;
        let (url, link) = self.fresh_link(account.id, expires_at)?;
        let letter = Letter::ExportReady { link: url, until: expires_at };
        let letter = mail::sealed(account.id, &account.data_key, &account.email()?, letter, at)?;
        let Kept { progress, sha256 } = kept;
        let (id, owner) = (progress.id, account.id);
        self.db
            .write(move |tx| {
                let (letter, sha256) = (letter.clone(), sha256.clone());
                Box::pin(async move {
                    exports::finish(tx, &progress, &sha256, expires_at).await?;
                    rights::end_of(tx, owner, RightsKind::Access, RightsState::Done, at).await?;
                    links::replace(tx, &link).await?;
                    letters::put(tx, &letter).await
                })
            })
            .await?;
        tracing::info!(export = %id, bytes = progress.bytes, "an export is ready");
        Ok(())
    }
}

/// An archive that is whole.
struct Kept {
    progress: Progress,
    sha256: String,
}

fn seal(account: &Account, id: ExportId) -> Result<RowSeal, DbError> {
    let place = Place { account: account.id, table: PARTS, row: &id.to_string() };
    account.data_key.row(place).map_err(DbError::sealed(PARTS))
}

fn column(attempt: i64, position: i64) -> String {
    format!("part {attempt} {position}")
}
