//! Remembers what accounts asked for, and writes it down in batches, so that no request waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::db::requests::{self, RequestMetadata};
use crate::db::{Db, DbError};

/// Requests that may wait to be written. What comes on top is dropped and counted.
pub const WAITING: usize = 16_384;

/// Requests of one commit: enough that a commit costs each of them little, and few enough that no run waits for it.
const BATCH: usize = 512;

/// How long a request waits to be written at most, while the database answers.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// Counts the requests of which nothing was kept.
const DROPPED: &str = "aaasp_request_metadata_dropped_total";

/// What is not written yet.
pub struct RequestLog {
    db: Db,
    waiting: Mutex<Vec<RequestMetadata>>,
    /// The batch that is being written, or was when its writing failed or was broken off.
    writing: tokio::sync::Mutex<Arc<[RequestMetadata]>>,
    enough: Notify,
}

impl RequestLog {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db) -> Arc<Self> {
        let (waiting, writing) = (Mutex::default(), tokio::sync::Mutex::new(Arc::default()));
        Arc::new(Self { db, waiting, writing, enough: Notify::new() })
    }

    /// Remembers a request.
    pub fn note(&self, request: RequestMetadata) {
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING {
            drop(waiting);
            metrics::counter!(DROPPED).increment(1);
            return;
        }
        waiting.push(request);
        if waiting.len() == BATCH {
            self.enough.notify_one();
        }
    }

    /// Writes down what is remembered, for as long as the host lives.
    pub async fn do_duties(self: Arc<Self>) {
        loop {
            let waited = tokio::time::timeout(WRITTEN_EVERY, self.enough.notified()).await;
            // While there is much, only full batches: the rest comes with the next one.
            let written = self.write_batches(if waited.is_ok() { BATCH } else { 1 });
            if let Err(error) = written.await {
                tracing::warn!(%error, "the metadata of requests could not be written yet");
                tokio::time::sleep(WRITTEN_EVERY).await;
            }
        }
    }

    /// Writes down all that is remembered.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer; what is not written is remembered still.
    pub async fn write(&self) -> Result<(), DbError> {
        self.write_batches(1).await
    }

    /// Writes batches for as long as there are so many requests for one.
    async fn write_batches(&self, at_least: usize) -> Result<(), DbError> {
        let mut writing = self.writing.lock().await;
        loop {
            if writing.is_empty() {
                let mut waiting = self.waiting();
                if waiting.len() < at_least {
                    return Ok(());
                }
                let count = waiting.len().min(BATCH);
                *writing = waiting.drain(..count).collect();
            }
            let rows = Arc::clone(&writing);
            let written = self.db.write(move |tx| {
                let rows = Arc::clone(&rows);
                Box::pin(async move { requests::insert(tx, &rows).await })
            });
            written.await?;
            *writing = Arc::default();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<RequestMetadata>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
