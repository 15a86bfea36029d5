//! Names to addresses, once for a while: what was resolved and checked is what is dialled.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use url::Host;

use super::address::Allowed;
use super::denied::Denied;
use super::destination::Destination;
use crate::ids::AccountId;

/// How long an answer of the resolver is believed.
const BELIEVED: Duration = Duration::from_secs(30);
/// How long it is kept, so that who was told it a moment ago can still dial it.
const KEPT: Duration = Duration::from_secs(90);
/// Names that are remembered.
const REMEMBERED: u64 = 10_000;
/// How long the resolver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finds a name's addresses.
pub trait Resolve: Send + Sync + std::fmt::Debug {
    /// The addresses of a host name, with this port.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The operating system's resolver.
#[derive(Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Addresses that may be dialled, by account, host and port. An account has its own, so that none can see by the
/// time of an answer what another one asked for.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    resolver: Arc<dyn Resolve>,
    allowed: Allowed,
    pinned: moka::future::Cache<(AccountId, String, u16), Pinned>,
}

#[derive(Clone, Debug)]
struct Pinned {
    at: Instant,
    addresses: Arc<[SocketAddr]>,
}

/// Why a host has no addresses that may be dialled.
#[derive(Clone, Debug)]
enum Unpinned {
    Unresolved(String),
    Refused(std::net::IpAddr, &'static str),
}

impl Pins {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, allowed: Allowed) -> Self {
        let pinned = moka::future::Cache::builder().max_capacity(REMEMBERED).time_to_live(KEPT).build();
        Self { resolver, allowed, pinned }
    }

    /// The host's addresses, each of them fit to dial. One that is not condemns them all: a name that mixes
    /// public and private answers is either broken or an attack.
    pub(crate) async fn pin(&self, account: AccountId, to: &Destination) -> Result<Arc<[SocketAddr]>, Denied> {
        let key = (account, to.host.to_string(), to.port);
        if self.pinned.get(&key).await.is_some_and(|pinned| pinned.at.elapsed() >= BELIEVED) {
            self.pinned.invalidate(&key).await;
        }
        let found = self.pinned.try_get_with(key, self.look_up(&to.host, to.port)).await;
        found.map(|pinned| pinned.addresses).map_err(|unpinned| match &*unpinned {
            Unpinned::Unresolved(reason) => Denied::Unresolved { to: to.to_string(), reason: reason.clone() },
            Unpinned::Refused(address, kind) => Denied::Address {
                to: to.to_string(),
                address: *address,
                kind,
                bits: if address.is_ipv4() { 32 } else { 128 },
            },
        })
    }

    /// What was pinned for a host; nothing is resolved here.
    pub(crate) async fn pinned(&self, account: AccountId, host: &str, port: u16) -> Option<Arc<[SocketAddr]>> {
        self.pinned.get(&(account, host.to_owned(), port)).await.map(|pinned| pinned.addresses)
    }

    /// Forgets a host that could not be reached, which may have moved.
    pub(crate) async fn forget(&self, account: AccountId, to: &Destination) {
        self.pinned.invalidate(&(account, to.host.to_string(), to.port)).await;
    }

    pub(crate) fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    async fn look_up(&self, host: &Host<String>, port: u16) -> Result<Pinned, Unpinned> {
        let addresses = match host {
            Host::Ipv4(ip) => vec![SocketAddr::from((*ip, port))],
            Host::Ipv6(ip) => vec![SocketAddr::from((*ip, port))],
            Host::Domain(name) => match tokio::time::timeout(PATIENCE, self.resolver.resolve(name, port)).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(error)) => return Err(Unpinned::Unresolved(error.to_string())),
                Err(_) => return Err(Unpinned::Unresolved("the resolver does not answer".to_owned())),
            },
        };
        if addresses.is_empty() {
            return Err(Unpinned::Unresolved("it has no address".to_owned()));
        }
        for address in &addresses {
            if let Some(kind) = self.allowed.refusal(address.ip()) {
                return Err(Unpinned::Refused(address.ip(), kind));
            }
        }
        // The port is the URL's, whatever a resolver makes of it.
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address.ip(), port)).collect();
        Ok(Pinned { at: Instant::now(), addresses })
    }
}
