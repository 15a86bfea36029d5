//! How a run ended: turns a trap, a limit or an answer into an outcome that the ledger can bill.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::{State, Stop, fuel};
use crate::ledger::Tokens;
use crate::names::Name;
use crate::words::RunOutcome;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Outcome {
    /// The guest returned an output.
    Succeeded,
    /// The guest returned an error, or left without an output.
    Failed,
    /// The guest did what no instance may do.
    Trapped,
    /// The fuel limit was burned.
    OutOfFuel,
    /// Memory was refused and the run did not succeed.
    OutOfMemory,
    /// The wall-clock limit was reached.
    TimedOut,
    /// Another limit was reached; its name is that of the field of `RunLimits`.
    LimitExceeded(String),
    /// Stopped from outside.
    Cancelled,
    /// The host failed.
    Lost,
}

impl Outcome {
    /// The outcome's name, without the limit's.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.word().as_str()
    }

    fn word(&self) -> RunOutcome {
        match self {
            Self::Succeeded => RunOutcome::Succeeded,
            Self::Failed => RunOutcome::Failed,
            Self::Trapped => RunOutcome::Trapped,
            Self::OutOfFuel => RunOutcome::OutOfFuel,
            Self::OutOfMemory => RunOutcome::OutOfMemory,
            Self::TimedOut => RunOutcome::TimedOut,
            Self::LimitExceeded(_) => RunOutcome::LimitExceeded,
            Self::Cancelled => RunOutcome::Cancelled,
            Self::Lost => RunOutcome::Lost,
        }
    }

    /// The limit that was reached, if a limit ended the run.
    #[must_use]
    pub fn limit(&self) -> Option<&str> {
        match self {
            Self::OutOfFuel => Some("fuel"),
            Self::OutOfMemory => Some("memory_bytes"),
            Self::TimedOut => Some("wall_clock_ms"),
            Self::LimitExceeded(name) => Some(name),
            _ => None,
        }
    }
}

impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        outcome.as_str().to_owned()
    }
}

/// A run's end: outcome, output or error, and what it used.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// JSON text, when it succeeded.
    pub output: Option<String>,
    /// Why it did not succeed.
    pub error: Option<RunError>,
    /// What it used.
    pub usage: Usage,
    /// The guest's memories and stack at its trap, as a Wasm core dump, where they are asked for.
    pub core_dump: Option<Bytes>,
}

/// Why a run did not succeed, in words for the agent's author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunError {
    /// What kind of error: `invalid_input`, `retryable` or `failed` from the guest, else the outcome.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Where the guest was, innermost frame first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<Frame>,
}

impl RunError {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), backtrace: Vec::new() }
    }
}

/// A place in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Frame {
    /// Name of the function, or its index.
    pub function: String,
    /// Source file, where the component has debug information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// What a run used. Fuel and slack together are at most the fuel limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Fuel that was burned, as metered.
    pub fuel: u64,
    /// Fuel that a trap may have hidden.
    pub trap_slack_fuel: u64,
    /// The most that all memories together reached.
    pub peak_memory_bytes: u64,
    /// From the first instruction to the last, in microseconds.
    pub wall_clock_us: u64,
    /// Lines of log that the guest wrote.
    pub log_lines: u64,
    /// Bytes of those lines.
    pub log_bytes: u64,
    /// Outgoing requests, refused ones included.
    pub http_requests: u64,
    /// Of these, those that left the host.
    pub http_requests_sent: u64,
    /// Bytes that outgoing requests sent.
    pub http_request_bytes: u64,
    /// Bytes that their responses brought.
    pub http_response_bytes: u64,
    /// The most that the scratch folder held.
    pub scratch_bytes_peak: u64,
    /// Tokens, by model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<Name, Tokens>,
}

/// What the guest's code came to, before limits and meters are looked at.
pub(crate) enum Ending {
    /// The guest returned.
    Returned(Result<String, RunError>),
    /// The call failed; `lifting` says whether instantiating was over.
    Raised { error: wasmtime::Error, instantiated: bool },
    /// The deadline passed.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
}

/// Outcome, output, error, and the slack that a trap costs on top of `burned` units of fuel.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<RunError>,
    pub(crate) slack: bool,
}

/// Judges an ending by its type, never by its text.
pub(crate) fn judge(ending: Ending, state: &State) -> Verdict {
    let (outcome, output, error, slack) = match ending {
        Ending::Returned(Ok(output)) => (Outcome::Succeeded, Some(output), None, false),
        Ending::Returned(Err(error)) => (Outcome::Failed, None, Some(error), false),
        Ending::TimedOut => {
            let message = format!("the run took longer than its {} ms", state.limits.wall_clock_ms);
            (Outcome::TimedOut, None, Some(RunError::new("timed_out", message)), false)
        }
        Ending::Cancelled => {
            (Outcome::Cancelled, None, Some(RunError::new("cancelled", "the run was cancelled")), false)
        }
        Ending::Raised { error, instantiated } => {
            let (outcome, message, slack) = raised(&error, instantiated, state);
            let mut described = RunError::new(outcome.as_str(), message);
            described.backtrace = backtrace(&error);
            (outcome, None, Some(described), slack)
        }
    };
    let outcome = with_refusals(outcome, state);
    let error = error.map(|error| match outcome {
        Outcome::OutOfMemory | Outcome::LimitExceeded(_) => RunError { code: outcome.as_str().into(), ..error },
        Outcome::Lost if state.scratch.disk_was_full() => RunError::new("lost", DISK_FULL),
        _ => error,
    });
    Verdict { outcome, output, error, slack }
}

/// Why a run is lost whose scratch folder found no room.
const DISK_FULL: &str = "the host's disk is full: it could not keep what the guest wrote to its folder, as its limits \
                         allow; nothing is charged";

/// A guest that was refused memory, a table, a request or room in its folder, and then did not succeed, failed for that
/// reason.
fn with_refusals(outcome: Outcome, state: &State) -> Outcome {
    match outcome {
        Outcome::Failed | Outcome::Trapped if state.limiter.memory_refused() => Outcome::OutOfMemory,
        Outcome::Failed | Outcome::Trapped if state.limiter.tables_refused() => {
            Outcome::LimitExceeded("table_elements".into())
        }
        Outcome::Failed | Outcome::Trapped if state.handles_used_up => {
            Outcome::LimitExceeded("resource_handles".into())
        }
        Outcome::Failed | Outcome::Trapped => {
            match state.scratch.refused().or(state.egress.refused()).or(state.models.refused()) {
                Some(name) => Outcome::LimitExceeded(name.into()),
                // What its quota allows is the host's to give.
                None if state.scratch.disk_was_full() => Outcome::Lost,
                None => outcome,
            }
        }
        other => other,
    }
}

fn raised(error: &wasmtime::Error, instantiated: bool, state: &State) -> (Outcome, String, bool) {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Limit(name) => (Outcome::LimitExceeded((*name).into()), stop.to_string(), false),
            Stop::Exit(_) => (Outcome::Failed, stop.to_string(), false),
            Stop::Host(_) => (Outcome::Lost, stop.to_string(), false),
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::OutOfFuel => {
                (Outcome::OutOfFuel, format!("the run burned its {} units of fuel", state.limits.fuel), false)
            }
            Trap::UnreachableCodeReached => (Outcome::Trapped, trap.to_string(), false),
            _ => (Outcome::Trapped, trap.to_string(), true),
        };
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        let name = "resource_handles";
        return (Outcome::LimitExceeded(name.into()), Stop::Limit(name).to_string(), false);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return (Outcome::Lost, "the host had no room for the run".into(), false);
    }
    // What is left carries no type of its own. Raised inside the guest it comes with a backtrace;
    // outside of it there are two such errors only: too many core instances while instantiating,
    // and a result larger than the bytes that may be lifted once the guest has returned.
    let refused = state.limiter.memory_refused() || state.limiter.tables_refused();
    if error.downcast_ref::<WasmBacktrace>().is_none() && !refused && !error.is::<std::str::Utf8Error>() {
        let name = if instantiated { "output_bytes" } else { "core_instances" };
        return (Outcome::LimitExceeded(name.into()), Stop::Limit(name).to_string(), false);
    }
    (Outcome::Trapped, error.root_cause().to_string(), false)
}

fn backtrace(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let mut frames = Vec::new();
    for frame in trace.frames() {
        if frame.symbols().is_empty() {
            let function = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangled);
            frames.push(Frame { function, file: None, line: None });
        }
        for symbol in frame.symbols() {
            let name = symbol.name().or(frame.func_name());
            let function = name.map_or_else(|| format!("function {}", frame.func_index()), demangled);
            frames.push(Frame { function, file: symbol.file().map(Into::into), line: symbol.line() });
        }
    }
    frames
}

/// Names come demangled where wasmtime knows the language; the hash of Rust's is noise to a reader.
fn demangled(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => path.to_owned(),
        _ => name.to_owned(),
    }
}

/// The slack of a trap: what one interval may hide, and never more than is left of the limit.
pub(crate) fn trap_slack(limit: u64, burned: u64) -> u64 {
    fuel::YIELD_INTERVAL.min(limit.saturating_sub(burned))
}
