//! Signed heads: where the chain was, at intervals, signed by the key that signs receipts.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::clock::{Clock, Micros};
use crate::config::LiveConfig;
use crate::db::{Db, DbError, audit, hosts};
use crate::ids::HostId;
use crate::receipts::{PublicKey, SigningKey};

/// How often it is looked whether a head is due.
const EVERY: Duration = Duration::from_secs(20);

const MINUTE_MS: i64 = 60_000;

/// Where the chain was at a moment, as it is stored, whatever was done to it since.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Head {
    /// How many entries there were.
    pub position: i64,
    /// The chain up to there.
    #[serde(deserialize_with = "bytes")]
    pub chain: Vec<u8>,
    /// When.
    pub at: Micros,
    /// Ed25519 over the three.
    #[serde(deserialize_with = "bytes")]
    pub signature: Vec<u8>,
}

/// Bytes as the API writes them: in hexadecimal.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl Head {
    /// What is signed. It begins unlike any receipt, which the same key signs.
    fn signed(position: i64, chain: &[u8], at: Micros) -> Vec<u8> {
        let mut bytes = b"aaasp audit head\n".to_vec();
        bytes.extend(position.to_be_bytes());
        bytes.extend(at.0.to_be_bytes());
        bytes.extend(chain);
        bytes
    }

    /// Whether the key's owner signed it.
    #[must_use]
    pub fn is_genuine(&self, key: &PublicKey) -> bool {
        key.verifies(&Self::signed(self.position, &self.chain, self.at), &self.signature)
    }
}

/// What signs where the chain is.
pub struct Anchors {
    db: Db,
    config: LiveConfig,
    clock: Clock,
    key: Arc<SigningKey>,
}

impl Anchors {
    /// Over a database and the key that signs receipts.
    #[must_use]
    pub fn new(db: Db, (config, clock): (LiveConfig, Clock), key: Arc<SigningKey>) -> Self {
        Self { db, config, clock, key }
    }

    /// Signs when it is time, for as long as the host lives, and while it is the first of those that share a database.
    pub async fn do_duties(self, host: HostId) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.sign_when_due(host).await {
                tracing::warn!(%error, "where the audit is could not be signed; it will be tried again");
            }
        }
    }

    /// Signs the end of the chain, if the last signed head is old enough and something was added since.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn sign_when_due(&self, host: HostId) -> Result<(), DbError> {
        let at = self.clock.now();
        let newest = audit::newest_head(&self.db).await?;
        let wait_ms = i64::from(self.config.now().values.audit.head_minutes) * MINUTE_MS;
        if newest.as_ref().is_some_and(|head| at < head.at.plus_ms(wait_ms))
            || !hosts::is_first(&self.db, host, at).await?
        {
            return Ok(());
        }
        let end = audit::end(&self.db).await?;
        if end.position <= newest.map_or(0, |head| head.position) {
            return Ok(());
        }
        let signature = self.key.sign_bytes(&Head::signed(end.position, &end.chain, at));
        let head = Head { position: end.position, chain: end.chain.to_vec(), at, signature };
        self.db
            .write(move |tx| {
                let head = head.clone();
                Box::pin(async move { audit::keep_head(tx, &head).await })
            })
            .await
    }
}
