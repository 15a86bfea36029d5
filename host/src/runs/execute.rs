//! Execution: invoke the guest, write its log while it runs, settle what it cost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::custody::RunCustody;
use super::live::{Beginning, Live};
use super::slots::Slot;
use super::{Deployed, Failure, Run, Runs, charged, checked_output, logs, record};
use crate::accounts::Account;
use crate::capabilities::log::RunLog;
use crate::clock::Micros;
use crate::db::spending::{Caps, day_of};
use crate::db::{DbError, LogChunk, Settlement, agents};
use crate::ids::{AccountId, RunId};
use crate::ledger::Charge;
use crate::runtime::{Digest, Finished, Gate, Invocation, LoadError, Loaded, Outcome, RunError, Usage};
use crate::vault::RowSeal;
use crate::vault::custody::Custody;

/// How often the log of a run that goes on is written.
const LOG_INTERVAL: Duration = Duration::from_millis(250);

/// How long a settlement is tried again while the database does not answer, at most between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A run that is this host's to execute.
pub(super) struct Job {
    pub run: RunId,
    pub account: Arc<Account>,
    pub deployed: Arc<Deployed>,
    pub component: Arc<Loaded>,
    pub input: Box<str>,
    pub created_at: Micros,
    pub started_at: Micros,
}

impl Job {
    /// The run as it is before it has ended.
    pub(super) fn so_far(&self) -> Run {
        Run {
            id: self.run,
            deployment: self.deployed.name.clone(),
            deployment_revision: self.deployed.revision,
            agent: self.deployed.agent.clone(),
            version: self.deployed.version,
            status: "running".to_owned(),
            outcome: None,
            output: None,
            error: None,
            fuel: None,
            held_microcredits: self.deployed.held,
            charge_microcredits: None,
            charges: Charge::default(),
            created_at: self.created_at,
            started_at: Some(self.started_at),
            finished_at: None,
        }
    }
}

impl Runs {
    /// Loads a component, from memory, from its artifact, or from the database and compiled again.
    pub(super) async fn load(&self, account: AccountId, digest: &Digest) -> Result<Arc<Loaded>, LoadError> {
        let fetch = || async move { agents::component(&self.db, account, &digest.to_string()).await.map(Into::into) };
        self.runtime.load(digest, fetch).await
    }

    /// Executes a run to its end. The slot is given back once it is settled.
    pub(super) async fn execute(self: Arc<Self>, job: Job, (beginning, slot): (Beginning, Slot)) -> Run {
        let registered = beginning.register(job.run, job.account.id);
        let log = Arc::new(RunLog::new(job.deployed.limits.log_lines, job.deployed.limits.log_bytes));
        let seal = record::seal_of(&job.account.data_key, job.account.id, job.run).map(Arc::new);
        let custody = self.custody(&job);
        let mut unwritten = Vec::new();
        let mut finished = match &seal {
            Ok(seal) => self.invoke(&job, &registered.live, (&log, &custody), seal, &mut unwritten).await,
            Err(error) => lost(error),
        };
        if finished.outcome == Outcome::Cancelled && registered.live.lost.load(Ordering::SeqCst) {
            finished.outcome = Outcome::Lost;
            finished.error = Some(failure("lost", "the host was stopped before the run had ended"));
        }
        let run = match seal {
            Ok(seal) => self.settle(&job, finished, (&log, &custody), &seal, unwritten).await,
            Err(error) => Err(error),
        };
        drop(slot);
        run.unwrap_or_else(|error| {
            // The run stays `running` in the database and is recovered as lost at the next start.
            tracing::error!(run = %job.run, %error, "a run could not be settled");
            job.so_far()
        })
    }

    fn custody(&self, job: &Job) -> Arc<RunCustody> {
        let tools = (self.db.clone(), self.clock.clone(), self.first_uses.clone());
        let ids = (job.deployed.id, job.run);
        Arc::new(RunCustody::new(self.credentials.clone(), tools, Arc::clone(&job.account), ids))
    }

    /// Runs the guest and writes its log and its audit meanwhile; `unwritten` keeps the chunks that the database did not take.
    async fn invoke(
        &self,
        job: &Job,
        live: &Live,
        (log, custody): (&Arc<RunLog>, &Arc<RunCustody>),
        seal: &Arc<RowSeal>,
        unwritten: &mut Vec<LogChunk>,
    ) -> Finished {
        let invocation = Invocation {
            run_id: job.run.to_string(),
            input: job.input.to_string(),
            limits: job.deployed.limits.clone(),
            config: Arc::clone(&job.deployed.config),
            grants: Arc::clone(&job.deployed.grants),
            account: job.account.id,
            account_http_in_flight: job.account.limits.http_requests_in_flight,
            models: Arc::new(job.deployed.terms.models.clone()),
            log_output: job.deployed.log_output,
            custody: Arc::clone(custody) as Arc<dyn Custody>,
            log: Arc::clone(log),
            gate: Gate::open(),
            cancel: live.cancel.clone(),
        };
        let ended = CancellationToken::new();
        let invoking = async {
            let finished = self.runtime.invoke(&job.component, invocation).await;
            ended.cancel();
            finished
        };
        let writing = async {
            while timeout(LOG_INTERVAL, ended.cancelled()).await.is_err() {
                self.write_log(job, log, seal, unwritten).await;
                self.write_uses(job.run, custody).await;
            }
        };
        // Side by side, so that a guest that waits goes on, and sees its deadline, while the database does not answer.
        // What is being written when it ends is written to the end: entries that were taken out are in no other place.
        futures::future::join(invoking, writing).await.0
    }

    async fn write_log(&self, job: &Job, log: &RunLog, seal: &Arc<RowSeal>, unwritten: &mut Vec<LogChunk>) {
        match self.chunks(job, log, seal).await {
            Ok(chunks) => unwritten.extend(chunks),
            Err(error) => tracing::error!(run = %job.run, %error, "log entries could not be sealed"),
        }
        while let Some(chunk) = unwritten.first() {
            if let Err(error) = self.db.append_log(chunk.clone()).await {
                tracing::warn!(run = %job.run, %error, "log entries could not be written yet");
                break;
            }
            unwritten.remove(0);
        }
    }

    async fn write_uses(&self, run: RunId, custody: &RunCustody) {
        let unwritten = custody.unwritten();
        if unwritten.is_empty() {
            return;
        }
        let uses = unwritten.iter().map(|(_, used)| used.clone()).collect();
        match self.db.append_uses(uses).await {
            Ok(()) => custody.written(&unwritten),
            Err(error) => tracing::warn!(%run, %error, "uses of credentials could not be written yet"),
        }
    }

    /// Seals what the log holds; a flood of it aside, where no short run waits behind it.
    async fn chunks(&self, job: &Job, log: &RunLog, seal: &Arc<RowSeal>) -> Result<Vec<LogChunk>, DbError> {
        let is_flood = log.buffered_bytes() > logs::CHUNK_BYTES;
        let (seal, account, run) = (Arc::clone(seal), job.account.id, job.run);
        let (entries, now) = (log.drain(), self.clock.now());
        let seal_all = move || logs::sealed_chunks(&seal, account, run, &entries, now);
        if is_flood { self.runtime.aside(seal_all).await.unwrap_or(Err(DbError::Closed)) } else { seal_all() }
    }

    /// Charges the run and finishes it, trying again for as long as the database does not answer.
    async fn settle(
        &self,
        job: &Job,
        mut finished: Finished,
        (log, custody): (&RunLog, &RunCustody),
        seal: &Arc<RowSeal>,
        mut chunks: Vec<LogChunk>,
    ) -> Result<Run, DbError> {
        let output = checked_output(&mut finished);
        let charge = charged(&finished, &job.deployed.terms);
        let error = finished.error.map(|error| Failure { limit: finished.outcome.limit().map(str::to_owned), error });
        chunks.extend(self.chunks(job, log, seal).await?);
        let last = chunks.pop();
        for chunk in chunks {
            self.persist(|| self.db.append_log(chunk.clone())).await?;
        }
        let sealed = |column: &str, value: &[u8]| seal.seal(column, value).map_err(DbError::sealed("runs"));
        let caps = Caps { account: job.account.daily_spend, deployment: job.deployed.daily_spend };
        let settlement = Settlement {
            counted: caps.any().then(|| (job.deployed.id, day_of(job.created_at))),
            run: job.run,
            account: job.account.id,
            tenant: job.account.tenant,
            host: self.host,
            outcome: finished.outcome.as_str().to_owned(),
            held: job.deployed.held,
            charge,
            fuel: i64::try_from(finished.usage.fuel).unwrap_or(i64::MAX),
            sealed_output: output.as_ref().map(|output| sealed("output", output.get().as_bytes())).transpose()?,
            sealed_error: error
                .as_ref()
                .map(|error| sealed("error", &serde_json::to_vec(error).map_err(DbError::corrupt)?))
                .transpose()?,
            log: last,
            uses: custody.unwritten().into_iter().map(|(_, used)| used).collect(),
            at: self.clock.now(),
        };
        let settled = self.persist(|| self.db.settle(settlement.clone())).await?;
        if !settled {
            // Another host took this one for dead; what it wrote stands.
            return self.get(&job.account, job.run).await;
        }
        Ok(Run {
            outcome: Some(settlement.outcome),
            status: "finished".to_owned(),
            output,
            error,
            fuel: Some(settlement.fuel),
            charge_microcredits: Some(settlement.charge.total()),
            charges: settlement.charge,
            finished_at: Some(settlement.at),
            ..job.so_far()
        })
    }

    /// Asks until the database answers, or the host has been told to stop.
    pub(super) async fn persist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, DbError>
    where
        F: Future<Output = Result<T, DbError>>,
    {
        let mut pause = Duration::from_millis(50);
        loop {
            match ask().await {
                Err(error) if error.may_pass() && !self.is_stopping() => {
                    tracing::warn!(%error, "the database does not answer; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answer => return answer,
            }
        }
    }
}

fn lost(error: &DbError) -> Finished {
    Finished {
        outcome: Outcome::Lost,
        output: None,
        error: Some(failure("lost", &error.to_string())),
        usage: Usage::default(),
        core_dump: None,
    }
}

fn failure(code: &str, message: &str) -> RunError {
    RunError { code: code.to_owned(), message: message.to_owned(), backtrace: Vec::new() }
}
