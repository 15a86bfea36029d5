//! Runs an `aaasp:agent`: JSON text in, JSON text or a failure out.

use wasmtime::Store;

use super::RunError;
use super::bindings::AgentPre;
use super::bindings::exports::aaasp::agent::handler::{Failure, Manifest};
use super::invoke::{Raised, while_instantiating};
use super::state::State;

/// Asks an agent what it is.
pub(super) async fn describe(store: &mut Store<State>, agent: &AgentPre<State>) -> Result<Manifest, Raised> {
    let instance = agent.instantiate_async(&mut *store).await.map_err(while_instantiating)?;
    Ok(instance.aaasp_agent_handler().call_describe(store).await?)
}

/// One run.
pub(super) async fn run(
    store: &mut Store<State>,
    agent: &AgentPre<State>,
    input: &str,
) -> Result<Result<String, RunError>, Raised> {
    let instance = agent.instantiate_async(&mut *store).await.map_err(while_instantiating)?;
    let returned = instance.aaasp_agent_handler().call_run(store, input).await?;
    Ok(returned.map_err(|failure| match failure {
        Failure::InvalidInput(message) => RunError::new("invalid_input", message),
        Failure::Retryable(message) => RunError::new("retryable", message),
        Failure::Failed(message) => RunError::new("failed", message),
    }))
}
