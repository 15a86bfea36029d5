//! `wasi:http/outgoing-handler`: the one way to the network, closed until a deployment can allow hosts.

use std::sync::Arc;

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use super::log::{Level, RunLog};
use crate::runtime::Gate;

/// What wasmtime buffers of a request body before the guest has to wait.
const BODY_CHUNK_BYTES: usize = 64 << 10;

/// Counts, gates and refuses the requests of one run.
pub(crate) struct Egress {
    log: Arc<RunLog>,
    gate: Gate,
    max_requests: u64,
    requests: u64,
}

impl Egress {
    pub(crate) fn new(log: Arc<RunLog>, gate: Gate, max_requests: u64) -> Self {
        Self { log, gate, max_requests, requests: 0 }
    }

    /// Requests so far, refused ones included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Egress {
    /// No deployment can allow a host yet, so every request is refused. The refusal waits for the
    /// gate as an answer would, so that a guest sees nothing of the world before it is paid for.
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange>> + Send> {
        if self.requests >= self.max_requests {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        }
        self.requests += 1;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let (log, gate) = (Arc::clone(&self.log), self.gate.clone());
        Box::new(async move {
            if gate.passed().await {
                let method = request.method();
                log.host(Level::Warn, &format!("egress refused: {method} to `{host}`, which no deployment allows"));
            }
            Err(Error::HttpRequestDenied)
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }
}
