//! The shapes of its requests, answers and webhooks, as far as they matter here. What else it tells, names and
//! addresses and cards, is not even read.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{MANDATE_REFERENCE, REFERENCE};
use crate::payments::money;
use crate::payments::news::{
    MandateFact, MandateState, PaymentFact, PaymentState, ReversalFact, ReversalKind, ReversalState,
};
use crate::payments::processor::ListedPayment;

/// The answer to a checkout.
#[derive(Deserialize)]
pub(super) struct Checkedout {
    pub checkout_url: Option<String>,
}

/// The answer to a charge. What becomes of the payment is told by webhooks.
#[derive(Deserialize)]
pub(super) struct Charged {
    #[serde(rename = "payment_id")]
    _payment_id: String,
}

/// A page of a list, whose items are read one by one.
#[derive(Deserialize)]
pub(super) struct Items {
    pub items: Vec<Box<RawValue>>,
}

/// The id of an item that is not understood as a whole.
pub(super) fn id_of(item: &RawValue) -> Option<String> {
    let item: Map<String, Value> = serde_json::from_str(item.get()).ok()?;
    let id = ["refund_id", "dispute_id", "payment_id"].iter().find_map(|name| item.get(*name)?.as_str())?;
    Some(id.chars().take(100).collect())
}

#[derive(Deserialize)]
pub(super) struct PaymentShape {
    payment_id: String,
    status: Option<String>,
    total_amount: i64,
    #[serde(default)]
    tax: Option<i64>,
    currency: String,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    error_message: Option<String>,
}

/// A payment in a list, which does not tell its tax.
#[derive(Deserialize)]
pub(super) struct ListedShape {
    payment_id: String,
    status: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct RefundShape {
    refund_id: String,
    payment_id: String,
    status: String,
    #[serde(default)]
    amount: Option<i64>,
    #[serde(default)]
    currency: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DisputeShape {
    dispute_id: String,
    payment_id: String,
    dispute_status: String,
    amount: Amount,
    currency: String,
}

/// A subscription; of one that is no mandate of ours, nothing matters.
#[derive(Deserialize)]
pub(super) struct SubscriptionShape {
    #[serde(default)]
    subscription_id: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl SubscriptionShape {
    pub(super) fn fact(self) -> Option<MandateFact> {
        let reference = self.metadata.get(MANDATE_REFERENCE)?.as_str()?.parse().ok()?;
        let state = match self.status.as_deref() {
            Some("active") => MandateState::Given,
            Some("cancelled" | "failed" | "expired" | "on_hold" | "past_due") => MandateState::Ended,
            _ => MandateState::Open,
        };
        Some(MandateFact { id: self.subscription_id?, reference, state })
    }
}

/// A dispute's amount: `1200` and `"1200"` are the smallest unit, `"12.00"` is not.
enum Amount {
    Minor(i64),
    Written(String),
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => {
                number.as_i64().map(Self::Minor).ok_or_else(|| D::Error::custom("an amount is a whole number"))
            }
            Value::String(text) => Ok(text.parse().map_or(Self::Written(text), Self::Minor)),
            _ => Err(D::Error::custom("an amount is a number or a text")),
        }
    }
}

fn payment_state(status: Option<&str>) -> PaymentState {
    match status {
        Some("succeeded") => PaymentState::Succeeded,
        Some("failed") => PaymentState::Failed,
        Some("cancelled") => PaymentState::Cancelled,
        _ => PaymentState::Processing,
    }
}

/// Our reference, if it is one of ours.
fn top_up(metadata: &Map<String, Value>) -> Option<crate::ids::TopUpId> {
    metadata.get(REFERENCE)?.as_str()?.parse().ok()
}

impl From<PaymentShape> for PaymentFact {
    fn from(shape: PaymentShape) -> Self {
        Self {
            state: payment_state(shape.status.as_deref()),
            amount: shape.total_amount.max(0),
            tax: shape.tax.unwrap_or_default().max(0),
            currency: shape.currency,
            top_up: top_up(&shape.metadata),
            reason: shape.error_message,
            id: shape.payment_id,
        }
    }
}

impl From<ListedShape> for ListedPayment {
    fn from(shape: ListedShape) -> Self {
        let state = payment_state(shape.status.as_deref());
        Self { state, top_up: top_up(&shape.metadata), id: shape.payment_id }
    }
}

impl From<RefundShape> for ReversalFact {
    fn from(shape: RefundShape) -> Self {
        let state = match shape.status.as_str() {
            "succeeded" => ReversalState::Taken,
            "failed" => ReversalState::Dropped,
            _ => ReversalState::Open,
        };
        Self {
            id: shape.refund_id,
            kind: ReversalKind::Refund,
            state,
            payment: shape.payment_id,
            amount: shape.amount,
            currency: shape.currency,
        }
    }
}

impl From<DisputeShape> for ReversalFact {
    fn from(shape: DisputeShape) -> Self {
        let state = match shape.dispute_status.as_str() {
            // Nobody answered in time, so that the bank decides for its customer. If it does not, it is told as won.
            "dispute_accepted" | "dispute_lost" | "dispute_expired" => ReversalState::Taken,
            "dispute_won" | "dispute_cancelled" => ReversalState::Dropped,
            _ => ReversalState::Open,
        };
        let amount = match shape.amount {
            Amount::Minor(amount) => Some(amount),
            Amount::Written(text) => money::parsed(&text, &shape.currency),
        };
        Self {
            id: shape.dispute_id,
            kind: ReversalKind::Dispute,
            state,
            payment: shape.payment_id,
            amount,
            currency: Some(shape.currency),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispute(amount: &str, currency: &str) -> Option<i64> {
        let text = format!(
            r#"{{"dispute_id": "d", "payment_id": "p", "dispute_status": "dispute_lost", "amount": {amount},
                "currency": "{currency}"}}"#
        );
        ReversalFact::from(serde_json::from_str::<DisputeShape>(&text).unwrap()).amount
    }

    #[test]
    fn a_disputes_amount_is_read_however_it_is_written() {
        assert_eq!(dispute("1200", "EUR"), Some(1200));
        assert_eq!(dispute("\"1200\"", "EUR"), Some(1200));
        assert_eq!(dispute("\"12.00\"", "EUR"), Some(1200));
        assert_eq!(dispute("\"1.500\"", "KWD"), Some(1500));
        assert_eq!(dispute("\"all of it\"", "EUR"), None);
    }
}
