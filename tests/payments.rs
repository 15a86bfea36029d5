//! Payments: credits are bought through a processor, and what it tells is booked once, in whatever order it comes.

mod any_order;
mod auto;
mod cli;
mod crashes;
mod operator;
mod path;
mod retention;
mod sdks;
mod tries;
mod webhooks;

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::dodo::{Dodo, PRICE};
use crate::support::{Client, Server};

/// Asks for a top-up of so many cents.
async fn asked(account: &Client, cents: i64) -> String {
    let made = account.post("/v1/credits/top-ups", json!({"amount": cents, "currency": "EUR"})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// A top-up of so many cents that is paid: its id and the payment's.
pub async fn paid(dodo: &Dodo, server: &Server, account: &Client, cents: i64) -> (String, String) {
    let top_up = asked(account, cents).await;
    let payment = dodo.payment(&top_up, (cents, 0), "succeeded");
    dodo.tell(server, "payment.succeeded", &payment).await;
    (top_up, payment)
}

/// What so many cents buy.
pub fn bought(cents: i64) -> i64 {
    cents * PRICE
}

async fn debt(account: &Client) -> i64 {
    account.get("/v1/credits").await.expect(200)["debt_microcredits"].as_i64().unwrap()
}

async fn shown(account: &Client, top_up: &str) -> Value {
    account.get(&format!("/v1/credits/top-ups/{top_up}")).await.expect(200)
}

/// The kinds of letters that were written, sorted.
async fn letters(server: &Server) -> Vec<String> {
    texts(server, "SELECT kind FROM letters ORDER BY kind").await
}

/// The first column of what a query finds in the server's database.
async fn texts(server: &Server, query: &'static str) -> Vec<String> {
    let rows = sqlx::query(query).fetch_all(&mut server.connect().await).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
