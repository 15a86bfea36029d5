//! The authority of this process, whose certificates its clients and servers trust.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};

static AUTHORITY: LazyLock<CertifiedIssuer<'static, KeyPair>> = LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Of its own: what is called as its authority is, OpenSSL takes for one that vouches for itself.
    params.distinguished_name.push(DnType::CommonName, "the suite's authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
});

/// The authority's own certificate.
pub fn certificate() -> CertificateDer<'static> {
    AUTHORITY.der().clone()
}

/// The same in PEM, as a file in a folder.
pub fn file(folder: &Path) -> PathBuf {
    let path = folder.join("authority.pem");
    std::fs::write(&path, AUTHORITY.pem()).unwrap();
    path
}

/// A certificate and its key.
pub struct Issued {
    pub certificate: CertificateDer<'static>,
    pub key: KeyPair,
    pem: String,
}

impl Issued {
    /// One for these names.
    pub fn to(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &*AUTHORITY).unwrap();
        Self { certificate: certificate.der().clone(), key, pem: certificate.pem() }
    }

    /// Puts it into a folder, as whoever renews certificates does: each file in one step, one after the other.
    pub fn put(&self, folder: &Path) {
        for (name, text) in [("cert.pem", self.pem.clone()), ("key.pem", self.key.serialize_pem())] {
            let fresh = folder.join(format!("{name}.new"));
            std::fs::write(&fresh, text).unwrap();
            std::fs::rename(fresh, folder.join(name)).unwrap();
        }
    }
}

/// What an operator's file says of a certificate that was put into a folder.
pub fn settings(folder: &Path) -> String {
    let folder = folder.display();
    format!("[tls]\ncertificate = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\n")
}

/// Signs what somebody asks for, in PEM: good since an hour, for so long from now on. None when it is no request that
/// is signed by its own key, for these names.
pub fn sign(request: &[u8], names: &[String], lasts: Duration) -> Option<String> {
    let request = CertificateSigningRequestDer::from(request.to_vec());
    let mut asked = CertificateSigningRequestParams::from_der(&request).ok()?;
    let of = |name: &rcgen::SanType| match name {
        rcgen::SanType::DnsName(name) => Some(name.to_string()),
        _ => None,
    };
    let wanted: Option<Vec<_>> = asked.params.subject_alt_names.iter().map(of).collect();
    if wanted? != names {
        return None;
    }
    let at = |moment: SystemTime| {
        date_time_ymd(1970, 1, 1) + moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    };
    asked.params.not_before = at(SystemTime::now() - Duration::from_secs(3_600));
    asked.params.not_after = at(SystemTime::now() + lasts);
    Some(asked.signed_by(&AUTHORITY).ok()?.pem())
}
