//! How the authority is asked: with the one HTTP client that there is, under Mozilla's roots and the operator's.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::tls::TlsError;

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer.
const ANSWER_BYTES: usize = 1 << 20;

/// Asks the authority.
#[derive(Clone)]
pub(super) struct Asks(reqwest::Client);

impl Asks {
    /// With the authorities of a file besides Mozilla's.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = authorities {
            let pem = std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })?;
            let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(format!("{}: {error}", path.display()));
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| unusable(&error))?;
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
        }
        let setup = |error: &dyn std::fmt::Display| TlsError::Setup(error.to_string());
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Ok(Self(client.map_err(|error| setup(&error))?))
    }

    async fn answer(self, request: http::Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let other = |error: reqwest::Error| Error::Other(Box::new(error));
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(|body| body.to_bytes());
        let request = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        let mut answer = request.send().await.map_err(other)?;
        let mut head = http::Response::new(());
        *head.status_mut() = answer.status();
        *head.headers_mut() = answer.headers().clone();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(other)? {
            if body.len() + part.len() > ANSWER_BYTES {
                return Err(Error::Str("an answer of a size that can be read"));
            }
            body.extend_from_slice(&part);
        }
        Ok(BytesResponse { parts: head.into_parts().0, body: Box::new(Bytes::from(body)) })
    }
}

impl HttpClient for Asks {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().answer(request))
    }
}
