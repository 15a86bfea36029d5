//! How mail is sent.

use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words::words;

/// How mail is sent. The server's password is the value of `AAASP_SMTP_PASSWORD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MailValues {
    /// Whom letters are from: an address, with a name before it if you like.
    pub from: String,
    /// The server, as `host` or `host:port`; without one, letters are files in the data folder's `outbox`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// The user's name at the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A file of certificates in PEM, of an authority that is trusted besides Mozilla's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ca_file: Option<PathBuf>,
}

words! {
    /// How a connection to a mail server is protected.
    MailTls {
        /// It begins in the open and must become TLS.
        Starttls = "starttls",
        /// It is TLS from its first byte.
        Tls = "tls",
        /// Not at all: only to this machine itself.
        None = "none",
    }
}

impl MailTls {
    /// The port where such servers usually listen.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl Default for MailValues {
    fn default() -> Self {
        Self {
            from: "AAASP <aaasp@localhost>".to_owned(),
            server: None,
            tls: MailTls::Starttls,
            user: None,
            ca_file: None,
        }
    }
}

impl MailValues {
    /// What can't be meant, by key.
    pub(super) fn impossible(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if let Err(error) = self.from.parse::<Mailbox>() {
            found.push(("from", format!("this is not an email address: {error}")));
        }
        let host = self.server.as_deref().map(|server| server.rsplit_once(':').map_or(server, |(host, _)| host));
        let local = host.is_none_or(|host| {
            host == "localhost"
                || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        });
        if self.tls == MailTls::None && !local {
            found.push(("tls", "what is not protected goes to this machine only: `starttls` or `tls`".to_owned()));
        }
        found
    }
}
