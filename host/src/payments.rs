//! Payments: credits are bought through a payment processor, which tells what became of the money by webhooks.
//!
//! [`Processor`] is all that a processor has to be able to do; [`Book`] takes what it tells and moves the credits.

mod auto;
mod book;
mod dodo;
pub mod money;
mod news;
mod processor;
mod reconcile;
mod refunds;
mod signature;
mod test;
mod top_ups;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use auto::{AutoTopUpAsked, AutoTopUpState};
pub use book::{Book, Booked};
pub use dodo::{Dodo, DodoSettings};
pub use news::{
    Delivery, Fact, MandateFact, MandateState, PaymentFact, PaymentState, ReversalFact, ReversalKind, ReversalState,
    TopUpState, UnknownState,
};
pub use processor::{
    Charge, Checkout, Listed, ListedPayment, Mandate, MandateAsked, Processor, ProcessorError, RefundAsked, Unread,
};
pub use reconcile::{PAYMENT_DAYS, Reconciled, Repaired};
pub use refunds::Refunded;
pub use signature::{Forged, MalformedSecrets, Secrets, Signed};
pub use test::Test;
pub use top_ups::Asked;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::config::{Config, CreditPrice, PaymentProcessor, PaymentValues};
use crate::db::{Db, DbError};
use crate::ledger::Microcredits;

/// The variable that holds our key for Dodo Payments.
const DODO_KEY: &str = "AAASP_DODO_API_KEY";

/// The variable that holds the secrets that sign its webhooks, two during a rotation.
const DODO_SECRETS: &str = "AAASP_DODO_WEBHOOK_SECRETS";

/// Why credits can't be sold, though the operator's file says that they are.
#[derive(Debug, thiserror::Error)]
pub enum SellerError {
    /// A secret is not in the environment.
    #[error("`payments` needs the environment variable {0}")]
    Missing(&'static str),
    /// Others could have credits for nothing.
    #[error(
        "`payments.processor = \"test\"` gives credits to whoever presses a button, so that nobody but this machine may \
         reach the host, and {0}; sell through `dodo`, or listen on 127.0.0.1"
    )]
    TestForOthers(String),
    /// The secrets of webhooks can't be read.
    #[error("{DODO_SECRETS}: {0}")]
    Secrets(#[from] MalformedSecrets),
    /// TLS can't be set up.
    #[error("can't set up HTTPS to the payment processor: {0}")]
    Tls(String),
}

/// Why something about payments was not done.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The operator sells no credits.
    #[error("credits can't be bought here: the operator's file has no `payments`")]
    NothingSold,
    /// Nobody can be charged who is not there.
    #[error("credits can't be bought here by themselves: the operator's file has no `payments.mandate_product_id`")]
    NoMandates,
    /// No top-up fits into the month.
    #[error("the cap of a month is less than one top-up, {amount}")]
    CapTooLow {
        /// The top-up, as it is written.
        amount: String,
    },
    /// There is no price in the currency.
    #[error("there is no price in `{given}`; there are prices in {}", .offered.join(", "))]
    Currency {
        /// What was asked for.
        given: String,
        /// What there is.
        offered: Vec<String>,
    },
    /// The amount is too small or too large.
    #[error("between {} and {} can be paid at once", .least, .most)]
    Amount {
        /// As it is written.
        least: String,
        /// As it is written.
        most: String,
    },
    /// More should be given back than is left of a top-up.
    #[error("only {left} credits of the top-up are left to be given back")]
    TooMuch {
        /// What is left.
        left: Microcredits,
    },
    /// The same request was made before, and it is not known whether the processor took it.
    #[error(
        "this was asked for, and it is not known whether the processor took it; `aaasp admin reconcile` finds out; only \
         then ask again, with another idempotency key"
    )]
    InDoubt,
    /// The processor did not do it.
    #[error(transparent)]
    Processor(#[from] ProcessorError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A processor, and what is sold through it.
pub struct Seller {
    /// The processor.
    pub processor: Box<dyn Processor>,
    /// What credits cost, by currency.
    pub prices: BTreeMap<String, CreditPrice>,
    /// Whether payments are only tests, and no money moves.
    pub tests: bool,
}

impl Seller {
    /// As the operator's file says, with the secrets of the environment; none when it sells nothing.
    ///
    /// # Errors
    /// [`SellerError`] says what is missing.
    pub fn new(config: &Config) -> Result<Option<Self>, SellerError> {
        let Some(values) = &config.values.payments else { return Ok(None) };
        let processor: Box<dyn Processor> = match values.processor {
            PaymentProcessor::Dodo => Box::new(dodo(values)?),
            PaymentProcessor::Test => Box::new(Test::new(config)?),
        };
        let tests = values.processor == PaymentProcessor::Test;
        Ok(Some(Self { processor, prices: values.currencies.clone(), tests }))
    }
}

fn dodo(values: &PaymentValues) -> Result<Dodo, SellerError> {
    let variable = |name| {
        let value = std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        value.ok_or(SellerError::Missing(name))
    };
    Dodo::new(DodoSettings {
        base_url: values.base_url.clone(),
        product: values.product_id.clone().unwrap_or_default(),
        mandate_product: values.mandate_product_id.clone(),
        return_url: values.return_url.clone(),
        key: variable(DODO_KEY)?.trim().to_owned().into(),
        secrets: Secrets::parse(&variable(DODO_SECRETS)?)?,
    })
    .map_err(SellerError::Tls)
}

/// Sells credits, and takes what the processor tells.
pub struct Payments {
    /// What takes it.
    pub book: Book,
    db: Db,
    accounts: Accounts,
    clock: Clock,
    seller: Option<Seller>,
}

impl Payments {
    /// Over a database; without a seller nothing can be bought.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock, seller: Option<Seller>) -> Arc<Self> {
        let book = Book::new(db.clone(), accounts.clone(), clock.clone());
        Arc::new(Self { book, db, accounts, clock, seller })
    }

    fn seller(&self) -> Result<&Seller, PaymentError> {
        self.seller.as_ref().ok_or(PaymentError::NothingSold)
    }

    /// Takes a webhook, in one commit.
    ///
    /// # Errors
    /// [`WebhookError`] says why it was not taken. The processor tries again.
    pub async fn webhook(&self, headers: &http::HeaderMap, body: &[u8]) -> Result<Booked, WebhookError> {
        let seller = self.seller.as_ref().ok_or(WebhookError::Unread(Unread::Forged(Forged::Signature)))?;
        let Delivery { id, kind, sent_at, fact } = seller.processor.delivery(headers, body, self.clock.now())?;
        let given = match &fact {
            Fact::Mandate(fact) if fact.state == MandateState::Given => Some(fact.clone()),
            _ => None,
        };
        let booked = self.book.take(fact, sent_at, Some((id.clone(), kind.clone()))).await?;
        if let Some(given) = given {
            // Told again when this fails, since what is booked twice changes nothing.
            self.end_unwanted(&given).await?;
        }
        tracing::info!(webhook = id, kind, ?booked, "the payment processor told something");
        Ok(booked)
    }
}

/// Why a webhook was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It is not the processor's, or not understood.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// What follows from it could not be asked of the processor.
    #[error(transparent)]
    Processor(#[from] ProcessorError),
}
