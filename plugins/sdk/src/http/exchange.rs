//! One request over `wasi:http`, and its answer.

use super::{Error, Request, Response, Target};
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme, http_error_code,
};
use crate::bindings::wasi::io::streams::StreamError;

/// Bytes that one read asks for.
const CHUNK_BYTES: u64 = 64 * 1024;

pub(super) fn exchange(request: Request, target: &Target) -> Result<Response, Error> {
    let bytes = request.body.as_deref();
    let outgoing = outgoing(&request, target)?;
    let body = match bytes {
        Some(_) => Some(outgoing.body().map_err(|()| invalid("body"))?),
        None => None,
    };
    let pending = outgoing_handler::handle(outgoing, None).map_err(|code| failed(&code, target))?;
    if let (Some(body), Some(bytes)) = (body, bytes) {
        // A server may answer before it has read everything; then its answer says more than the broken stream.
        if write(&body, bytes).is_ok() {
            let _ = OutgoingBody::finish(body, None);
        }
    }
    pending.subscribe().block();
    match pending.get() {
        Some(Ok(Ok(response))) => read(&response, target),
        Some(Ok(Err(code))) => Err(failed(&code, target)),
        None | Some(Err(())) => Err(unavailable("the answer is gone", target)),
    }
}

fn outgoing(request: &Request, target: &Target) -> Result<OutgoingRequest, Error> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers.append(name, value).map_err(|error| Error::Invalid(format!("the header `{name}`: {error}")))?;
    }
    if let Some(body) = &request.body {
        let length = body.len().to_string();
        headers.set("content-length", &[length.into_bytes()]).map_err(|_| invalid("length"))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let scheme = if target.secure { Scheme::Https } else { Scheme::Http };
    outgoing.set_method(&method(&request.method)).map_err(|()| invalid("method"))?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| invalid("scheme"))?;
    outgoing.set_authority(Some(&target.authority)).map_err(|()| invalid("host"))?;
    outgoing.set_path_with_query(Some(&target.path)).map_err(|()| invalid("path"))?;
    Ok(outgoing)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn write(body: &OutgoingBody, mut bytes: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().map_err(|()| StreamError::Closed)?;
    while !bytes.is_empty() {
        stream.subscribe().block();
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        let (now, rest) = bytes.split_at(room.min(bytes.len()));
        stream.write(now)?;
        bytes = rest;
    }
    stream.blocking_flush()
}

fn read(response: &IncomingResponse, target: &Target) -> Result<Response, Error> {
    let status = response.status();
    let headers = response.headers().entries();
    let incoming = response.consume().map_err(|()| unavailable("the answer is gone", target))?;
    let body = bytes(&incoming, target)?;
    Ok(Response { status, headers, body, origin: target.origin() })
}

fn bytes(body: &IncomingBody, target: &Target) -> Result<Vec<u8>, Error> {
    let stream = body.stream().map_err(|()| unavailable("the answer is gone", target))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(match http_error_code(&error) {
                    Some(code) => failed(&code, target),
                    None => unavailable(&error.to_debug_string(), target),
                });
            }
        }
    }
}

/// What the host's code means to who asked.
fn failed(code: &ErrorCode, target: &Target) -> Error {
    let (origin, reason) = (target.origin(), format!("{code:?}"));
    match code {
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => Error::Invalid(reason),
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited | ErrorCode::ConfigurationError => {
            Error::Refused { origin, reason }
        }
        ErrorCode::ConnectionLimitReached | ErrorCode::HttpRequestBodySize(_) | ErrorCode::HttpResponseBodySize(_) => {
            Error::LimitReached { origin, reason }
        }
        _ => Error::Unavailable { origin, reason },
    }
}

fn invalid(what: &str) -> Error {
    Error::Invalid(format!("the host refuses its {what}"))
}

fn unavailable(reason: &str, target: &Target) -> Error {
    Error::Unavailable { origin: target.origin(), reason: reason.to_owned() }
}
