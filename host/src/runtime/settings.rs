//! What the operator decides about the sandbox before it starts.

use std::path::PathBuf;
use std::sync::Arc;

use crate::capabilities::egress::EgressSettings;
use crate::capabilities::model::Mark;
use crate::models::Models;

/// The sandbox's size and places. Values of one run are [`RunLimits`](crate::limits::RunLimits).
#[derive(Clone, Debug)]
pub struct RuntimeSettings {
    /// Linear memories that exist at the same time, over all runs; a run takes one for each memory
    /// of its component, and at least one.
    pub pool_slots: u32,
    /// The most bytes that one linear memory may reach in any run.
    pub max_memory_bytes: u64,
    /// The most elements that one table may reach in any run.
    pub max_table_elements: u64,
    /// The most core instances that any component may have.
    pub max_core_instances: u32,
    /// Stack of a guest, in bytes.
    pub stack_bytes: u64,
    /// Compiled code that stays loaded, in bytes; the least recently used goes first.
    pub cache_bytes: u64,
    /// Threads that carry on with runs that take longer than a moment.
    pub background_threads: usize,
    /// What compiling one component may use.
    pub compile: CompileLimits,
    /// Folder of compiled artifacts.
    pub artifacts: PathBuf,
    /// Folder in which each run that is granted scratch gets one of its own.
    pub scratch: PathBuf,
    /// Keep the guest's memory and stack when it traps, for its author to look at. No server does.
    pub core_dumps: bool,
    /// The network.
    pub egress: EgressSettings,
    /// The models that the operator offers.
    pub models: Arc<Models>,
    /// Marks what agents carry for models. Hosts of one database have the same; none is one of the process's own.
    pub mark: Option<Mark>,
    /// Key that compiled artifacts are authenticated with; it never leaves the host.
    pub artifact_key: [u8; 32],
}

/// What compiling one component may use, and the program that does it.
#[derive(Clone, Debug)]
pub struct CompileLimits {
    /// Writable memory of the compiling process, in bytes.
    pub memory_bytes: u64,
    /// Processor time of the compiling process, in seconds.
    pub cpu_seconds: u64,
    /// Time until the compiling process is killed, in milliseconds.
    pub wall_clock_ms: u64,
    /// Compilations at the same time.
    pub concurrency: usize,
    /// Our own binary, which has the hidden subcommand `compile`.
    pub program: PathBuf,
}

impl CompileLimits {
    /// The defaults, with the program that compiles.
    #[must_use]
    pub fn with_program(program: PathBuf) -> Self {
        Self { memory_bytes: 4 << 30, cpu_seconds: 120, wall_clock_ms: 120_000, concurrency: 1, program }
    }
}

impl RuntimeSettings {
    /// The defaults, with the folders, the key and the program that have none.
    #[must_use]
    pub fn new(artifacts: PathBuf, scratch: PathBuf, artifact_key: [u8; 32], program: PathBuf) -> Self {
        Self {
            pool_slots: 256,
            max_memory_bytes: 1 << 30,
            max_table_elements: 100_000,
            max_core_instances: 256,
            stack_bytes: 512 << 10,
            cache_bytes: 512 << 20,
            background_threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            compile: CompileLimits::with_program(program),
            artifacts,
            scratch,
            core_dumps: false,
            egress: EgressSettings::default(),
            models: Arc::default(),
            mark: None,
            artifact_key,
        }
    }
}
