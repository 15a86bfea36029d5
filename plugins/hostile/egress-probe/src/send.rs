//! One request, written with the raw interfaces of WASI, so that nothing of a client's manners is in the way.

use serde::{Deserialize, Serialize};

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use crate::bindings::wasi::io::streams::StreamError;

/// A request. `{{N}}` in any text stands for the body that the N-th request before it brought.
#[derive(Deserialize)]
pub struct Step {
    #[serde(default)]
    method: String,
    #[serde(default)]
    scheme: String,
    authority: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Vec<String>,
    #[serde(default)]
    trailers: Vec<(String, String)>,
    #[serde(default)]
    first_byte_ms: Option<u64>,
    #[serde(default)]
    between_bytes_ms: Option<u64>,
    /// Bytes of the answer to read before the rest is left alone.
    #[serde(default)]
    read_bytes: Option<u64>,
}

/// What came of it.
#[derive(Default, Serialize)]
pub struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    trailers: Vec<(String, String)>,
    /// Every error on the way, as the host typed it.
    errors: Vec<String>,
}

/// Sends a step, and reads all there is to read.
pub fn send(step: Step, before: &[Seen]) -> Seen {
    let mut seen = Seen::default();
    if let Err(error) = exchange(step, before, &mut seen) {
        seen.errors.push(error);
    }
    seen
}

fn exchange(step: Step, before: &[Seen], seen: &mut Seen) -> Result<(), String> {
    let filled = |text: &str| {
        before
            .iter()
            .enumerate()
            .fold(text.to_owned(), |text, (number, seen)| text.replace(&format!("{{{{{number}}}}}"), &seen.body))
    };
    let headers = Fields::new();
    for (name, value) in &step.headers {
        if let Err(error) = headers.append(name, filled(value).as_bytes()) {
            seen.errors.push(format!("{name}: {error:?}"));
        }
    }
    let request = OutgoingRequest::new(headers);
    let refused = |what: &str| format!("the host refuses the {what}");
    request.set_method(&method(&step.method)).map_err(|()| refused("method"))?;
    request.set_scheme(Some(&scheme(&step.scheme))).map_err(|()| refused("scheme"))?;
    request.set_authority(Some(&filled(&step.authority))).map_err(|()| refused("authority"))?;
    request.set_path_with_query(Some(&filled(&step.path))).map_err(|()| refused("path"))?;
    let options = RequestOptions::new();
    let nanos = |ms: Option<u64>| ms.map(|ms| ms * 1_000_000);
    let _ = options.set_first_byte_timeout(nanos(step.first_byte_ms));
    let _ = options.set_between_bytes_timeout(nanos(step.between_bytes_ms));
    let body = if step.body.is_empty() { None } else { Some(request.body().map_err(|()| refused("body"))?) };
    let answer = outgoing_handler::handle(request, Some(options)).map_err(|code| format!("{code:?}"))?;
    if let Some(body) = body {
        if let Err(error) = write(&body, step.body.iter().map(|chunk| filled(chunk))) {
            seen.errors.push(error);
        }
        let trailers = Fields::new();
        for (name, value) in &step.trailers {
            if let Err(error) = trailers.append(name, filled(value).as_bytes()) {
                seen.errors.push(format!("{name}: {error:?}"));
            }
        }
        let trailers = (!step.trailers.is_empty()).then_some(trailers);
        if let Err(code) = OutgoingBody::finish(body, trailers) {
            seen.errors.push(format!("{code:?}"));
        }
    }
    answer.subscribe().block();
    let response = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(format!("{code:?}")),
        _ => return Err("the answer is gone".to_owned()),
    };
    seen.status = response.status();
    seen.headers = texts(&response.headers());
    let body = response.consume().map_err(|()| refused("answer's body"))?;
    read(&body, step.read_bytes.unwrap_or(u64::MAX), seen);
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    match trailers.get() {
        Some(Ok(Ok(Some(fields)))) => seen.trailers = texts(&fields),
        Some(Ok(Err(code))) => seen.errors.push(format!("{code:?}")),
        _ => {}
    }
    Ok(())
}

fn write(body: &OutgoingBody, chunks: impl Iterator<Item = String>) -> Result<(), String> {
    let stream = body.write().map_err(|()| "no stream".to_owned())?;
    for chunk in chunks {
        for piece in chunk.as_bytes().chunks(4096) {
            stream.blocking_write_and_flush(piece).map_err(|error| format!("writing: {error:?}"))?;
        }
    }
    Ok(())
}

fn read(body: &IncomingBody, most: u64, seen: &mut Seen) {
    let Ok(stream) = body.stream() else { return };
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < most {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                seen.errors.push(error.to_debug_string());
                break;
            }
        }
    }
    seen.body = String::from_utf8_lossy(&bytes).into_owned();
}

fn texts(fields: &Fields) -> Vec<(String, String)> {
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    fields.entries().into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn method(name: &str) -> Method {
    match name {
        "" | "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "" | "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    }
}
