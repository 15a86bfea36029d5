//! The one writer of this host: it commits what is waiting as a group, and answers each after the commit.
//!
//! Requests come over a bounded channel. The writer takes all that wait, up to [`LARGEST_GROUP`], does them in
//! one transaction as sets of rows ([`group`]), and commits once. What must be refused (no credits left) is a
//! value, not an error. Large requests wait in a line of their own ([`line`]). When a group fails, each of its requests is tried alone, so that one cannot take the
//! others with it. When a commit is lost on the way, the writer asks the database whether the group landed, for as
//! long as it takes: until then its callers wait, and all others are told at once that there is no database.

mod admissions;
mod group;
mod line;
mod requests;
mod settlements;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use group::WriteTx;
use group::{Group, GroupOutcome};
use line::Line;
pub use requests::{Admission, Admitted, CapOf, LogChunk, Settlement};
use requests::{Cold, Request};
use sqlx::AnyConnection;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connect::{DatabaseUrl, connection};
use super::credential_uses::CredentialUse;
use super::{DbError, ledger};
use crate::ids::HostId;
use crate::ledger::ChainHead;

/// Requests of one transaction. More would make each of them wait longer for little less work.
const LARGEST_GROUP: usize = 256;

/// Requests that may wait. Past it, callers wait to hand theirs in.
const WAITING: usize = 4 * LARGEST_GROUP;

/// How long a connection may take to be made.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How often it is asked whether a commit landed, while the database does not answer.
const DOUBT_PAUSE: Duration = Duration::from_millis(250);

/// A handle on the writer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    disk_full: Arc<AtomicBool>,
}

impl Writer {
    pub(super) async fn start(url: Arc<DatabaseUrl>, host: HostId) -> Result<Self, DbError> {
        let mut connection = connection(&url).await?;
        let mark = ledger::chain_mark(&mut connection, host).await?;
        let (requests, waiting) = mpsc::channel(WAITING);
        let disk_full = Arc::new(AtomicBool::new(false));
        let work =
            Work { url, host, connection: Some(connection), mark, doubt: None, disk_full: Arc::clone(&disk_full) };
        let task = tokio::spawn(work.run(waiting));
        Ok(Self { requests, task: Arc::new(Mutex::new(Some(task))), disk_full })
    }

    /// True when the last write found no room.
    pub(super) fn disk_is_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
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

    pub(super) fn note_use(&self, used: CredentialUse) {
        // A writer that is busy gets it again from the run.
        let _ = self.requests.try_send(Request::Uses(vec![used], None));
    }

    pub(super) async fn append_uses(&self, uses: Vec<CredentialUse>) -> Result<(), DbError> {
        self.ask(|reply| Request::Uses(uses, Some(reply))).await
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
    doubt: Option<Doubt>,
    disk_full: Arc<AtomicBool>,
}

/// A group whose commit may have landed. Its callers wait for the truth: told that it failed, they would leave
/// runs that nobody executes.
struct Doubt {
    group: Group,
    mark: Mark,
    error: DbError,
}

/// How an attempt at a group ended.
enum Attempt {
    /// Each of its callers has been told, or will be once a doubt is settled.
    Over,
    /// Nothing of it was written; whether another attempt may go better.
    Undone(Box<Group>, DbError, Prospect),
}

#[derive(PartialEq, Eq)]
enum Prospect {
    /// The statements were refused: perhaps for the sake of one request.
    Alone,
    /// The connection had died before.
    Reconnected,
    /// There is no database, or no room in it.
    None,
}

impl Work {
    async fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(LARGEST_GROUP);
        let mut line = Line::default();
        let mut stop = false;
        while !stop || !line.is_empty() {
            let pause = if self.doubt.is_some() { Some(DOUBT_PAUSE) } else { line.pause() };
            let received = match pause {
                None => Some(waiting.recv_many(&mut requests, LARGEST_GROUP).await),
                // Past so many large ones, all senders have to wait until some are done.
                Some(pause) if line.is_full() => {
                    tokio::time::sleep(pause).await;
                    None
                }
                Some(pause) => tokio::time::timeout(pause, waiting.recv_many(&mut requests, LARGEST_GROUP)).await.ok(),
            };
            if received.is_none() && self.doubt.is_some() {
                self.settle_doubt().await;
                continue;
            }
            stop |= received == Some(0) || requests.iter().any(|request| matches!(request, Request::Stop));
            line.sort(&mut requests);
            let large = line.next(stop);
            let (carries, began) = (large.is_some(), Instant::now());
            requests.extend(large);
            let group = Group::new(std::mem::take(&mut requests));
            if !group.is_empty() {
                self.commit(group).await;
            }
            if carries {
                line.rest(began.elapsed());
            }
        }
        self.settle_doubt().await;
    }

    async fn commit(&mut self, group: Group) {
        let Attempt::Undone(group, error, prospect) = self.attempt(group).await else { return };
        let another = match prospect {
            Prospect::Alone => group.len() > 1,
            Prospect::Reconnected => true,
            Prospect::None => false,
        };
        if !another {
            return group.fail(&error);
        }
        tracing::warn!(%error, requests = group.len(), "a group of writes failed; trying each alone");
        let mut singles = group.singles().into_iter();
        while let Some(single) = singles.next() {
            let Attempt::Undone(single, error, prospect) = self.attempt(single).await else { continue };
            single.fail(&error);
            if prospect == Prospect::None {
                singles.by_ref().for_each(|rest| rest.fail(&error));
            }
        }
    }

    /// One transaction.
    async fn attempt(&mut self, mut group: Group) -> Attempt {
        let mut connection = match self.connected().await {
            Ok(connection) => connection,
            Err(error) => return Attempt::Undone(Box::new(group), error, Prospect::None),
        };
        let outcome = group.apply(&mut connection, self.url.engine, self.host, &self.mark).await;
        let full = matches!(&outcome, GroupOutcome::Broken(DbError::DiskFull(_)));
        self.disk_full.store(full, Ordering::Relaxed);
        match outcome {
            GroupOutcome::Committed(mark) => {
                self.mark = mark;
                self.connection = Some(connection);
                group.answer();
                Attempt::Over
            }
            GroupOutcome::RolledBack(error) => {
                self.connection = Some(connection);
                Attempt::Undone(Box::new(group), error, Prospect::Alone)
            }
            GroupOutcome::Broken(error) => {
                let prospect = if full { Prospect::None } else { Prospect::Reconnected };
                Attempt::Undone(Box::new(group), error, prospect)
            }
            GroupOutcome::InDoubt(mark, error) => {
                tracing::warn!(%error, "the connection was lost during a commit; asking whether it landed");
                self.doubt = Some(Doubt { group, mark, error });
                self.settle_doubt().await;
                Attempt::Over
            }
        }
    }

    async fn settle_doubt(&mut self) {
        if self.doubt.is_none() {
            return;
        }
        match self.connected().await {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => tracing::warn!(%error, "it is not known yet whether a commit landed"),
        }
    }

    /// The connection, made again when the last one was lost. A new one begins by settling a doubt, since the
    /// next group must be chained to what is there.
    async fn connected(&mut self) -> Result<AnyConnection, DbError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let connecting = tokio::time::timeout(CONNECT_PATIENCE, connection(&self.url));
        let mut connection = connecting.await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))?;
        if self.doubt.is_some() {
            let found = ledger::chain_mark(&mut connection, self.host).await?;
            if let Some(Doubt { group, mark, error }) = self.doubt.take() {
                if found == mark {
                    self.mark = mark;
                    group.answer();
                } else {
                    group.fail(&error);
                }
            }
        }
        Ok(connection)
    }
}
