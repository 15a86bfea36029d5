//! One sandbox for all tests, and runs in it.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use aaasp::capabilities::log::RunLog;
use aaasp::ids::AccountId;
use aaasp::limits::RunLimits;
use aaasp::runtime::{Digest, Finished, Gate, Invocation, Loaded, Runtime, RuntimeSettings};
use aaasp::vault::custody::Empty;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// The folder of the sandbox that all tests share.
pub static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().unwrap().keep());

/// The sandbox that all tests share.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new(settings(FOLDER.clone())).unwrap());

/// Settings of a sandbox in this folder.
pub fn settings(folder: PathBuf) -> RuntimeSettings {
    RuntimeSettings::new(folder.join("artifacts"), folder.join("scratch"), [7; 32], program())
}

/// Our own binary, which cargo puts beside the test binary's folder.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("AAASP_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("aaasp");
    assert!(path.exists(), "{} is missing: run `cargo build -p aaasp` first", path.display());
    path
}

/// Loads these bytes.
pub async fn load(bytes: &Bytes) -> Arc<Loaded> {
    let copy = bytes.clone();
    RUNTIME.load(&Digest::of(bytes), || async { Ok::<_, String>(copy) }).await.unwrap()
}

/// A run with default limits and nothing granted.
pub fn invocation(limits: RunLimits) -> Invocation {
    static RUNS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let run = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Invocation {
        run_id: format!("run_{run}"),
        input: "null".into(),
        log: Arc::new(RunLog::new(limits.log_lines, limits.log_bytes)),
        limits,
        config: Arc::default(),
        grants: Arc::default(),
        account: AccountId::generate(),
        account_http_in_flight: 64,
        models: Arc::default(),
        log_output: false,
        custody: Arc::new(Empty),
        gate: Gate::open(),
        cancel: CancellationToken::new(),
    }
}

/// Runs these bytes under these limits.
pub async fn run(bytes: &Bytes, limits: RunLimits) -> Finished {
    RUNTIME.invoke(&load(bytes).await, invocation(limits)).await
}
