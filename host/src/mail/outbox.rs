//! The outbox: takes waiting letters by turns, so that no account waits for all of another's, and hands them over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Transport, TransportError, opened};
use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::db::letters::{self, Ended, StoredLetter};
use crate::db::{Db, DbError};

/// How often it is looked for letters.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// Letters that are handed over at the same time.
const AT_ONCE: usize = 4;

/// Tries to write down that a letter was sent.
const WRITTEN_DOWN_TRIES: u32 = 60;

/// How long sending one may take: then the host that took it is believed to have died.
const LEASE_MS: i64 = 180_000;

/// Tries before a letter is dead: with the waits below, over about three days.
const MOST_TRIES: i64 = 24;

/// The longest wait before another try, in milliseconds.
const LONGEST_WAIT_MS: i64 = 4 * 3_600_000;

/// Sends what is waiting.
pub struct Outbox {
    db: Db,
    accounts: Accounts,
    clock: Clock,
    transport: Transport,
}

impl Outbox {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock, transport: Transport) -> Self {
        Self { db, accounts, clock, transport }
    }

    /// Sends letters until it is told to stop, and then lets those end that are being handed over.
    pub async fn do_duties(self, stop: CancellationToken) {
        let (outbox, room, going_on) = (Arc::new(self), Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
        while !stop.is_cancelled() {
            // Nobody closes it.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
            match outbox.take_one().await {
                Ok(Some(letter)) => {
                    let outbox = Arc::clone(&outbox);
                    going_on.spawn(async move {
                        outbox.send(&letter).await;
                        drop(place);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the outbox could not be looked at; it will be tried again"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOKED_EVERY) => {}
            }
        }
        going_on.close();
        going_on.wait().await;
    }

    /// Takes the letter whose turn it is, so that no other host sends it.
    async fn take_one(&self) -> Result<Option<StoredLetter>, DbError> {
        let now = self.clock.now();
        // Almost always there is none, which takes no write to know.
        if !letters::any_due(&self.db, now).await? {
            return Ok(None);
        }
        let until = now.plus_ms(LEASE_MS);
        let region = self.db.region().to_owned();
        self.db
            .write(move |tx| {
                let region = region.clone();
                Box::pin(async move { letters::take_due(tx, &region, now, until).await })
            })
            .await
    }

    /// Hands a letter over, and writes down what became of it.
    async fn send(&self, letter: &StoredLetter) {
        let id = letter.id;
        let ended = match self.hand_over(letter).await {
            Ok(()) => Ended::Sent(self.clock.now()),
            Err(error) if error.may_pass() && letter.attempts < MOST_TRIES => {
                tracing::warn!(letter = %id, %error, "a letter could not be sent; it will be tried again");
                Ended::Later(self.clock.now().plus_ms(wait_ms(letter.attempts - 1)), error.to_string())
            }
            Err(error) => {
                tracing::error!(letter = %id, %error, "a letter can't be sent; see `aaasp admin mail`");
                Ended::Dead(self.clock.now(), error.to_string())
            }
        };
        // What was sent and can't be written down would be sent again, so that this is worth some tries.
        for _ in 0..WRITTEN_DOWN_TRIES {
            let ended = ended.clone();
            let written = self.db.write(move |tx| {
                let ended = ended.clone();
                Box::pin(async move { letters::end(tx, id, &ended).await })
            });
            match written.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(letter = %id, %error, "it could not be written down that a letter was tried")
                }
            }
            tokio::time::sleep(LOOKED_EVERY).await;
        }
    }

    async fn hand_over(&self, letter: &StoredLetter) -> Result<(), TransportError> {
        let passing = |error: DbError| TransportError::Passing(error.to_string());
        // An account that is gone gets no letters, and is in none but those that say so to others.
        let key = match self.accounts.load(letter.account).await.map_err(passing)? {
            Some(account) => account.data_key,
            None => self.accounts.service_key().map_err(TransportError::message)?,
        };
        let sealed = letter.sealed.as_deref().ok_or_else(|| TransportError::Message("it has no content".to_owned()))?;
        let addressed = opened(letter.account, &key, letter.id, sealed).map_err(TransportError::message)?;
        self.transport.send(letter.id, &addressed, letter.created_at).await
    }
}

/// Seconds at first, hours at last, and never the same for letters that failed together.
fn wait_ms(attempts: i64) -> i64 {
    let most = (1_000_i64 << attempts.clamp(0, 20)).min(LONGEST_WAIT_MS);
    let mut random = [0];
    let _ = getrandom::fill(&mut random);
    most / 2 + most / 2 * i64::from(random[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_hours() {
        for attempts in 0..MOST_TRIES {
            let most = (1_000_i64 << attempts.min(20)).min(LONGEST_WAIT_MS);
            assert!((most / 2..=most).contains(&wait_ms(attempts)), "{attempts}");
        }
    }
}
