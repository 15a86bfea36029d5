//! What a processor tells, in words of our own: the state of a payment, of a refund, of a dispute.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Micros;
use crate::ids::{AutoTopUpId, TopUpId};

/// A webhook whose signature was good.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The processor's id, the same each time that it is delivered.
    pub id: String,
    /// What the processor calls the event.
    pub kind: String,
    /// When this attempt to deliver it was made. It holds the state at that moment.
    pub sent_at: Micros,
    /// The state.
    pub fact: Fact,
}

/// The state of something at the processor.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A payment.
    Payment(PaymentFact),
    /// A refund or a dispute.
    Reversal(ReversalFact),
    /// A mandate to charge somebody who is not there.
    Mandate(MandateFact),
    /// Something that moves no credits.
    Other,
}

/// The state of a payment.
#[derive(Clone, Debug)]
pub struct PaymentFact {
    /// The processor's id.
    pub id: String,
    /// How far it is.
    pub state: PaymentState,
    /// What was paid, with the tax, in the currency's smallest unit.
    pub amount: i64,
    /// The tax in it.
    pub tax: i64,
    /// The currency's code.
    pub currency: String,
    /// The top-up that it is for, as we told the processor; none when it is for something else.
    pub top_up: Option<TopUpId>,
    /// Why it failed.
    pub reason: Option<String>,
}

/// The state of a refund or a dispute.
#[derive(Clone, Debug)]
pub struct ReversalFact {
    /// The processor's id.
    pub id: String,
    /// Which of the two it is.
    pub kind: ReversalKind,
    /// How far it is.
    pub state: ReversalState,
    /// The payment, by the processor's id.
    pub payment: String,
    /// What of the payment, in the currency's smallest unit; none is all of it.
    pub amount: Option<i64>,
    /// The currency's code.
    pub currency: Option<String>,
}

/// The state of a mandate.
#[derive(Clone, Debug)]
pub struct MandateFact {
    /// The processor's id.
    pub id: String,
    /// What it is for, as we told the processor.
    pub reference: AutoTopUpId,
    /// How far it is.
    pub state: MandateState,
}

/// How far a mandate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MandateState {
    /// It is not given yet, or rests.
    Open,
    /// It is given.
    Given,
    /// It is over, and can't be charged any more.
    Ended,
}

macro_rules! states {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$variant_doc:meta])* $variant:ident = $text:literal, )+ } )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $( $(#[$variant_doc])* $variant, )+ }

        impl $name {
            /// The word in the database, in routes and in messages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownState;

            fn from_str(text: &str) -> Result<Self, UnknownState> {
                match text { $( $text => Ok(Self::$variant), )+ _ => Err(UnknownState(text.to_owned())) }
            }
        }
    )+ };
}

/// A state that this release doesn't know.
#[derive(Debug, thiserror::Error)]
#[error("the unknown state `{0}`")]
pub struct UnknownState(String);

states! {
    /// How far a payment is. Of two that were told in the same second, the later in this list holds.
    PaymentState {
        /// Only a refund or a dispute of it was told yet.
        Unseen = "unseen",
        /// The customer or a bank is at it.
        Processing = "processing",
        /// The customer did not want it after all.
        Cancelled = "cancelled",
        /// It was refused.
        Failed = "failed",
        /// It was paid, for good: what becomes of the money later is a refund or a dispute.
        Succeeded = "succeeded",
    }

    /// How far a refund or a dispute is. Of two that were told in the same second, the later in this list holds.
    ReversalState {
        /// It is not decided.
        Open = "open",
        /// The money stays here: a refund failed, a dispute was won or withdrawn.
        Dropped = "dropped",
        /// The money went back: a refund succeeded, a dispute was lost, accepted, or not answered in time.
        Taken = "taken",
    }

    /// A refund or a dispute.
    ReversalKind {
        /// The operator gives money back.
        Refund = "refund",
        /// The customer's bank takes money back, or tries to.
        Dispute = "dispute",
    }

    /// How far a top-up is.
    TopUpState {
        /// Nobody has paid yet.
        Pending = "pending",
        /// A payment is on its way.
        Processing = "processing",
        /// The payment was cancelled. Another one may come.
        Cancelled = "cancelled",
        /// The payment was refused. Another one may come.
        Failed = "failed",
        /// It was paid in a way that has no price here: the operator decides.
        Review = "review",
        /// It was paid, and the credits are there.
        Paid = "paid",
    }
}

impl TopUpState {
    /// How far a top-up is with one payment, which bought something or nothing.
    #[must_use]
    pub const fn with(payment: PaymentState, bought: bool) -> Self {
        match payment {
            PaymentState::Unseen => Self::Pending,
            PaymentState::Processing => Self::Processing,
            PaymentState::Cancelled => Self::Cancelled,
            PaymentState::Failed => Self::Failed,
            PaymentState::Succeeded if bought => Self::Paid,
            PaymentState::Succeeded => Self::Review,
        }
    }
}
