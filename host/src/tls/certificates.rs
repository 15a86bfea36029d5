//! The certificate that is shown to whoever connects, from one handshake to the next.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ACME;

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("`tls`: {path} can't be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What is there is no certificate with its key.
    #[error("`tls`: {0}")]
    Unusable(String),
    /// TLS itself can't be set up.
    #[error("`tls`: {0}")]
    Setup(String),
}

/// A certificate with its key, ready to be shown.
pub(super) struct Ready {
    pub key: Arc<CertifiedKey>,
    /// From when to when it is good, in seconds since 1970.
    pub good: (i64, i64),
    /// The domains that it is for.
    pub domains: Vec<String>,
}

impl Ready {
    /// Reads a certificate, with those that vouch for it behind it, and its key.
    pub(super) fn read(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let unusable = |what: &str, why: &dyn fmt::Display| TlsError::Unusable(format!("{what}: {why}"));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| unusable("the certificate is not what PEM has", &error))?;
        let first =
            chain.first().ok_or_else(|| TlsError::Unusable("there is no certificate in its file".to_owned()))?;
        let (good, domains) = facts(first).map_err(|error| unusable("the certificate can't be read", &error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable("the key can't be read", &error))?;
        // Whether the two belong together is found out here.
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
            .map_err(|error| unusable("certificate and key can't be used together", &error))?;
        Ok(Self { key: Arc::new(key), good, domains })
    }

    /// Seconds until it is good no more.
    pub(super) fn ends_in(&self) -> i64 {
        self.good.1 - now()
    }
}

type Facts = ((i64, i64), Vec<String>);

fn facts(certificate: &CertificateDer<'_>) -> Result<Facts, x509_parser::error::X509Error> {
    use x509_parser::extensions::GeneralName;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| match error {
        x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => error,
        x509_parser::nom::Err::Incomplete(_) => x509_parser::error::X509Error::InvalidCertificate,
    })?;
    let validity = parsed.validity();
    let names = parsed.subject_alternative_name()?.map(|names| &names.value.general_names);
    let domains = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Ok(((validity.not_before.timestamp(), validity.not_after.timestamp()), domains.collect()))
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// What is shown now.
#[derive(Default)]
pub(super) struct Certificates {
    current: ArcSwapOption<Ready>,
    /// What authorities are shown that want proof, by domain.
    proofs: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Shows another certificate from now on.
    pub(super) fn show(&self, ready: Ready) {
        tracing::info!(domains = ready.domains.join(" "), days = ready.ends_in() / 86_400, "showing a certificate");
        self.current.store(Some(Arc::new(ready)));
        self.tell_when_it_ends();
    }

    /// The certificate that is shown, if there is one.
    pub(super) fn current(&self) -> Option<Arc<Ready>> {
        self.current.load_full()
    }

    /// Proves a domain to be the host's to whoever asks for proof.
    pub(super) fn prove(&self, domain: String, proof: Arc<CertifiedKey>) {
        self.proofs().insert(domain, proof);
    }

    /// Proves nothing any more.
    pub(super) fn forget_proofs(&self) {
        self.proofs().clear();
    }

    fn proofs(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells metrics for how long the certificate is good; below zero it is so no more.
    pub(super) fn tell_when_it_ends(&self) {
        if let Some(current) = self.current() {
            #[expect(clippy::cast_precision_loss, reason = "seconds of centuries are exact")]
            metrics::gauge!("aaasp_tls_certificate_ends_in_seconds").set(current.ends_in() as f64);
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Who wants proof offers nothing else (RFC 8737, 3).
        if hello.alpn().is_some_and(|mut offered| offered.next() == Some(ACME)) {
            return self.proofs().get(hello.server_name()?).cloned();
        }
        self.current.load().as_ref().map(|ready| Arc::clone(&ready.key))
    }
}
