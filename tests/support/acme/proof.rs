//! The proof that a domain belongs to whoever asks: an authority connects to it and looks at what is shown (RFC 8737).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use x509_parser::extensions::GeneralName;

/// `id-pe-acmeIdentifier`
const IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

/// Looks at what a domain shows; where it leads, no DNS is asked.
pub async fn look(mut host: watch::Receiver<Option<SocketAddr>>, domain: &str, proof: &str) -> Result<(), String> {
    let host = host.wait_for(Option::is_some).await.ok().and_then(|host| *host).ok_or("the domain leads nowhere")?;
    let shown = tokio::time::timeout(Duration::from_secs(10), shown(host, domain)).await;
    let shown = shown.map_err(|_| "it takes too long".to_owned())?.map_err(|error| error.to_string())?;
    let (_, shown) = x509_parser::parse_x509_certificate(&shown).map_err(|error| error.to_string())?;
    let names = shown.subject_alternative_name().ok().flatten().ok_or("the certificate names nobody")?;
    let [GeneralName::DNSName(name)] = names.value.general_names[..] else { return Err("more than one name".into()) };
    if name != domain {
        return Err(format!("the certificate is for {name}"));
    }
    let identifier = shown.extensions().iter().find(|extension| extension.oid.to_id_string() == IDENTIFIER);
    let identifier = identifier.ok_or("there is no proof in the certificate")?;
    // An octet string of 32 bytes in DER.
    let wanted = [&[4, 32], Sha256::digest(proof).as_slice()].concat();
    if identifier.critical && identifier.value == wanted { Ok(()) } else { Err("the proof is another one's".into()) }
}

async fn shown(host: SocketAddr, domain: &str) -> std::io::Result<Vec<u8>> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SelfSigned(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = ServerName::try_from(domain.to_owned()).map_err(std::io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(host).await?).await?;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(b"acme-tls/1") {
        return Err(std::io::Error::other("it speaks another protocol"));
    }
    Ok(session.peer_certificates().unwrap_or_default().first().map(|shown| shown.to_vec()).unwrap_or_default())
}

/// Nobody vouches for such a certificate, and what usually reads them does not know its extension; that its key is
/// there is checked all the same.
#[derive(Debug)]
struct SelfSigned(Arc<CryptoProvider>);

impl ServerCertVerifier for SelfSigned {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let unreadable = |_| rustls::Error::General("this is no certificate".to_owned());
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(unreadable)?;
        let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
