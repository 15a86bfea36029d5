//! Links that work once, which letters carry: what their secret is, and what each does.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::db::DbError;

/// Where the page is that a link opens, before its secret.
pub const PAGE: &str = "/confirm/";

/// What a link does for whoever opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It confirms the address of a pending account.
    Confirm,
    /// It makes a key for an account whose owner has lost every one.
    SignIn,
    /// It confirms a change of the address, by the old one.
    OldEmail,
    /// It confirms a change of the address, by the new one.
    NewEmail,
    /// It deletes the account, once the time to think again is over.
    Delete,
    /// It downloads the account's export.
    Export,
    /// It ends letters that nobody has to get. It works for as long as the account is there.
    Unsubscribe,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 7] =
        [Self::Confirm, Self::SignIn, Self::OldEmail, Self::NewEmail, Self::Delete, Self::Export, Self::Unsubscribe];

    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::SignIn => "sign_in",
            Self::OldEmail => "old_email",
            Self::NewEmail => "new_email",
            Self::Delete => "delete",
            Self::Export => "export",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A purpose that this release doesn't know.
#[derive(Debug, thiserror::Error)]
#[error("the unknown purpose of a link `{0}`")]
pub struct UnknownPurpose(String);

impl FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        found.ok_or_else(|| UnknownPurpose(text.to_owned()))
    }
}

/// The secret of a link, as only the letter has it.
pub struct LinkSecret(SecretString);

/// The text is no link that we sent: too long, too short, or something else.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is not a link of ours; take the whole link from the letter, up to its last character")]
pub struct MalformedLink;

impl LinkSecret {
    /// 32 random bytes.
    pub(crate) fn generate() -> Result<Self, DbError> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        getrandom::fill(secret.as_mut_slice())
            .map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(secret.as_slice()).into()))
    }

    /// What is kept of it. It has 256 random bits, so that a plain digest can't be guessed back.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose_secret()).into()
    }

    /// The whole link.
    pub(super) fn link(&self, config: &Config) -> String {
        self.link_to(PAGE, config)
    }

    /// The whole link to another page than that of most.
    pub(crate) fn link_to(&self, page: &str, config: &Config) -> String {
        config.link(&format!("{page}{}", self.0.expose_secret()))
    }
}

/// A whole link, or only its secret.
impl FromStr for LinkSecret {
    type Err = MalformedLink;

    fn from_str(text: &str) -> Result<Self, MalformedLink> {
        let text = text.trim();
        let secret = text.rsplit_once('/').map_or(text, |(_, secret)| secret);
        let whole = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == 32);
        if whole { Ok(Self(secret.into())) } else { Err(MalformedLink) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_secret_alone_or_whole() {
        let secret = LinkSecret::generate().unwrap();
        let text = secret.0.expose_secret().to_owned();
        for text in [text.clone(), format!(" https://agents.example.org/confirm/{text}\n")] {
            assert_eq!(text.parse::<LinkSecret>().ok().unwrap().digest(), secret.digest());
        }
        for bad in [&text[1..], "", "https://agents.example.org/confirm/", &format!("{text}A")] {
            assert!(bad.parse::<LinkSecret>().is_err(), "{bad}");
        }
    }
}
