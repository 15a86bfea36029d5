//! The one writer of this host: it commits what is waiting as a group, and answers each after the commit.
//!
//! Requests come over a bounded channel. The writer takes all that wait, up to [`LARGEST_GROUP`], does them in
//! one transaction as sets of rows ([`group`]), and commits once. What must be refused (no credits left) is a
//! value, not an error. When a group fails, each of its requests is tried alone, so that one cannot take the
//! others with it. When a commit is lost on the way, the writer asks the database whether the group landed.

mod admissions;
mod group;
mod requests;
mod settlements;

use std::sync::Arc;
use std::time::Duration;

pub use group::WriteTx;
use group::{Group, GroupOutcome};
pub use requests::{Admission, Admitted, LogChunk, Settlement};
use requests::{Cold, Request};
use sqlx::AnyConnection;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connect::{DatabaseUrl, connection};
use super::{DbError, ledger};
use crate::ids::HostId;
use crate::ledger::ChainHead;

/// Requests of one transaction. More would make each of them wait longer for little less work.
const LARGEST_GROUP: usize = 256;

/// Requests that may wait. Past it, callers wait to hand theirs in.
const WAITING: usize = 4 * LARGEST_GROUP;

/// A handle on the writer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Writer {
    pub(super) async fn start(url: Arc<DatabaseUrl>, host: HostId) -> Result<Self, DbError> {
        let mut connection = connection(&url).await?;
        let mark = ledger::chain_mark(&mut connection, host).await?;
        let (requests, waiting) = mpsc::channel(WAITING);
        let work = Work { url, host, connection: Some(connection), mark };
        let task = tokio::spawn(work.run(waiting));
        Ok(Self { requests, task: Arc::new(Mutex::new(Some(task))) })
    }

    pub(super) async fn admit(&self, admission: Admission) -> Result<Admitted, DbError> {
        self.ask(|reply| Request::Admit(Box::new(admission), reply)).await
    }

    pub(super) async fn settle(&self, settlement: Settlement) -> Result<bool, DbError> {
        self.ask(|reply| Request::Settle(Box::new(settlement), reply)).await
    }

    pub(super) async fn append_log(&self, chunk: LogChunk) -> Result<(), DbError> {
        self.ask(|reply| Request::Log(chunk, reply)).await
    }

    pub(super) async fn write<T, F>(&self, function: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> futures::future::BoxFuture<'t, Result<T, DbError>>
            + Send
            + Sync
            + 'static,
    {
        let (cold, answer) = Cold::boxed(function);
        self.requests.send(Request::Cold(cold)).await.map_err(|_| DbError::Closed)?;
        answer.await.map_err(|_| DbError::Closed)?
    }

    /// Waits for what was handed in, then stops.
    pub(super) async fn close(&self) {
        // A sent Stop is behind all that was sent before it.
        if self.requests.send(Request::Stop).await.is_ok()
            && let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, DbError>>) -> Request) -> Result<T, DbError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| DbError::Closed)?;
        answer.await.map_err(|_| DbError::Closed)?
    }
}

/// What the writer has committed last: read back after a lost commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Counts the groups of this host.
    pub group: i64,
    /// The head of its hash chain.
    pub head: ChainHead,
}

struct Work {
    url: Arc<DatabaseUrl>,
    host: HostId,
    connection: Option<AnyConnection>,
    mark: Mark,
}

impl Work {
    async fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(LARGEST_GROUP);
        while waiting.recv_many(&mut requests, LARGEST_GROUP).await > 0 {
            let stop = requests.iter().any(|request| matches!(request, Request::Stop));
            requests.retain(|request| !matches!(request, Request::Stop));
            let group = Group::new(std::mem::take(&mut requests));
            if !group.is_empty() {
                self.commit(group).await;
            }
            if stop {
                break;
            }
        }
    }

    async fn commit(&mut self, mut group: Group) {
        match self.attempt(&mut group).await {
            Ok(()) => group.answer(),
            Err(error) if group.len() == 1 => group.fail(error),
            Err(error) => {
                tracing::warn!(%error, requests = group.len(), "a group of writes failed; trying each alone");
                for mut single in group.singles() {
                    match self.attempt(&mut single).await {
                        Ok(()) => single.answer(),
                        Err(error) => single.fail(error),
                    }
                }
            }
        }
    }

    /// One transaction. On an error nothing of it was written.
    async fn attempt(&mut self, group: &mut Group) -> Result<(), DbError> {
        let mut connection = self.connected().await?;
        let done = group.apply(&mut connection, self.url.engine, self.host, &self.mark).await;
        match done {
            GroupOutcome::Committed(mark) => {
                self.mark = mark;
                self.connection = Some(connection);
                Ok(())
            }
            GroupOutcome::RolledBack(error) => {
                self.connection = Some(connection);
                Err(error)
            }
            GroupOutcome::Lost(mark, error) => {
                tracing::warn!(%error, "the connection was lost during a commit; asking whether it landed");
                let mut connection = self.connected().await?;
                let landed = ledger::chain_mark(&mut connection, self.host).await? == mark;
                self.connection = Some(connection);
                if landed {
                    self.mark = mark;
                    return Ok(());
                }
                Err(error)
            }
        }
    }

    /// The connection, made again when the last one was lost.
    async fn connected(&mut self) -> Result<AnyConnection, DbError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let patience = Duration::from_secs(5);
        tokio::time::timeout(patience, connection(&self.url))
            .await
            .unwrap_or_else(|_| Err(DbError::Unavailable(sqlx::Error::PoolTimedOut)))
    }
}
