//! API keys: `aaasp_`, 32 random bytes in base62, and a checksum that catches a typo without the database.

use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What every key begins with, so that secret scanners know one.
pub const KEY_PREFIX: &str = "aaasp_";

/// 62⁴³ is the first power of 62 above 2²⁵⁶.
const SECRET_LENGTH: usize = 43;

/// 62⁶ is the first power of 62 above 2³².
const CHECKSUM_LENGTH: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key as its holder has it.
pub struct ApiKey(SecretString);

/// The text is not a key: too long, too short, or mistyped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an API key: a key is `aaasp_` and 49 letters and digits, the last six of them a checksum")]
pub struct MalformedKey;

impl ApiKey {
    /// A new key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        getrandom::fill(secret.as_mut_slice())?;
        let text = base62(Zeroizing::new(secret.to_vec()), SECRET_LENGTH);
        let checksum = checksum(&text);
        Ok(Self(SecretString::from(format!("{KEY_PREFIX}{}{checksum}", *text))))
    }

    /// The key's text, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is stored of it. A key has 256 random bits, so a plain digest can't be guessed back.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}

impl FromStr for ApiKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        let body = text.strip_prefix(KEY_PREFIX).ok_or(MalformedKey)?;
        if body.len() != SECRET_LENGTH + CHECKSUM_LENGTH || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(MalformedKey);
        }
        let (secret, written) = body.split_at(SECRET_LENGTH);
        if checksum(secret) != written {
            return Err(MalformedKey);
        }
        Ok(Self(SecretString::from(text)))
    }
}

fn checksum(secret: &str) -> String {
    let crc = crc32fast::hash(secret.as_bytes());
    base62(Zeroizing::new(crc.to_be_bytes().to_vec()), CHECKSUM_LENGTH).to_string()
}

/// The number that the bytes are, most significant first, in base 62.
fn base62(mut number: Zeroizing<Vec<u8>>, length: usize) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(vec![b'0'; length]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in number.iter_mut() {
            let value = remainder * 256 + u32::from(*byte);
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    Zeroizing::new(digits.iter().map(|&digit| char::from(digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_a_typo_does_not() {
        let key = ApiKey::generate().unwrap();
        let text = key.expose().to_owned();
        assert_eq!(text.len(), 6 + 49);
        assert_eq!(text.parse::<ApiKey>().unwrap().digest(), key.digest());
        for position in KEY_PREFIX.len()..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[position] = if typo[position] == b'x' { b'y' } else { b'x' };
            assert!(String::from_utf8(typo).unwrap().parse::<ApiKey>().is_err());
        }
        assert!("aaasp_short".parse::<ApiKey>().is_err());
    }

    #[test]
    fn base62_of_all_ones_fills_its_length() {
        assert_eq!(base62(Zeroizing::new(vec![255; 32]), SECRET_LENGTH).len(), SECRET_LENGTH);
        assert_eq!(*base62(Zeroizing::new(vec![0, 62]), 3), "010");
    }
}
