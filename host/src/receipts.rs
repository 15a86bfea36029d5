//! Receipts: what a run was given, did and cost, signed by the operator, so that anybody can verify it who has the
//! public key, without asking the server.
//!
//! A receipt is a JSON Web Signature (RFC 7515) in its flattened form, with Ed25519 (RFC 8037). What is signed are the
//! bytes of the payload as they are, so that nobody has to agree on how JSON is written. Everything in it is settled
//! with the run, and Ed25519 needs no randomness: a run has one receipt, whenever it is asked for.

mod signature;

use serde::{Deserialize, Serialize};
pub use signature::{Jwk, Jwks, NotGenuine, PublicKey, Signed, SigningKey};
use utoipa::ToSchema;

use crate::clock::Micros;
use crate::ids::{AccountId, RunId};
use crate::ledger::{ChargeLine, Microcredits};
use crate::runtime::Digest;
use crate::words::RunOutcome;

/// What a receipt says of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub account: AccountId,
    /// The deployment's name.
    pub deployment: String,
    /// Its revision.
    pub deployment_revision: i64,
    /// The agent's name.
    pub agent: String,
    /// Its version.
    pub version: i64,
    /// The component that ran: SHA-256 of its bytes.
    #[schema(value_type = String)]
    pub component: Digest,
    /// SHA-256 of the input, as JSON without spaces and lines between its parts.
    #[schema(value_type = String)]
    pub input: Digest,
    /// SHA-256 of the output, in the same form; none when there was none.
    #[schema(value_type = Option<String>)]
    pub output: Option<Digest>,
    /// How it ended.
    #[schema(value_type = RunOutcome)]
    pub outcome: String,
    /// Fuel that it burned.
    pub fuel: i64,
    /// The release's fuel schedule that it was metered by.
    pub fuel_schedule: u32,
    /// Names the prices that it was charged under.
    pub price_version: String,
    /// What it cost: the sum of the charges.
    pub charge_microcredits: Microcredits,
    /// The charge, line by line.
    pub charges: Vec<ChargeLine>,
    /// When it was admitted.
    pub created_at: Micros,
    /// When it started; none when it never did.
    pub started_at: Option<Micros>,
    /// When it ended and was charged.
    pub finished_at: Micros,
}

/// The digest of a JSON text, whatever spaces and lines it is written with. `json` must be valid.
#[must_use]
pub fn digest(json: &str) -> Digest {
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.bytes().filter(|byte| {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return true;
        }
        in_string = *byte == b'"';
        !byte.is_ascii_whitespace()
    });
    Digest::of(&kept.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_text_without_what_is_between_its_parts() {
        let written = "{ \"a b\" : [1.50,\n\t\"x \\\" y\\\\\" , \"\" ] }\r\n";
        assert_eq!(digest(written), Digest::of(br#"{"a b":[1.50,"x \" y\\",""]}"#));
        assert_ne!(digest("\"a b\""), digest("\"ab\""));
    }
}
