//! Transfers: the ledger's only movement, each written once, chained to the one before.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::Microcredits;
use crate::clock::Micros;

/// A tenant's number in the ledger. It says nothing of the account that it belongs to: one erasable table
/// maps accounts to tenants, so that erasing an account touches no transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(pub i64);

/// What a transfer does. Each verb moves an amount from one ledger account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Grants → credits: an operator's gift, a plan's starting amount.
    Grant,
    /// Credits → holds: the most that a run may cost, before it starts.
    Hold,
    /// Holds → revenue: what the run did cost.
    Settle,
    /// Holds → credits: the rest of the hold.
    Release,
}

impl Verb {
    /// The word in the database, in routes and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Hold => "hold",
            Self::Settle => "settle",
            Self::Release => "release",
        }
    }

    /// The ledger accounts that it takes from and gives to.
    #[must_use]
    pub const fn sides(self) -> (&'static str, &'static str) {
        match self {
            Self::Grant => ("grants", "credits"),
            Self::Hold => ("credits", "holds"),
            Self::Settle => ("holds", "revenue"),
            Self::Release => ("holds", "credits"),
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = UnknownVerb;

    fn from_str(text: &str) -> Result<Self, UnknownVerb> {
        [Self::Grant, Self::Hold, Self::Settle, Self::Release]
            .into_iter()
            .find(|verb| verb.as_str() == text)
            .ok_or_else(|| UnknownVerb(text.to_owned()))
    }
}

/// A verb that this release doesn't know.
#[derive(Debug, thiserror::Error)]
#[error("the ledger has a transfer with the unknown verb `{0}`")]
pub struct UnknownVerb(String);

/// One movement of credits. Its id is derived from its subject and verb, so that the same movement can't be
/// written twice.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Whose credits move.
    pub tenant: Tenant,
    /// What it pays for: the id of a run or of a grant.
    pub subject: String,
    /// What it does.
    pub verb: Verb,
    /// How much moves; never negative.
    pub amount: Microcredits,
    /// When.
    pub at: Micros,
}

impl Transfer {
    /// `{26 sortable characters}-{verb}`: sorted by the making of its subject, unique by construction.
    #[must_use]
    pub fn id(&self) -> String {
        let suffix = self.subject.rsplit('_').next().unwrap_or(&self.subject);
        format!("{suffix}-{}", self.verb)
    }
}

/// The head of one host's hash chain: each transfer that its writer commits is hashed with the head before
/// it, so that a row that was changed or removed later breaks the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of transfers in the chain.
    pub sequence: i64,
    /// SHA-256 over the previous head and the last transfer.
    pub hash: [u8; 32],
}

impl ChainHead {
    /// The head after one more transfer.
    #[must_use]
    pub fn extended_by(&self, transfer: &Transfer) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.hash);
        for number in [self.sequence + 1, transfer.tenant.0, transfer.amount.0, transfer.at.0] {
            hasher.update(number.to_be_bytes());
        }
        // The verb and subject can't run into each other: a verb holds no space.
        hasher.update(transfer.verb.as_str());
        hasher.update(" ");
        hasher.update(&transfer.subject);
        Self { sequence: self.sequence + 1, hash: hasher.finalize().into() }
    }
}
