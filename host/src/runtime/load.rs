//! Holds the sandbox, and finds a component by its digest: in memory, on disk, or by compiling it.

use std::collections::HashSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::artifact::{Artifacts, Unusable};
use super::background::Background;
use super::compile::Compiler;
use super::state::State;
use super::{Digest, LoadError, Loaded, Rejection, RuntimeError, RuntimeSettings, engine, linker};
use crate::capabilities::egress::Broker;
use crate::capabilities::model::Mark;
use crate::capabilities::scratch::sweep;
use crate::models::Models;

/// The sandbox: one for each host, shared behind an `Arc`.
pub struct Runtime {
    pub(super) inner: Arc<Inner>,
    pub(super) background: Background,
    artifacts: Artifacts,
    compiler: Compiler,
    cache: moka::future::Cache<Digest, Arc<Loaded>>,
    engine: Engine,
    linker: Linker<State>,
}

/// What a run needs for as long as it lasts.
pub(super) struct Inner {
    /// Fewer runs than the pool has room for, so that the pool itself never answers.
    pub(super) slots: Semaphore,
    pub(super) pool_slots: u32,
    pub(super) scratch: Arc<Path>,
    pub(super) broker: Arc<Broker>,
    pub(super) models: Arc<Models>,
    pub(super) mark: Mark,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Sends what leaves for the network.
    #[must_use]
    pub fn broker(&self) -> Arc<Broker> {
        Arc::clone(&self.inner.broker)
    }

    /// Makes the engine and sweeps what an earlier process left behind.
    ///
    /// # Errors
    /// The engine or a folder can't be had.
    pub fn new(settings: RuntimeSettings) -> Result<Self, RuntimeError> {
        let folder = |path: &Path| {
            let folder = path.to_owned();
            move |source| RuntimeError::Folder { folder, source }
        };
        sweep(&settings.scratch).map_err(folder(&settings.scratch))?;
        let sandbox = engine::sandbox(&settings)?;
        let artifacts = Artifacts::open(&settings.artifacts, settings.artifact_key, sandbox.fingerprint)
            .map_err(folder(&settings.artifacts))?;
        let linker = linker::linker(&sandbox.engine).map_err(RuntimeError::Engine)?;
        let background = Background::start(settings.background_threads).map_err(RuntimeError::Threads)?;
        let broker = Arc::new(Broker::new(settings.egress)?);
        let weigh =
            |_: &Digest, loaded: &Arc<Loaded>| u32::try_from(loaded.image_bytes >> 10).unwrap_or(u32::MAX).max(1);
        let cache = moka::future::Cache::builder().max_capacity(settings.cache_bytes >> 10).weigher(weigh).build();
        Ok(Self {
            inner: Arc::new(Inner {
                slots: Semaphore::new(sandbox.pool_slots as usize),
                pool_slots: sandbox.pool_slots,
                scratch: settings.scratch.into(),
                broker,
                models: settings.models,
                mark: settings.mark.map_or_else(Mark::random, Ok).map_err(|_| RuntimeError::Randomness)?,
            }),
            background,
            artifacts,
            compiler: Compiler::new(settings.compile),
            cache,
            engine: sandbox.engine,
            linker,
        })
    }

    /// Deletes what was compiled from components that nobody has any more. One that somebody uploads at the same
    /// moment is compiled again.
    ///
    /// # Errors
    /// The folder can't be read, or a file not deleted.
    pub fn forget_artifacts(&self, wanted: &HashSet<String>) -> std::io::Result<()> {
        self.cache.invalidate_all();
        self.artifacts.keep(wanted)
    }

    /// The loaded component: from memory, else from a sealed artifact, else compiled from the bytes
    /// that `fetch` gives, which is called only then. Loads of one digest at one time are one load.
    ///
    /// # Errors
    /// The bytes can't be had, or are not what the digest says, or are no component that runs here.
    pub async fn load<F, E>(&self, digest: &Digest, fetch: impl FnOnce() -> F + Send) -> Result<Arc<Loaded>, LoadError>
    where
        F: Future<Output = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        if let Some(loaded) = self.cache.get(digest).await {
            return Ok(loaded);
        }
        self.cache
            .try_get_with(*digest, async {
                if let Some(component) = self.artifact(digest)? {
                    return self.link(digest, &component);
                }
                let bytes = fetch().await.map_err(|error| LoadError::Fetch(error.to_string()))?;
                if Digest::of(&bytes) != *digest {
                    return Err(LoadError::Digest(*digest));
                }
                self.compile(digest, &bytes).await
            })
            .await
            .map_err(LoadError::Shared)
    }

    /// Loads bytes that are at hand.
    pub(super) async fn load_bytes(&self, digest: &Digest, bytes: &Bytes) -> Result<Arc<Loaded>, LoadError> {
        let bytes = bytes.clone();
        self.load(digest, || async move { Ok::<_, std::convert::Infallible>(bytes) }).await
    }

    async fn compile(&self, digest: &Digest, bytes: &[u8]) -> Result<Arc<Loaded>, LoadError> {
        self.compiler.compile(digest, bytes, &self.artifacts).await?;
        match self.artifact(digest)? {
            Some(component) => self.link(digest, &component),
            None => Err(Rejection::Host { message: "the compiled artifact did not load".into() }.into()),
        }
    }

    /// Verifying reads the whole artifact, some tens of milliseconds for the largest.
    fn artifact(&self, digest: &Digest) -> Result<Option<Component>, LoadError> {
        let load = || self.artifacts.load(&self.engine, digest);
        let loaded = match tokio::runtime::Handle::current().runtime_flavor() {
            tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(load),
            _ => load(),
        };
        loaded.map_err(|error| {
            match error {
                Unusable::Io(error) => Rejection::host(&error),
                Unusable::Refused(message) => Rejection::CompileFailed { message },
            }
            .into()
        })
    }

    fn link(&self, digest: &Digest, component: &Component) -> Result<Arc<Loaded>, LoadError> {
        Ok(Arc::new(Loaded::link(*digest, component, &self.linker)?))
    }
}
