//! One request to a token endpoint: no redirect, no proxy, no connection that another account might share.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use zeroize::Zeroizing;

/// How long an endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer.
const ANSWER_BYTES: usize = 64 << 10;

/// What is asked of a token endpoint.
pub(super) struct TokenRequest {
    pub url: Url,
    /// The Authorization header.
    pub authorization: Option<HeaderValue>,
    /// The form.
    pub form: Zeroizing<String>,
}

/// What it answered.
pub(super) struct TokenReply {
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    pub body: Zeroizing<Vec<u8>>,
}

/// Sends the request. The error tells nothing of it but the reason.
pub(super) async fn send(request: &TokenRequest) -> Result<TokenReply, String> {
    static CLIENT: LazyLock<reqwest::Result<reqwest::Client>> = LazyLock::new(|| {
        reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent(concat!("aaasp/", env!("CARGO_PKG_VERSION")))
            .build()
    });
    let client = CLIENT.as_ref().map_err(|_| "can't set up HTTPS".to_owned())?;
    let mut post = client
        .post(request.url.clone())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(request.form.as_bytes().to_vec());
    if let Some(authorization) = &request.authorization {
        post = post.header(AUTHORIZATION, authorization);
    }
    let mut response = post.send().await.map_err(|error| reason(&error))?;
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(format!("it answered with more than {ANSWER_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let status = response.status().as_u16();
    Ok(TokenReply { status, retry_after: seconds.map(Duration::from_secs), body })
}

/// Why there was no answer, without the URL.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("it did not answer within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("it can't be reached: {cause}")
}
