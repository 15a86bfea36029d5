//! The sandbox of this machine's author: the host's own, on folders of one's own, without a server.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::log_lines;
use crate::capabilities::log::RunLog;
use crate::config::HostValues;
use crate::grants::Grants;
use crate::ids::{AccountId, RunId};
use crate::ledger::{Charge, Microcredits, Prices, Terms};
use crate::limits::{AccountLimits, RunLimits};
use crate::runs::{Failure, LogLine, Refused, charged, check_input, checked_output};
use crate::runtime::{
    FUEL_SCHEDULE, Finished, Gate, Inspected, Invocation, Loaded, Outcome, Runtime, RuntimeSettings, Usage,
};
use crate::vault::custody::Custody;

/// Compiled artifacts that the cache may keep; the oldest go first.
const CACHE_BYTES: u64 = 1 << 30;

/// Instances for one run, with room for a component of several memories.
const POOL_SLOTS: u32 = 16;

/// How often the log of a run that goes on is shown.
const LOOK: Duration = Duration::from_millis(50);

/// A sandbox, and the component in it.
pub(super) struct Local {
    runtime: Runtime,
    loaded: Arc<Loaded>,
    inspected: Inspected,
    limits: RunLimits,
    _scratch: TempDir,
}

/// A run on this machine, with the names that the API has for the same things.
#[derive(Debug, Serialize)]
pub(super) struct LocalRun {
    pub outcome: Outcome,
    pub output: Option<Box<RawValue>>,
    pub error: Option<Failure>,
    pub fuel: u64,
    /// What it would cost at the default prices.
    pub charge_microcredits: Microcredits,
    pub charges: Charge,
    pub usage: Usage,
    pub logs: Vec<LogLine>,
    pub kind: &'static str,
    pub digest: String,
    #[serde(skip)]
    pub core_dump: Option<Bytes>,
}

impl Local {
    /// Compiles a component, or takes it from the cache, and asks it to describe itself.
    pub(super) async fn open(component: &Path, limits: RunLimits, core_dumps: bool) -> anyhow::Result<Self> {
        let bytes = fs::read(component).with_context(|| format!("can't read {}", component.display()))?;
        let cache = Cache::lock()?;
        let scratch = tempfile::tempdir().context("can't make a folder for scratch")?;
        let runtime = Runtime::new(RuntimeSettings { core_dumps, ..settings(&cache, scratch.path(), &limits)? })?;
        let bytes = Bytes::from(bytes);
        let inspected = runtime.inspect(bytes.clone()).await.with_context(|| component.display().to_string())?;
        let loaded = runtime.load(&inspected.digest, || async move { anyhow::Ok(bytes) }).await?;
        cache.trim();
        Ok(Self { runtime, loaded, inspected, limits, _scratch: scratch })
    }

    /// Refuses an input that the server would refuse before anything is held.
    pub(super) fn check(&self, input: &RawValue) -> anyhow::Result<()> {
        let schema = self.inspected.manifest.input_schema.as_ref().map(jsonschema::validator_for).transpose();
        let schema = schema.context("the manifest's input schema is no JSON Schema")?;
        let Err(refused) = check_input(input.get(), schema.as_ref(), &self.limits) else { return Ok(()) };
        let Refused::InputInvalid(errors) = &refused else { return Err(refused.into()) };
        let lines = errors
            .iter()
            .map(|(pointer, error)| format!("\n  {}: {error}", if pointer.is_empty() { "/" } else { pointer }));
        bail!("{refused}{}", lines.collect::<String>())
    }

    /// Runs the component once, showing each line of its log as it comes.
    pub(super) async fn run(
        &self,
        input: &RawValue,
        config: BTreeMap<String, String>,
        (grants, custody): (Arc<Grants>, Arc<dyn Custody>),
        mut show: impl FnMut(&LogLine),
    ) -> LocalRun {
        let log = Arc::new(RunLog::new(self.limits.log_lines, self.limits.log_bytes));
        let cancel = CancellationToken::new();
        let invocation = Invocation {
            run_id: RunId::generate().to_string(),
            input: input.get().to_owned(),
            limits: self.limits.clone(),
            config: Arc::new(config),
            grants,
            account: AccountId::generate(),
            account_http_in_flight: AccountLimits::default().http_requests_in_flight,
            models: Arc::default(),
            log_output: false,
            custody,
            log: Arc::clone(&log),
            gate: Gate::open(),
            cancel: cancel.clone(),
        };
        let mut logs = Vec::new();
        let mut drain = || {
            for line in log.drain().into_iter().map(log_lines::of_entry) {
                show(&line);
                logs.push(line);
            }
        };
        let mut invoke = std::pin::pin!(self.runtime.invoke(&self.loaded, invocation));
        let interrupted = tokio::signal::ctrl_c();
        let mut interrupted = std::pin::pin!(interrupted);
        let finished = loop {
            tokio::select! {
                finished = &mut invoke => break finished,
                _ = &mut interrupted, if !cancel.is_cancelled() => cancel.cancel(),
                () = tokio::time::sleep(LOOK) => drain(),
            }
        };
        drain();
        self.finished(finished, logs)
    }

    fn finished(&self, mut finished: Finished, logs: Vec<LogLine>) -> LocalRun {
        let output = checked_output(&mut finished);
        let terms = Terms {
            prices: Prices::default(),
            limits: self.limits.clone(),
            models: BTreeMap::new(),
            fuel_schedule: FUEL_SCHEDULE,
        };
        let charges = charged(&finished, &terms);
        let limit = finished.outcome.limit().map(str::to_owned);
        LocalRun {
            output,
            error: finished.error.map(|error| Failure { limit, error }),
            fuel: finished.usage.fuel,
            charge_microcredits: charges.total(),
            charges,
            usage: finished.usage,
            logs,
            kind: self.inspected.kind.as_str(),
            digest: self.inspected.digest.to_string(),
            core_dump: finished.core_dump,
            outcome: finished.outcome,
        }
    }
}

/// As `aaasp serve` sets the sandbox up when nothing else is configured.
fn settings(cache: &Cache, scratch: &Path, limits: &RunLimits) -> anyhow::Result<RuntimeSettings> {
    let program = std::env::current_exe().context("can't find the aaasp binary")?;
    let artifacts = cache.folder.join("artifacts");
    let mut settings = RuntimeSettings::new(artifacts, scratch.to_owned(), cache.key()?, program);
    settings.pool_slots = POOL_SLOTS;
    // The pool has room for what a host would compile; a lower limit is the run's own, and ends the run.
    let host = RunLimits::default();
    settings.max_memory_bytes = limits.memory_bytes.max(host.memory_bytes);
    settings.max_table_elements = limits.table_elements.max(host.table_elements);
    let core_instances = limits.core_instances.max(host.core_instances);
    settings.max_core_instances = u32::try_from(core_instances).unwrap_or(u32::MAX);
    settings.stack_bytes = HostValues::default().stack_bytes;
    Ok(settings)
}

/// Compiled artifacts of earlier runs, in the person's cache folder. One process at a time opens it, since
/// opening sweeps what half-done work left behind.
struct Cache {
    folder: PathBuf,
    _lock: File,
}

impl Cache {
    fn lock() -> anyhow::Result<Self> {
        let folder = super::home::folder("XDG_CACHE_HOME", ".cache")?;
        let failed = || format!("can't use the cache in {}", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(failed)?;
        let lock = private(OpenOptions::new().create(true).truncate(false)).open(folder.join("lock"));
        let lock = lock.with_context(failed)?;
        lock.lock().with_context(failed)?;
        Ok(Self { _lock: lock, folder })
    }

    /// The key that artifacts are sealed under: they are code, so nobody else may have written them.
    fn key(&self) -> anyhow::Result<[u8; 32]> {
        let path = self.folder.join("artifact.key");
        if let Ok(bytes) = fs::read(&path)
            && let Ok(key) = bytes.as_slice().try_into()
        {
            return Ok(key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let failed = || format!("can't write {}", path.display());
        let mut file = private(OpenOptions::new().create(true).truncate(true)).open(&path).with_context(failed)?;
        file.write_all(&key).with_context(failed)?;
        Ok(key)
    }

    /// Removes the oldest artifacts that the cache has no room for. One that is in use goes on living in memory.
    fn trim(&self) {
        let mut files = Vec::new();
        for folder in entries(&self.folder.join("artifacts")) {
            for path in entries(&folder) {
                let Ok(metadata) = fs::metadata(&path) else { continue };
                files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), path));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in files {
            if bytes <= CACHE_BYTES {
                break;
            }
            // One that stays is tried again at the next run.
            let _ = fs::remove_file(path);
            bytes -= size;
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.write(true).mode(0o600)
}
