//! Admission: check the input, find a slot, hold the most that the run may cost, and insert it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::execute::Job;
use super::slots::{Slot, SlotRequest};
use super::{Deployed, Run, Runs, check_input, record};
use crate::accounts::{Account, Status};
use crate::clock::Micros;
use crate::db::spending::Caps;
use crate::db::{Admission, Admitted, CapOf, DbError, Once, answered};
use crate::ids::RunId;
use crate::ledger::Microcredits;
use crate::runtime::LoadError;

/// How long a caller that waits for its run is kept waiting for a slot before the run is queued.
const PATIENCE: Duration = Duration::from_secs(5);

/// A run that somebody asks for.
#[derive(Debug)]
pub struct RunRequest {
    /// The deployment's name.
    pub deployment: String,
    /// The input.
    pub input: Box<RawValue>,
    /// How long the caller waits for the end of the run.
    pub wait: Duration,
    /// Makes the request safe to repeat.
    pub idempotency_key: Option<String>,
}

/// Why a run was not admitted. Nothing was held and nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such deployment.
    #[error("there is no deployment `{0}`")]
    NoDeployment(String),
    /// The input is larger than the limit.
    #[error("the input has {bytes} bytes; the limit is {limit}")]
    InputTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: u64,
    },
    /// The input breaks the manifest's schema, at JSON pointers.
    #[error("the input does not fit the agent's schema")]
    InputInvalid(Vec<(String, String)>),
    /// The credits don't suffice.
    #[error("the run may cost {required}, but only {available} is available; {held} is held for other runs")]
    Insufficient {
        /// What would be held.
        required: Microcredits,
        /// What could be held.
        available: Microcredits,
        /// What other runs hold.
        held: Microcredits,
    },
    /// The account owes something.
    #[error("{0} credits are owed for a payment that was given back; the next top-up pays them: `aaasp credits buy`")]
    Indebted(Microcredits),
    /// A cap on what is spent in a day is reached.
    #[error(
        "the run may cost {required}, and {spent} of the {cap} credits that {} may spend in a day are spent; a new day \
         begins in {seconds} s, at midnight UTC",
        match .of { CapOf::Account => "the account", CapOf::Deployment => "the deployment" }
    )]
    Capped {
        /// Whose cap it is.
        of: CapOf,
        /// The cap.
        cap: Microcredits,
        /// What was spent of it.
        spent: Microcredits,
        /// What would be held.
        required: Microcredits,
        /// Until the next day.
        seconds: u32,
    },
    /// The account's status lets no run start.
    #[error("the account is {status}; {}", .status.remains())]
    Stopped {
        /// Its status.
        status: Status,
    },
    /// The account's queue is full.
    #[error("{0} runs of the account are waiting already")]
    QueueFull(u64),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The host is about to stop.
    #[error("the host is shutting down")]
    Stopping,
    /// The component can't be loaded now.
    #[error("the component can't be loaded: {0}")]
    NotLoaded(LoadError),
    /// The host failed while the run went on; it goes on or is settled as lost.
    #[error("the run's task ended badly")]
    Broken,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] Arc<DbError>),
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        Self::Db(Arc::new(error))
    }
}

impl Runs {
    /// Admits a run, executes it, and answers when it has finished or the caller's wait is over.
    ///
    /// # Errors
    /// [`Refused`] says why the run was not admitted.
    pub async fn start(self: &Arc<Self>, account: &Arc<Account>, request: RunRequest) -> Result<Run, Refused> {
        if self.is_stopping() {
            return Err(Refused::Stopping);
        }
        let until = Instant::now() + request.wait;
        let once = request
            .idempotency_key
            .as_ref()
            .map(|key| self.accounts.once(account.id, key, &[&request.deployment, request.input.get()]));
        // What was done is answered as it was, whatever has become of its deployment since.
        if let Some(once) = &once
            && let Some(earlier) = answered::earlier(&self.db, once).await?
        {
            let run = earlier.subject.parse().map_err(DbError::corrupt)?;
            return Ok(self.wait(account, run, until).await?);
        }
        let deployed = self
            .deployments
            .current(account, &request.deployment)
            .await?
            .ok_or_else(|| Refused::NoDeployment(request.deployment.clone()))?;
        check_input(request.input.get(), deployed.input_schema.as_ref(), &deployed.limits)?;
        let component = self.load(account.id, &deployed.digest).await.map_err(Refused::NotLoaded)?;
        let slot = self.slot(account, &deployed, request.wait.min(PATIENCE)).await;
        // The slot may have become free because the host stops.
        let beginning = self.live.begin().ok_or(Refused::Stopping)?;

        let admission = self.admission(account, &deployed, request.input.get(), once, slot.is_some())?;
        let (run, at) = (admission.run, admission.at);
        let held = admission.held;
        match self.db.admit(admission).await? {
            Admitted::Yes => {}
            Admitted::Before(earlier) => {
                drop((beginning, slot));
                return Ok(self.wait(account, earlier, until).await?);
            }
            Admitted::KeyReused => return Err(Refused::KeyReused),
            Admitted::Indebted { debt } => return Err(Refused::Indebted(debt)),
            Admitted::Capped { of, cap, spent, until } => {
                return Err(Refused::Capped { of, cap, spent, required: held, seconds: seconds_until(until, at) });
            }
            Admitted::Stopped(status) => return Err(Refused::Stopped { status }),
            Admitted::QueueFull => return Err(Refused::QueueFull(account.limits.queued_runs)),
            Admitted::Insufficient { available, held: others } => {
                return Err(Refused::Insufficient { required: held, available, held: others });
            }
        }
        let Some(slot) = slot else {
            drop(beginning);
            self.serve_queue(Arc::clone(account), deployed.id);
            return Ok(self.wait(account, run, until).await?);
        };
        let input = Box::<str>::from(request.input.get());
        let job = Job { run, account: Arc::clone(account), deployed, component, input, created_at: at, started_at: at };
        let so_far = job.so_far();
        let runs = Arc::clone(self);
        // A task of its own: the run goes on when the caller hangs up.
        let execution = tokio::spawn(async move { runs.execute(job, (beginning, slot)).await });
        match tokio::time::timeout_at(until, execution).await {
            Ok(Ok(finished)) => Ok(finished),
            Ok(Err(_)) => Err(Refused::Broken),
            Err(_) => Ok(so_far),
        }
    }

    /// A slot, waited for as long as the caller has patience. Without one the run is queued.
    async fn slot(&self, account: &Account, deployed: &Deployed, patience: Duration) -> Option<Slot> {
        let request = slot_request(account, deployed);
        if let Some(slot) = self.slots.try_acquire(request) {
            return Some(slot);
        }
        if patience.is_zero() {
            return None;
        }
        tokio::time::timeout(patience, self.slots.acquire(request)).await.ok()
    }

    fn admission(
        &self,
        account: &Account,
        deployed: &Deployed,
        input: &str,
        once: Option<Once>,
        starts: bool,
    ) -> Result<Admission, DbError> {
        let run = RunId::generate();
        let seal = record::seal_of(&account.data_key, account.id, run)?;
        let sealed_input = seal.seal("input", input.as_bytes()).map_err(DbError::sealed("runs"))?;
        Ok(Admission {
            run,
            account: account.id,
            tenant: account.tenant,
            deployment: deployed.id,
            revision: deployed.revision,
            host: starts.then_some(self.host),
            terms: deployed.terms_id.clone(),
            held: deployed.held,
            sealed_input,
            once,
            caps: Caps { account: account.daily_spend, deployment: deployed.daily_spend },
            queued_runs: account.limits.queued_runs,
            at: self.clock.now(),
        })
    }
}

/// Whole seconds, rounded up.
fn seconds_until(until: Micros, now: Micros) -> u32 {
    let seconds = (until.0 - now.0).max(0).unsigned_abs().div_ceil(1_000_000).max(1);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

pub(super) fn slot_request(account: &Account, deployed: &Deployed) -> SlotRequest {
    SlotRequest {
        account: account.id,
        account_runs: account.limits.concurrent_runs,
        deployment: deployed.id,
        deployment_runs: deployed.limits.concurrent_runs,
        memory_bytes: deployed.limits.memory_bytes,
    }
}
