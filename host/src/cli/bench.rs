//! `aaasp bench`, hidden: one call on the bare engine, and one run in process, for `cargo xtask bench`.

mod egress;
mod http;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use clap::Args as ClapArgs;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{json, table};
use crate::capabilities::log::RunLog;
use crate::ids::AccountId;
use crate::limits::RunLimits;
use crate::runtime::{Floor, Gate, Invocation, Outcome, Runtime, RuntimeSettings};
use crate::vault::custody::Empty;

/// Input that every guest of the benchmark takes.
const INPUT: &str = r#"{"name":"bench"}"#;

/// Calls between two looks at the clock.
const BATCH: u32 = 64;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Components of agents; others are passed over.
    components: Vec<PathBuf>,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Serve the one component over HTTP instead, without account, ledger and database.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Measure egress instead, against a server that shows this self-signed certificate for `localhost`; prints JSON.
    #[arg(long, requires = "egress_key")]
    egress_certificate: Option<PathBuf>,
    /// The certificate's key, in PEM as well.
    #[arg(long)]
    egress_key: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let length = Duration::from_secs(args.seconds);
    if let (Some(certificate), Some(key)) = (&args.egress_certificate, &args.egress_key) {
        return json::print(&egress::measured(certificate, key, length).await?);
    }
    let folder = tempfile::tempdir()?;
    let settings = RuntimeSettings::new(
        folder.path().join("artifacts"),
        folder.path().join("scratch"),
        [7; 32],
        std::env::current_exe()?,
    );
    let runtime = Runtime::new(settings.clone())?;
    if let Some(listen) = args.listen {
        let [component] = &args.components[..] else { bail!("--listen takes one component") };
        let bytes = std::fs::read(component).with_context(|| component.display().to_string())?;
        return http::serve(runtime, bytes.into(), listen).await;
    }
    let mut rows = Vec::new();
    for component in &args.components {
        if let Some(row) = measure(&runtime, &settings, component, length).await? {
            rows.push(row);
        }
    }
    if args.json {
        return json::print(&rows);
    }
    let row = |row: &Value| ["guest", "floor_us", "run_us"].map(|name| row[name].to_string()).to_vec();
    table::print(&["guest", "bare µs", "in process µs"], rows.iter().map(row));
    Ok(())
}

async fn measure(
    runtime: &Runtime,
    settings: &RuntimeSettings,
    path: &Path,
    length: Duration,
) -> anyhow::Result<Option<Value>> {
    let bytes = Bytes::from(std::fs::read(path).with_context(|| path.display().to_string())?);
    let floor = Floor::compile(settings, &bytes).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    if !floor.is_agent() {
        return Ok(None);
    }
    let inspected = runtime.inspect(bytes.clone()).await?;
    let floor_us = time(length, async || {
        floor.call(&invocation()).await.map_err(|error| anyhow!(error))?;
        Ok(())
    })
    .await?;
    let run_us = time(length, async || {
        let bytes = bytes.clone();
        let loaded = runtime.load(&inspected.digest, || async move { anyhow::Ok(bytes) }).await?;
        let finished = runtime.invoke(&loaded, invocation()).await;
        if finished.outcome != Outcome::Succeeded {
            bail!("{}: {:?}", path.display(), finished.error);
        }
        Ok(())
    })
    .await?;
    let guest = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Some(serde_json::json!({"guest": guest, "floor_us": floor_us, "run_us": run_us})))
}

/// Microseconds of one call, over as many as fit.
async fn time(length: Duration, mut call: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < length {
        for _ in 0..BATCH {
            call().await?;
        }
        calls += BATCH;
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

fn invocation() -> Invocation {
    let limits = RunLimits::default();
    Invocation {
        run_id: "run_bench".to_owned(),
        input: INPUT.to_owned(),
        log: Arc::new(RunLog::new(limits.log_lines, limits.log_bytes)),
        limits,
        config: Arc::default(),
        grants: Arc::default(),
        account: AccountId::generate(),
        account_http_in_flight: 0,
        models: Arc::default(),
        log_output: false,
        custody: Arc::new(Empty),
        gate: Gate::open(),
        cancel: CancellationToken::new(),
    }
}
