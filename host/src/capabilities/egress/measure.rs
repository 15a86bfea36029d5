//! What the benchmark measures: one exchange through the broker, and the search of a body.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};

use super::broker::Broker;
use super::exchange::Run;
use super::mask::Masker;
use super::needles::{Needles, Sought};
use crate::runtime::Invocation;

/// One GET as the only request of a run, its answer read to the end.
///
/// # Errors
/// What the guest would have been told.
pub(crate) async fn get(broker: &Arc<Broker>, invocation: &Invocation, url: &http::Uri) -> Result<usize, String> {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = http::Request::new(body);
    *request.uri_mut() = url.clone();
    let run = Arc::new(Run::new(Arc::clone(broker), invocation));
    let response = run.exchange(request, None).await.map_err(|error| error.to_string())?;
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok(body.to_bytes().len())
}

/// Takes a secret out of chunks; returns the bytes that left.
pub(crate) fn scrub(secret: &[u8], chunks: impl Iterator<Item = Bytes>) -> usize {
    let sought = Sought::default();
    sought.replace(Arc::new(Needles::new([secret])));
    let mut masker = Masker::new(Arc::new(sought));
    let left: usize = chunks.map(|chunk| masker.feed(&chunk).len()).sum();
    left + masker.finish().len()
}
