//! What a store holds for one run: limits, meters, and the state of its capabilities.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::limiter::Limiter;
use super::{Gate, Invocation};
use crate::capabilities::egress::{Broker, Egress};
use crate::capabilities::log::RunLog;
use crate::capabilities::model::{Mark, RunModels};
use crate::capabilities::scratch::Scratch;
use crate::capabilities::stdio::Stdio;
use crate::grants::Grants;
use crate::limits::RunLimits;
use crate::models::Models;
use crate::vault::custody::Custody;

/// Bytes of all header fields of one message.
const HTTP_FIELD_BYTES: usize = 32 << 10;

/// The store's data.
pub(crate) struct State {
    pub(crate) limits: RunLimits,
    pub(crate) config: Arc<BTreeMap<String, String>>,
    pub(crate) log: Arc<RunLog>,
    pub(crate) limiter: Limiter,
    pub(crate) table: ResourceTable,
    pub(crate) stdio: Stdio,
    pub(crate) scratch: Scratch,
    pub(crate) egress: Egress,
    pub(crate) models: RunModels,
    pub(crate) grants: Arc<Grants>,
    pub(crate) custody: Arc<dyn Custody>,
    pub(crate) gate: Gate,
    /// Signatures so far.
    pub(crate) signatures: u64,
    pub(crate) command: bool,
    /// Whether the store refused another handle when the run ended.
    pub(crate) handles_used_up: bool,
    /// Fuel that host calls cost and that the call hook has not yet deducted.
    pub(crate) owed: u64,
    /// Fuel left when the guest last let others run.
    pub(crate) yielded_at: u64,
    /// Where the monotonic clock of this run starts.
    pub(crate) started: std::time::Instant,
    http: WasiHttpCtx,
    sockets: Option<Box<WasiCtx>>,
}

impl State {
    pub(crate) fn new(
        invocation: &Invocation,
        stdio: Stdio,
        command: bool,
        scratch_root: &Arc<std::path::Path>,
        (broker, models): (&Arc<Broker>, (&Arc<Models>, &Mark)),
    ) -> Self {
        let limits = invocation.limits.clone();
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.resource_handles).unwrap_or(usize::MAX));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HTTP_FIELD_BYTES);
        Self {
            config: Arc::clone(&invocation.config),
            log: Arc::clone(&invocation.log),
            limiter: Limiter::new(limits.memory_bytes, limits.table_elements, limits.core_instances),
            table,
            stdio,
            scratch: Scratch::new(invocation.grants.scratch.then(|| scratch_root.join(&invocation.run_id)), &limits),
            egress: Egress::new(broker, invocation),
            models: RunModels::new(models, invocation),
            grants: Arc::clone(&invocation.grants),
            custody: Arc::clone(&invocation.custody),
            gate: invocation.gate.clone(),
            signatures: 0,
            command,
            handles_used_up: false,
            owed: 0,
            yielded_at: limits.fuel,
            started: std::time::Instant::now(),
            http,
            sockets: None,
            limits,
        }
    }

    /// Adds to the price of the host call that is under way.
    pub(crate) fn owe(&mut self, fuel: u64) {
        self.owed = self.owed.saturating_add(fuel);
    }

    /// Adds the price of bytes that move between guest and host.
    pub(crate) fn owe_bytes(&mut self, bytes: usize) {
        self.owe((bytes as u64).saturating_mul(super::fuel::BYTE));
    }

    /// Sockets that refuse everything, made only for the guest that asks.
    pub(crate) fn sockets(&mut self) -> WasiSocketsCtxView<'_> {
        let refusing = || {
            let context = WasiCtx::builder().allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).build();
            Box::new(context)
        };
        let ctx = self.sockets.get_or_insert_with(refusing).sockets();
        WasiSocketsCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}

/// How the host ends a run from within a host call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// A limit is reached; the name is that of the field of `RunLimits`.
    #[error("the run reached its limit of {0}")]
    Limit(&'static str),
    /// The guest called `exit`.
    #[error("the guest called exit({0}) before it returned an output")]
    Exit(u8),
    /// The host failed.
    #[error("the host failed: {0}")]
    Host(String),
}
