//! A secret in memory: wiped when dropped, printed as nothing, sealed for its row and no other.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::accounts::Account;
use crate::db::DbError;
use crate::ids::CredentialId;
use crate::vault::{Place, RowSeal};

/// The fewest bytes of a secret: what is shorter can't be told from other text when a response is scrubbed.
pub const LEAST_BYTES: usize = 12;

pub(super) const TABLE: &str = "credential_versions";

/// What a version keeps.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The token, password, key, client secret or refresh token.
    pub value: SecretString,
    /// The client secret that goes with a refresh token; a public client has none.
    pub client_secret: Option<SecretString>,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Text<'t> {
    #[serde(borrow)]
    value: std::borrow::Cow<'t, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<std::borrow::Cow<'t, str>>,
}

impl Secret {
    /// One value.
    #[must_use]
    pub fn of(value: SecretString) -> Self {
        Self { value, client_secret: None }
    }

    /// HMAC-SHA-256 of bytes under it.
    #[must_use]
    pub fn hmac_sha256(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.value.expose_secret().as_bytes())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Seals it for a version of a credential.
    pub(super) fn sealed(&self, account: &Account, id: CredentialId, version: i64) -> Result<Vec<u8>, DbError> {
        let text = Text {
            value: self.value.expose_secret().into(),
            client_secret: self.client_secret.as_ref().map(|secret| secret.expose_secret().into()),
        };
        let text = Zeroizing::new(serde_json::to_vec(&text).map_err(DbError::corrupt)?);
        seal(account, id, version)?.seal("secret", &text).map_err(DbError::sealed(TABLE))
    }

    /// Opens what was sealed for a version of a credential.
    pub(super) fn opened(account: &Account, id: CredentialId, version: i64, sealed: &[u8]) -> Result<Self, DbError> {
        let text = seal(account, id, version)?.open("secret", sealed).map_err(DbError::sealed(TABLE))?;
        let text = Zeroizing::new(text);
        // The parser's own message might quote what it stumbled over.
        let text: Text<'_> = serde_json::from_slice(&text)
            .map_err(|_| DbError::corrupt("a credential's secret is not what was sealed"))?;
        Ok(Self {
            value: SecretString::from(text.value.as_ref()),
            client_secret: text.client_secret.map(|secret| SecretString::from(secret.as_ref())),
        })
    }
}

fn seal(account: &Account, id: CredentialId, version: i64) -> Result<RowSeal, DbError> {
    let row = format!("{id}/{version}");
    let place = Place { account: account.id, table: TABLE, row: &row };
    account.data_key.row(place).map_err(DbError::sealed(TABLE))
}
