//! The kinds of credentials, and what each may be made of.

use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret::{LEAST_BYTES, Secret};
use crate::grants::Place;

/// Bytes of a kind as JSON.
const KIND_BYTES: usize = 8_192;

/// Bytes of a client's id or a scope.
const TEXT_BYTES: usize = 256;

/// Bytes of a token endpoint's URL.
const URL_BYTES: usize = 2_048;

/// Scopes of one client.
const SCOPES: usize = 64;

/// What a credential is, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// A token that goes as `Authorization: Bearer …`.
    Bearer,
    /// A value that goes in a header of this name.
    Header {
        /// The header's name.
        name: String,
        /// What stands before the secret: `token `, for example.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
    /// A password that goes as `Authorization: Basic …`.
    Basic {
        /// The user name.
        username: String,
    },
    /// A value that goes as a parameter of the query.
    Query {
        /// The parameter's name.
        name: String,
    },
    /// A key that signs with HMAC-SHA-256 and goes nowhere.
    Hmac,
    /// A client's secret, for which the host fetches access tokens (RFC 6749, 4.4).
    OauthClientCredentials(OauthClient),
    /// A refresh token, for which the host fetches access tokens (RFC 6749, 6).
    OauthRefreshToken(OauthClient),
}

/// A client that an authorization server knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthClient {
    /// The token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// What is asked for; the server's default when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// How an access token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    ClientCredentials,
    RefreshToken,
}

impl Kind {
    /// Where a secret of this kind stands in a request, unless the deployment says otherwise.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Bearer | Self::OauthClientCredentials(_) | Self::OauthRefreshToken(_) => Some(Place::Bearer),
            Self::Header { name, prefix } => {
                Some(Place::Header { name: name.to_ascii_lowercase(), prefix: prefix.clone() })
            }
            Self::Basic { username } => Some(Place::Basic { username: username.clone() }),
            Self::Query { name } => Some(Place::Query { name: name.clone() }),
            Self::Hmac => None,
        }
    }

    /// As a sentence has it.
    #[must_use]
    pub const fn described(&self) -> &'static str {
        match self {
            Self::Bearer => "a bearer token",
            Self::Header { .. } => "a header",
            Self::Basic { .. } => "a password",
            Self::Query { .. } => "a query parameter",
            Self::Hmac => "an HMAC key",
            Self::OauthClientCredentials(_) => "an OAuth client",
            Self::OauthRefreshToken(_) => "an OAuth refresh token",
        }
    }

    pub(super) const fn oauth(&self) -> Option<(Grant, &OauthClient)> {
        match self {
            Self::OauthClientCredentials(client) => Some((Grant::ClientCredentials, client)),
            Self::OauthRefreshToken(client) => Some((Grant::RefreshToken, client)),
            _ => None,
        }
    }

    /// What is wrong with the kind and its secret: JSON pointers into the request, and reasons that quote no secret.
    #[must_use]
    pub fn check(&self, secret: &Secret, most_bytes: u64) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut refuse = |wrong: bool, pointer: &str, reason: String| {
            if wrong {
                found.push((pointer.to_owned(), reason));
            }
        };
        let (word, text) = self.written();
        refuse(text.len() > KIND_BYTES, "/kind", format!("it has more than {KIND_BYTES} bytes"));
        if let Some(fault) = self.place().and_then(|place| place.fault()) {
            refuse(true, &format!("/kind/{word}"), fault);
        }
        match self {
            Self::OauthClientCredentials(client) => check_client(client, "/kind/oauth_client_credentials", &mut refuse),
            Self::OauthRefreshToken(client) => check_client(client, "/kind/oauth_refresh_token", &mut refuse),
            _ => {}
        }
        let has_client_secret = secret.client_secret.is_some();
        refuse(
            has_client_secret && !matches!(self, Self::OauthRefreshToken(_)),
            "/client_secret",
            "only a refresh token goes along with a client's secret; give this one as `secret`".to_owned(),
        );
        let values = [("/secret", Some(&secret.value)), ("/client_secret", secret.client_secret.as_ref())];
        for (pointer, value) in values {
            let Some(value) = value.map(|value| value.expose_secret()) else { continue };
            let bytes = value.len();
            let wrong = bytes < LEAST_BYTES || bytes as u64 > most_bytes;
            refuse(wrong, pointer, format!("it has {bytes} bytes; a secret has {LEAST_BYTES} to {most_bytes}"));
            refuse(*self != Self::Hmac && !self.can_hold(value), pointer, self.alphabet().to_owned());
        }
        found
    }

    /// The kind's word in the API, and the kind as JSON.
    fn written(&self) -> (&'static str, String) {
        let word = match self {
            Self::Bearer => "bearer",
            Self::Header { .. } => "header",
            Self::Basic { .. } => "basic",
            Self::Query { .. } => "query",
            Self::Hmac => "hmac",
            Self::OauthClientCredentials(_) => "oauth_client_credentials",
            Self::OauthRefreshToken(_) => "oauth_refresh_token",
        };
        (word, serde_json::to_string(self).unwrap_or_default())
    }

    fn can_hold(&self, value: &str) -> bool {
        match self {
            Self::Basic { .. } | Self::Query { .. } => !value.chars().any(char::is_control),
            // VSCHAR of RFC 6749 is the same alphabet.
            _ => value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && value.trim() == value,
        }
    }

    const fn alphabet(&self) -> &'static str {
        match self {
            Self::Basic { .. } | Self::Query { .. } => "it holds control characters, such as a line break",
            _ => "it must be visible ASCII without a space or line break at either end",
        }
    }
}

fn check_client(client: &OauthClient, pointer: &str, refuse: &mut impl FnMut(bool, &str, String)) {
    let reason = token_url(&client.token_url).err();
    refuse(reason.is_some(), &format!("{pointer}/token_url"), reason.unwrap_or_default().to_owned());
    let id = &client.client_id;
    refuse(id.is_empty() || !is_short(id), &format!("{pointer}/client_id"), short("a client's id"));
    refuse(client.scopes.len() > SCOPES, &format!("{pointer}/scopes"), format!("there are at most {SCOPES} scopes"));
    for (position, scope) in client.scopes.iter().enumerate() {
        // scope-token of RFC 6749, 3.3.
        let token = |byte: u8| (0x21..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
        let wrong = scope.is_empty() || scope.len() > TEXT_BYTES || !scope.bytes().all(token);
        refuse(wrong, &format!("{pointer}/scopes/{position}"), "a scope is visible ASCII without spaces".to_owned());
    }
}

/// Reads the URL of a token endpoint. In the clear it may only be this machine's own, which egress reaches where the
/// operator allows it.
pub(super) fn token_url(text: &str) -> Result<Url, &'static str> {
    let reason = "it must be an https URL without a user, a password and a fragment";
    let url: Url = text.parse().map_err(|_| reason)?;
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && here);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if scheme && plain && url.has_host() && text.len() <= URL_BYTES { Ok(url) } else { Err(reason) }
}

fn is_short(text: &str) -> bool {
    text.len() <= TEXT_BYTES && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn short(what: &str) -> String {
    format!("{what} has at most {TEXT_BYTES} visible ASCII characters")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    fn wrong(kind: serde_json::Value, secret: &str) -> Vec<String> {
        let kind: Kind = serde_json::from_value(kind).unwrap();
        let found = kind.check(&Secret::of(SecretString::from(secret)), 64);
        assert!(found.iter().all(|(_, reason)| !reason.contains(secret)), "a secret is quoted: {found:?}");
        found.into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn what_no_request_can_carry_is_named_by_its_pointer() {
        let good = "twelve-bytes-or-more";
        let client = |url: &str| json!({"token_url": url, "client_id": "me", "scopes": ["repo"]});
        assert_eq!(wrong(json!("bearer"), good), [""; 0]);
        assert_eq!(wrong(json!({"header": {"name": "x-api-key"}}), good), [""; 0]);
        assert_eq!(wrong(json!("hmac"), "any\nbytes\u{0} at all"), [""; 0]);
        assert_eq!(wrong(json!({"oauth_client_credentials": client("https://id.example/token")}), good), [""; 0]);
        assert_eq!(wrong(json!("bearer"), "too short"), ["/secret"]);
        assert_eq!(wrong(json!("bearer"), &"x".repeat(65)), ["/secret"]);
        assert_eq!(wrong(json!("bearer"), "two\r\nlines-of-it"), ["/secret"]);
        assert_eq!(wrong(json!({"header": {"name": "Host"}}), good), ["/kind/header"]);
        assert_eq!(wrong(json!({"header": {"name": "x-y", "prefix": "\n"}}), good), ["/kind/header"]);
        assert_eq!(wrong(json!({"basic": {"username": "a:b"}}), good), ["/kind/basic"]);
        assert_eq!(wrong(json!({"query": {"name": ""}}), good), ["/kind/query"]);
        for url in ["http://id.example/token", "https://u:p@id.example/", "ftp://id.example/", "token", "https://a/#b"]
        {
            let found = wrong(json!({"oauth_refresh_token": client(url)}), good);
            assert_eq!(found, ["/kind/oauth_refresh_token/token_url"], "{url}");
        }
    }
}
