//! Signatures of webhooks, as Standard Webhooks has them (<https://www.standardwebhooks.com>, version 1.0.0): an
//! HMAC-SHA-256 over id, time and body under a secret that both sides know.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::clock::Micros;

/// How far a delivery's time may be from ours, in seconds.
const TOLERANCE_S: i64 = 300;

/// Secrets at a time: the one in use, and the one before it during a rotation.
const MOST_SECRETS: usize = 2;

/// Some leave out the padding of a secret.
const SECRETS: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secrets of an endpoint.
pub struct Secrets(Vec<Zeroizing<Vec<u8>>>);

/// The text holds no secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MalformedSecrets {
    /// One of them can't be read.
    #[error("a secret is `whsec_` and base64")]
    Malformed,
    /// There are none, or more than a rotation needs.
    #[error("there are one or two secrets, with a space between them; the second one during a rotation")]
    Number,
}

/// Why a webhook is not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Forged {
    /// A header is missing or can't be read.
    #[error("the header `{0}` is missing, or can't be read")]
    Header(&'static str),
    /// The time is too far from ours.
    #[error("it was sent more than {TOLERANCE_S} seconds before or after this host's time")]
    Time,
    /// No signature is good.
    #[error("no signature of it is good")]
    Signature,
}

/// Which delivery it is, and when it was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    /// The delivery's id.
    pub id: String,
    /// When.
    pub sent_at: Micros,
}

impl Secrets {
    /// Reads one or two secrets with a space between them.
    ///
    /// # Errors
    /// [`MalformedSecrets`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedSecrets> {
        let mut secrets = Vec::new();
        for word in text.split_whitespace() {
            let encoded = word.strip_prefix("whsec_").ok_or(MalformedSecrets::Malformed)?;
            let secret = SECRETS.decode(encoded).map_err(|_| MalformedSecrets::Malformed)?;
            if secret.is_empty() {
                return Err(MalformedSecrets::Malformed);
            }
            secrets.push(Zeroizing::new(secret));
        }
        if (1..=MOST_SECRETS).contains(&secrets.len()) { Ok(Self(secrets)) } else { Err(MalformedSecrets::Number) }
    }

    /// Says which delivery it is, if one of the secrets has signed it within the tolerance.
    ///
    /// # Errors
    /// [`Forged`] says why it is not believed.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Micros) -> Result<Signed, Forged> {
        let header = |name: &'static str| {
            let text = headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
            text.ok_or(Forged::Header(name))
        };
        let (id, time, signatures) =
            (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
        let seconds: i64 = time.parse().map_err(|_| Forged::Header("webhook-timestamp"))?;
        if (now.0 / 1_000_000).abs_diff(seconds) > TOLERANCE_S.unsigned_abs() {
            return Err(Forged::Time);
        }
        let due: Vec<_> = self.0.iter().map(|secret| signature(secret, id, time, body)).collect();
        let mut good = false;
        for given in signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,")) {
            let Ok(given) = STANDARD.decode(given) else { continue };
            for due in &due {
                good |= bool::from(due.as_slice().ct_eq(&given));
            }
        }
        if !good {
            return Err(Forged::Signature);
        }
        Ok(Signed { id: id.to_owned(), sent_at: Micros(seconds.saturating_mul(1_000_000)) })
    }
}

fn signature(secret: &[u8], id: &str, time: &str, body: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return Vec::new() };
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification's libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(id: &str, time: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    fn verify(headers: &HeaderMap, body: &[u8], seconds: i64) -> Result<Signed, Forged> {
        let other = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
        Secrets::parse(&format!("{other} {SECRET}")).unwrap().verify(headers, body, Micros(seconds * 1_000_000))
    }

    #[test]
    fn the_specifications_example_is_good_until_it_is_five_minutes_old() {
        let good = headers(ID, &TIME.to_string(), SIGNATURE);
        let signed = Signed { id: ID.to_owned(), sent_at: Micros(TIME * 1_000_000) };
        for seconds in [TIME, TIME + 300, TIME - 300] {
            assert_eq!(verify(&good, BODY, seconds), Ok(Signed { id: signed.id.clone(), ..signed }));
        }
        for seconds in [TIME + 301, TIME - 301, i64::MAX / 1_000_000] {
            assert_eq!(verify(&good, BODY, seconds), Err(Forged::Time));
        }
    }

    #[test]
    fn one_good_signature_among_others_is_enough() {
        let several = format!("v1a,AAAA v1,AAAA nonsense {SIGNATURE}");
        assert!(verify(&headers(ID, &TIME.to_string(), &several), BODY, TIME).is_ok());
    }

    #[test]
    fn whatever_is_altered_is_noticed() {
        let time = TIME.to_string();
        for (headers, body) in [
            (headers("msg_other", &time, SIGNATURE), BODY),
            (headers(ID, &(TIME + 1).to_string(), SIGNATURE), BODY),
            (headers(ID, &time, SIGNATURE), b"{}".as_slice()),
            (headers(ID, &time, SIGNATURE.strip_prefix("v1,").unwrap()), BODY),
            (headers(ID, &time, &SIGNATURE.replace("v1", "v2")), BODY),
            (headers(ID, &time, "v1,"), BODY),
        ] {
            assert_eq!(verify(&headers, body, TIME), Err(Forged::Signature));
        }
        let mut none = headers(ID, &time, SIGNATURE);
        none.remove("webhook-id");
        assert_eq!(verify(&none, BODY, TIME), Err(Forged::Header("webhook-id")));
        assert_eq!(verify(&headers(ID, "1.5", SIGNATURE), BODY, TIME), Err(Forged::Header("webhook-timestamp")));
    }

    #[test]
    fn secrets_are_one_or_two() {
        assert_eq!(Secrets::parse("").err(), Some(MalformedSecrets::Number));
        assert_eq!(Secrets::parse(&[SECRET; 3].join(" ")).err(), Some(MalformedSecrets::Number));
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_!"] {
            assert_eq!(Secrets::parse(wrong).err(), Some(MalformedSecrets::Malformed));
        }
    }
}
