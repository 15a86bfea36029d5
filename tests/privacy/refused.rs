//! The audit says what was done, not what was asked for and refused.

use serde_json::{Value, json};

use crate::api::{fields, text};
use crate::payments::{bought, paid};
use crate::support::Server;
use crate::support::dodo::Dodo;

const AUTO: &str = "/v1/credits/auto-top-up";

/// What was done so far, latest first.
async fn done(server: &Server) -> Vec<String> {
    let entries = server.operator().get("/v1/admin/audit?limit=200").await.expect(200);
    fields(entries["items"].as_array().unwrap(), "act")
}

async fn count(server: &Server, act: &str) -> usize {
    done(server).await.iter().filter(|done| *done == act).count()
}

fn because(mut body: Value) -> Value {
    body["reason"] = "a test".into();
    body
}

#[tokio::test]
async fn keys_that_could_not_be_retired_or_added_are_in_no_entry() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.post("/v1/admin/master-keys/retire", json!({"below": 2})).await.problem(422);
    assert_eq!(count(&server, "retire_master_keys").await, 0);
    operator.post("/v1/admin/master-keys", json!({})).await.expect(200);
    assert_eq!(count(&server, "rotate_master_key").await, 1);
    let entries = operator.get("/v1/admin/audit?limit=200").await.expect(200);
    let entries = entries["items"].as_array().unwrap();
    let rotated = entries.iter().find(|entry| text(entry, "act") == "rotate_master_key").unwrap();
    assert!(text(rotated, "actor").starts_with("opk_"), "{rotated}");
}

#[tokio::test]
async fn a_file_with_a_mistake_that_was_not_taken_is_in_no_entry() {
    let server = Server::start().await;
    let file = server.data().join("aaasp.toml");
    std::fs::write(&file, "nonsense = 1\n").unwrap();
    server.operator().post("/v1/admin/reload", because(json!({}))).await.problem(422);
    assert_eq!(count(&server, "reload").await, 0);
    std::fs::write(&file, "").unwrap();
    server.operator().post("/v1/admin/reload", because(json!({}))).await.expect(200);
    assert_eq!(count(&server, "reload").await, 1);
}

#[tokio::test]
async fn a_breach_that_is_over_is_scoped_no_more() {
    let server = Server::start().await;
    let operator = server.operator();
    let opened = json!({"facts": "a disk was lost", "advice": "none"});
    let breach = operator.post("/v1/admin/breaches", because(opened)).await.expect(201);
    let path = format!("/v1/admin/breaches/{}", text(&breach, "id"));
    for tables in [["runs"], ["letters"]] {
        operator.post(&format!("{path}/scope"), because(json!({"tables": tables}))).await.expect(200);
    }
    let closed = operator.post(&format!("{path}/close"), because(json!({}))).await.expect(200);
    assert_eq!(closed["tables"], json!(["letters", "runs"]));
    operator.post(&format!("{path}/scope"), because(json!({"tables": ["api_keys"]}))).await.problem(409);
    assert_eq!(operator.get(&path).await.expect(200)["tables"], closed["tables"]);
    assert_eq!(count(&server, "breach_scope").await, 2);
}

#[tokio::test]
async fn money_that_was_not_given_back_is_said_to_be_refused() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let (top_up, _) = paid(&dodo, &server, &server.account, 1000).await;
    let path = format!("/v1/admin/top-ups/{top_up}/refunds");
    dodo.refuse(true);
    server.operator().post(&path, because(json!({"credits_microcredits": bought(1)}))).await.problem(503);
    dodo.refuse(false);
    assert_eq!(done(&server).await[..2], ["refund_refused".to_owned(), "refund".to_owned()]);

    // What is off already is not switched off again.
    let asked = json!({"threshold_microcredits": 5, "amount": 2000, "currency": "EUR", "monthly_cap": 2000});
    server.account.put(AUTO, asked).await.expect(200);
    for _ in 0..2 {
        server.account.delete(AUTO).await.expect(204);
    }
    assert_eq!(count(&server, "end_auto_top_up").await, 1);
}

#[tokio::test]
async fn a_list_of_letters_says_of_none_whose_it_is() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 0).await;
    ada.post("/v1/api-keys", json!({"name": "mine"})).await.expect(201);
    let id = text(&ada.get("/v1/account").await.expect(200), "id").to_owned();
    let all = server.operator().get("/v1/admin/letters").await;
    assert_eq!(text(&all.expect(200)["items"][0], "kind"), "key_created");
    assert!(!all.text.contains(&id) && !all.text.contains("ada@"), "{}", all.text);
    let account = format!("/v1/admin/accounts/{id}");
    server.operator().post(&format!("{account}/access"), because(json!({"minutes": 5}))).await.expect(201);
    let of_ada = server.operator().get(&format!("{account}/letters")).await;
    assert_eq!(text(&of_ada.expect(200)["items"][0], "account"), id);
}
