//! Mailings: letters to many accounts. Each is written in the commit that notes whose it is, so that a host which dies
//! in the middle, or another one, goes on where it was, and nobody gets one twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;

use super::Policy;
use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::db::mailings::{self, StoredMailing};
use crate::db::{Db, DbError, hosts};
use crate::ids::{AccountId, HostId, MailingId};
use crate::mail::Letter;

/// How often a host looks for mailings.
const EVERY: Duration = Duration::from_secs(2);

/// How long a mailing is looked after, in milliseconds: 30 days.
const LOOKED_AFTER_MS: i64 = 30 * 86_400_000;

/// Letters that wait for the same commit.
const AT_ONCE: usize = 25;

/// What writes letters to many accounts.
pub struct Mailings {
    db: Db,
    accounts: Accounts,
    clock: Clock,
    policy: Arc<Policy>,
    /// Those of which nothing is left for this host: whoever comes later is not to have them.
    done: HashSet<MailingId>,
}

impl Mailings {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock, policy: Arc<Policy>) -> Self {
        Self { db, accounts, clock, policy, done: HashSet::new() }
    }

    /// Writes what is asked for, for as long as the host lives. One of the hosts of a region does so. The policy is looked
    /// at here too, so that it is known from when on a page said something new, whether anybody reads it or not.
    pub async fn do_duties(mut self, host: HostId) {
        loop {
            if let Err(error) = self.policy.now().await {
                tracing::warn!(%error, "it could not be seen whether the privacy policy says something new");
            }
            if let Err(error) = self.write_what_is_left(host).await {
                tracing::warn!(%error, "letters to many accounts could not be written yet; it will be tried again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn write_what_is_left(&mut self, host: HostId) -> Result<(), DbError> {
        let now = self.clock.now();
        let found = mailings::since(&self.db, now.plus_ms(-LOOKED_AFTER_MS)).await?;
        let left: Vec<_> = found.into_iter().filter(|mailing| !self.done.contains(&mailing.id)).collect();
        if left.is_empty() || !hosts::is_first(&self.db, host, now).await? {
            return Ok(());
        }
        for mailing in left {
            self.write(&mailing).await?;
            self.done.insert(mailing.id);
        }
        Ok(())
    }

    async fn write(&self, mailing: &StoredMailing) -> Result<(), DbError> {
        let letter: Letter = serde_json::from_str(&mailing.letter).map_err(DbError::corrupt)?;
        let mut after = None;
        loop {
            let page = mailings::left(&self.db, mailing, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            for some in page.chunks(AT_ONCE) {
                try_join_all(some.iter().map(|account| self.write_to(*account, mailing, &letter))).await?;
            }
        }
    }

    /// An account that nothing can be written to keeps nobody else from their letter.
    async fn write_to(&self, account: AccountId, mailing: &StoredMailing, letter: &Letter) -> Result<(), DbError> {
        match self.accounts.mail(account, mailing, letter.clone()).await {
            Err(error) if !error.may_pass() => {
                tracing::error!(%account, mailing = %mailing.id, %error, "an account can't be written to");
                Ok(())
            }
            written => written,
        }
    }
}
