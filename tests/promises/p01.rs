//! P01: of an account an address, a plan and a status are kept, and nothing else about a person is asked for.

use aaasp::privacy::map::{Category, tables};
use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn an_account_is_an_address_a_plan_and_a_status() {
    let server = Server::with_config("[accounts]\nsign_up = \"open\"\n").await;
    let stranger = server.account.with_key(None);
    stranger.post("/v1/accounts", json!({"email": "ada@example.org"})).await.expect(202);
    // Nothing else about a person is even taken.
    for more in ["name", "phone", "company", "country"] {
        stranger.post("/v1/accounts", json!({"email": "ada@example.org", more: "x"})).await.problem(422);
    }
    let contact: Vec<_> = tables()
        .flat_map(|table| table.columns.iter().map(move |column| (table.name, column)))
        .filter(|(_, column)| column.category == Some(Category::Contact))
        .map(|(table, column)| format!("{table}.{}", column.name))
        .collect();
    assert_eq!(contact, ["email_changes.sealed_email", "accounts.id", "accounts.sealed_email"]);
}
