//! Sends a provider's requests through egress, which puts the real key in place of the placeholder, and tries again
//! where that can help.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use rig_core::http_client::{self, HttpClientExt, LazyBody, MultipartForm, StreamingResponse};
use wasmtime_wasi_http::WasiBody;

use crate::capabilities::egress::{Denied, Run};

/// Stands in requests where the key will: a value that no provider takes for a key.
pub(super) const PLACEHOLDER: &str = "placeholder";

/// Tries after the first.
const RETRIES: usize = 3;
/// The first pause, and the longest, where the provider names none. Each is drawn between once and twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What is read of a refusal.
const REFUSAL_BYTES: usize = 64 << 10;

/// The HTTP client of one call.
#[derive(Clone)]
pub(super) struct Transport {
    pub(super) run: Arc<Run>,
    /// Set while the provider works on the call, or has.
    pub(super) begun: Arc<AtomicBool>,
}

/// Why egress did not bring an answer.
#[derive(Debug)]
pub(super) struct NoAnswer(pub(super) Denied);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NoAnswer {}

impl Transport {
    /// Sends until there is an answer, a refusal that stays, or no time.
    async fn send_patiently(self, request: Request<Bytes>) -> http_client::Result<Response<WasiBody>> {
        let request = without_placeholder(request)?;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(RETRIES)
            .with_jitter();
        let deadline = self.run.deadline();
        let answer = (|| self.send_once(&request))
            .retry(pauses)
            .when(may_pass)
            .adjust(|error, pause| {
                let pause = pause?.max(retry_after(error.non_success_headers()?).unwrap_or_default());
                Instant::now().checked_add(pause).filter(|at| *at < deadline).map(|_| pause)
            })
            .await?;
        Ok(answer)
    }

    async fn send_once(&self, request: &Request<Bytes>) -> http_client::Result<Response<WasiBody>> {
        let body = Full::new(request.body().clone()).map_err(|never| match never {}).boxed_unsync();
        let (parts, _) = request.clone().into_parts();
        self.begun.store(true, Ordering::Relaxed);
        let answer = self.run.ask(Request::from_parts(parts, body), None).await;
        let response = answer.map_err(|denied| {
            // An answer that was refused here, or that never came, may have cost the provider as much as any other.
            self.begun.store(denied.may_have_arrived(), Ordering::Relaxed);
            http_client::Error::instance(NoAnswer(denied))
        })?;
        if response.status().as_u16() == 200 {
            return Ok(response);
        }
        self.begun.store(response.status().is_success(), Ordering::Relaxed);
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, REFUSAL_BYTES).collect().await.map(http_body_util::Collected::to_bytes);
        let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        Err(http_client::Error::non_success_with_details(parts.status, parts.headers, body))
    }
}

/// Whether the same request may get an answer later: the provider is asked too often, or is in trouble.
fn may_pass(error: &http_client::Error) -> bool {
    error.non_success_status().is_some_and(|status| status.as_u16() == 429 || status.is_server_error())
}

/// How long a provider asks to be left alone: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(Timestamp::now())).unwrap_or_default())
}

/// The placeholder stands where a wire puts the key: in a header, or in the query. Egress knows the right place.
fn without_placeholder(mut request: Request<Bytes>) -> http_client::Result<Request<Bytes>> {
    let holds =
        |value: &HeaderValue| value.to_str().is_ok_and(|value| value.split(' ').next_back() == Some(PLACEHOLDER));
    let names: Vec<_> =
        request.headers().iter().filter(|(_, value)| holds(value)).map(|(name, _)| name.clone()).collect();
    for name in names {
        request.headers_mut().remove(name);
    }
    if let Some(query) = request.uri().query().filter(|query| query.contains(PLACEHOLDER)) {
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| pair.split_once('=').is_none_or(|(_, value)| value != PLACEHOLDER))
            .collect();
        let mut parts = request.uri().clone().into_parts();
        let target = match kept.join("&") {
            query if query.is_empty() => request.uri().path().to_owned(),
            query => format!("{}?{query}", request.uri().path()),
        };
        parts.path_and_query = Some(target.parse().map_err(|_| http_client::Error::NoHeaders)?);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| http_client::Error::NoHeaders)?;
    }
    Ok(request)
}

fn broken(error: wasmtime_wasi_http::Error) -> http_client::Error {
    match error {
        wasmtime_wasi_http::Error::HttpResponseBodySize(_) => {
            http_client::Error::instance(NoAnswer(Denied::Limit("http_response_bytes")))
        }
        _ => http_client::Error::instance(NoAnswer(Denied::Broken("the provider".to_owned()))),
    }
}

impl HttpClientExt for Transport {
    fn send<T, U>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = http_client::Result<Response<LazyBody<U>>>> + Send + 'static
    where
        T: Into<Bytes> + Send,
        U: From<Bytes> + Send + 'static,
    {
        let (transport, request) = (self.clone(), request.map(Into::into));
        async move {
            let response = transport.send_patiently(request).await?;
            Ok(response.map(|body| {
                let whole = async move { body.collect().await.map(|body| U::from(body.to_bytes())).map_err(broken) };
                Box::pin(whole) as LazyBody<U>
            }))
        }
    }

    /// No wire that is used here sends one.
    fn send_multipart<U>(
        &self,
        _request: Request<MultipartForm>,
    ) -> impl Future<Output = http_client::Result<Response<LazyBody<U>>>> + Send + 'static
    where
        U: From<Bytes> + Send + 'static,
    {
        let refused = NoAnswer(Denied::Malformed("a form is not sent to a model"));
        std::future::ready(Err(http_client::Error::instance(refused)))
    }

    fn send_streaming<T>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = http_client::Result<StreamingResponse>> + Send
    where
        T: Into<Bytes> + Send,
    {
        let (transport, request) = (self.clone(), request.map(Into::into));
        async move {
            let response = transport.send_patiently(request).await?;
            Ok(response.map(|body| {
                let bytes = body.into_data_stream().map(|bytes| bytes.map_err(broken));
                Box::pin(bytes) as http_client::BoxedStream
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, header: (&str, &str)) -> Request<Bytes> {
        let request = Request::post(url).header("content-type", "application/json").header(header.0, header.1);
        request.body(Bytes::new()).unwrap()
    }

    #[test]
    fn the_placeholder_never_leaves() {
        for header in [("authorization", "Bearer placeholder"), ("x-api-key", "placeholder")] {
            let sent = without_placeholder(request("https://a.example/v1", header)).unwrap();
            assert_eq!(sent.headers().len(), 1, "{header:?}");
        }
        for (asked, left) in [
            ("https://a.example/m:gen?key=placeholder", "https://a.example/m:gen"),
            ("https://a.example/m:gen?alt=sse&key=placeholder", "https://a.example/m:gen?alt=sse"),
            ("https://a.example/m?q=a", "https://a.example/m?q=a"),
        ] {
            let sent = without_placeholder(request(asked, ("accept", "*/*"))).unwrap();
            assert_eq!(sent.uri(), left);
        }
    }

    #[test]
    fn a_provider_says_in_two_ways_how_long_to_wait() {
        let headers = |value: &str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers("Wed, 21 Oct 2015 07:28:00 GMT")), Some(Duration::ZERO));
        assert!(retry_after(&headers("Wed, 21 Oct 2099 07:28:00 GMT")).unwrap() > Duration::from_secs(3600));
        assert_eq!(retry_after(&headers("soon")), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let error = |status| {
            let answer = Response::builder().status(status).body(()).unwrap();
            http_client::Error::non_success_with_details(answer.status(), HeaderMap::new(), String::new())
        };
        assert!([429, 500, 502, 503, 529].into_iter().all(|status| may_pass(&error(status))));
        assert!([400, 401, 403, 404, 413].into_iter().all(|status| !may_pass(&error(status))));
    }
}
