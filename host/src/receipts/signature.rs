//! The signature: Ed25519 over a payload, as a JSON Web Signature, and the key that verifies it, as a JSON Web Key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::vault::Keyring;

/// The algorithm, as RFC 8037 names it.
const ALGORITHM: &str = "EdDSA";

/// What kind of document is signed.
const KIND: &str = "aaasp-receipt+jws";

/// The operator's key. All hosts that share a keyring derive the same one, which no rotation of master keys changes.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key of a keyring.
    #[must_use]
    pub fn of(keyring: &Keyring) -> Self {
        Self::new(&keyring.derived_key("receipts"))
    }

    /// The key of a seed.
    ///
    /// # Panics
    /// Never: every 32 bytes are a seed.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.unwrap_or_else(|_| unreachable!("Ed25519 takes every seed of 32 bytes")))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs bytes that can be nothing else that this key signs.
    #[must_use]
    pub fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }

    /// Signs a document.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn sign<T: Serialize>(&self, document: &T) -> serde_json::Result<Signed> {
        let header = Header { alg: ALGORITHM.to_owned(), kid: self.public().id(), typ: KIND.to_owned() };
        let protected = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(document)?);
        let signature = self.0.sign(signed_bytes(&protected, &payload).as_bytes());
        Ok(Signed { payload, protected, signature: URL_SAFE_NO_PAD.encode(signature) })
    }
}

/// A signed document: a flattened JSON Web Signature (RFC 7515, 7.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signed {
    /// The document, as base64url of its bytes.
    pub payload: String,
    /// The signature's algorithm, the key's id and the document's kind, as base64url of a JSON object.
    pub protected: String,
    /// The signature, as base64url.
    pub signature: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Why a document is not what the key's owner signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotGenuine {
    /// It is no signed receipt.
    #[error("this is not a signed receipt: {0}")]
    Format(String),
    /// It was signed with another key.
    #[error("it was signed with the key {signed}, and this is the key {given}")]
    OtherKey {
        /// The id of the key that it names.
        signed: String,
        /// The id of the key at hand.
        given: String,
    },
    /// It was changed, or never signed.
    #[error("the signature is not that of this document: it was changed, or was never signed with this key")]
    Changed,
}

impl Signed {
    /// The document, when it is what the key's owner signed.
    ///
    /// # Errors
    /// [`NotGenuine`] says what is wrong.
    pub fn verified<T: DeserializeOwned>(&self, key: &PublicKey) -> Result<T, NotGenuine> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| NotGenuine::Format(error.to_string()));
        let wrong = |error: serde_json::Error| NotGenuine::Format(error.to_string());
        let header: Header = serde_json::from_slice(&bytes(&self.protected)?).map_err(wrong)?;
        if header.alg != ALGORITHM || header.typ != KIND {
            return Err(NotGenuine::Format(format!("it is a {} with {}", header.typ, header.alg)));
        }
        if header.kid != key.id() {
            return Err(NotGenuine::OtherKey { signed: header.kid, given: key.id() });
        }
        let signed = signed_bytes(&self.protected, &self.payload);
        if !key.verifies(signed.as_bytes(), &bytes(&self.signature)?) {
            return Err(NotGenuine::Changed);
        }
        serde_json::from_slice(&bytes(&self.payload)?).map_err(wrong)
    }
}

fn signed_bytes(protected: &str, payload: &str) -> String {
    format!("{protected}.{payload}")
}

/// A key that verifies. Its text is base64url of its 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Whether the key's owner signed these bytes.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, signature).is_ok()
    }

    /// Names the key: its thumbprint (RFC 7638).
    #[must_use]
    pub fn id(&self) -> String {
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{self}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }

    /// The key as the only one of a set.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        let text = |text: &str| text.to_owned();
        let key = Jwk {
            kty: text("OKP"),
            crv: text("Ed25519"),
            x: self.to_string(),
            kid: self.id(),
            alg: text(ALGORITHM),
            r#use: text("sig"),
        };
        Jwks { keys: vec![key] }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| "a public key is 43 characters, as `aaasp receipt key` prints it".to_owned())
    }
}

/// A set of public keys (RFC 7517).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// A public key (RFC 7517, RFC 8037).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    /// Its type: `OKP`.
    pub kty: String,
    /// Its curve: `Ed25519`.
    pub crv: String,
    /// The key itself, as base64url.
    pub x: String,
    /// Its id, which signatures name: its thumbprint (RFC 7638).
    pub kid: String,
    /// What it is used with: `EdDSA`.
    pub alg: String,
    /// What for: `sig`.
    pub r#use: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn key() -> SigningKey {
        // The example key of RFC 8037, A.1.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        SigningKey::new(&seed.try_into().unwrap())
    }

    #[test]
    fn the_key_and_its_thumbprint_are_those_of_rfc_8037() {
        let public = key().public();
        assert_eq!(public.to_string(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(public.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(public.to_string().parse(), Ok(public));
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else_does() {
        let document = json!({"run": "run_1", "charge_microcredits": 5});
        let signed = key().sign(&document).unwrap();
        assert_eq!(signed, key().sign(&document).unwrap());
        assert_eq!(signed.verified::<Value>(&key().public()).unwrap(), document);

        let cheaper = Signed { payload: URL_SAFE_NO_PAD.encode(r#"{"charge_microcredits":4}"#), ..signed.clone() };
        assert_eq!(cheaper.verified::<Value>(&key().public()), Err(NotGenuine::Changed));
        let other = SigningKey::new(&[7; 32]);
        assert!(matches!(signed.verified::<Value>(&other.public()), Err(NotGenuine::OtherKey { .. })));
        let none =
            Signed { protected: URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"","typ":""}"#), ..signed.clone() };
        assert!(matches!(none.verified::<Value>(&key().public()), Err(NotGenuine::Format(_))));
        let claimed = Signed { protected: key().sign(&document).unwrap().protected, ..other.sign(&document).unwrap() };
        assert_eq!(claimed.verified::<Value>(&key().public()), Err(NotGenuine::Changed));
    }
}
