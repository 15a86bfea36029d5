//! The end of an account: its owner asks for it, confirms it by the link that is sent, and can think again for a while.

use super::links::LinkSecret;
use super::sign_up::LINK_MINUTES;
use super::{Account, Accounts, Purpose, Status};
use crate::audit::{Act, Facts, NewEntry};
use crate::clock::Micros;
use crate::db::erasures::{self, NewErasure};
use crate::db::letters::NewLetter;
use crate::db::links::NewLink;
use crate::db::rights::{self, RightsKind, RightsState};
use crate::db::{DbError, WriteTx, accounts, letters, links, restrictions};
use crate::ids::{AccountId, ApiKeyId, ErasureId};
use crate::mail::{self, Letter};
use crate::privacy::erased;
use crate::vault::DataKey;

const DAY_MS: i64 = 24 * 3_600_000;

impl Accounts {
    /// What an account is known by in a backup.
    #[must_use]
    pub(crate) fn erasure_digest(&self, account: AccountId) -> [u8; 32] {
        erased::digest(&self.keyring, account)
    }

    /// The fingerprint of the keyring that accounts are known by there.
    #[must_use]
    pub(crate) fn keyring_fingerprint(&self) -> String {
        self.keyring.fingerprint()
    }

    /// The key for what outlives an account.
    ///
    /// # Errors
    /// [`DbError`] when it can't be derived.
    pub(crate) fn service_key(&self) -> Result<DataKey, DbError> {
        self.keyring.service_key().map_err(DbError::sealed("letters"))
    }

    /// Closes an account: it is erased when the time to think again is over. Returns when that is. Written in the
    /// commit of what confirmed it.
    pub(super) fn closing(&self, account: &Account) -> Result<Closing, DbError> {
        let (at, days) = (self.clock.now(), self.config.now().values.accounts.closing_days);
        let due_at = at.plus_ms(i64::from(days) * DAY_MS);
        let (id, digest) = (ErasureId::generate(), self.erasure_digest(account.id));
        let new = NewErasure { id, account: account.id, digest, at, due_at };
        let letter = Letter::AccountClosing { until: due_at };
        let letter = mail::sealed(account.id, &account.data_key, &account.email()?, letter, at)?;
        let entry = self.own_act(account, Act::Close, &Facts::of(id))?;
        Ok(Closing { new, letter, entry })
    }

    /// When an account is erased, if its owner asked for that.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn closes_at(&self, account: AccountId) -> Result<Option<Micros>, DbError> {
        Ok(erasures::of(&self.db, account).await?.map(|erasure| erasure.due_at))
    }

    /// Sends the link that deletes the account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn ask_to_delete(&self, (account, by): (&Account, ApiKeyId)) -> Result<(), DbError> {
        let (id, at) = (account.id, self.clock.now());
        let secret = LinkSecret::generate()?;
        let config = self.config.now();
        let letter = Letter::Deletion {
            link: secret.link(&config),
            minutes: LINK_MINUTES,
            days: config.values.accounts.closing_days,
        };
        let letter = mail::sealed(id, &account.data_key, &account.email()?, letter, at)?;
        let expires_at = at.plus_ms(i64::from(LINK_MINUTES) * 60_000);
        let link = NewLink { digest: secret.digest(), account: id, purpose: Purpose::Delete, at, expires_at };
        let entry = self.own_act(account, Act::AskDeletion, &Facts::default().with_key(by))?;
        self.db
            .write(move |tx| {
                let (letter, entry) = (letter.clone(), entry.clone());
                Box::pin(async move {
                    // A letter that was sent just now has a link that works.
                    if links::put(tx, &link).await? {
                        tx.audit(entry);
                        letters::put(tx, &letter).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Keeps an account whose owner thought again.
    ///
    /// # Errors
    /// [`DbError::Missing`] when it is not closing, or it is too late.
    pub async fn keep(&self, (account, by): (&Account, ApiKeyId)) -> Result<(), DbError> {
        let letter =
            mail::sealed(account.id, &account.data_key, &account.email()?, Letter::AccountKept, self.clock.now())?;
        let (id, now) = (account.id, self.clock.now());
        let entry = self.own_act(account, Act::Keep, &Facts::default().with_key(by))?;
        self.db
            .write(move |tx| {
                let (letter, entry) = (letter.clone(), entry.clone());
                Box::pin(async move {
                    accounts::lock(tx, id).await?;
                    let before =
                        erasures::cancel(tx, id, now).await?.ok_or(DbError::Missing("deletion of this account"))?;
                    restrictions::settle(tx, id, before).await?;
                    rights::end_of(tx, id, RightsKind::Deletion, RightsState::Withdrawn, now).await?;
                    tx.audit(entry);
                    letters::put(tx, &letter).await
                })
            })
            .await
    }
}

/// A closing account, to be written.
#[derive(Clone)]
pub(super) struct Closing {
    pub(super) new: NewErasure,
    letter: NewLetter,
    entry: NewEntry,
}

impl Closing {
    /// Writes it, with the link that confirms it used up. Of two links that are on their way, the first does it.
    pub(super) async fn write(&self, tx: &mut WriteTx<'_>, link: &[u8; 32]) -> Result<(), DbError> {
        let before = accounts::lock(tx, self.new.account).await?;
        links::take(tx, link).await?;
        match before {
            Status::Closing => return Ok(()),
            Status::Closed => return Err(DbError::Missing("account")),
            Status::Pending | Status::Active | Status::Restricted | Status::Suspended => {}
        }
        erasures::insert(tx, &self.new, before).await?;
        rights::register(tx, self.new.account, RightsKind::Deletion, RightsState::Open, self.new.at).await?;
        accounts::set_status(tx, self.new.account, Status::Closing).await?;
        tx.audit(self.entry.clone());
        letters::put(tx, &self.letter).await
    }
}
