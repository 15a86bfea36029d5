//! What clients of ACME send: JSON, signed with their account's key (RFC 7515, RFC 8555 6.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// An account's public key.
#[derive(Clone)]
pub struct Key {
    x: String,
    y: String,
}

impl Key {
    fn of(jwk: &Value) -> Option<Self> {
        let part = |name: &str| jwk[name].as_str().map(str::to_owned);
        let (x, y) = (part("x")?, part("y")?);
        (jwk["kty"] == "EC" && jwk["crv"] == "P-256").then_some(Self { x, y })
    }

    /// What names it (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }
}

/// What was sent.
pub struct Jws {
    pub nonce: String,
    pub url: String,
    /// The key itself, while there is no account.
    pub key: Option<Key>,
    pub account: Option<String>,
    /// Null where nothing is said but that something is wanted.
    pub payload: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jws {
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let part = |name: &str| body[name].as_str();
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let head: Value = serde_json::from_slice(&bytes(part("protected")?)?).ok()?;
        let payload = bytes(part("payload")?)?;
        let payload = if payload.is_empty() { Value::Null } else { serde_json::from_slice(&payload).ok()? };
        (head["alg"] == "ES256").then_some(())?;
        Some(Self {
            nonce: head["nonce"].as_str()?.to_owned(),
            url: head["url"].as_str()?.to_owned(),
            key: Key::of(&head["jwk"]),
            account: head["kid"].as_str().map(str::to_owned),
            payload,
            signed: format!("{}.{}", part("protected")?, part("payload")?),
            signature: bytes(part("signature")?)?,
        })
    }

    pub fn is_signed_by(&self, key: &Key) -> bool {
        let coordinate = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let point = [vec![4], coordinate(&key.x), coordinate(&key.y)].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}
