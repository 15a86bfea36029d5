//! One run: a fresh store, its limits, the guest's call, and what it came to.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{AsContextMut, CallHook, CallHookHandler, OutOfMemory, Store, StoreContextMut, Trap, WasmCoreDump};

use super::bindings::exports::aaasp::agent::handler;
use super::component::Program;
use super::load::Inner;
use super::outcome::{Ending, judge, trap_slack};
use super::state::State;
use super::{Finished, Invocation, Loaded, Outcome, RunError, Runtime, Usage, agent, command, fuel, proxy};
use crate::capabilities::stdio::Stdio;

/// What a guest may pass to the host in one call, besides an output of the size that it may have.
const CALL_BYTES: usize = 1 << 20;
/// What lifting counts besides the bytes of an output.
const OUTPUT_FRAME_BYTES: u64 = 64;

impl Runtime {
    /// Runs a component once, in an instance of its own. Never fails: every failure is an outcome.
    /// The run ends when the returned future is dropped.
    pub async fn invoke(&self, component: &Arc<Loaded>, invocation: Invocation) -> Finished {
        let run = run(Arc::clone(&self.inner), Arc::clone(component), invocation);
        self.background.escort(run).await.unwrap_or_else(|| Finished {
            outcome: Outcome::Lost,
            output: None,
            error: Some(RunError::new("lost", "the host failed while the guest ran")),
            usage: Usage::default(),
            core_dump: None,
        })
    }

    /// Does work that takes longer than a moment on the threads for long runs. None when it panicked.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.background.aside(work).await
    }

    /// Calls an agent's `describe`.
    pub(super) async fn call_describe(
        &self,
        component: &Arc<Loaded>,
        invocation: Invocation,
    ) -> Result<handler::Manifest, RunError> {
        let (inner, component) = (Arc::clone(&self.inner), Arc::clone(component));
        let described = self.background.escort(async move {
            let mut answer = None;
            let finished = in_store(&inner, &component, invocation, async |store, _input| {
                let Program::Agent(agent) = &component.program else { return Ok(Ok(String::new())) };
                answer = Some(agent::describe(store, agent).await?);
                Ok(Ok(String::new()))
            })
            .await;
            answer.ok_or_else(|| finished.error.unwrap_or_else(|| RunError::new("failed", "no manifest")))
        });
        described.await.unwrap_or_else(|| Err(RunError::new("lost", "the host failed while the guest ran")))
    }
}

async fn run(inner: Arc<Inner>, component: Arc<Loaded>, invocation: Invocation) -> Finished {
    match &component.program {
        Program::Agent(agent) => {
            in_store(&inner, &component, invocation, async |store, input| agent::run(store, agent, &input).await).await
        }
        Program::Command(command) => {
            in_store(&inner, &component, invocation, async |store, _| command::run(store, command).await).await
        }
        Program::Proxy(proxy) => {
            in_store(&inner, &component, invocation, async |store, input| proxy::run(store, proxy, &input).await).await
        }
    }
}

/// An error, and whether the instance existed when it was raised.
pub(super) struct Raised {
    pub(super) error: wasmtime::Error,
    pub(super) instantiated: bool,
}

impl From<wasmtime::Error> for Raised {
    fn from(error: wasmtime::Error) -> Self {
        Self { error, instantiated: true }
    }
}

/// Marks an error as raised while the instance was being made.
pub(super) fn while_instantiating(error: wasmtime::Error) -> Raised {
    Raised { error, instantiated: false }
}

/// Gives `call` a store, and ends it at its deadline or when it is cancelled. The store outlives the
/// call, so that fuel is read on every exit.
async fn in_store<C>(inner: &Inner, component: &Loaded, mut invocation: Invocation, call: C) -> Finished
where
    C: AsyncFnOnce(&mut Store<State>, String) -> Result<Result<String, RunError>, Raised>,
{
    let wanted = component.memories.min(inner.pool_slots);
    let Ok(_slot) = inner.slots.acquire_many(wanted).await else { return no_room() };
    let input = std::mem::take(&mut invocation.input);
    let (input, stdio) = match component.program {
        Program::Command(_) => (String::new(), Stdio::piped(input, invocation.limits.output_bytes, &invocation.log)),
        _ => (input, Stdio::logged(&invocation.log)),
    };
    let is_command = matches!(component.program, Program::Command(_));
    let state =
        State::new(&invocation, stdio, is_command, &inner.scratch, (&inner.broker, (&inner.models, &inner.mark)));
    let mut store = match store(component, state, input.len()) {
        Ok(store) => store,
        Err(error) => return failed_to_start(&error),
    };
    let started = Instant::now();
    let deadline = Duration::from_millis(invocation.limits.wall_clock_ms);
    let ending = within(deadline, &invocation.cancel, call(&mut store, input)).await;
    finish(store, ending, started, invocation.limits.fuel).await
}

async fn within(
    deadline: Duration,
    cancel: &CancellationToken,
    call: impl Future<Output = Result<Result<String, RunError>, Raised>>,
) -> Ending {
    let mut call = pin!(call);
    tokio::select! {
        biased;
        () = cancel.cancelled() => Ending::Cancelled,
        result = &mut call => match result {
            Ok(returned) => Ending::Returned(returned),
            Err(Raised { error, instantiated }) => Ending::Raised { error, instantiated },
        },
        () = tokio::time::sleep(deadline) => Ending::TimedOut,
    }
}

fn store(component: &Loaded, state: State, input_bytes: usize) -> wasmtime::Result<Store<State>> {
    let fuel = state.limits.fuel;
    let call_bytes =
        usize::try_from(state.limits.output_bytes.saturating_add(OUTPUT_FRAME_BYTES)).unwrap_or(usize::MAX);
    let handles = usize::try_from(state.limits.resource_handles.saturating_mul(2)).unwrap_or(usize::MAX);
    let mut store = Store::new(component.engine(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(call_bytes.max(CALL_BYTES));
    // A resource of ours is in our table, and its handle in wasmtime's: twice leaves the answer to us.
    store.set_max_component_handles(handles);
    store.set_fuel(fuel)?;
    store.fuel_async_yield_interval(Some(fuel::YIELD_INTERVAL))?;
    store.call_hook_async(Meter);
    store.data_mut().owe_bytes(input_bytes);
    Ok(store)
}

/// Deducts the price of each host call on the way back to the guest.
struct Meter;

#[wasmtime_wasi::async_trait]
impl CallHookHandler<State> for Meter {
    async fn handle_call_event(&self, mut store: StoreContextMut<'_, State>, event: CallHook) -> wasmtime::Result<()> {
        if !matches!(event, CallHook::ReturningFromHost) {
            return Ok(());
        }
        let left = deduct(&mut store, fuel::HOST_CALL)?;
        // Setting the fuel starts a new interval, and a guest that does nothing but call the host
        // would never reach the end of one.
        let state = store.data_mut();
        if state.yielded_at.saturating_sub(left) >= fuel::YIELD_INTERVAL {
            state.yielded_at = left;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn deduct(store: &mut StoreContextMut<'_, State>, flat: u64) -> wasmtime::Result<u64> {
    let state = store.data_mut();
    let price = flat.saturating_add(std::mem::take(&mut state.owed)).saturating_add(state.egress.take_owed());
    let left = store.get_fuel()?;
    match left.checked_sub(price) {
        Some(left) => {
            store.set_fuel(left)?;
            Ok(left)
        }
        None => {
            store.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

async fn finish(mut store: Store<State>, ending: Ending, started: Instant, limit: u64) -> Finished {
    let wall_clock_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    // What the last host call cost is due even if it never returned to the guest.
    let _ = deduct(&mut store.as_context_mut(), 0);
    let burned = limit.saturating_sub(store.get_fuel().unwrap_or(0));
    let handles_used_up = matches!(ending, Ending::Raised { .. }) && handles_are_used_up(&mut store);
    let core_dump = match &ending {
        Ending::Raised { error, .. } => error.downcast_ref::<WasmCoreDump>(),
        _ => None,
    };
    let core_dump = core_dump.map(|dump| Bytes::from(dump.serialize(&mut store, "guest")));
    let mut state = store.into_data();
    state.handles_used_up = handles_used_up;
    // Answers that the guest left half read end here, and are counted as far as they came.
    state.table = ResourceTable::new();
    state.stdio.finish();
    let mut verdict = judge(ending, &state);
    if let Some(output) = &verdict.output
        && output.len() as u64 > state.limits.output_bytes
    {
        let message = format!("the output is {} bytes, more than {}", output.len(), state.limits.output_bytes);
        verdict.outcome = Outcome::LimitExceeded("output_bytes".into());
        verdict.error = Some(RunError::new("limit_exceeded", message));
        verdict.output = None;
    }
    let [http_requests, http_requests_sent, http_request_bytes, http_response_bytes] = state.egress.totals();
    let usage = Usage {
        fuel: burned,
        trap_slack_fuel: if verdict.slack { trap_slack(limit, burned) } else { 0 },
        peak_memory_bytes: state.limiter.memory_bytes(),
        wall_clock_us,
        log_lines: state.log.lines(),
        log_bytes: state.log.bytes(),
        http_requests,
        http_requests_sent,
        http_request_bytes,
        http_response_bytes,
        scratch_bytes_peak: state.scratch.peak_bytes(),
        models: state.models.used(),
    };
    if let Some(folder) = state.scratch.take_folder() {
        drop(state);
        let _ = tokio::task::spawn_blocking(move || drop(folder)).await;
    }
    Finished { outcome: verdict.outcome, output: verdict.output, error: verdict.error, usage, core_dump }
}

/// Whether the store refuses another handle. A guest may make resources of its own type without the host being
/// called, and wasmtime's refusal of those has no type to be told by; so a handle of ours is tried.
fn handles_are_used_up(store: &mut Store<State>) -> bool {
    Resource::<Meter>::new_own(0).try_into_resource_any(store).is_err_and(|error| !error.is::<OutOfMemory>())
}

fn no_room() -> Finished {
    failed_to_start(&wasmtime::format_err!("the host is stopping"))
}

fn failed_to_start(error: &wasmtime::Error) -> Finished {
    let error = Some(RunError::new("lost", format!("the run could not start: {error:#}")));
    Finished { outcome: Outcome::Lost, output: None, error, usage: Usage::default(), core_dump: None }
}
