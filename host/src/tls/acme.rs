//! A certificate that the host gets by itself, and another one in time (ACME, RFC 8555). The authority asks for proof
//! by connecting to each domain (`tls-alpn-01`, RFC 8737), so that the host's own listener is all that it takes.

mod http;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::certificates::{Certificates, Ready, TlsError, now};
use crate::config::AcmeValues;
use crate::folder;

/// How long the authority may take to look at the proof, and to sign.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(90));

/// The shortest time between a certificate and the next one, in seconds, whatever the authority signs.
const SHORTEST_S: i64 = 3_600;

/// The longest wait before another try, in seconds. The shortest is a minute: an authority counts failures by the hour.
const LONGEST_WAIT_S: i64 = 6 * 3_600;

/// A certificate from an authority.
pub(super) struct Acme {
    values: AcmeValues,
    asks: http::Asks,
    /// The file with account and certificate.
    file: PathBuf,
    tries: Mutex<Tries>,
}

/// When it is tried next, in seconds since 1970, and how often it has failed since the last success.
#[derive(Default)]
struct Tries {
    next: i64,
    failed: u32,
}

/// What is kept from one start to the next.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// The account at an authority, by its directory.
    account: Option<(String, serde_json::Value)>,
    /// The certificate and its key, and of which directory they are.
    certificate: Option<KeptCertificate>,
}

#[derive(Serialize, Deserialize)]
struct KeptCertificate {
    directory: String,
    chain: String,
    key: String,
}

impl Acme {
    /// Keeps account and certificate in a folder, and shows the certificate that is kept there.
    pub(super) fn new(
        values: &AcmeValues,
        data: &Path,
        folder: &Path,
        certificates: &Certificates,
    ) -> Result<Self, TlsError> {
        let authorities = values.directory_ca.as_ref().map(|file| data.join(file));
        let asks = http::Asks::new(authorities.as_deref())?;
        let acme = Self { values: values.clone(), asks, file: folder.join("acme.json"), tries: Mutex::default() };
        if let Some(kept) = acme.kept()?.certificate {
            certificates.show(Ready::read(kept.chain.as_bytes(), kept.key.as_bytes())?);
        }
        Ok(acme)
    }

    /// Gets another certificate if it is time. While it can't be had, the one before is shown.
    pub(super) async fn look(&self, certificates: &Certificates, at_once: bool) {
        if !self.is_due(certificates) || (!at_once && now() < self.tries().next) {
            return;
        }
        let ordered = self.ordered(certificates).await;
        certificates.forget_proofs();
        let mut tries = self.tries();
        match ordered {
            Ok(ready) => {
                *tries = Tries { next: now() + SHORTEST_S, failed: 0 };
                certificates.show(ready);
            }
            Err(error) => {
                let wait = (60 << tries.failed.min(12)).min(LONGEST_WAIT_S);
                *tries = Tries { next: now() + wait, failed: tries.failed.saturating_add(1) };
                let (domains, directory) = (self.values.domains.join(" "), &self.values.directory);
                metrics::counter!("aaasp_tls_certificate_failures_total").increment(1);
                tracing::error!(
                    %error, domains, directory, again_in_seconds = wait,
                    "no certificate could be had; each domain has to lead the authority to this host, at port 443. \
                     `aaasp admin reload` tries again at once"
                );
            }
        }
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, certificates: &Certificates) -> bool {
        let of_this_authority =
            |kept: Kept| kept.certificate.is_some_and(|kept| kept.directory == self.values.directory);
        let Some(current) = certificates.current() else { return true };
        is_late(current.good, now())
            || self.values.domains.iter().any(|domain| !current.domains.contains(domain))
            || !self.kept().is_ok_and(of_this_authority)
    }

    async fn ordered(&self, certificates: &Certificates) -> Result<Ready, AcmeError> {
        let account = self.account().await?;
        let identifiers: Vec<_> = self.values.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = match account.new_order(&NewOrder::new(&identifiers)).await {
            Err(Error::Api(problem)) if problem.r#type.as_deref().is_some_and(is_about_the_account) => {
                // Another account is made at the next try.
                self.keep(|kept| kept.account = None)?;
                return Err(Error::Api(problem).into());
            }
            order => order?,
        };
        prove(&mut order, certificates).await?;
        if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
            return Err(AcmeError::Refused(reasons(&mut order).await));
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let ready = Ready::read(chain.as_bytes(), key.as_bytes())?;
        let directory = self.values.directory.clone();
        self.keep(|kept| kept.certificate = Some(KeptCertificate { directory, chain, key }))?;
        Ok(ready)
    }

    /// The account at the authority, which is made when there is none.
    async fn account(&self) -> Result<Account, AcmeError> {
        let builder = Account::builder_with_http(Box::new(self.asks.clone()));
        if let Some((directory, credentials)) = self.kept()?.account
            && directory == self.values.directory
        {
            let credentials: AccountCredentials = serde_json::from_value(credentials).map_err(Error::Json)?;
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact = self.values.contact.as_ref().map(|contact| format!("mailto:{contact}"));
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let directory = self.values.directory.clone();
        let (account, credentials) = builder.create(&new, directory.clone(), None).await?;
        let credentials = serde_json::to_value(credentials).map_err(Error::Json)?;
        self.keep(|kept| kept.account = Some((directory, credentials)))?;
        Ok(account)
    }

    fn kept(&self) -> Result<Kept, TlsError> {
        let file = |source| TlsError::File { path: self.file.clone(), source };
        match std::fs::read(&self.file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| file(error.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(file(error)),
        }
    }

    /// Changes what is kept, whole or not at all, readable to nobody else.
    fn keep(&self, change: impl FnOnce(&mut Kept)) -> Result<(), TlsError> {
        use std::io::Write as _;
        let mut kept = self.kept()?;
        change(&mut kept);
        let written = || {
            let mut file = folder::beside(&self.file)?;
            file.write_all(&serde_json::to_vec(&kept)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.file)?;
            Ok(())
        };
        written().map_err(|source| TlsError::File { path: self.file.clone(), source })
    }
}

/// Whether two thirds of the time are over for which a certificate is good.
const fn is_late((begins, ends): (i64, i64), now: i64) -> bool {
    now >= begins + (ends - begins) / 3 * 2
}

fn is_about_the_account(kind: &str) -> bool {
    kind.ends_with(":accountDoesNotExist") || kind.ends_with(":unauthorized")
}

/// Puts up the proof for each domain, and tells the authority to look at it.
async fn prove(order: &mut Order, certificates: &Certificates) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            _ => return Err(AcmeError::Refused("it does not ask for proof any more".to_owned())),
        }
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .ok_or_else(|| AcmeError::Refused("it does not take `tls-alpn-01` as proof".to_owned()))?;
        let domain = challenge.identifier().to_string();
        let proof = proof(&domain, challenge.key_authorization().digest().as_ref())?;
        certificates.prove(domain, proof);
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The certificate that proves a domain to be ours (RFC 8737, 3).
fn proof(domain: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, AcmeError> {
    let made = || {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![domain.to_owned()])?;
        params.custom_extensions.push(CustomExtension::new_acme_identifier(digest));
        Ok::<_, rcgen::Error>((params.self_signed(&key)?, key))
    };
    let failed = |error: &dyn std::fmt::Display| AcmeError::Kept(TlsError::Setup(error.to_string()));
    let (certificate, key) = made().map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|error| failed(&error))?;
    // What would check that the two belong together knows nothing of such proofs, and refuses them.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

/// Why an authority does not believe.
async fn reasons(order: &mut Order) -> String {
    let (mut found, mut authorizations) = (Vec::new(), order.authorizations());
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        found.extend(state.challenges.iter().filter_map(|challenge| challenge.error.as_ref()).map(ToString::to_string));
    }
    if found.is_empty() { "it gives no reason".to_owned() } else { found.join("; ") }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum AcmeError {
    #[error("the authority can't be asked: {0}")]
    Asked(#[from] Error),
    #[error("the authority refuses: {0}")]
    Refused(String),
    #[error(transparent)]
    Kept(#[from] TlsError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over() {
        const DAY: i64 = 86_400;
        let good = (1_000 * DAY, 1_090 * DAY);
        assert!(!is_late(good, 1_059 * DAY));
        assert!(is_late(good, 1_060 * DAY));
        assert!(is_late(good, 1_100 * DAY));
    }
}
