//! Dodo Payments (<https://docs.dodopayments.com>), as the shapes of its official SDKs have it: npm `dodopayments`
//! 2.52.0, PyPI `dodopayments` 1.123.0.
//!
//! Its official client for Rust was not taken: it brings a second reqwest, for five requests.

mod shapes;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderMap;
use reqwest::RequestBuilder;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::shapes::{
    Charged, Checkedout, DisputeShape, Items, ListedShape, PaymentShape, RefundShape, SubscriptionShape,
};
use super::news::{Delivery, Fact, PaymentFact, ReversalFact};
use super::processor::{
    Charge, Checkout, Listed, ListedPayment, Mandate, MandateAsked, Processor, ProcessorError, RefundAsked, Unread,
};
use super::signature::Secrets;
use crate::clock::Micros;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Items that are asked for at once: as many as it gives.
const PAGE: usize = 100;

/// Pages of a list: more than there are, unless it gives the same one again and again.
const MOST_PAGES: usize = 10_000;

/// Bytes of what it says when it refuses that are told on.
const DETAIL_BYTES: usize = 300;

/// The name of our reference in its metadata.
const REFERENCE: &str = "top_up";

/// The same, of a mandate.
const MANDATE_REFERENCE: &str = "auto_top_up";

/// What a checkout does not offer: what is paid in another currency, or with a discount, has no price here; a telephone
/// number is nothing that we need.
const FLAGS: [&str; 3] = ["allow_currency_selection", "allow_discount_code", "allow_phone_number_collection"];

/// The processor at its address, with our key.
pub struct Dodo {
    http: reqwest::Client,
    base_url: String,
    key: SecretString,
    secrets: Secrets,
    product: String,
    mandate_product: Option<String>,
    return_url: Option<String>,
}

/// What an operator sells, and how the processor is reached.
pub struct DodoSettings {
    /// Its address.
    pub base_url: String,
    /// The product, of which customers pay what we say (`pay what you want`).
    pub product: String,
    /// The subscription of which nothing is charged but what we say (`on demand`), for mandates.
    pub mandate_product: Option<String>,
    /// Where customers come back to.
    pub return_url: Option<String>,
    /// Our key.
    pub key: SecretString,
    /// What signs its webhooks.
    pub secrets: Secrets,
}

impl Dodo {
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(settings: DodoSettings) -> Result<Self, String> {
        // Mozilla's roots, as for all that leaves the host, and not the machine's.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("aaasp/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        let DodoSettings { base_url, product, mandate_product, return_url, key, secrets } = settings;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base_url, key, secrets, product, mandate_product, return_url })
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base_url))
    }

    async fn page(&self, body: &Value) -> Result<String, ProcessorError> {
        let made: Checkedout = self.ask(self.http.post(format!("{}/checkouts", self.base_url)).json(body)).await?;
        made.checkout_url.ok_or_else(|| ProcessorError::Strange("a checkout without an address".to_owned()))
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProcessorError> {
        let unreachable = |error: reqwest::Error| ProcessorError::Unreachable(error.without_url().to_string());
        let response = request.bearer_auth(self.key.expose_secret()).send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if !status.is_success() {
            let detail = text.chars().take(DETAIL_BYTES).filter(|c| !c.is_control()).collect();
            return Err(ProcessorError::Refused { status: status.as_u16(), detail });
        }
        serde_json::from_str(&text).map_err(|error| ProcessorError::Strange(error.to_string()))
    }

    /// All items of a list that were made since a moment. Its pages have no cursor, only numbers, so that an item may
    /// come twice while others are made. One that is not understood keeps none of the others.
    async fn all_since<S, T>(&self, path: &str, since: Micros) -> Result<Listed<T>, ProcessorError>
    where
        S: DeserializeOwned + Into<T>,
    {
        let mut all = Listed::nothing();
        for page in 0..MOST_PAGES {
            let query = [
                ("created_at_gte", since.rfc3339()),
                ("page_size", PAGE.to_string()),
                ("page_number", page.to_string()),
            ];
            let Items { items } = self.ask(self.get(path).query(&query)).await?;
            for item in &items {
                match serde_json::from_str::<S>(item.get()) {
                    Ok(shape) => all.items.push(shape.into()),
                    Err(error) => {
                        let id = shapes::id_of(item).unwrap_or_else(|| format!("an item of {path}"));
                        tracing::error!(id, %error, "the payment processor lists what this release does not understand");
                        all.strange.push(id);
                    }
                }
            }
            if items.len() < PAGE {
                return Ok(all);
            }
        }
        Err(ProcessorError::Strange(format!("{path} has no end")))
    }
}

/// An id within a path. It came from the processor, which does not make us ask for another path.
fn in_path(id: &str) -> String {
    let id: String = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).collect();
    id.replace("%5F", "_")
}

impl Processor for Dodo {
    fn checkout<'a>(&'a self, wanted: &'a Checkout) -> BoxFuture<'a, Result<String, ProcessorError>> {
        Box::pin(async move {
            let mut body = json!({
                "product_cart": [{"product_id": self.product, "quantity": 1, "amount": wanted.amount}],
                "billing_currency": wanted.currency,
                "customer": {"email": wanted.email},
                "metadata": {REFERENCE: wanted.top_up},
                "feature_flags": FLAGS.map(|flag| (flag, false)).into_iter().collect::<BTreeMap<_, _>>(),
            });
            if let Some(url) = &self.return_url {
                body["return_url"] = json!(url);
            }
            self.page(&body).await
        })
    }

    fn delivery(&self, headers: &HeaderMap, body: &[u8], now: Micros) -> Result<Delivery, Unread> {
        #[derive(Deserialize)]
        struct Event<'b> {
            r#type: String,
            #[serde(borrow)]
            data: &'b RawValue,
        }
        let signed = self.secrets.verify(headers, body, now)?;
        let strange = |error: serde_json::Error| Unread::Strange(error.to_string());
        let event: Event = serde_json::from_slice(body).map_err(strange)?;
        let data = event.data.get();
        let fact = match event.r#type.split('.').next().unwrap_or_default() {
            "payment" => Fact::Payment(serde_json::from_str::<PaymentShape>(data).map_err(strange)?.into()),
            "refund" => Fact::Reversal(serde_json::from_str::<RefundShape>(data).map_err(strange)?.into()),
            "subscription" => serde_json::from_str::<SubscriptionShape>(data)
                .map_err(strange)?
                .fact()
                .map_or(Fact::Other, Fact::Mandate),
            "dispute" => Fact::Reversal(serde_json::from_str::<DisputeShape>(data).map_err(strange)?.into()),
            _ => Fact::Other,
        };
        Ok(Delivery { id: signed.id, kind: event.r#type, sent_at: signed.sent_at, fact })
    }

    fn payment<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<PaymentFact, ProcessorError>> {
        Box::pin(
            async move { Ok(self.ask::<PaymentShape>(self.get(&format!("/payments/{}", in_path(id)))).await?.into()) },
        )
    }

    fn payments_since(&self, since: Micros) -> BoxFuture<'_, Result<Listed<ListedPayment>, ProcessorError>> {
        Box::pin(self.all_since::<ListedShape, _>("/payments", since))
    }

    fn reversals_since(&self, since: Micros) -> BoxFuture<'_, Result<Listed<ReversalFact>, ProcessorError>> {
        Box::pin(async move {
            let mut all = self.all_since::<RefundShape, _>("/refunds", since).await?;
            let disputes = self.all_since::<DisputeShape, _>("/disputes", since).await?;
            all.items.extend(disputes.items);
            all.strange.extend(disputes.strange);
            Ok(all)
        })
    }

    fn takes_mandates(&self) -> bool {
        self.mandate_product.is_some()
    }

    /// An on-demand subscription whose checkout charges nothing: only what it authorises is used.
    fn mandate<'a>(&'a self, wanted: &'a MandateAsked) -> BoxFuture<'a, Result<Mandate, ProcessorError>> {
        Box::pin(async move {
            let mut body = json!({
                "product_cart": [{"product_id": self.mandate_product, "quantity": 1}],
                "billing_currency": wanted.currency,
                "customer": {"email": wanted.email},
                "metadata": {MANDATE_REFERENCE: wanted.id},
                "subscription_data": {"on_demand": {"mandate_only": true, "product_currency": wanted.currency}},
                "feature_flags": FLAGS.map(|flag| (flag, false)).into_iter().collect::<BTreeMap<_, _>>(),
            });
            if let Some(url) = &self.return_url {
                body["return_url"] = json!(url);
            }
            self.page(&body).await.map(Mandate::Page)
        })
    }

    fn charge<'a>(&'a self, mandate: &'a str, wanted: &'a Checkout) -> BoxFuture<'a, Result<Charge, ProcessorError>> {
        Box::pin(async move {
            let body = json!({
                "product_price": wanted.amount,
                "product_currency": wanted.currency,
                "metadata": {REFERENCE: wanted.top_up},
            });
            let url = format!("{}/subscriptions/{}/charge", self.base_url, in_path(mandate));
            self.ask::<Charged>(self.http.post(url).json(&body)).await?;
            Ok(Charge::Begun)
        })
    }

    fn end_mandate<'a>(&'a self, mandate: &'a str) -> BoxFuture<'a, Result<(), ProcessorError>> {
        Box::pin(async move {
            let url = format!("{}/subscriptions/{}", self.base_url, in_path(mandate));
            self.ask::<IgnoredAny>(self.http.patch(url).json(&json!({"status": "cancelled"}))).await.map(drop)
        })
    }

    fn refund<'a>(&'a self, wanted: &'a RefundAsked) -> BoxFuture<'a, Result<ReversalFact, ProcessorError>> {
        Box::pin(async move {
            let mut body = json!({"payment_id": wanted.payment});
            if let Some(amount) = wanted.amount {
                let mandate = self.mandate_product.as_ref().filter(|_| wanted.automatic);
                let product = mandate.unwrap_or(&self.product);
                body["items"] = json!([{"item_id": product, "amount": amount, "tax_inclusive": true}]);
            }
            let request = self.http.post(format!("{}/refunds", self.base_url)).json(&body);
            Ok(self.ask::<RefundShape>(request).await?.into())
        })
    }
}
