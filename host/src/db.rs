//! The database: one text for each query, on SQLite and on PostgreSQL. Only this folder names sqlx.
//!
//! Reads go through a pool. Every write goes through the one writer, which commits what is waiting as a
//! group; a function here that writes takes the writer's [`WriteTx`].

pub mod accesses;
pub mod accounts;
pub mod agents;
pub mod answered;
pub mod audit;
pub mod auto_top_ups;
pub mod backup;
pub mod breaches;
mod connect;
pub mod consents;
pub mod credential_uses;
pub mod credentials;
pub mod data_keys;
pub mod deployments;
pub mod email_changes;
mod engine;
pub mod erasures;
mod error;
pub mod exports;
pub mod first_uses;
pub mod holds;
pub mod hosts;
mod kept_back;
pub mod keys;
pub mod ledger;
pub mod letters;
pub mod links;
pub mod logs;
pub mod low_balances;
pub mod mailings;
pub mod master_keys;
mod migrate;
pub mod monthly_grants;
pub mod objections;
pub mod operator_keys;
mod pace;
pub mod payments;
#[cfg(test)]
mod plans;
pub mod policies;
mod region;
pub mod requests;
pub mod restrictions;
pub mod retention;
pub mod rights;
pub mod runs;
mod sets;
pub mod settings;
pub mod spending;
pub mod statements;
pub mod statistics;
pub mod support;
pub mod told;
pub mod top_ups;
mod unfinished;
mod writer;

use std::sync::Arc;

pub use answered::{Earlier, Once};
pub use connect::DatabaseUrl;
pub use error::DbError;
pub use migrate::newest;
use sqlx::AnyPool;
pub use writer::{Admission, Admitted, CapOf, LogChunk, Settlement, WriteTx};

use crate::clock::Micros;
use crate::faults;
use crate::ids::{AccountId, HostId};
use crate::names::Name;

/// The open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: AnyPool,
    writer: writer::Writer,
    url: Arc<DatabaseUrl>,
    region: Arc<str>,
}

impl Db {
    /// Opens the database, brings its schema up to date, and starts the writer of this host.
    ///
    /// # Errors
    /// [`DbError`] when the database can't be reached, or its schema is newer than this release.
    pub async fn open(url: DatabaseUrl, host: HostId) -> Result<Self, DbError> {
        migrate::migrate(&url).await?;
        let pool = connect::pool(&url).await?;
        let url = Arc::new(url);
        let writer = writer::Writer::start(Arc::clone(&url), host).await?;
        Ok(Self { pool, writer, url, region: Arc::default() })
    }

    /// The same for a host in a region: it finds nothing to do for the accounts of other regions.
    #[must_use]
    pub fn in_region(self, region: Option<&Name>) -> Self {
        Self { region: region.map(Name::as_str).unwrap_or_default().into(), ..self }
    }

    /// The host's region; empty when it has none.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Whether the host serves the accounts of a region.
    pub(crate) fn serves(&self, region: Option<&Name>) -> bool {
        self.region.is_empty() || region.is_none_or(|region| region.as_str() == &*self.region)
    }

    /// Runs a transaction that only writes through the given function, and answers after its commit.
    ///
    /// The function may be called again when the commit of its group failed, so it must not keep state.
    ///
    /// # Errors
    /// What the function returned, in which case nothing of it was written, or that the commit failed.
    pub async fn write<T, F>(&self, function: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> futures::future::BoxFuture<'t, Result<T, DbError>>
            + Send
            + Sync
            + 'static,
    {
        faults::step();
        self.writer.write(function).await
    }

    /// Like [`Self::write`], for a request that may be made again: the second time nothing is written, and what
    /// is known of the first time is returned. Its answer, an account's subject sealed, is kept in the same commit.
    ///
    /// # Errors
    /// [`DbError::KeyReused`] when another request used the key; otherwise as for [`Self::write`], and the key is
    /// then free to be used again.
    pub async fn write_once<F>(
        &self,
        once: Once,
        answer: (AccountId, String, Vec<u8>),
        at: Micros,
        function: F,
    ) -> Result<Option<Earlier>, DbError>
    where
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> futures::future::BoxFuture<'t, Result<(), DbError>>
            + Send
            + Sync
            + 'static,
    {
        let kept = Arc::new((once, answer, function));
        self.write(move |tx| {
            let kept = Arc::clone(&kept);
            Box::pin(async move {
                let (once, (account, subject, sealed), function) = &*kept;
                let earlier = answered::claim(tx, once, *account, subject, Some(sealed), at).await?;
                if earlier.is_none() {
                    function(tx).await?;
                }
                Ok(earlier)
            })
        })
        .await
    }

    /// Holds the most that a run may cost and inserts it, in one commit.
    ///
    /// # Errors
    /// [`DbError`] when the commit failed; the run then does not exist.
    pub async fn admit(&self, admission: Admission) -> Result<Admitted, DbError> {
        self.writer.admit(admission).await
    }

    /// Finishes a run and moves its credits, in one commit. False when the run was no longer this host's.
    ///
    /// # Errors
    /// [`DbError`] when the commit failed; the run is then as it was.
    pub async fn settle(&self, settlement: Settlement) -> Result<bool, DbError> {
        faults::step();
        self.writer.settle(settlement).await
    }

    /// Appends sealed log entries of a run that goes on.
    ///
    /// # Errors
    /// [`DbError`] when the commit failed.
    pub async fn append_log(&self, chunk: LogChunk) -> Result<(), DbError> {
        self.writer.append_log(chunk).await
    }

    /// Hands a use of a credential to the writer without waiting for it. It may not take it, so that the use is
    /// handed in again by [`Self::append_uses`] or with the settlement of its run.
    pub fn note_use(&self, used: credential_uses::CredentialUse) {
        self.writer.note_use(used);
    }

    /// Writes down uses of credentials by a run that goes on.
    ///
    /// # Errors
    /// [`DbError`] when the commit failed.
    pub async fn append_uses(&self, uses: Vec<credential_uses::CredentialUse>) -> Result<(), DbError> {
        self.writer.append_uses(uses).await
    }

    /// True when the database answers.
    pub async fn answers(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// True when the last write found the database's disk full. The lease is written every few seconds, so that
    /// it is known soon when there is room again.
    #[must_use]
    pub fn disk_is_full(&self) -> bool {
        self.writer.disk_is_full()
    }

    /// Where the database is, without its password.
    #[must_use]
    pub fn location(&self) -> String {
        self.url.redacted()
    }

    /// Commits what is waiting and closes every connection.
    pub async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }
}
