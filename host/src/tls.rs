//! TLS of the host's own listener: the certificate that it shows, where that comes from, and what is spoken.

mod acme;
mod certificates;
mod files;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acme::Acme;
use certificates::Certificates;
pub use certificates::TlsError;
use files::Files;
use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;

/// How often it is looked whether there is another certificate.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// What is spoken over TLS (RFC 7301), the preferred first.
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// What an authority speaks that wants proof (RFC 8737).
pub(crate) const ACME: &[u8] = b"acme-tls/1";

/// Where the certificate is from.
enum Source {
    Files(Files),
    Acme(Box<Acme>),
}

/// The host's side of TLS.
pub struct Tls {
    certificates: Arc<Certificates>,
    source: Source,
    server: Arc<ServerConfig>,
    /// Somebody wants it to be looked at once.
    now: Notify,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How many may go on at the same time.
    pub pending: usize,
}

impl Tls {
    /// As the operator's file says; none where the host does no TLS. Files are in the data folder, unless they are
    /// named from the root; what is had from an authority is kept in a folder of keys.
    ///
    /// # Errors
    /// [`TlsError`] when the certificate can't be used.
    pub fn new(config: &Config, keys: &Path) -> Result<Option<Arc<Self>>, TlsError> {
        let (values, data) = (&config.values.tls, &config.data);
        let certificates = Arc::new(Certificates::default());
        let source = match (&values.certificate, &values.key, &values.acme) {
            (Some(certificate), Some(key), _) => {
                let files = Files::new(data.join(certificate), data.join(key));
                files.load(&certificates)?;
                Source::Files(files)
            }
            (.., Some(acme)) => Source::Acme(Box::new(Acme::new(acme, data, keys, &certificates)?)),
            _ => return Ok(None),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // Of both versions the provider has the suites alone that keep their secrets for good (forward secrecy, AEAD).
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as _);
        server.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        if let Source::Acme(_) = source {
            server.alpn_protocols.push(ACME.to_vec());
        }
        Ok(Some(Arc::new(Self {
            certificates,
            source,
            server: Arc::new(server),
            now: Notify::new(),
            handshake: Duration::from_millis(values.handshake_ms),
            pending: usize::try_from(values.pending_handshakes).unwrap_or(usize::MAX),
        })))
    }

    /// Shakes hands with whoever connects.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }

    /// Looks at once whether there is another certificate.
    pub fn look_again(&self) {
        self.now.notify_one();
    }

    /// Shows the newest certificate for as long as the host lives. Connections that are open keep the one that they
    /// began with.
    pub async fn do_duties(self: Arc<Self>) {
        let mut at_once = false;
        loop {
            match &self.source {
                Source::Files(files) => tokio::task::block_in_place(|| files.look(&self.certificates)),
                Source::Acme(acme) => acme.look(&self.certificates, at_once).await,
            }
            self.certificates.tell_when_it_ends();
            at_once = tokio::select! {
                () = tokio::time::sleep(LOOKED_EVERY) => false,
                () = self.now.notified() => true,
            };
        }
    }
}
