//! Sign-up: an address asks for an account and is sent a link, whether there is an account already or not. Who asks is
//! answered before anything is looked up, so that nobody learns which addresses have accounts.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::links::LinkSecret;
use super::{Account, Accounts, Because, Purpose, Status};
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::config::SignUp;
use crate::db::links::NewLink;
use crate::db::{DbError, accounts, letters, links};
use crate::ids::AccountId;
use crate::mail::{self, Letter};
use crate::names::Name;

/// How long a link works that somebody asked for, in minutes.
pub(super) const LINK_MINUTES: u32 = 15;

/// How long an invitation works, in days.
const INVITATION_DAYS: u32 = 7;

/// How long an account waits for its address to be confirmed, in milliseconds: a day.
const PENDING_MS: i64 = 24 * 3_600_000;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// Addresses that are looked up at the same time, or wait for it.
const MOST_AT_ONCE: usize = 256;

/// Sign-ups that were answered, and are worked on.
pub struct SignUps {
    accounts: Accounts,
    room: Arc<Semaphore>,
    going_on: TaskTracker,
}

/// More is asked for than can be looked up.
#[derive(Debug, thiserror::Error)]
#[error("too many people sign up at this moment")]
pub struct TooManySignUps;

impl SignUps {
    /// Over the accounts.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts, room: Arc::new(Semaphore::new(MOST_AT_ONCE)), going_on: TaskTracker::new() }
    }

    /// Takes a sign-up, and looks nothing up before it returns.
    ///
    /// # Errors
    /// [`TooManySignUps`], whoever asks.
    pub fn take(&self, email: String) -> Result<(), TooManySignUps> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| TooManySignUps)?;
        let accounts = self.accounts.clone();
        self.going_on.spawn(async move {
            if let Err(error) = accounts.sign_up(&email).await {
                tracing::error!(%error, "a sign-up failed; whoever it was will try again");
            }
            drop(place);
        });
        Ok(())
    }

    /// Waits for those that were answered.
    pub async fn settle(&self) {
        self.going_on.close();
        self.going_on.wait().await;
    }
}

impl Accounts {
    async fn sign_up(&self, email: &str) -> Result<(), DbError> {
        match accounts::id_by_email(&self.db, &self.keyring.email_lookup(email)).await? {
            Some(id) => match self.sign_up_again(id).await {
                // Their own host writes to them, when they ask it.
                Err(DbError::Elsewhere { .. }) => Ok(()),
                done => done,
            },
            None if self.config.now().values.accounts.sign_up == SignUp::Open => {
                let config = self.config.now();
                let plan = config.values.accounts.plan.as_str();
                // The file can't say otherwise than the host's own region, which nobody has to ask for.
                let region = config.region_of(plan, None).map_err(DbError::corrupt)?;
                let minutes = LINK_MINUTES;
                let confirmation = |link| Letter::Confirmation { link, minutes };
                let pending = {
                    let link_ms = i64::from(minutes) * MINUTE_MS;
                    Pending { email, plan, region: region.as_ref(), ms: PENDING_MS, link_ms, because: None }
                };
                match self.open_pending(&pending, confirmation).await {
                    // Somebody signs up twice at the same moment.
                    Err(DbError::Exists(_)) => Ok(()),
                    opened => opened.map(drop),
                }
            }
            // The operator has not invited them.
            None => Ok(()),
        }
    }

    async fn sign_up_again(&self, id: AccountId) -> Result<(), DbError> {
        // Without its data key nothing of the account opens, not even its address.
        let Some(account) = self.load(id).await? else { return Ok(()) };
        let minutes = LINK_MINUTES;
        match account.status {
            Status::Closed => Ok(()),
            Status::Pending => {
                let letter = |link| Letter::Confirmation { link, minutes };
                self.send_link(&account, &account.email()?, Purpose::Confirm, letter).await
            }
            Status::Active | Status::Restricted | Status::Suspended | Status::Closing => {
                let letter = |link| Letter::SignIn { link, minutes };
                self.send_link(&account, &account.email()?, Purpose::SignIn, letter).await
            }
        }
    }

    /// Sends a link, unless one for the same purpose was sent just now.
    pub(super) async fn send_link(
        &self,
        account: &Account,
        to: &str,
        purpose: Purpose,
        letter: impl FnOnce(String) -> Letter,
    ) -> Result<(), DbError> {
        let (secret, at) = (LinkSecret::generate()?, self.clock.now());
        let expires_at = at.plus_ms(i64::from(LINK_MINUTES) * MINUTE_MS);
        let link = NewLink { digest: secret.digest(), account: account.id, purpose, at, expires_at };
        let letter = letter(secret.link(&self.config.now()));
        let letter = mail::sealed(account.id, &account.data_key, to, letter, at)?;
        self.db
            .write(move |tx| {
                let letter = letter.clone();
                Box::pin(
                    async move { if links::put(tx, &link).await? { letters::put(tx, &letter).await } else { Ok(()) } },
                )
            })
            .await
    }

    /// Invites somebody: an account that waits for its address to be confirmed.
    ///
    /// # Errors
    /// [`DbError::Exists`] when the address has an account already.
    pub async fn invite(
        &self,
        email: &str,
        (plan, region): (&str, Option<&Name>),
        because: &Because,
    ) -> Result<AccountId, DbError> {
        let days = INVITATION_DAYS;
        let ms = i64::from(days) * DAY_MS;
        let pending = Pending { email, plan, region, ms, link_ms: ms, because: Some(because) };
        self.open_pending(&pending, |link| Letter::Invitation { link, days }).await
    }

    /// Makes an account that can do nothing until its address is confirmed, and sends the link that does so.
    async fn open_pending(
        &self,
        pending: &Pending<'_>,
        letter: impl FnOnce(String) -> Letter,
    ) -> Result<AccountId, DbError> {
        let Pending { email, plan, region, ms, link_ms, because } = *pending;
        let at = self.clock.now();
        let (account, data_key) = self.fresh_account(email, (plan, region), Some(at.plus_ms(ms)))?;
        let (id, secret) = (account.id, LinkSecret::generate()?);
        let expires_at = at.plus_ms(link_ms);
        let link = NewLink { digest: secret.digest(), account: id, purpose: Purpose::Confirm, at, expires_at };
        let letter = mail::sealed(id, &data_key, email, letter(secret.link(&self.config.now())), at)?;
        let act = |because| self.act((id, &data_key), because, Act::Invite, Facts::of(id));
        let act = because.map(act).transpose()?;
        self.db
            .write(move |tx| {
                let (account, letter, act) = (account.clone(), letter.clone(), act.clone());
                Box::pin(async move {
                    accounts::insert(tx, &account).await?;
                    if let Some(act) = act {
                        tx.audit(act);
                    }
                    links::put(tx, &link).await?;
                    letters::put(tx, &letter).await
                })
            })
            .await?;
        Ok(id)
    }

    /// Deletes accounts whose address was not confirmed in time. Returns how many.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn forget_pending(&self, now: Micros) -> Result<u64, DbError> {
        let (mut forgotten, mut after) = (0, None);
        loop {
            let overdue = accounts::overdue(&self.db, now, after).await?;
            let Some(last) = overdue.last() else { return Ok(forgotten) };
            after = Some(*last);
            for account in overdue {
                // Somebody may have confirmed it just now.
                match self.db.write(move |tx| Box::pin(accounts::delete_pending(tx, account, now))).await {
                    Ok(gone) => forgotten += u64::from(gone),
                    Err(error) if error.may_pass() => return Err(error),
                    Err(error) => tracing::error!(%account, %error, "an account that was never open can't be deleted"),
                }
            }
        }
    }
}

/// An account that waits for its address to be confirmed.
struct Pending<'a> {
    email: &'a str,
    plan: &'a str,
    region: Option<&'a Name>,
    /// How long it waits.
    ms: i64,
    /// How long its first link works.
    link_ms: i64,
    /// The operator that invites them, if it is one, and why.
    because: Option<&'a Because>,
}
