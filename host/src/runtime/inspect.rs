//! The door for uploads: what a component is, whether it can run here, and what it says of itself.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::component::Program;
use super::{Digest, Gate, Invocation, Kind, LoadError, Loaded, Manifest, Rejection, Runtime, bindings};
use crate::capabilities::log::RunLog;
use crate::ids::AccountId;
use crate::limits::RunLimits;
use crate::vault::custody::Empty;

/// The longest name, and the longest of every other text, that a manifest may have, in bytes.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// What an upload turned out to be.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Names the bytes.
    pub digest: Digest,
    /// How it is run.
    pub kind: Kind,
    /// What it says of itself, or a description of its kind.
    pub manifest: Manifest,
}

impl Runtime {
    /// Inspects uploaded bytes: compiles them, finds the kind, checks every import and asks an agent
    /// to describe itself, with nothing granted and little to use.
    ///
    /// # Errors
    /// Why they are turned away.
    pub async fn inspect(&self, bytes: Bytes) -> Result<Inspected, Rejection> {
        check_header(&bytes)?;
        let digest = Digest::of(&bytes);
        let loaded = self.load_bytes(&digest, &bytes).await.map_err(rejection)?;
        let manifest = match &loaded.program {
            Program::Agent(_) => self.describe(&loaded).await?,
            Program::Command(_) => described("A command: the input on stdin, the output from stdout."),
            Program::Proxy(_) => described("An HTTP handler: the input is one request, the output its response."),
        };
        Ok(Inspected { digest, kind: loaded.kind(), manifest })
    }

    async fn describe(&self, loaded: &Arc<Loaded>) -> Result<Manifest, Rejection> {
        let limits = describe_limits();
        let invocation = Invocation {
            run_id: "describe".into(),
            input: String::new(),
            log: Arc::new(RunLog::new(limits.log_lines, limits.log_bytes)),
            limits,
            config: Arc::default(),
            grants: Arc::default(),
            account: AccountId::generate(),
            account_http_in_flight: 0,
            models: Arc::default(),
            log_output: false,
            custody: Arc::new(Empty),
            gate: Gate::open(),
            cancel: CancellationToken::new(),
        };
        let manifest = self.call_describe(loaded, invocation).await.map_err(|error| {
            let message =
                if error.code == error.message { error.message } else { format!("{}: {}", error.code, error.message) };
            Rejection::DescribeFailed { message }
        })?;
        manifest_from(manifest)
    }
}

/// What `describe` may use: enough for an interpreter to start, and little more.
fn describe_limits() -> RunLimits {
    RunLimits {
        fuel: 500_000_000,
        wall_clock_ms: 10_000,
        output_bytes: 1 << 20,
        log_lines: 100,
        log_bytes: 64 << 10,
        scratch_bytes: 0,
        scratch_files: 0,
        open_files: 0,
        http_requests: 0,
        http_request_bytes: 0,
        http_response_bytes: 0,
        http_requests_in_flight: 0,
        signatures: 0,
        ..RunLimits::default()
    }
}

/// The first eight bytes tell a component from a module and from everything else.
fn check_header(bytes: &[u8]) -> Result<(), Rejection> {
    match bytes.first_chunk::<8>() {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(Rejection::CoreModule),
        _ => Err(Rejection::NotAComponent),
    }
}

fn described(description: &str) -> Manifest {
    Manifest { description: description.into(), ..Manifest::default() }
}

fn manifest_from(raw: bindings::exports::aaasp::agent::handler::Manifest) -> Result<Manifest, Rejection> {
    let invalid = |message: String| Rejection::Manifest { message };
    for (field, text) in [("name", &raw.name), ("description", &raw.description)] {
        if text.len() > MAX_TEXT_BYTES {
            return Err(invalid(format!("`{field}` is longer than {MAX_TEXT_BYTES} bytes")));
        }
    }
    let schema = |field: &str, text: &str| -> Result<Option<serde_json::Value>, Rejection> {
        if text.is_empty() {
            return Ok(None);
        }
        let value = serde_json::from_str(text).map_err(|error| invalid(format!("`{field}` is not JSON: {error}")))?;
        jsonschema::validator_for(&value).map_err(|error| invalid(format!("`{field}` is no JSON Schema: {error}")))?;
        Ok(Some(value))
    };
    Ok(Manifest {
        input_schema: schema("input-schema", &raw.input_schema)?,
        output_schema: schema("output-schema", &raw.output_schema)?,
        name: raw.name,
        description: raw.description,
        hosts: raw.hosts,
        credentials: raw.credentials,
        capabilities: raw.capabilities,
    })
}

fn rejection(error: LoadError) -> Rejection {
    match error {
        LoadError::Rejected(rejection) => rejection,
        LoadError::Shared(shared) => rejection((*shared).clone()),
        other => Rejection::Host { message: other.to_string() },
    }
}
