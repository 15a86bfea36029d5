//! One request to a token endpoint, through the account's egress: no private address, no redirect, no proxy, no
//! connection that another account might share.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http_body_util::{BodyExt as _, Limited};
use reqwest::Url;
use zeroize::Zeroizing;

use crate::capabilities::egress::Broker;
use crate::ids::AccountId;

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
pub(super) async fn send(broker: &Broker, account: AccountId, request: &TokenRequest) -> Result<TokenReply, String> {
    let exchanged = tokio::time::timeout(PATIENCE, exchange(broker, account, request)).await;
    exchanged.unwrap_or_else(|_| Err(format!("it did not answer within {} s", PATIENCE.as_secs())))
}

async fn exchange(broker: &Broker, account: AccountId, request: &TokenRequest) -> Result<TokenReply, String> {
    let mut post = http::Request::post(request.url.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(USER_AGENT, concat!("aaasp/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = &request.authorization {
        post = post.header(AUTHORIZATION, authorization);
    }
    let form = Bytes::copy_from_slice(request.form.as_bytes());
    let post = post.body(form).map_err(|_| "its address can't be asked".to_owned())?;
    let response = broker.send_own(account, post).await?;
    let status = response.status().as_u16();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|_| format!("its answer broke off, or had more than {ANSWER_BYTES} bytes"))?;
    let body = Zeroizing::new(body.to_bytes().to_vec());
    Ok(TokenReply { status, retry_after: seconds.map(Duration::from_secs), body })
}
