//! Ids that say what they name: TypeIDs (a prefix and a UUIDv7 in base32), sorted by the time of their making.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::clock::Micros;

/// Why a text is not an id of the expected kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected an id like `{prefix}_01jz…` with 26 characters after the prefix")]
pub struct InvalidId {
    prefix: &'static str,
}

macro_rules! ids {
    ($( $(#[$doc:meta])* $name:ident = $prefix:literal; )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later than every id that this process made before.
            #[must_use]
            pub fn generate() -> Self { Self(Uuid::now_v7()) }

            /// When it was made, to the millisecond.
            #[must_use]
            pub fn made_at(&self) -> Micros { Micros(((self.0.as_u128() >> 80) as i64).saturating_mul(1_000)) }

            /// No id that was made at that moment or later is smaller; the time before 1970 counts as its end.
            #[must_use]
            pub fn first_at(at: Micros) -> Self { Self(first_at(at)) }

            /// The 26 characters after the prefix.
            #[must_use]
            pub fn suffix(&self) -> String { encode(self.0, &mut [0; 26]).to_owned() }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(encode(self.0, &mut [0; 26]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let pattern = concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$");
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+ };
}

ids! {
    /// An operator's access to what an account has.
    AccessId = "acs";
    /// A tenant.
    AccountId = "acc";
    /// A named definition of an agent.
    AgentId = "agt";
    /// An API key of an account.
    ApiKeyId = "key";
    /// An operator's correction of a balance.
    AdjustmentId = "adj";
    /// Credits that an account buys by itself.
    AutoTopUpId = "atu";
    /// A backup.
    BackupId = "bak";
    /// A breach of the protection of data.
    BreachId = "brc";
    /// Something that an owner consented to, or did not.
    ConsentId = "cns";
    /// A credential that an account keeps.
    CredentialId = "crd";
    /// One use of a credential.
    CredentialUseId = "use";
    /// A deployment.
    DeploymentId = "dep";
    /// An adjustment that an operator booked.
    GrantId = "grt";
    /// An erasure of an account.
    ErasureId = "ers";
    /// A copy of what is kept of an account.
    ExportId = "exp";
    /// A duty to keep what is there of an account.
    HoldId = "hld";
    /// A host, for as long as its data folder lives.
    HostId = "hst";
    /// A letter to an account.
    LetterId = "ltr";
    /// A letter to many accounts.
    MailingId = "mlg";
    /// Something that was done, in the audit.
    ActId = "act";
    /// A key of an operator.
    OperatorKeyId = "opk";
    /// One request, for its log lines and its `X-Request-Id`.
    RequestId = "req";
    /// A request by which somebody uses a right.
    RightsRequestId = "rrq";
    /// A run.
    RunId = "run";
    /// A refund or a dispute.
    ReversalId = "rev";
    /// Something that is said in support.
    SupportMessageId = "sms";
    /// A thread of support.
    SupportThreadId = "sup";
    /// Credits that an account buys.
    TopUpId = "tup";
}

/// The smallest UUIDv7 of a moment's millisecond, or of the next one when the moment is within it.
fn first_at(at: Micros) -> Uuid {
    const LATEST_MS: u128 = (1 << 48) - 1;
    let ms = u128::from(at.0.max(0).unsigned_abs().div_ceil(1_000)).min(LATEST_MS);
    Uuid::from_u128(ms << 80)
}

/// Crockford's base32 in lower case, as the TypeID specification (version 0.3) has it.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Writes the characters to where the caller has room for them: a run writes some twenty ids.
fn encode(uuid: Uuid, text: &mut [u8; 26]) -> &str {
    let mut bits = uuid.as_u128();
    for character in text.iter_mut().rev() {
        *character = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    str::from_utf8(text).unwrap_or_default()
}

fn decode(text: &str) -> Option<Uuid> {
    // 26 characters hold 130 bits, so the first of them may only use three.
    if text.len() != 26 || text.as_bytes()[0] > b'7' {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        bits = (bits << 5) | digit as u128;
    }
    Some(Uuid::from_u128(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = RunId::generate();
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
    }

    #[test]
    fn the_specifications_example_is_read() {
        let uuid = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(encode(uuid, &mut [0; 26]), "01h455vb4pex5vsknk084sn02q");
        assert_eq!(decode("01h455vb4pex5vsknk084sn02q"), Some(uuid));
    }

    #[test]
    fn another_kind_a_wrong_length_and_an_overflow_are_refused() {
        assert!("acc_01h455vb4pex5vsknk084sn02q".parse::<RunId>().is_err());
        assert!("run_01h455vb4pex5vsknk084sn02".parse::<RunId>().is_err());
        assert!("run_81h455vb4pex5vsknk084sn02q".parse::<RunId>().is_err());
        assert!("run_01h455vb4pex5vsknk084sn0Iq".parse::<RunId>().is_err());
    }

    #[test]
    fn an_id_tells_when_it_was_made_and_is_found_by_it() {
        let id = RequestId::generate();
        let at = id.made_at();
        assert!(RequestId::first_at(at) <= id && id < RequestId::first_at(Micros(at.0 + 1)));
        assert_eq!(RequestId::first_at(Micros(i64::MIN)), RequestId::first_at(Micros(0)));
        assert!(id < RequestId::first_at(Micros(i64::MAX)));
    }

    #[test]
    fn later_ids_sort_later() {
        let (first, second) = (RunId::generate(), RunId::generate());
        assert!(first.to_string() < second.to_string());
    }
}
