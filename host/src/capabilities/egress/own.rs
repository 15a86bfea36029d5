//! A request that the host itself makes for an account, such as for an access token: to no address that a guest
//! could not reach, through connections that are the account's alone.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use super::broker::Broker;
use super::counts::Counts;
use super::destination::Destination;
use super::outgoing::Outgoing;
use crate::grants::Scheme;
use crate::ids::AccountId;
use crate::limits::{AccountLimits, RunLimits};

impl Broker {
    /// Sends a request and answers with what came back, redirects included. Over plain `http` only addresses that
    /// the operator named are dialled.
    ///
    /// # Errors
    /// Why it was not sent or not answered, in words that hold nothing of the request but its host.
    pub(crate) async fn send_own(
        &self,
        account: AccountId,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Incoming>, String> {
        let uri = request.uri();
        let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let to = Destination::parse(
            &part(uri.scheme_str()),
            &part(uri.authority().map(http::uri::Authority::as_str)),
            &part(uri.path_and_query().map(http::uri::PathAndQuery::as_str)),
        )
        .map_err(|malformed| malformed.0.to_owned())?;
        self.pins().pin(account, &to).await.map_err(|denied| denied.to_string())?;

        let pool = self.pool(account, AccountLimits::default().http_requests_in_flight);
        let client = if to.scheme == Scheme::Http { &pool.in_the_clear } else { &pool.client };
        let (mut head, body) = request.into_parts();
        head.uri = to.uri(None).map_err(|malformed| malformed.0.to_owned())?;
        let length = body.len() as u64;
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        let counts = Arc::new(Counts::new(&RunLimits::default()));
        let body = Outgoing::new(body, Some(length), None, counts);
        client.request(http::Request::from_parts(head, body)).await.map_err(|error| {
            if error.is_connect() {
                super::broken::connecting(&error, &to).to_string()
            } else {
                "it broke off".to_owned()
            }
        })
    }
}
