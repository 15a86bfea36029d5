//! The floor that the benchmark compares with: the same guest on bare wasmtime, neither metered nor limited.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime::{Engine, Store};

use super::component::Program;
use super::state::State;
use super::{Digest, Invocation, Kind, Loaded, RuntimeSettings, agent, engine, linker};
use crate::capabilities::egress::Broker;
use crate::capabilities::model::Mark;
use crate::capabilities::stdio::Stdio;

/// An agent on bare wasmtime.
pub struct Floor {
    engine: Engine,
    loaded: Loaded,
    scratch: Arc<Path>,
    broker: Arc<Broker>,
}

impl Floor {
    /// Compiles a component without metering, on the pool that runs have.
    ///
    /// # Errors
    /// In words: the engine can't be made, or the component is none.
    pub fn compile(settings: &RuntimeSettings, bytes: &[u8]) -> Result<Self, String> {
        let engine = engine::unmetered(settings).map_err(|error| format!("{error:#}"))?;
        let component = Component::from_binary(&engine, bytes).map_err(|error| format!("{error:#}"))?;
        let linker = linker::linker(&engine).map_err(|error| format!("{error:#}"))?;
        let loaded = Loaded::link(Digest::of(bytes), &component, &linker).map_err(|error| error.to_string())?;
        let broker = Broker::new(settings.egress.clone()).map_err(|error| error.to_string())?;
        Ok(Self { engine, loaded, scratch: settings.scratch.clone().into(), broker: Arc::new(broker) })
    }

    /// Whether it is an agent, which is what can be called here.
    #[must_use]
    pub fn is_agent(&self) -> bool {
        self.loaded.kind() == Kind::Agent
    }

    /// Instantiates and calls; what it is given of limits does not hold.
    ///
    /// # Errors
    /// In words: the guest trapped or failed.
    pub async fn call(&self, invocation: &Invocation) -> Result<String, String> {
        let Program::Agent(pre) = &self.loaded.program else { return Err("not an agent".to_owned()) };
        let state = State::new(
            invocation,
            Stdio::logged(&invocation.log),
            false,
            &self.scratch,
            (&self.broker, (&Arc::default(), &Mark::new(&[0; 32]))),
        );
        let mut store = Store::new(&self.engine, state);
        agent::run(&mut store, pre, &invocation.input)
            .await
            .map_err(|raised| format!("{:#}", raised.error))?
            .map_err(|error| error.message)
    }
}
