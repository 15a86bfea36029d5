//! The outbox: takes waiting letters, one after the other, and hands them over.

use std::sync::Arc;
use std::time::Duration;

use super::{Transport, TransportError, opened};
use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::db::letters::{self, Ended, StoredLetter};
use crate::db::{Db, DbError};

/// How often it is looked for letters.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

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
    transport: Arc<Transport>,
}

impl Outbox {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock, transport: Transport) -> Self {
        Self { db, accounts, clock, transport: Arc::new(transport) }
    }

    /// Sends letters for as long as the host lives.
    pub async fn do_duties(self: Arc<Self>) {
        loop {
            match self.send_one().await {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(LOOKED_EVERY).await,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be looked at; it will be tried again");
                    tokio::time::sleep(LOOKED_EVERY * 4).await;
                }
            }
        }
    }

    /// Takes a letter and hands it over. False when none is due.
    async fn send_one(&self) -> Result<bool, DbError> {
        let now = self.clock.now();
        let Some(letter) = letters::due(&self.db, now).await? else { return Ok(false) };
        let (id, until) = (letter.id, now.plus_ms(LEASE_MS));
        // Another host may have been faster.
        if !self.db.write(move |tx| Box::pin(letters::take(tx, id, now, until))).await? {
            return Ok(true);
        }
        let ended = match self.hand_over(&letter).await {
            Ok(()) => Ended::Sent(self.clock.now()),
            Err(error) if error.may_pass() && letter.attempts + 1 < MOST_TRIES => {
                tracing::warn!(letter = %id, %error, "a letter could not be sent; it will be tried again");
                Ended::Later(self.clock.now().plus_ms(wait_ms(letter.attempts)), error.to_string())
            }
            Err(error) => {
                tracing::error!(letter = %id, %error, "a letter can't be sent; see `aaasp admin mail`");
                Ended::Dead(self.clock.now(), error.to_string())
            }
        };
        self.db
            .write(move |tx| {
                let ended = ended.clone();
                Box::pin(async move { letters::end(tx, id, &ended).await })
            })
            .await?;
        Ok(true)
    }

    async fn hand_over(&self, letter: &StoredLetter) -> Result<(), TransportError> {
        let passing = |error: DbError| TransportError::Passing(error.to_string());
        let account = self.accounts.load(letter.account).await.map_err(passing)?;
        // An account that is gone gets no letters.
        let account = account.ok_or_else(|| TransportError::Message("its account is gone".to_owned()))?;
        let sealed = letter.sealed.as_deref().ok_or_else(|| TransportError::Message("it has no content".to_owned()))?;
        let addressed =
            opened(letter.account, &account.data_key, letter.id, sealed).map_err(TransportError::message)?;
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
