//! Opens connections, and looks at each address once more when it is about to be dialled.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::resolve::Pins;
use crate::ids::AccountId;

/// How long one address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Dials what was pinned for an account's hosts, and nothing else: there is no resolver behind it, no proxy and no
/// environment.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    account: AccountId,
    pins: Pins,
    /// Whether only addresses that the operator named are dialled: for credentials in the clear.
    named_only: bool,
}

/// An address that the connector will not dial.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is not one to dial")]
pub(crate) struct Prohibited(pub(super) SocketAddr);

impl Connector {
    pub(crate) fn new(account: AccountId, pins: Pins, named_only: bool) -> Self {
        Self { account, pins, named_only }
    }

    async fn connect(self, uri: http::Uri) -> io::Result<TcpStream> {
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let host = uri.host().unwrap_or_default();
        let addresses = self.pins.pinned(self.account, host, port).await;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host was not resolved");
        for &address in addresses.iter().flat_map(|addresses| addresses.iter()) {
            let refused = self.pins.allowed().refusal(address.ip()).is_some()
                || (self.named_only && !self.pins.allowed().names(address.ip()));
            if refused {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, Prohibited(address)));
            }
            match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }
}

impl Service<http::Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map(TokioIo::new) })
    }
}
