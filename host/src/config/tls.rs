//! `[tls]` of the operator's file: how connections to the host are protected.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Config;

/// How connections to the host are protected. Without a certificate the host listens to its own machine only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsValues {
    /// A file with the certificate, and with those that vouch for it, in PEM. It is read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub certificate: Option<PathBuf>,
    /// The file with the certificate's key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<PathBuf>,
    /// From which authority the host gets its certificate by itself; none is from nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeValues>,
    /// Whether a proxy in front of the host does TLS, so that the host may listen to others in clear text. What is
    /// between the two is then the operator's to protect.
    pub behind_proxy: bool,
    /// Where requests in clear text are told to come again by TLS, at `public_url`: `0.0.0.0:80`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub redirect_from: Option<SocketAddr>,
    /// How long browsers remember that the host is reached by TLS only (RFC 6797), in seconds; 0 tells them nothing.
    pub hsts_seconds: u32,
    /// How long a handshake may take, in milliseconds.
    pub handshake_ms: u64,
    /// Handshakes that may go on at the same time. When another one comes, the oldest is broken off.
    pub pending_handshakes: u32,
}

/// From which authority the host gets its certificate by itself (ACME, RFC 8555). Who sets this agrees to the terms of
/// the authority. It asks for proof on the host's own listener (`tls-alpn-01`, RFC 8737), which it must reach at port
/// 443 of each domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcmeValues {
    /// The domains that the certificate is for.
    pub domains: Vec<String>,
    /// An email address that the authority writes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The authority's directory.
    #[serde(default = "lets_encrypt")]
    pub directory: String,
    /// A file of certificates in PEM, of whom the directory's own certificate is from when none of Mozilla's is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub directory_ca: Option<PathBuf>,
}

fn lets_encrypt() -> String {
    "https://acme-v02.api.letsencrypt.org/directory".to_owned()
}

impl Default for TlsValues {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            acme: None,
            behind_proxy: false,
            redirect_from: None,
            hsts_seconds: 31_536_000,
            handshake_ms: 10_000,
            pending_handshakes: 1_024,
        }
    }
}

/// The host would listen to others in clear text.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {address}, which others would reach in clear text; listen on 127.0.0.1, or {otherwise}")]
pub struct ClearText {
    key: &'static str,
    address: SocketAddr,
    otherwise: &'static str,
}

impl TlsValues {
    /// Whether the host does TLS itself.
    #[must_use]
    pub const fn is_done_here(&self) -> bool {
        self.certificate.is_some() || self.acme.is_some()
    }

    /// What can't be meant, by key.
    pub(super) fn impossible(&self, public_url: Option<&str>) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut refuse = |wrong: bool, key: &'static str, reason: &str| {
            if wrong {
                found.push((key, reason.to_owned()));
            }
        };
        refuse(self.certificate.is_some() && self.key.is_none(), "certificate", "its key is missing: `tls.key`");
        refuse(
            self.key.is_some() && self.certificate.is_none(),
            "key",
            "its certificate is missing: `tls.certificate`",
        );
        let both = "the host has one certificate: that of `tls.certificate`, or the one that `tls.acme` gets";
        refuse(self.acme.is_some() && self.certificate.is_some(), "acme", both);
        let proxied = "TLS is done by the host or by a proxy: leave out this, or certificate and `tls.acme`";
        refuse(self.behind_proxy && self.is_done_here(), "behind_proxy", proxied);
        refuse(self.handshake_ms == 0, "handshake_ms", "no client shakes hands at once");
        refuse(self.pending_handshakes == 0, "pending_handshakes", "nobody could connect");
        if self.redirect_from.is_some() {
            let tls = "there is no TLS to send anybody to: set `tls.certificate` and `tls.key`, or `tls.acme`";
            refuse(!self.is_done_here(), "redirect_from", tls);
            let known = public_url.is_some_and(|url| url.starts_with("https://"));
            refuse(!known, "redirect_from", "say where to: `public_url = \"https://…\"`");
        }
        if let Some(acme) = &self.acme {
            refuse(acme.domains.is_empty(), "acme.domains", "name one domain at least");
            for domain in &acme.domains {
                let reason = format!("`{domain}` is no domain like `agents.example.com`");
                refuse(!is_domain(domain), "acme.domains", &reason);
            }
            let https = acme.directory.starts_with("https://") && url::Url::parse(&acme.directory).is_ok();
            refuse(!https, "acme.directory", "expected a URL that begins with `https://`");
            let address = acme.contact.as_deref().is_none_or(|contact| contact.contains('@') && !contact.contains(':'));
            refuse(!address, "acme.contact", "expected an email address, without `mailto:`");
        }
        found
    }
}

/// Names that authorities prove by `tls-alpn-01`: no wildcards, no addresses.
fn is_domain(text: &str) -> bool {
    let labels = |text: &str| text.split('.').all(|label| label.parse::<crate::names::Name>().is_ok());
    text.len() <= 253 && text.contains('.') && labels(text) && text.parse::<std::net::Ipv4Addr>().is_err()
}

impl Config {
    /// Refuses to listen to others in clear text.
    ///
    /// # Errors
    /// [`ClearText`] says where, and what to do.
    pub fn refuse_clear_text(&self) -> Result<(), ClearText> {
        let (values, tls) = (&self.values, &self.values.tls);
        if tls.behind_proxy {
            return Ok(());
        }
        if !values.listen.ip().is_loopback() && !tls.is_done_here() {
            let otherwise = "set `tls.certificate` and `tls.key`, or `tls.acme`; when a proxy in front of the host does \
                             TLS, say so: `tls.behind_proxy = true`, or --behind-proxy";
            return Err(ClearText { key: "listen", address: values.listen, otherwise });
        }
        match values.metrics_listen {
            Some(address) if !address.ip().is_loopback() => {
                let otherwise = "let a proxy that does TLS pass them on";
                Err(ClearText { key: "metrics_listen", address, otherwise })
            }
            _ => Ok(()),
        }
    }

    /// A link to a page of the host.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        let base = self.values.public_url.clone().unwrap_or_else(|| self.reached_at());
        format!("{}{path}", base.trim_end_matches('/'))
    }

    /// Where the host listens.
    #[must_use]
    pub fn listens_at(&self) -> String {
        format!("{}://{}", if self.values.tls.is_done_here() { "https" } else { "http" }, self.values.listen)
    }

    fn reached_at(&self) -> String {
        let port = self.values.listen.port();
        match self.values.tls.acme.as_ref().and_then(|acme| acme.domains.first()) {
            Some(domain) if port == 443 => format!("https://{domain}"),
            Some(domain) => format!("https://{domain}:{port}"),
            None => self.listens_at(),
        }
    }
}
