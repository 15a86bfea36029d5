//! P20: the payment processor gets what a payment needs: an address, an amount, and a reference that says nothing.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::dodo::Dodo;

#[tokio::test]
async fn a_payment_tells_the_processor_what_it_needs() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let account = server.account.get("/v1/account").await.expect(200);
    server.account.post("/v1/credits/top-ups", json!({"amount": 500, "currency": "EUR"})).await.expect(201);
    let (_, told) = dodo.requests().pop().unwrap();
    let fields: BTreeSet<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    let needed: BTreeSet<_> =
        ["product_cart", "billing_currency", "customer", "metadata", "return_url", "feature_flags"].into();
    assert_eq!(fields, needed);
    assert_eq!(told["customer"], json!({"email": account["email"]}));
    // The reference is the top-up's, which nobody else can read anything off.
    assert!(!told["metadata"].to_string().contains(account["id"].as_str().unwrap()), "{told}");
}
