//! Why an upload is turned away, a component can't be loaded, or the sandbox can't start.

use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The sandbox can't start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine refused its configuration.
    #[error("the engine can't be configured: {0:#}")]
    Engine(wasmtime::Error),
    /// A folder can't be made, read or swept.
    #[error("the folder {folder} can't be prepared: {source}")]
    Folder {
        /// The folder.
        folder: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Egress can't be set up.
    #[error(transparent)]
    Egress(#[from] crate::capabilities::egress::EgressError),
    /// The threads for long runs can't be started.
    #[error("the threads for long runs can't be started: {0}")]
    Threads(io::Error),
    /// There is no key to be had.
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// Why an upload is turned away; the text says what is wrong and what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Rejection {
    /// The bytes don't begin like WebAssembly.
    #[error(
        "the upload is no WebAssembly component: it doesn't begin with the bytes of one; upload the .wasm file that `aaasp build` prints"
    )]
    NotAComponent,
    /// A core module, as compilers make before they are told of components.
    #[error(
        "the upload is a core WebAssembly module, not a component; wrap it with `wasm-tools component new`, or build it with `aaasp build`"
    )]
    CoreModule,
    /// No export that we know how to run.
    #[error(
        "the component exports none of `aaasp:agent/handler@0.1.0`, `wasi:cli/run` and `wasi:http/incoming-handler`, so there is nothing to run; it exports: {exports}"
    )]
    UnknownWorld {
        /// What it exports instead.
        exports: String,
    },
    /// An import that we don't offer.
    #[error("the component imports `{name}`, which this host does not offer")]
    UnknownImport {
        /// Interface or function.
        name: String,
    },
    /// An interface that we offer, with another shape.
    #[error("the component's imports or exports don't fit this host: {message}")]
    Mismatch {
        /// What the linker found.
        message: String,
    },
    /// The bytes are no valid component.
    #[error("the component can't be compiled: {message}")]
    CompileFailed {
        /// What the compiler said.
        message: String,
    },
    /// Compiling it takes more than the operator allows.
    #[error(
        "compiling the component took more than the {limit} that this host allows; make it smaller, or ask the operator to raise the limit"
    )]
    CompileLimit {
        /// Which limit.
        limit: &'static str,
    },
    /// `describe` gave no manifest.
    #[error("the agent's `describe` did not return a manifest: {message}")]
    DescribeFailed {
        /// How it ended.
        message: String,
    },
    /// The manifest contradicts itself.
    #[error("the agent's manifest is not valid: {message}")]
    Manifest {
        /// Which field, and why.
        message: String,
    },
    /// The host has no room for what it compiles.
    #[error("the host's disk is full")]
    DiskFull,
    /// The host's own fault.
    #[error("the host could not inspect the component: {message}")]
    Host {
        /// What happened.
        message: String,
    },
}

/// Why a component can't be loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The component bytes could not be had.
    #[error("the component's bytes could not be read: {0}")]
    Fetch(String),
    /// The bytes that came are others than were asked for.
    #[error("the component's bytes do not have the digest {0}")]
    Digest(super::Digest),
    /// The component can't be compiled or linked.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A load of the same component at the same time failed.
    #[error("{0}")]
    Shared(Arc<LoadError>),
}

impl Rejection {
    /// The host's own fault, by what the system said.
    pub(crate) fn host(error: &io::Error) -> Self {
        if is_disk_full(error) { Self::DiskFull } else { Self::Host { message: error.to_string() } }
    }
}

impl LoadError {
    /// Whether the same may succeed later, with nothing changed here.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Fetch(_) | Self::Rejected(Rejection::DiskFull | Rejection::Host { .. }) => true,
            Self::Digest(_) | Self::Rejected(_) => false,
            Self::Shared(shared) => shared.may_pass(),
        }
    }
}

/// Whether there was no room for a write: on the disk, or within what its owner may use of it.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
