//! `[payments]` of the operator's file: through whom credits are sold, and at what price.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ledger::Microcredits;
use crate::payments::money::is_currency;
use crate::words::words;

/// Through whom credits are sold, and at what price. Key and webhook secrets of Dodo Payments are the values of
/// `AAASP_DODO_API_KEY` and `AAASP_DODO_WEBHOOK_SECRETS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentValues {
    /// The processor.
    pub processor: PaymentProcessor,
    /// Where the API of Dodo Payments is.
    #[serde(default = "dodo")]
    pub base_url: String,
    /// The product at Dodo Payments: a single payment of which the customer pays what is asked for (`pay what you
    /// want`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The product at Dodo Payments for automatic top-ups: a subscription that is charged on demand. Without it there are
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate_product_id: Option<String>,
    /// Where customers come back to when they have paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// What credits cost, by currency: `EUR`.
    pub currencies: BTreeMap<String, CreditPrice>,
}

words! {
    /// A payment processor.
    PaymentProcessor {
        /// Dodo Payments.
        Dodo = "dodo",
        /// A page of the host itself, on which nothing is paid.
        Test = "test",
    }
}

/// What credits cost in a currency. Amounts are of its smallest unit: cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditPrice {
    /// What one of the smallest unit buys: 10 000 for a credit that costs one euro.
    pub microcredits_per_minor_unit: i64,
    /// The least that is paid at once.
    pub minimum: i64,
    /// The most that is paid at once.
    pub maximum: i64,
}

fn dodo() -> String {
    "https://live.dodopayments.com".to_owned()
}

/// Whether a URL is `http` to this machine itself.
pub(crate) fn is_plain_and_local(url: &url::Url) -> bool {
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && local
}

impl PaymentValues {
    /// What can't be meant, by key.
    pub(super) fn impossible(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut refuse = |wrong: bool, key: String, reason: &str| {
            if wrong {
                found.push((key, reason.to_owned()));
            }
        };
        let url = |text: &str| url::Url::parse(text).ok().filter(url::Url::has_host);
        if self.processor == PaymentProcessor::Dodo {
            let protected = url(&self.base_url).is_some_and(|url| url.scheme() == "https" || is_plain_and_local(&url));
            refuse(!protected, "base_url".to_owned(), "expected a URL that begins with `https://`");
            let unnamed = self.product_id.as_deref().unwrap_or_default().is_empty();
            let product = "`dodo` sells a product of yours there, whose price is `pay what you want`: name its id";
            refuse(unnamed, "product_id".to_owned(), product);
        }
        let returns = self.return_url.as_deref().is_none_or(|text| url(text).is_some());
        refuse(!returns, "return_url".to_owned(), "expected a URL like `https://agents.example.com/paid`");
        refuse(self.currencies.is_empty(), "currencies".to_owned(), "credits have a price in one currency at least");
        for (currency, price) in &self.currencies {
            let key = |name: &str| format!("currencies.{currency}.{name}");
            let code = "a currency is three capital letters, as ISO 4217 has them";
            refuse(!is_currency(currency), format!("currencies.{currency}"), code);
            let unit = price.microcredits_per_minor_unit;
            refuse(unit < 1, key("microcredits_per_minor_unit"), "what is paid buys something");
            refuse(price.minimum < 1, key("minimum"), "nothing is bought for nothing");
            refuse(price.maximum < price.minimum, key("maximum"), "the most is not less than the least");
            let bought = price.maximum.checked_mul(unit).is_none_or(|most| most > Microcredits::LARGEST_GRANT.0);
            refuse(bought, key("maximum"), "more credits than the ledger gives at once");
        }
        found
    }
}
