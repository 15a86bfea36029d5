//! One engine for all runs: metered by fuel, pooled where the address space allows.

use std::hash::{Hash, Hasher};

use sha2::Digest as _;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

use super::{FUEL_SCHEDULE, RuntimeError, RuntimeSettings, fuel};

/// Memories that one component may have.
const MEMORIES_PER_COMPONENT: u32 = 16;
/// Tables that one component may have.
const TABLES_PER_COMPONENT: u32 = 64;
/// Stack for host functions, below the guest's own.
const HOST_STACK_BYTES: usize = 1 << 20;
/// What the tables and the stack of a slot keep mapped between runs, so that most runs need no system call for them.
/// Memory keeps nothing: what a guest writes lies behind its stack, a mebibyte from where keeping would begin.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;
/// Address space of one pooled memory: four gibibytes that need no bounds check, and a guard.
const MEMORY_SLOT_BYTES: u64 = (4 << 30) + (64 << 20);
/// Where 42 bits of address space map, this much of it may go to memories.
const POOL_ADDRESS_BYTES: u64 = 1 << 42;

/// The engine and what must be known of it.
pub(crate) struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) pool_slots: u32,
    /// Changes with everything that compiled code depends on.
    pub(crate) fingerprint: [u8; 32],
}

/// An engine for runs: pooling, or on demand where the address space is too small for a pool.
pub(crate) fn sandbox(settings: &RuntimeSettings) -> Result<Sandbox, RuntimeError> {
    let slots = settings.pool_slots.min(u32::try_from(POOL_ADDRESS_BYTES / MEMORY_SLOT_BYTES).unwrap_or(u32::MAX));
    let stack = usize::try_from(settings.stack_bytes).unwrap_or(usize::MAX / 2);
    let mut config = code_config();
    config.max_wasm_stack(stack).async_stack_size(stack + HOST_STACK_BYTES);
    config.coredump_on_trap(settings.core_dumps);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings, slots)));
    let engine = match Engine::new(&config) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "no room for a pool of instances: allocating on demand");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(RuntimeError::Engine)?
        }
    };
    let fingerprint = fingerprint(&engine);
    Ok(Sandbox { engine, pool_slots: slots, fingerprint })
}

/// An engine without metering, on the same pool: the benchmark's floor.
pub(super) fn unmetered(settings: &RuntimeSettings) -> wasmtime::Result<Engine> {
    let mut config = code_config();
    config.consume_fuel(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings, settings.pool_slots)));
    Engine::new(&config)
}

/// An engine that only compiles, for the child process: the same code, no pool.
pub(crate) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&code_config())
}

/// Everything that compiled code depends on.
fn code_config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .operator_cost(fuel::operator_cost())
        .concurrency_support(false)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

fn pool(settings: &RuntimeSettings, slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_memories(slots)
        .total_tables(slots.saturating_mul(TABLES_PER_COMPONENT))
        .total_core_instances(slots.saturating_mul(settings.max_core_instances))
        .max_core_instances_per_component(settings.max_core_instances)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(usize::try_from(settings.max_table_elements).unwrap_or(usize::MAX))
        .max_memory_size(usize::try_from(settings.max_memory_bytes).unwrap_or(usize::MAX))
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::No);
    pool
}

fn fingerprint(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(sha2::Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
    hasher.write(&FUEL_SCHEDULE.to_le_bytes());
    hasher.0.finalize().into()
}

/// Feeds what wasmtime calls its compatibility (its version, target, flags and tunables) to SHA-256.
struct Sha256Hasher(sha2::Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
