//! A component that is compiled, linked and known by its kind.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::bindings::AgentPre;
use super::linker::OFFERED;
use super::state::State;
use super::{Digest, Rejection};

const AGENT_EXPORT: &str = "aaasp:agent/handler@0.1.0";

/// What a component exports, and so how it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Written for us: `describe` and `run`.
    #[serde(rename = "aaasp:agent")]
    Agent,
    /// A program: input on stdin, output from stdout.
    #[serde(rename = "wasi:cli/command")]
    Command,
    /// A server: a run is one request.
    #[serde(rename = "wasi:http/proxy")]
    Proxy,
}

impl Kind {
    /// The kind as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "aaasp:agent",
            Self::Command => "wasi:cli/command",
            Self::Proxy => "wasi:http/proxy",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a component says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// Name that its author gave it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of the input, if it gave one.
    pub input_schema: Option<serde_json::Value>,
    /// JSON Schema of the output, if it gave one.
    pub output_schema: Option<serde_json::Value>,
    /// Hosts that it wants to reach.
    pub hosts: Vec<String>,
    /// Credentials that it wants used.
    pub credentials: Vec<String>,
    /// Capabilities that it asks for.
    pub capabilities: Vec<String>,
}

/// A component in memory, ready to be instantiated.
pub struct Loaded {
    pub(crate) digest: Digest,
    pub(crate) program: Program,
    /// Pooled memories that one instance takes.
    pub(crate) memories: u32,
    /// Bytes of compiled code and data.
    pub(crate) image_bytes: u64,
}

/// Linked exports, by kind.
#[derive(Clone)]
pub(crate) enum Program {
    Agent(AgentPre<State>),
    Command(CommandPre<State>),
    Proxy(ProxyPre<State>),
}

impl Loaded {
    /// The digest of the component's bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The component's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.program {
            Program::Agent(_) => Kind::Agent,
            Program::Command(_) => Kind::Command,
            Program::Proxy(_) => Kind::Proxy,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        match &self.program {
            Program::Agent(agent) => agent.engine(),
            Program::Command(command) => command.engine(),
            Program::Proxy(proxy) => proxy.engine(),
        }
    }

    /// Checks every import, finds the kind, links.
    pub(crate) fn link(digest: Digest, component: &Component, linker: &Linker<State>) -> Result<Self, Rejection> {
        let kind = kind(component)?;
        check_imports(component)?;
        let mismatch = |error: wasmtime::Error| Rejection::Mismatch { message: format!("{error:#}") };
        let pre: InstancePre<State> = linker.instantiate_pre(component).map_err(mismatch)?;
        let program = match kind {
            Kind::Agent => Program::Agent(AgentPre::new(pre).map_err(mismatch)?),
            Kind::Command => Program::Command(CommandPre::new(pre).map_err(mismatch)?),
            Kind::Proxy => Program::Proxy(ProxyPre::new(pre).map_err(mismatch)?),
        };
        let memories = component.resources_required().map_or(1, |resources| resources.num_memories.max(1));
        let image = component.image_range();
        let image_bytes = (image.end as usize).saturating_sub(image.start as usize) as u64;
        Ok(Self { digest, program, memories, image_bytes })
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("digest", &self.digest).field("kind", &self.kind()).finish_non_exhaustive()
    }
}

fn kind(component: &Component) -> Result<Kind, Rejection> {
    let engine: &Engine = component.engine();
    let ty = component.component_type();
    let exports: Vec<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let has = |prefix: &str| exports.iter().any(|name| name.starts_with(prefix));
    if has(AGENT_EXPORT) {
        Ok(Kind::Agent)
    } else if has("wasi:cli/run@0.2.") {
        Ok(Kind::Command)
    } else if has("wasi:http/incoming-handler@0.2.") {
        Ok(Kind::Proxy)
    } else {
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        Err(Rejection::UnknownWorld { exports })
    }
}

fn check_imports(component: &Component) -> Result<(), Rejection> {
    let ty = component.component_type();
    for (name, _) in ty.imports(component.engine()) {
        let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
        if !OFFERED.contains(&interface) {
            return Err(Rejection::UnknownImport { name: name.to_owned() });
        }
    }
    Ok(())
}
