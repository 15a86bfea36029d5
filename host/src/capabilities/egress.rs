//! `wasi:http/outgoing-handler`: the one way to the network, and the one place where credentials are put in.
//!
//! One file per step, in the order of an exchange: `destination` parses, `policy` allows, `headers` rejects,
//! `forms`, `needles` and `mask` search, `resolve` and `address` pin, `inject` puts the secret in, `broker` and
//! `connect` send, `outgoing`, `coding` and `incoming` are the bodies, `counts` counts, `denied` says why not.

mod address;
mod broken;
mod broker;
mod coding;
mod connect;
mod counts;
mod denied;
mod destination;
mod exchange;
mod forms;
mod headers;
mod incoming;
mod inject;
#[cfg(test)]
mod judged;
mod mask;
pub(crate) mod measure;
mod needles;
mod outgoing;
mod own;
mod policy;
mod recent;
mod resolve;
mod secrets;

use std::sync::Arc;

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

pub use broker::{Broker, EgressError, EgressSettings};
pub(crate) use destination::normal_path;
pub(crate) use headers::is_reserved;
pub(crate) use policy::HostPattern;
pub use resolve::{Resolve, SystemResolver};

pub(crate) use denied::Denied;
pub(crate) use exchange::Run;

use crate::grants::Grants;
use crate::runtime::{Invocation, fuel};
use crate::vault::custody::Custody;

/// What wasmtime buffers of a request body before the guest has to wait.
const BODY_CHUNK_BYTES: usize = 64 << 10;

/// The requests of one run.
pub(crate) struct Egress(Arc<Run>);

impl Egress {
    pub(crate) fn new(broker: &Arc<Broker>, invocation: &Invocation) -> Self {
        Self(Arc::new(Run::new(Arc::clone(broker), invocation)))
    }

    /// The run under other grants.
    pub(crate) fn under(&self, grants: &Grants, custody: Arc<dyn Custody>) -> Arc<Run> {
        Arc::new(self.0.under(grants, custody))
    }

    /// Fuel for requests and for what came in, since it was last asked.
    pub(crate) fn take_owed(&self) -> u64 {
        self.0.counts.take_owed()
    }

    /// Requests, requests that left, bytes sent and bytes received.
    pub(crate) fn totals(&self) -> [u64; 4] {
        self.0.counts.totals()
    }

    /// The limit that a request was refused by.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.0.counts.refused()
    }
}

type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Egress {
    /// The connection's own `Host` is the only one.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange>> + Send> {
        let head: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.0.counts.owe(fuel::HTTP_REQUEST.saturating_add((head as u64).saturating_mul(fuel::BYTE)));
        let exchange = Arc::clone(&self.0).exchange(request, options);
        Box::new(async move {
            let response = exchange.await?;
            let done: Box<dyn Future<Output = Result<()>> + Send> = Box::new(async { Ok::<(), Error>(()) });
            Ok((response, done))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }
}
