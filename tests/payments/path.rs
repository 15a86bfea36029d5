//! From a top-up to its credits, and back.

use serde_json::json;

use super::{asked, bought, debt, letters, paid, shown};
use crate::api::{begun, fields, items, start, text};
use crate::support::dodo::Dodo;
use crate::support::{Client, Server, guests, until};

#[tokio::test]
async fn a_top_up_is_paid_and_its_credits_are_there() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    let made = account.post("/v1/credits/top-ups", json!({"amount": 1200, "currency": "EUR"})).await.expect(201);
    assert_eq!((text(&made, "state"), &made["amount"]), ("pending", &json!(1200)));
    assert!(text(&made, "url").starts_with("https://checkout.example.com/cks_"), "{made}");

    let top_up = text(&made, "id");
    let payment = dodo.payment(top_up, (1200, 0), "processing");
    dodo.tell(&server, "payment.processing", &payment).await;
    assert_eq!(text(&shown(&account, top_up).await, "state"), "processing");
    assert_eq!(account.balance().await, (0, 0));

    dodo.becomes(&payment, "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    let shown = shown(&account, top_up).await;
    assert_eq!((text(&shown, "state"), &shown["credited_microcredits"]), ("paid", &json!(12_000_000)));
    assert_eq!(account.balance().await, (12_000_000, 0));
    assert_eq!(items(&account.get("/v1/credits/top-ups").await.expect(200)), &[shown]);
    assert_eq!(letters(&server).await, ["receipt"]);

    let moved = account.get("/v1/credits/transactions").await.expect(200);
    let moved = &items(&moved)[0];
    assert_eq!((text(moved, "reason"), text(moved, "subject")), ("top_up", top_up));
    assert_eq!((text(moved, "from"), text(moved, "to")), ("payments", "credits"));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn the_processor_is_told_no_more_than_it_needs() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let email = server.account.get("/v1/account").await.expect(200)["email"].clone();
    let told = json!({
        "product_cart": [{"product_id": "pdt_credits", "quantity": 1, "amount": 500}],
        "billing_currency": "EUR",
        "customer": {"email": email},
        "metadata": {"top_up": top_up},
        "return_url": "https://agents.example.com/paid",
        "feature_flags": {
            "allow_currency_selection": false, "allow_discount_code": false, "allow_phone_number_collection": false,
        },
    });
    assert_eq!(dodo.requests(), [("POST /checkouts".to_owned(), told)]);
}

#[tokio::test]
async fn what_was_paid_counts_without_its_tax_and_not_what_was_asked_for() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (1200, 200), "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    assert_eq!(server.account.balance().await, (bought(1000), 0));
    // A second payment of the same page is money too.
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    assert_eq!(server.account.balance().await, (bought(1500), 0));
    assert_eq!(shown(&server.account, &top_up).await["credited_microcredits"], bought(1500));
}

#[tokio::test]
async fn a_payment_that_fails_is_told_once_and_another_may_succeed() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let failed = dodo.payment(&top_up, (500, 0), "failed");
    for _ in 0..2 {
        dodo.tell(&server, "payment.failed", &failed).await;
    }
    assert_eq!(text(&shown(&server.account, &top_up).await, "state"), "failed");
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    dodo.tell(&server, "payment.failed", &failed).await;
    assert_eq!(text(&shown(&server.account, &top_up).await, "state"), "paid");
    assert_eq!(server.account.balance().await, (bought(500), 0));
    assert_eq!(letters(&server).await, ["payment_failed", "receipt"]);
}

#[tokio::test]
async fn a_repeated_request_is_one_top_up_and_goes_on_where_it_stopped() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let request = |amount: i64| {
        let request = server.account.request(reqwest::Method::POST, "/v1/credits/top-ups");
        request.header("idempotency-key", "once").json(&json!({"amount": amount, "currency": "EUR"}))
    };
    dodo.set_down(true);
    Client::send(request(500)).await.problem(503);
    dodo.set_down(false);
    let made = Client::send(request(500)).await.expect(201);
    assert_eq!(Client::send(request(500)).await.expect(201), made);
    Client::send(request(600)).await.problem(422);
    assert_eq!(items(&server.account.get("/v1/credits/top-ups").await.expect(200)), &[made]);
    assert_eq!(dodo.requests().len(), 1);
}

#[tokio::test]
async fn an_operator_who_sells_nothing_says_so() {
    let server = Server::start().await;
    let asked = server.account.post("/v1/credits/top-ups", json!({"amount": 500, "currency": "EUR"})).await;
    assert_eq!(text(&asked.problem(404), "type"), "urn:aaasp:problem:not-offered");
    assert!(items(&server.account.get("/v1/credits/top-ups").await.expect(200)).is_empty());
    server.operator().post("/v1/admin/reconcile", json!({"reason": "a test"})).await.problem(404);
}

#[tokio::test]
async fn an_amount_without_a_price_is_refused() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    for (amount, currency, pointer) in
        [(99, "EUR", "/amount"), (1_000_001, "EUR", "/amount"), (-500, "EUR", "/amount"), (500, "XXX", "/currency")]
    {
        let asked = json!({"amount": amount, "currency": currency});
        let problem = server.account.post("/v1/credits/top-ups", asked).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert!(dodo.requests().is_empty());
}

#[tokio::test]
async fn a_top_up_is_its_accounts_own() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let other = server.another_account("other@example.org", 0).await;
    let top_up = asked(&server.account, 500).await;
    other.get(&format!("/v1/credits/top-ups/{top_up}")).await.problem(404);
    assert!(items(&other.get("/v1/credits/top-ups").await.expect(200)).is_empty());
}

#[tokio::test]
async fn a_key_without_the_scope_buys_nothing() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let key = json!({"name": "reader", "scopes": ["billing:read"]});
    let key = server.account.post("/v1/api-keys", key).await.expect(201);
    let reader = server.account.with_key(key["api_key"].as_str());
    reader.post("/v1/credits/top-ups", json!({"amount": 500, "currency": "EUR"})).await.problem(403);
    reader.get("/v1/credits/top-ups").await.expect(200);
}

#[tokio::test]
async fn a_refund_of_what_was_spent_leaves_a_debt_that_blocks_runs_until_the_next_top_up_pays_it() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    account.deploy("echo", guests::echo(), json!({})).await;
    let (top_up, payment) = paid(&dodo, &server, &account, 500).await;
    let charge = account.run("echo", json!(1)).await["charge_microcredits"].as_i64().unwrap();
    assert!(charge > 0);

    let refund = dodo.refund(&payment, None, "pending");
    dodo.becomes(&refund, "succeeded");
    dodo.tell(&server, "refund.succeeded", &refund).await;
    assert_eq!((account.balance().await, debt(&account).await), ((0, 0), charge));
    assert_eq!(shown(&account, &top_up).await["taken_microcredits"], bought(500));
    let problem = account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(402);
    assert_eq!(text(&problem, "type"), "urn:aaasp:problem:debt-outstanding");
    assert_eq!(problem["debt_microcredits"], charge);

    paid(&dodo, &server, &account, 500).await;
    assert_eq!((account.balance().await, debt(&account).await), ((bought(500) - charge, 0), 0));
    account.run("echo", json!(1)).await;
    let all = account.get("/v1/credits/transactions?limit=200").await.expect(200);
    let reasons = fields(items(&all), "reason");
    for reason in ["refund", "owe", "repay", "top_up"] {
        assert!(reasons.iter().any(|found| found == reason), "{reasons:?}");
    }
    assert_eq!(letters(&server).await, ["receipt", "receipt", "refunded"]);
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn what_a_run_gives_back_pays_a_debt_at_the_next_run() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    account.deploy("slow", guests::slow(), json!({})).await;
    account.deploy("echo", guests::echo(), json!({})).await;
    let (_, payment) = paid(&dodo, &server, &account, 10_000).await;
    let run = start(&account, "slow", json!(600_000)).await;
    begun(&account, &run).await;
    let held = run["held_microcredits"].as_i64().unwrap();
    // While the run holds some of it, half of the payment goes back, twice.
    let half = dodo.refund(&payment, Some(5_000), "succeeded");
    dodo.tell(&server, "refund.succeeded", &half).await;
    let other_half = dodo.refund(&payment, Some(5_000), "succeeded");
    dodo.tell(&server, "refund.succeeded", &other_half).await;
    assert_eq!((account.balance().await, debt(&account).await), ((0, held), held));

    account.post(&format!("/v1/runs/{}/cancel", text(&run, "id")), json!({})).await;
    let released = until("the run to end", || async { Some(account.balance().await).filter(|(_, held)| *held == 0) });
    let (released, _) = released.await;
    let charge = held - released;
    // What is there does not suffice: it is paid, and the rest is still owed.
    let problem = account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(402);
    assert_eq!(problem["debt_microcredits"], charge);
    assert_eq!((account.balance().await, debt(&account).await), ((0, 0), charge));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn a_dispute_takes_credits_when_it_is_lost_and_gives_them_back_when_it_is_won_after_all() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    let (_, payment) = paid(&dodo, &server, &account, 500).await;
    let dispute = dodo.dispute(&payment, "opened");
    for (state, left) in [("opened", 500), ("challenged", 500), ("lost", 0), ("won", 500)] {
        dodo.becomes(&dispute, state);
        dodo.tell(&server, &format!("dispute.{state}"), &dispute).await;
        // The states are told in order of time; within one second the more final one holds.
        if state != "won" {
            assert_eq!(account.balance().await, (bought(left), 0), "{state}");
        }
    }
    server.execute("UPDATE reversals SET told_at = told_at - 2000000").await;
    dodo.tell(&server, "dispute.won", &dispute).await;
    assert_eq!(account.balance().await, (bought(500), 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn money_of_an_account_that_is_closed_meanwhile_is_booked_without_a_letter() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    server.execute("UPDATE accounts SET status = 'closed'").await;
    dodo.tell(&server, "payment.succeeded", &payment).await;
    let refund = dodo.refund(&payment, Some(200), "succeeded");
    dodo.tell(&server, "refund.succeeded", &refund).await;
    assert!(letters(&server).await.is_empty());
    assert_eq!(server.count("SELECT available FROM balances").await, bought(300));
    server.stop();
    server.verify_ledger();
}
