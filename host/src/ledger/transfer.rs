//! Transfers: the ledger's only movement, each written once, chained to the one before.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::Microcredits;
use crate::clock::Micros;
use crate::words::words;

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

words! {
    /// A ledger account: where credits are, come from or go to.
    Side {
        /// What operators gave.
        Grants = "grants",
        /// What a tenant can spend.
        Credits = "credits",
        /// What a tenant's unfinished runs hold.
        Holds = "holds",
        /// What runs did cost.
        Revenue = "revenue",
        /// What tenants bought, without what was given back.
        Payments = "payments",
        /// What a tenant owes.
        Debts = "debts",
        /// What operators corrected.
        Adjustments = "adjustments",
    }
}

words! {
    /// What a transfer does. Each verb moves an amount from one ledger account to another.
    Verb {
        /// An operator's gift, a plan's starting amount.
        Grant = "grant",
        /// The most that a run may cost, before it starts.
        Hold = "hold",
        /// What the run did cost.
        Settle = "settle",
        /// The rest of the hold.
        Release = "release",
        /// What was bought.
        TopUp = "top_up",
        /// What a refund or a lost dispute takes back.
        Refund = "refund",
        /// The part of a refund that was spent already.
        Owe = "owe",
        /// What pays a debt.
        Repay = "repay",
        /// What comes back when a refund failed or a dispute was won after all.
        Restore = "restore",
        /// An operator's correction.
        AdjustUp = "adjust_up",
        /// An operator's correction.
        AdjustDown = "adjust_down",
    }
}

impl Verb {
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
        Self::of_word(text).ok_or_else(|| UnknownVerb(text.to_owned()))
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
