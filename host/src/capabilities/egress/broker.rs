//! What all runs of a host share of the network: roots of trust, addresses, and each account's own connections.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::address::Allowed;
use super::connect::Connector;
use super::needles::Needles;
use super::outgoing::Outgoing;
use super::policy::Policy;
use super::recent::Recent;
use super::resolve::{Pins, Resolve, SystemResolver};
use crate::grants::Grants;
use crate::ids::AccountId;

/// Connections and pools that nobody used for so long are closed.
const IDLE: Duration = Duration::from_secs(60);
const ACCOUNT_IDLE: Duration = Duration::from_secs(600);
/// Idle connections that an account keeps to one host.
const IDLE_CONNECTIONS: usize = 32;
/// Header fields of one response, in number and bytes.
const MAX_HEADERS: usize = 128;
const MAX_HEAD_BYTES: usize = 64 << 10;

/// What the operator decides about the network.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// Addresses that may be reached though they are not public.
    pub allow_addresses: Vec<IpNet>,
    /// Authorities that are trusted besides Mozilla's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Finds addresses.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self { allow_addresses: Vec::new(), authorities: Vec::new(), resolver: Arc::new(SystemResolver) }
    }
}

/// Why egress can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The operator's file of authorities.
    #[error("{file}: {reason}")]
    Authorities {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

impl EgressSettings {
    /// The operator's values, with the file of authorities read.
    ///
    /// # Errors
    /// The file can't be read or holds no certificate.
    pub fn new(allow_addresses: Vec<IpNet>, ca_file: Option<&Path>) -> Result<Self, EgressError> {
        let authorities = match ca_file {
            None => Vec::new(),
            Some(file) => {
                let failed = |reason: String| EgressError::Authorities { file: file.display().to_string(), reason };
                let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
                let certificates: Vec<_> = read.map_err(|error| failed(error.to_string()))?;
                if certificates.is_empty() {
                    return Err(failed("it holds no certificate in PEM".to_owned()));
                }
                certificates
            }
        };
        Ok(Self { allow_addresses, authorities, ..Self::default() })
    }
}

type HttpClient = Client<HttpsConnector<Connector>, Outgoing>;

/// Sends the requests of all accounts, and shares no connection between two of them.
pub struct Broker {
    tls: ClientConfig,
    pins: Pins,
    pools: moka::sync::Cache<AccountId, Arc<Pool>>,
}

/// One account's connections, and what its runs prepared.
pub(crate) struct Pool {
    /// For every request but those of `in_the_clear`.
    pub(crate) client: HttpClient,
    /// For credentials over plain `http`: connects to addresses that the operator named, and to no other.
    pub(crate) in_the_clear: HttpClient,
    pub(crate) in_flight: Arc<Semaphore>,
    /// Policies of the account's deployments.
    pub(crate) policies: Recent<Arc<Grants>, Policy>,
    /// The forms of its secrets, by the secrets.
    pub(crate) needles: Recent<Vec<Zeroizing<Vec<u8>>>, Needles>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("pins", &self.pins).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Broker {
    /// Trusts Mozilla's authorities, which are compiled in and so the same on every host, and the operator's.
    ///
    /// # Errors
    /// An authority's certificate can't be used.
    pub fn new(settings: EgressSettings) -> Result<Self, EgressError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in settings.authorities {
            roots.add(certificate).map_err(|error| EgressError::Tls(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| EgressError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls,
            pins: Pins::new(settings.resolver, Allowed::new(settings.allow_addresses)),
            pools: moka::sync::Cache::builder().max_capacity(10_000).time_to_idle(ACCOUNT_IDLE).build(),
        })
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The account's connections, made when they are first asked for.
    pub(crate) fn pool(&self, account: AccountId, in_flight: u64) -> Arc<Pool> {
        self.pools.get_with(account, || {
            let permits = usize::try_from(in_flight).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
            Arc::new(Pool {
                client: self.client(account, false),
                in_the_clear: self.client(account, true),
                in_flight: Arc::new(Semaphore::new(permits)),
                policies: Recent::default(),
                needles: Recent::default(),
            })
        })
    }

    /// Sessions are not resumed across accounts, since each has a configuration of its own.
    fn client(&self, account: AccountId, named_only: bool) -> HttpClient {
        let mut tls = self.tls.clone();
        tls.resumption = rustls::client::Resumption::in_memory_sessions(64);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Connector::new(account, self.pins.clone(), named_only));
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .http2_max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .build(connector)
    }
}
