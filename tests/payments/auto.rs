//! Automatic top-ups: off unless asked for, once for each crossing, within the month's cap, and off when anything fails.

use serde_json::{Value, json};

use super::{bought, letters};
use crate::api::{pointers, text};
use crate::cli::shell::Shell;
use crate::support::dodo::Dodo;
use crate::support::{Client, Server, until};

const PATH: &str = "/v1/credits/auto-top-up";

/// The host looks at its start, and then each minute.
fn look_again(server: &mut Server, account: &Client) -> Client {
    server.stop();
    server.serve();
    server.account.with_key(Some(account.key()))
}

/// Asks for 20 euros below 5 credits, and gives the mandate.
async fn switched_on(dodo: &Dodo, server: &Server, account: &Client, cap: i64) -> String {
    let asked = json!({"threshold_microcredits": bought(500), "amount": 2000, "currency": "EUR", "monthly_cap": cap});
    let answer = account.put(PATH, asked).await.expect(200);
    assert_eq!(text(&answer, "state"), "asked");
    assert!(text(&answer, "url").starts_with("https://checkout.example.com/"), "{answer}");
    let (_, asked) = dodo.requests().pop().unwrap();
    let mandate = dodo.mandate(text(&asked["metadata"], "auto_top_up"));
    dodo.tell(server, "subscription.active", &mandate).await;
    let on = account.get(PATH).await.expect(200);
    assert_eq!((text(&on, "state"), &on["url"]), ("on", &Value::Null));
    mandate
}

/// The charges of a mandate so far, once there are so many.
async fn charges(dodo: &Dodo, mandate: &str, count: usize) -> Vec<Value> {
    until("the charges", async || {
        let mut requests = dodo.requests();
        requests.retain(|(request, _)| *request == format!("POST /subscriptions/{mandate}/charge"));
        (requests.len() >= count).then(|| requests.into_iter().map(|(_, body)| body).collect())
    })
    .await
}

async fn spend(server: &Server, account: &Client, microcredits: i64) {
    let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
    let body = json!({"amount_microcredits": -microcredits, "reason": "a test"});
    server.operator().post(&format!("/v1/admin/accounts/{id}/adjustments"), body).await.expect(201);
}

/// The kinds of letters about payments.
async fn told(server: &Server) -> Vec<String> {
    let mut kinds = letters(server).await;
    kinds.retain(|kind| kind != "low_balance");
    kinds
}

async fn armed(server: &Server, count: i64) {
    let question = "SELECT COUNT(*) FROM auto_top_ups WHERE armed = 1";
    until("the balances to have risen", async || (server.count(question).await == count).then_some(())).await;
}

#[tokio::test]
async fn a_restricted_account_buys_nothing_by_itself_until_it_is_not_any_more() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    let mandate = switched_on(&dodo, &server, &account, 5000).await;
    account.put("/v1/privacy/restriction", json!({})).await.expect(200);
    // Another account, which is looked at later, shows that this one was.
    let other = server.another_account("other@example.org", 0).await;
    let others = switched_on(&dodo, &server, &other, 2000).await;
    look_again(&mut server, &other);
    charges(&dodo, &others, 1).await;
    assert!(charges(&dodo, &mandate, 0).await.is_empty());
    let account = server.account.with_key(Some(account.key()));
    account.delete("/v1/privacy/restriction").await.expect(204);
    look_again(&mut server, &account);
    charges(&dodo, &mandate, 1).await;
}

#[tokio::test]
async fn a_balance_that_falls_buys_once_for_each_crossing_and_within_the_months_cap() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let mut account = server.account.clone();
    account.get(PATH).await.problem(404);
    let mandate = switched_on(&dodo, &server, &account, 5000).await;
    let wanted = dodo.requests().pop().unwrap().1;
    assert_eq!(
        (&wanted["product_cart"], &wanted["subscription_data"]),
        (
            &json!([{"product_id": "pdt_mandate", "quantity": 1}]),
            &json!({"on_demand": {"mandate_only": true, "product_currency": "EUR"}}),
        )
    );
    for round in 1..=2_usize {
        account = look_again(&mut server, &account);
        let asked = charges(&dodo, &mandate, round).await;
        let asked = asked.last().unwrap();
        assert_eq!((&asked["product_price"], &asked["product_currency"]), (&json!(2000), &json!("EUR")));
        dodo.tell(&server, "payment.succeeded", &dodo.charged("succeeded")).await;
        assert_eq!(account.balance().await, (bought(2000), 0));
        account = look_again(&mut server, &account);
        armed(&server, 1).await;
        spend(&server, &account, bought(2000)).await;
    }
    // A third one would pass the cap. Another account, which is looked at later, shows that this one was.
    let other = server.another_account("other@example.org", 0).await;
    let others = switched_on(&dodo, &server, &other, 2000).await;
    let other = look_again(&mut server, &other);
    charges(&dodo, &others, 1).await;
    assert_eq!(charges(&dodo, &mandate, 0).await.len(), 2);

    // What fails switches it off, and is told.
    dodo.tell(&server, "payment.failed", &dodo.charged("failed")).await;
    let off = other.get(PATH).await.expect(200);
    assert_eq!((text(&off, "state"), text(&off, "off_because")), ("off", "a payment failed"));
    assert_eq!(told(&server).await, ["auto_top_up_off", "payment_failed", "receipt", "receipt"]);

    let account = server.account.with_key(Some(account.key()));
    account.delete(PATH).await.expect(204);
    assert_eq!(text(&account.get(PATH).await.expect(200), "state"), "off");
    let ended = (format!("PATCH /subscriptions/{mandate}"), json!({"status": "cancelled"}));
    assert_eq!(dodo.requests().pop(), Some(ended));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn nothing_is_bought_on_a_guess() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let mut account = server.account.clone();
    let state = async |account: &Client| text(&account.get(PATH).await.expect(200), "state").to_owned();
    // The processor does not say whether it took the first charge, refuses the second, and ends the third mandate.
    switched_on(&dodo, &server, &account, 9000).await;
    dodo.set_down(true);
    account = look_again(&mut server, &account);
    until("it to be off", async || (state(&account).await == "off").then_some(())).await;
    dodo.set_down(false);
    switched_on(&dodo, &server, &account, 9000).await;
    dodo.refuse(true);
    account = look_again(&mut server, &account);
    until("it to be off", async || (state(&account).await == "off").then_some(())).await;
    dodo.refuse(false);
    let mandate = switched_on(&dodo, &server, &account, 9000).await;
    dodo.becomes(&mandate, "cancelled");
    dodo.tell(&server, "subscription.cancelled", &mandate).await;
    assert_eq!(state(&account).await, "off");
    dodo.becomes(&mandate, "active");
    dodo.tell(&server, "subscription.active", &mandate).await;
    assert_eq!(state(&account).await, "off", "what is over stays over");
    assert_eq!(told(&server).await, ["auto_top_up_off"; 3]);

    for (field, value, pointer) in [
        ("threshold_microcredits", json!(0), "/threshold_microcredits"),
        ("monthly_cap", json!(1999), "/monthly_cap"),
        ("amount", json!(1), "/amount"),
        ("currency", json!("USD"), "/currency"),
    ] {
        let mut asked = json!({"threshold_microcredits": 5, "amount": 2000, "currency": "EUR", "monthly_cap": 2000});
        asked[field] = value;
        assert_eq!(pointers(&account.put(PATH, asked).await.problem(422)), [pointer]);
    }
}

#[tokio::test]
async fn a_mandate_that_is_given_after_nobody_wants_it_any_more_is_ended() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let asked = json!({"threshold_microcredits": 5, "amount": 2000, "currency": "EUR", "monthly_cap": 2000});
    server.account.put(PATH, asked).await.expect(200);
    let reference = text(&dodo.requests().pop().unwrap().1["metadata"], "auto_top_up").to_owned();
    server.account.delete(PATH).await.expect(204);
    // The page is still open.
    let mandate = dodo.mandate(&reference);
    let ended = (format!("PATCH /subscriptions/{mandate}"), json!({"status": "cancelled"}));
    let told = dodo.webhook("subscription.active", &mandate, 0);
    dodo.set_down(true);
    told.send(&server).await.problem(503);
    dodo.set_down(false);
    assert_eq!(told.send(&server).await.status, 204);
    assert_eq!(dodo.requests().pop(), Some(ended));
    assert_eq!(text(&server.account.get(PATH).await.expect(200), "state"), "off");
}

#[tokio::test]
async fn a_part_of_what_was_bought_by_itself_is_given_back_for_the_product_that_it_was_charged_for() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    let mandate = switched_on(&dodo, &server, &account, 5000).await;
    let account = look_again(&mut server, &account);
    let charge = charges(&dodo, &mandate, 1).await.remove(0);
    dodo.tell(&server, "payment.succeeded", &dodo.charged("succeeded")).await;
    assert_eq!(account.balance().await, (bought(2000), 0));
    let path = format!("/v1/admin/top-ups/{}/refunds", text(&charge["metadata"], "top_up"));
    let asked = json!({"credits_microcredits": bought(500), "reason": "a test"});
    server.operator().post(&path, asked).await.expect(201);
    let (_, refund) = dodo.requests().pop().unwrap();
    assert_eq!(refund["items"], json!([{"item_id": "pdt_mandate", "amount": 500, "tax_inclusive": true}]));
}

#[tokio::test]
async fn it_can_be_tried_without_money() {
    let selling = "[payments]\nprocessor = \"test\"\n[payments.currencies.EUR]\n\
        microcredits_per_minor_unit = 10000\nminimum = 100\nmaximum = 1000000\n";
    let mut server = Server::with(selling, 0).await;
    let shell = Shell::of(&server.account);
    let set =
        ["credits", "auto", "set", "--below", "5", "--amount", "20.00", "--currency", "eur", "--monthly-cap", "50"];
    assert!(shell.run(&set).expect(0).out.contains("on"));
    let account = server.account.clone();
    let account = look_again(&mut server, &account);
    until("the credits", async || (account.balance().await == (bought(2000), 0)).then_some(())).await;
    let shell = Shell::of(&account);
    let shown = shell.run(&["credits", "auto"]).expect(0).out;
    assert!(shown.contains("50.00 EUR at most") && shown.contains("5.000000 credits"), "{shown}");
    shell.run(&["credits", "auto", "off"]).expect(0);
    assert_eq!(shell.run(&["credits", "auto", "--json"]).json(0)["state"], "off");
    server.stop();
    server.verify_ledger();
}
