//! What the writer is asked for.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::group::WriteTx;
use crate::accounts::Status;
use crate::clock::Micros;
use crate::db::credential_uses::CredentialUse;
use crate::db::runs::StoredRun;
use crate::db::spending::{Caps, day_of};
use crate::db::{DbError, Once};
use crate::ids::{AccountId, DeploymentId, HostId, RunId};
use crate::ledger::{Charge, Microcredits, Tenant};

pub(super) type Reply<T> = oneshot::Sender<Result<T, DbError>>;

pub(super) enum Request {
    Admit(Box<Admission>, Reply<Admitted>),
    Settle(Box<Settlement>, Reply<bool>),
    Log(LogChunk, Reply<()>),
    /// Uses of credentials. Whoever does not wait for the answer hands them in again.
    Uses(Vec<CredentialUse>, Option<Reply<()>>),
    Cold(Box<dyn ColdRequest>),
    Stop,
}

impl Request {
    /// Bytes that it writes, of those whose number a client or a guest decides.
    pub(super) fn bytes(&self) -> usize {
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        match self {
            Self::Admit(admission, _) => admission.sealed_input.len(),
            Self::Settle(settlement, _) => {
                let log = settlement.log.as_ref().map_or(0, |chunk| chunk.written);
                length(&settlement.sealed_output) + length(&settlement.sealed_error) + log
            }
            Self::Log(chunk, _) => chunk.written,
            Self::Uses(..) | Self::Cold(_) | Self::Stop => 0,
        }
    }
}

/// A run to insert, and the most that it may cost.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub account: AccountId,
    /// Whose credits are held.
    pub tenant: Tenant,
    /// What runs.
    pub deployment: DeploymentId,
    /// Which revision of it.
    pub revision: i64,
    /// The host that executes it at once; none leaves it in the queue.
    pub host: Option<(HostId, i64)>,
    /// Names the terms; they are stored already.
    pub terms: String,
    /// The most that the run may cost.
    pub held: Microcredits,
    /// The input, sealed.
    pub sealed_input: Vec<u8>,
    /// Set when the request may be made again.
    pub once: Option<Once>,
    /// What may be spent in a day.
    pub caps: Caps,
    /// Most runs of the account that may wait in the queue; counted when this one would.
    pub queued_runs: u64,
    /// Now.
    pub at: Micros,
}

/// Whose cap on what is spent in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapOf {
    /// The account's.
    Account,
    /// The deployment's.
    Deployment,
}

/// What became of an admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The credits are held and the run exists.
    Yes,
    /// The credits don't suffice; nothing was written.
    Insufficient {
        /// What could be held.
        available: Microcredits,
        /// What other runs hold.
        held: Microcredits,
    },
    /// The account owes something; no run was written.
    Indebted {
        /// How much.
        debt: Microcredits,
    },
    /// A cap on what is spent in a day is reached; nothing was written.
    Capped {
        /// Whose cap it is.
        of: CapOf,
        /// The cap.
        cap: Microcredits,
        /// What was spent of it.
        spent: Microcredits,
        /// When the day is over.
        until: Micros,
    },
    /// The account's status lets no run start; nothing was written.
    Stopped(Status),
    /// The queue is full; nothing was written.
    QueueFull,
    /// The same request was admitted before, as this run.
    Before(RunId),
    /// The idempotency key was used for another request.
    KeyReused,
}

/// How a run ended, and what moves.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub account: AccountId,
    /// Whose credits move.
    pub tenant: Tenant,
    /// The run must still be this host's, of this epoch.
    pub host: (HostId, i64),
    /// How it ended.
    pub outcome: String,
    /// What was held for it.
    pub held: Microcredits,
    /// Its deployment and the day of its admission, when a cap may count it.
    pub counted: Option<(DeploymentId, i64)>,
    /// What it costs; at most what was held.
    pub charge: Charge,
    /// Fuel that it burned.
    pub fuel: i64,
    /// The output, sealed.
    pub sealed_output: Option<Vec<u8>>,
    /// The error, sealed.
    pub sealed_error: Option<Vec<u8>>,
    /// The rest of its log.
    pub log: Option<LogChunk>,
    /// Uses of credentials that may not be written yet.
    pub uses: Vec<CredentialUse>,
    /// Now.
    pub at: Micros,
}

impl Settlement {
    /// The end of a run that gave nothing and costs nothing: all of its hold is released.
    #[must_use]
    pub fn free(run: &StoredRun, tenant: Tenant, host: (HostId, i64), outcome: &str, at: Micros) -> Self {
        Self {
            run: run.id,
            account: run.account,
            tenant,
            host,
            outcome: outcome.to_owned(),
            held: run.held,
            counted: Some((run.deployment, day_of(run.created_at))),
            charge: Charge::default(),
            fuel: 0,
            sealed_output: None,
            sealed_error: None,
            log: None,
            uses: Vec::new(),
            at,
        }
    }
}

/// Sealed entries of a run's log.
#[derive(Clone, Debug)]
pub struct LogChunk {
    /// Whose it is.
    pub account: AccountId,
    /// The run.
    pub run: RunId,
    /// Sequence number of the first entry.
    pub first_sequence: i64,
    /// Number of entries.
    pub entries: i64,
    /// Bytes of the entries, before they were compressed: a flood stays one, however little of it is left.
    pub written: usize,
    /// The entries, sealed.
    pub sealed: Vec<u8>,
    /// Now.
    pub at: Micros,
}

/// A request that is not on the hot path: a function over the transaction, and where its answer goes.
pub(super) trait ColdRequest: Send + Sync {
    /// Runs the function and keeps its answer; the error, if any, is told to the group.
    fn apply<'t>(&'t self, tx: &'t mut WriteTx<'_>) -> BoxFuture<'t, Result<(), DbError>>;
    /// Sends the answer that was kept.
    fn answer(self: Box<Self>);
    /// Sends an error instead.
    fn fail(self: Box<Self>, error: DbError);
}

pub(super) struct Cold<T, F> {
    function: F,
    kept: Mutex<Option<Result<T, DbError>>>,
    reply: Reply<T>,
}

impl<T, F> Cold<T, F>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync + 'static,
{
    pub(super) fn boxed(function: F) -> (Box<dyn ColdRequest>, oneshot::Receiver<Result<T, DbError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { function, kept: Mutex::new(None), reply }), answer)
    }
}

impl<T, F> ColdRequest for Cold<T, F>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync + 'static,
{
    fn apply<'t>(&'t self, tx: &'t mut WriteTx<'_>) -> BoxFuture<'t, Result<(), DbError>> {
        Box::pin(async move {
            let answer = (self.function)(tx).await;
            let outcome = answer.as_ref().map(|_| ()).map_err(Clone::clone);
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            outcome
        })
    }

    fn answer(self: Box<Self>) {
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        // A caller that no longer waits needs no answer.
        let _ = self.reply.send(kept.unwrap_or(Err(DbError::Closed)));
    }

    fn fail(self: Box<Self>, error: DbError) {
        let _ = self.reply.send(Err(error));
    }
}
