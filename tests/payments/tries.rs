//! Payments with which no money moves: a page of the host itself, for a host that nobody else reaches.

use reqwest::Method;
use serde_json::json;

use super::{bought, letters};
use crate::api::text;
use crate::support::{Client, Reply, Server};

const SELLING: &str = "[payments]\nprocessor = \"test\"\n[payments.currencies.EUR]\n\
    microcredits_per_minor_unit = 10000\nminimum = 100\nmaximum = 100000\n";

/// A top-up of five euros: its id, and the path of its page.
async fn asked(server: &Server) -> (String, String) {
    let new = json!({"amount": 500, "currency": "EUR"});
    let made = server.account.post("/v1/credits/top-ups", new).await.expect(201);
    let path = text(&made, "url").strip_prefix(&server.url().unwrap()).unwrap().to_owned();
    (text(&made, "id").to_owned(), path)
}

/// Somebody who has the page open, and no key.
async fn presses(server: &Server, path: &str) -> Reply {
    Client::send(server.account.with_key(None).request(Method::POST, path)).await
}

#[tokio::test]
async fn whoever_presses_pay_has_the_credits_once() {
    let mut server = Server::with(SELLING, 0).await;
    let (id, path) = asked(&server).await;
    let page = server.account.with_key(None).get(&path).await;
    assert_eq!(page.status, 200);
    for said in ["no money moves", "You pay 5.00 EUR for 5.000000 credits", "Pay</button>", "Let it fail</button>"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(server.account.balance().await, (0, 0));
    for _ in 0..2 {
        let page = presses(&server, &path).await;
        assert!(page.status == 200 && page.text.contains("5.000000 credits are in your balance"), "{}", page.text);
    }
    presses(&server, &format!("{path}?outcome=failed")).await;
    assert_eq!(server.account.balance().await, (bought(500), 0));
    assert_eq!(super::shown(&server.account, &id).await["state"], "paid");
    assert!(!server.account.get(&path).await.text.contains("<button"));
    assert_eq!(letters(&server).await, ["receipt"]);
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn a_payment_that_is_let_fail_is_told_and_may_be_paid_after_all() {
    let server = Server::with(SELLING, 0).await;
    let (id, path) = asked(&server).await;
    let page = presses(&server, &format!("{path}?outcome=failed")).await;
    assert!(page.status == 200 && page.text.contains("The payment failed"), "{}", page.text);
    assert_eq!(super::shown(&server.account, &id).await["state"], "failed");
    assert_eq!(letters(&server).await, ["payment_failed"]);
    presses(&server, &path).await;
    assert_eq!(server.account.balance().await, (bought(500), 0));
    presses(&server, &format!("{path}?outcome=stolen")).await.problem(422);
    presses(&server, "/test-checkout/tup_01h455vb4pex5vsknk084sn02q").await.problem(404);
}

#[tokio::test]
async fn a_refund_is_taken_at_once_and_a_reconciliation_finds_nothing() {
    let mut server = Server::with(SELLING, 0).await;
    let (id, path) = asked(&server).await;
    presses(&server, &path).await;
    let operator = server.operator();
    let refunds = format!("/v1/admin/top-ups/{id}/refunds");
    for (credits, left) in [(json!(bought(200)), 300), (json!(null), 0)] {
        let body = json!({"credits_microcredits": credits, "reason": "Ada asked for it"});
        assert_eq!(operator.post(&refunds, body).await.expect(201)["state"], "taken");
        assert_eq!(server.account.balance().await, (bought(left), 0));
    }
    assert_eq!(letters(&server).await, ["receipt", "refunded", "refunded"]);
    let found = operator.post("/v1/admin/reconcile", json!({"reason": "to see"})).await.expect(200);
    assert_eq!((&found["repaired"], &found["unknown"]), (&json!([]), &json!([])));
    let told = json!({"type": "payment.succeeded", "data": {}});
    server.account.post("/v1/webhooks/dodo", told).await.problem(401);
    server.stop();
    server.verify_ledger();
}

const PROXY: &str = "tls.behind_proxy = true\n";

#[tokio::test]
async fn a_host_that_others_reach_does_not_start_with_tests_for_payments() {
    let mut server = Server::with(SELLING, 0).await;
    server.stop();
    assert!(server.said().contains("payments are only tests"), "{}", server.said());
    for (more, listen, said) in [
        (PROXY, "0.0.0.0:0", "it listens on 0.0.0.0:"),
        (PROXY, "[::]:0", "it listens on [::]:"),
        (PROXY, "127.0.0.1:0", "`tls.behind_proxy` is set"),
        ("public_url = \"https://agents.example.com\"\n", "127.0.0.1:0", "`public_url` is https://agents.example.com"),
        ("public_url = \"https://localhost\"\n", "127.0.0.1:0", "`public_url` is https://localhost"),
        ("trusted_proxies = [\"127.0.0.1/32\"]\n", "127.0.0.1:0", "`trusted_proxies` has 127.0.0.1/32"),
    ] {
        std::fs::write(server.data().join("aaasp.toml"), format!("{more}{SELLING}")).unwrap();
        let ended = server.command().args(["serve", "--listen", listen]).output().unwrap();
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && error.contains(said) && error.contains("listen on 127.0.0.1"), "{error}");
    }
    let local = format!("public_url = \"http://localhost:8080\"\n{SELLING}");
    std::fs::write(server.data().join("aaasp.toml"), local).unwrap();
    server.serve();
}
