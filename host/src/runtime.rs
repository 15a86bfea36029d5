//! Runs components in the sandbox: engine, store, linker, limits, fuel, compilation and outcomes.
//!
//! [`Runtime::inspect`] is the door for uploads, [`Runtime::load`] finds or compiles a component by
//! its digest, and [`Runtime::invoke`] is one run: it never fails, every failure is an [`Outcome`].

mod agent;
mod artifact;
mod background;
mod bindings;
mod command;
mod compile;
mod compile_child;
mod component;
mod digest;
mod engine;
mod errors;
mod floor;
pub mod fuel;
mod gate;
mod inspect;
mod invocation;
mod invoke;
mod limiter;
mod linker;
mod load;
mod outcome;
mod proxy;
mod settings;
mod state;

pub use compile_child::{CompileJob, compile_child};
pub use component::{Kind, Loaded, Manifest};
pub use digest::{Digest, DigestError};
pub(crate) use errors::is_disk_full;
pub use errors::{LoadError, Rejection, RuntimeError};
pub use floor::Floor;
pub use fuel::FUEL_SCHEDULE;
pub use gate::{Gate, GateKeeper};
pub use inspect::Inspected;
pub use invocation::Invocation;
pub use load::Runtime;
pub use outcome::{Finished, Frame, Outcome, RunError, Usage};
pub use settings::{CompileLimits, RuntimeSettings};

pub(crate) use bindings::aaasp::agent::credentials as agent_credentials;
pub(crate) use bindings::aaasp::agent::model as agent_model;
pub(crate) use bindings::wasi::config::store as wasi_config;
pub(crate) use bindings::wasi::logging::logging as wasi_logging;
pub(crate) use state::{State, Stop};
