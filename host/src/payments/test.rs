//! A processor with which no money moves, for trying everything out. Its checkout is a page of the host itself, where
//! whoever opens it says what becomes of the payment; that is booked as if a webhook had told it.
//!
//! It keeps nothing of its own: all that there is of its payments is in the book.

use futures::future::BoxFuture;
use http::HeaderMap;
use url::Url;

use super::news::{Delivery, Fact, PaymentFact, PaymentState, ReversalFact, ReversalKind, ReversalState};
use super::processor::{
    Charge, Checkout, Listed, ListedPayment, Mandate, MandateAsked, Processor, ProcessorError, RefundAsked, Unread,
};
use super::signature::Forged;
use super::{Payments, SellerError};
use crate::clock::Micros;
use crate::config::{Config, is_plain_and_local};
use crate::db::DbError;
use crate::db::top_ups::{self, StoredTopUp};
use crate::ids::{ReversalId, TopUpId};

/// The processor, and where its pages are.
pub struct Test {
    pages: String,
}

impl Test {
    /// For a host that nobody but its own machine reaches.
    ///
    /// # Errors
    /// [`SellerError::TestForOthers`] says what lets others in.
    pub fn new(config: &Config) -> Result<Self, SellerError> {
        let values = &config.values;
        let public =
            values.public_url.as_ref().filter(|url| !Url::parse(url).is_ok_and(|url| is_plain_and_local(&url)));
        let open = match (values.listen.ip().is_loopback(), public, values.trusted_proxies.first()) {
            (false, ..) => Some(format!("it listens on {}", values.listen)),
            (_, Some(url), _) => Some(format!("`public_url` is {url}")),
            _ if values.tls.behind_proxy => Some("`tls.behind_proxy` is set".to_owned()),
            (.., Some(proxy)) => Some(format!("`trusted_proxies` has {proxy}")),
            _ => None,
        };
        if let Some(open) = open {
            return Err(SellerError::TestForOthers(open));
        }
        tracing::warn!("payments are only tests: no money moves, and whoever presses a button has credits");
        Ok(Self { pages: config.link("/test-checkout") })
    }
}

impl Processor for Test {
    fn checkout<'a>(&'a self, wanted: &'a Checkout) -> BoxFuture<'a, Result<String, ProcessorError>> {
        Box::pin(async move { Ok(format!("{}/{}", self.pages, wanted.top_up)) })
    }

    /// It sends no webhooks, so that whatever comes is somebody else's.
    fn delivery(&self, _: &HeaderMap, _: &[u8], _: Micros) -> Result<Delivery, Unread> {
        Err(Forged::Signature.into())
    }

    fn payment<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<PaymentFact, ProcessorError>> {
        Box::pin(async move { Err(ProcessorError::Strange(format!("{id} is known to the book alone"))) })
    }

    fn payments_since(&self, _: Micros) -> BoxFuture<'_, Result<Listed<ListedPayment>, ProcessorError>> {
        Box::pin(async { Ok(Listed::nothing()) })
    }

    fn reversals_since(&self, _: Micros) -> BoxFuture<'_, Result<Listed<ReversalFact>, ProcessorError>> {
        Box::pin(async { Ok(Listed::nothing()) })
    }

    fn takes_mandates(&self) -> bool {
        true
    }

    fn mandate<'a>(&'a self, wanted: &'a MandateAsked) -> BoxFuture<'a, Result<Mandate, ProcessorError>> {
        Box::pin(async move { Ok(Mandate::Given(format!("test_{}", wanted.id))) })
    }

    fn charge<'a>(&'a self, _: &'a str, wanted: &'a Checkout) -> BoxFuture<'a, Result<Charge, ProcessorError>> {
        Box::pin(async move {
            Ok(Charge::Told(PaymentFact {
                id: format!("test_{}", wanted.top_up),
                state: PaymentState::Succeeded,
                amount: wanted.amount,
                tax: 0,
                currency: wanted.currency.clone(),
                top_up: Some(wanted.top_up),
                reason: None,
            }))
        })
    }

    fn end_mandate<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), ProcessorError>> {
        Box::pin(async { Ok(()) })
    }

    fn refund<'a>(&'a self, wanted: &'a RefundAsked) -> BoxFuture<'a, Result<ReversalFact, ProcessorError>> {
        Box::pin(async move {
            Ok(ReversalFact {
                id: format!("test_{}", ReversalId::generate()),
                kind: ReversalKind::Refund,
                state: ReversalState::Taken,
                payment: wanted.payment.clone(),
                amount: wanted.amount,
                currency: None,
            })
        })
    }
}

impl Payments {
    /// A top-up that is paid on the test page; none where money moves.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn to_test(&self, id: TopUpId) -> Result<Option<StoredTopUp>, DbError> {
        if !self.seller.as_ref().is_some_and(|seller| seller.tests) {
            return Ok(None);
        }
        match top_ups::account_of(&self.db, id).await? {
            Some(account) => top_ups::get(&self.db, account, id).await,
            None => Ok(None),
        }
    }

    /// Books what the test page says, and returns the top-up as it is then. It is one payment however often a button
    /// is pressed, so that nothing is paid twice.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn test(&self, top_up: &StoredTopUp, state: PaymentState) -> Result<Option<StoredTopUp>, DbError> {
        let fact = PaymentFact {
            id: format!("test_{}", top_up.id),
            state,
            amount: top_up.amount,
            tax: 0,
            currency: top_up.currency.clone(),
            top_up: Some(top_up.id),
            reason: Some("it was let fail on the test page".to_owned()),
        };
        self.book.take(Fact::Payment(fact), self.clock.now(), None).await?;
        self.to_test(top_up.id).await
    }
}
