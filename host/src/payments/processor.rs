//! What a payment processor has to be able to do. Everything else of it stays behind this trait.

use futures::future::BoxFuture;
use http::HeaderMap;

use super::news::{Delivery, PaymentFact, PaymentState, ReversalFact};
use super::signature::Forged;
use crate::clock::Micros;
use crate::ids::{AutoTopUpId, TopUpId};

/// A payment processor.
pub trait Processor: Send + Sync {
    /// Makes a page where a top-up is paid, and returns its address.
    fn checkout<'a>(&'a self, wanted: &'a Checkout) -> BoxFuture<'a, Result<String, ProcessorError>>;

    /// Reads a webhook, if it is really the processor's.
    ///
    /// # Errors
    /// [`Unread`] says why it can't be taken.
    fn delivery(&self, headers: &HeaderMap, body: &[u8], now: Micros) -> Result<Delivery, Unread>;

    /// A payment as it is now.
    fn payment<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<PaymentFact, ProcessorError>>;

    /// Payments that were made since a moment: each with its id, how far it is, and the top-up that it names.
    fn payments_since(&self, since: Micros) -> BoxFuture<'_, Result<Listed<ListedPayment>, ProcessorError>>;

    /// Refunds and disputes that began since a moment.
    fn reversals_since(&self, since: Micros) -> BoxFuture<'_, Result<Listed<ReversalFact>, ProcessorError>>;

    /// Whether it can charge who is not there.
    fn takes_mandates(&self) -> bool;

    /// Asks for a mandate to do so.
    fn mandate<'a>(&'a self, wanted: &'a MandateAsked) -> BoxFuture<'a, Result<Mandate, ProcessorError>>;

    /// Charges a mandate for a top-up. What becomes of it is told as of any other payment.
    fn charge<'a>(&'a self, mandate: &'a str, wanted: &'a Checkout) -> BoxFuture<'a, Result<Charge, ProcessorError>>;

    /// Ends a mandate.
    fn end_mandate<'a>(&'a self, mandate: &'a str) -> BoxFuture<'a, Result<(), ProcessorError>>;

    /// Gives money of a payment back.
    fn refund<'a>(&'a self, wanted: &'a RefundAsked) -> BoxFuture<'a, Result<ReversalFact, ProcessorError>>;
}

/// What is told to a processor of a top-up: no more than it needs.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// Stands for account and top-up; it says nothing to anybody else.
    pub top_up: TopUpId,
    /// What is to be paid, in the currency's smallest unit.
    pub amount: i64,
    /// The currency's code.
    pub currency: String,
    /// Where the invoice goes.
    pub email: String,
}

/// What is told to a processor of a mandate.
#[derive(Clone, Debug)]
pub struct MandateAsked {
    /// Stands for the account; it says nothing to anybody else.
    pub id: AutoTopUpId,
    /// The currency's code.
    pub currency: String,
    /// Whose it is.
    pub email: String,
}

/// What is to be given back.
#[derive(Clone, Debug)]
pub struct RefundAsked {
    /// The payment, by the processor's id.
    pub payment: String,
    /// How much, in the currency's smallest unit; none for all of it.
    pub amount: Option<i64>,
    /// Whether it was charged to a mandate, so that what was bought is the mandate's product.
    pub automatic: bool,
}

/// Where a mandate is given.
#[derive(Clone, Debug)]
pub enum Mandate {
    /// On this page; the processor tells when it is.
    Page(String),
    /// It is given, under this id.
    Given(String),
}

/// What a processor answers to a charge.
#[derive(Clone, Debug)]
pub enum Charge {
    /// It tells later what became of it.
    Begun,
    /// What became of it.
    Told(PaymentFact),
}

/// What a processor lists.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// What is understood of it.
    pub items: Vec<T>,
    /// What is not: what it is, as far as that can be told.
    pub strange: Vec<String>,
}

impl<T> Listed<T> {
    /// Nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { items: Vec::new(), strange: Vec::new() }
    }
}

/// A payment in a list.
#[derive(Clone, Debug)]
pub struct ListedPayment {
    /// The processor's id.
    pub id: String,
    /// How far it is.
    pub state: PaymentState,
    /// The top-up that it names.
    pub top_up: Option<TopUpId>,
}

/// Why a processor did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// It can't be reached, or is busy.
    #[error("the payment processor can't be reached: {0}")]
    Unreachable(String),
    /// It refuses.
    #[error("the payment processor refuses: {status} {detail}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// It answers what this release does not understand.
    #[error("the payment processor answers what this release does not understand: {0}")]
    Strange(String),
}

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is not the processor's.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It is, but this release does not understand it.
    #[error("it is not understood: {0}")]
    Strange(String),
}
