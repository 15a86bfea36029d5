//! Runs a `wasi:http/proxy`: the input is one request, the output its response.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::RunError;
use super::invoke::{Raised, while_instantiating};
use super::state::{State, Stop};
use crate::objects;

/// The authority of a request that names no host.
const DEFAULT_HOST: &str = "localhost";

/// A request as a run's input writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request {
    method: Option<String>,
    path: Option<String>,
    headers: BTreeMap<String, Values>,
    body: Option<serde_json::Value>,
    body_encoding: Encoding,
}

/// One value of a header, or several.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// How the bytes of a body are written in JSON.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Encoding {
    #[default]
    Utf8,
    Base64,
}

/// A response as a run's output writes it.
#[derive(Debug, Serialize)]
struct Response {
    status: u16,
    headers: BTreeMap<String, Values>,
    body: String,
    body_encoding: Encoding,
}

type Answer = Result<hyper_response::Response, ErrorCode>;

mod hyper_response {
    pub(super) type Response = http::Response<super::HyperOutgoingBody>;
}

/// One run.
pub(super) async fn run(
    store: &mut Store<State>,
    proxy: &ProxyPre<State>,
    input: &str,
) -> Result<Result<String, RunError>, Raised> {
    let request = match request(input) {
        Ok(request) => request,
        Err(message) => return Ok(Err(RunError::new("invalid_input", message))),
    };
    let instance = proxy.instantiate_async(&mut *store).await.map_err(while_instantiating)?;
    let max_bytes = store.data().limits.output_bytes;
    let (sender, receiver) = oneshot::channel();
    let incoming = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
    let outparam = store.data_mut().http().new_response_outparam(sender)?;
    let handle = instance.wasi_http_incoming_handler().call_handle(store, incoming, outparam);
    // The guest writes its body only as fast as somebody reads it.
    let (handled, collected) = tokio::join!(biased; handle, collect(receiver, max_bytes));
    handled?;
    Ok(collected?)
}

fn request(input: &str) -> Result<http::Request<Full<Bytes>>, String> {
    let request: Request =
        objects::from_json(input.as_bytes()).map_err(|error| format!("the input is no request: {error}"))?;
    let mut builder = http::Request::builder()
        .method(request.method.as_deref().unwrap_or("GET"))
        .uri(request.path.as_deref().unwrap_or("/"));
    let mut has_host = false;
    for (name, values) in &request.headers {
        has_host |= name.eq_ignore_ascii_case("host");
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        };
        for value in values {
            builder = builder.header(name, value);
        }
    }
    if !has_host {
        builder = builder.header(http::header::HOST, DEFAULT_HOST);
    }
    let body = match (request.body, request.body_encoding) {
        (None, _) => Vec::new(),
        (Some(serde_json::Value::String(text)), Encoding::Base64) => {
            STANDARD.decode(text).map_err(|error| format!("the input's `body` is not base64: {error}"))?
        }
        (Some(serde_json::Value::String(text)), Encoding::Utf8) => text.into_bytes(),
        (Some(value), _) => value.to_string().into_bytes(),
    };
    builder.body(Full::new(body.into())).map_err(|error| format!("the input is no request: {error}"))
}

async fn collect(answer: oneshot::Receiver<Answer>, max_bytes: u64) -> wasmtime::Result<Result<String, RunError>> {
    let response = match answer.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Ok(Err(RunError::new("failed", format!("the handler answered with {error:?}")))),
        Err(_) => return Ok(Err(RunError::new("failed", "the handler returned without a response"))),
    };
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ok(Err(RunError::new("failed", "the handler did not finish the response's body")));
        };
        let Ok(data) = frame.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > max_bytes {
            return Err(Stop::Limit("output_bytes").into());
        }
        bytes.extend_from_slice(&data);
    }
    let (body, body_encoding) = match String::from_utf8(bytes) {
        Ok(text) => (text, Encoding::Utf8),
        Err(error) => (STANDARD.encode(error.as_bytes()), Encoding::Base64),
    };
    let response = Response { status: parts.status.as_u16(), headers: headers(&parts.headers), body, body_encoding };
    Ok(Ok(serde_json::to_string(&response)?))
}

fn headers(map: &http::HeaderMap) -> BTreeMap<String, Values> {
    map.keys()
        .map(|name| {
            let mut values: Vec<String> =
                map.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
            let values = if values.len() == 1 { Values::One(values.swap_remove(0)) } else { Values::Many(values) };
            (name.as_str().to_owned(), values)
        })
        .collect()
}
