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

/// What a tenant has; none of it is ever below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What it can spend.
    pub available: Microcredits,
    /// What its unfinished runs hold.
    pub held: Microcredits,
    /// What it owes. While it does, no run starts, and whatever comes in pays it first.
    pub debt: Microcredits,
}

/// A ledger account: where credits are, come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What operators gave.
    Grants,
    /// What a tenant can spend.
    Credits,
    /// What a tenant's unfinished runs hold.
    Holds,
    /// What runs did cost.
    Revenue,
    /// What tenants bought, without what was given back.
    Payments,
    /// What a tenant owes.
    Debts,
    /// What operators corrected.
    Adjustments,
}

impl Side {
    /// The word in routes and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grants => "grants",
            Self::Credits => "credits",
            Self::Holds => "holds",
            Self::Revenue => "revenue",
            Self::Payments => "payments",
            Self::Debts => "debts",
            Self::Adjustments => "adjustments",
        }
    }
}

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
    /// Payments → credits: what was bought.
    TopUp,
    /// Credits → payments: what a refund or a lost dispute takes back.
    Refund,
    /// Debts → payments: the part of it that was spent already.
    Owe,
    /// Credits → debts: what pays a debt.
    Repay,
    /// Payments → credits: what comes back when a refund failed or a dispute was won after all.
    Restore,
    /// Adjustments → credits: an operator's correction.
    AdjustUp,
    /// Credits → adjustments: an operator's correction.
    AdjustDown,
}

impl Verb {
    const ALL: [Self; 11] = [
        Self::Grant,
        Self::Hold,
        Self::Settle,
        Self::Release,
        Self::TopUp,
        Self::Refund,
        Self::Owe,
        Self::Repay,
        Self::Restore,
        Self::AdjustUp,
        Self::AdjustDown,
    ];

    /// The word in the database, in routes and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Hold => "hold",
            Self::Settle => "settle",
            Self::Release => "release",
            Self::TopUp => "top_up",
            Self::Refund => "refund",
            Self::Owe => "owe",
            Self::Repay => "repay",
            Self::Restore => "restore",
            Self::AdjustUp => "adjust_up",
            Self::AdjustDown => "adjust_down",
        }
    }

    /// The ledger accounts that it takes from and gives to.
    #[must_use]
    pub const fn sides(self) -> (Side, Side) {
        match self {
            Self::Grant => (Side::Grants, Side::Credits),
            Self::Hold => (Side::Credits, Side::Holds),
            Self::Settle => (Side::Holds, Side::Revenue),
            Self::Release => (Side::Holds, Side::Credits),
            Self::TopUp | Self::Restore => (Side::Payments, Side::Credits),
            Self::Refund => (Side::Credits, Side::Payments),
            Self::Owe => (Side::Debts, Side::Payments),
            Self::Repay => (Side::Credits, Side::Debts),
            Self::AdjustUp => (Side::Adjustments, Side::Credits),
            Self::AdjustDown => (Side::Credits, Side::Adjustments),
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
        Self::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or_else(|| UnknownVerb(text.to_owned()))
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
    /// What it is for: the id of a run, a grant, a top-up, a refund or dispute, or an adjustment. What moves credits
    /// again and again numbers its movements: `rev_…-2`.
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
