//! What an operator does about money: refunds, reconciliation, corrections, each with a reason.

use reqwest::Method;
use serde_json::{Value, json};

use super::{asked, bought, debt, letters, paid, shown};
use crate::api::{fields, items, text};
use crate::support::dodo::Dodo;
use crate::support::{Client, Server, until};

async fn id_of(account: &Client) -> String {
    text(&account.get("/v1/account").await.expect(200), "id").to_owned()
}

async fn reconciled(server: &Server) -> Value {
    server.operator().post("/v1/admin/reconcile", json!({"reason": "to see"})).await.expect(200)
}

#[tokio::test]
async fn reconciliation_books_what_lost_webhooks_left_out_and_nothing_twice() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    let (told, _) = paid(&dodo, &server, &account, 500).await;
    // More than a page of the processor's lists.
    for _ in 0..120 {
        dodo.payment("of something else", (100, 0), "succeeded");
    }
    let lost = asked(&account, 700).await;
    let payment = dodo.payment(&lost, (840, 140), "succeeded");
    let refund = dodo.refund(&payment, Some(420), "succeeded");
    let failed = dodo.payment(&asked(&account, 300).await, (300, 0), "failed");
    let nobodys = dodo.payment("tup_01h455vb4pex5vsknk084sn02q", (300, 0), "succeeded");

    let report = reconciled(&server).await;
    let mut repaired = fields(report["repaired"].as_array().unwrap(), "id");
    repaired.sort();
    assert_eq!(repaired, [payment.clone(), failed, refund]);
    assert_eq!((&report["payments"], &report["reversals"]), (&json!(124), &json!(1)));
    assert_eq!(report["unknown"], json!([nobodys]));
    assert_eq!(account.balance().await, (bought(500 + 350), 0));
    assert_eq!(shown(&account, &told).await["taken_microcredits"], 0);
    assert_eq!(letters(&server).await, ["payment_failed", "receipt", "receipt", "refunded"]);

    assert_eq!(reconciled(&server).await["repaired"], json!([]));
    dodo.tell(&server, "payment.succeeded", &payment).await;
    assert_eq!(account.balance().await, (bought(500 + 350), 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn what_the_processor_answers_strangely_keeps_nothing_of_the_others() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let account = server.account.clone();
    let (_, told) = paid(&dodo, &server, &account, 500).await;
    let mut lost = Vec::new();
    for _ in 0..4 {
        lost.push(dodo.payment(&asked(&account, 700).await, (700, 0), "succeeded"));
    }
    let refunds = [dodo.refund(&told, Some(100), "succeeded"), dodo.refund(&told, Some(50), "succeeded")];
    // The list of payments tells states, each payment its amount.
    dodo.spoil(&lost[0], "status");
    dodo.spoil(&lost[2], "total_amount");
    dodo.spoil(&refunds[0], "amount");
    let report = reconciled(&server).await;
    assert_eq!(report["unchecked"], json!([lost[0], lost[2], refunds[0]]));
    assert_eq!((&report["payments"], &report["reversals"]), (&json!(5), &json!(2)));
    let repaired = fields(report["repaired"].as_array().unwrap(), "id");
    assert_eq!(repaired, [lost[1].clone(), lost[3].clone(), refunds[1].clone()]);
    assert_eq!(account.balance().await, (bought(450 + 700 + 700), 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn it_is_reconciled_each_night_by_itself() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    dodo.payment(&asked(&server.account, 500).await, (500, 0), "succeeded");
    // The first look begins when the host starts; the last one is said to be a day ago.
    server.execute("UPDATE settings SET value = '1000000000000000' WHERE name = 'reconciled_at'").await;
    server.stop();
    server.serve();
    let there = || async { (server.account.balance().await == (bought(500), 0)).then_some(()) };
    until("the credits of a payment that no webhook told", there).await;
}

#[tokio::test]
async fn a_refund_by_the_operator_takes_the_credits_when_the_processor_has_given_the_money_back() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let (top_up, payment) = paid(&dodo, &server, &server.account, 1000).await;
    let path = format!("/v1/admin/top-ups/{top_up}/refunds");
    let operator = server.operator();
    let asked = json!({"credits_microcredits": bought(250), "reason": "Ada asked for it"});
    let made = operator.post(&path, asked).await.expect(201);
    assert_eq!((text(&made, "state"), &made["credits_microcredits"]), ("open", &json!(bought(250))));
    let told = json!({
        "payment_id": payment, "items": [{"item_id": "pdt_credits", "amount": 250, "tax_inclusive": true}],
    });
    assert_eq!(dodo.requests().last().unwrap(), &("POST /refunds".to_owned(), told));
    assert_eq!(server.account.balance().await, (bought(1000), 0));
    dodo.becomes(text(&made, "id"), "succeeded");
    dodo.tell(&server, "refund.succeeded", text(&made, "id")).await;
    assert_eq!(server.account.balance().await, (bought(750), 0));

    let too_much = json!({"credits_microcredits": bought(751), "reason": "Ada asked for it"});
    assert!(text(&operator.post(&path, too_much).await.problem(409), "detail").contains("7.500000"));
    operator.post(&path, json!({})).await.problem(422);
    let rest = operator.post(&path, json!({"reason": "all of it"})).await.expect(201);
    assert_eq!(rest["credits_microcredits"], bought(750));
    dodo.becomes(text(&rest, "id"), "failed");
    dodo.tell(&server, "refund.failed", text(&rest, "id")).await;
    assert_eq!(server.account.balance().await, (bought(750), 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn a_refund_that_is_asked_for_again_under_its_key_is_answered_as_the_first_was() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let (top_up, _) = paid(&dodo, &server, &server.account, 1000).await;
    let (later, _) = paid(&dodo, &server, &server.account, 300).await;
    let refund = async |top_up: &str, key: &str| {
        let request = server.operator().request(Method::POST, &format!("/v1/admin/top-ups/{top_up}/refunds"));
        Client::send(request.header("idempotency-key", key).json(&json!({"reason": "Ada asked for it"}))).await
    };
    let ask = async |key: &str| refund(&top_up, key).await;
    let first = ask("once").await.expect(201);
    assert_eq!(ask("once").await.expect(201), first);
    dodo.becomes(text(&first, "id"), "succeeded");
    dodo.tell(&server, "refund.succeeded", text(&first, "id")).await;
    // Nothing is left that could be given back, and the answer is the same.
    assert_eq!(ask("once").await.expect(201), first);
    ask("another").await.problem(409);
    let refunds = || dodo.requests().iter().filter(|(request, _)| request == "POST /refunds").count();
    assert_eq!(refunds(), 1);

    // What the processor refused may be asked for again, and what it did not answer is in doubt.
    let ask = async |key: &str| refund(&later, key).await;
    dodo.set_down(true);
    for _ in 0..2 {
        assert!(text(&ask("down").await.problem(409), "detail").contains("not known"));
    }
    dodo.set_down(false);
    ask("down").await.problem(409);
    dodo.refuse(true);
    ask("refused").await.problem(503);
    dodo.refuse(false);
    ask("refused").await.expect(201);
    assert_eq!(refunds(), 2);
}

#[tokio::test]
async fn a_correction_pays_a_debt_first_and_takes_no_more_than_is_there() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(5).await;
    let account = server.account.clone();
    let path = format!("/v1/admin/accounts/{}/adjustments", id_of(&account).await);
    let operator = server.operator();
    let adjust = |amount: i64| {
        let (operator, path) = (operator.clone(), path.clone());
        async move { operator.post(&path, json!({"amount_microcredits": amount, "reason": "a correction"})).await }
    };
    adjust(-2_000_000).await.expect(201);
    assert_eq!(account.balance().await, (3_000_000, 0));
    assert!(text(&adjust(-3_000_001).await.problem(409), "detail").contains("3.000000"));
    adjust(0).await.problem(422);
    let (_, payment) = paid(&dodo, &server, &account, 500).await;
    adjust(-8_000_000).await.expect(201);
    let refund = dodo.refund(&payment, None, "succeeded");
    dodo.tell(&server, "refund.succeeded", &refund).await;
    assert_eq!(debt(&account).await, 5_000_000);
    adjust(6_000_000).await.expect(201);
    assert_eq!((account.balance().await, debt(&account).await), ((1_000_000, 0), 0));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn what_an_operator_does_is_written_down_with_its_reason_which_is_sealed() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let operator = server.operator();
    let id = id_of(&server.account).await;
    let reason = "Ada Lovelace asked for it";
    let because = |body: Value| {
        let mut body = body;
        body["reason"] = reason.into();
        body
    };
    let account = format!("/v1/admin/accounts/{id}");
    let grant = because(json!({"amount_microcredits": 5}));
    let grant = operator.post(&format!("{account}/grants"), grant).await.expect(201);
    operator.post(&format!("{account}/adjustments"), because(json!({"amount_microcredits": -5}))).await.expect(201);
    operator.patch(&account, because(json!({"status": "suspended"}))).await.expect(200);
    operator.post("/v1/admin/reconcile", json!({"reason": "the host was down"})).await.expect(200);
    let acts = operator.get("/v1/admin/acts").await.expect(200);
    let acts = items(&acts);
    assert_eq!(fields(acts, "act"), ["reconcile", "status", "adjust", "grant"]);
    assert_eq!(text(&acts[0], "reason"), "the host was down");
    assert_eq!((text(&acts[3], "reason"), text(&acts[3], "subject")), (reason, text(&grant, "id")));
    assert_eq!((text(&acts[1], "subject"), &acts[2]["amount_microcredits"]), ("suspended", &json!(-5)));
    let of_account = operator.get(&format!("/v1/admin/acts?account={id}")).await.expect(200);
    assert_eq!(items(&of_account), &acts[1..]);

    let sealed = super::texts(
        &server,
        "SELECT COALESCE(content, '-') FROM audit_contents
        WHERE id IN (SELECT id FROM audit_entries WHERE actor <> 'system') ORDER BY id",
    )
    .await;
    assert_eq!(sealed, ["-", "-", "-", r#"{"reason":"the host was down"}"#]);
    for wrong in ["", " ", "two\nlines", &"x".repeat(501)] {
        let body = json!({"amount_microcredits": 5, "reason": wrong});
        let problem = operator.post(&format!("{account}/grants"), body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/reason");
    }
}

#[tokio::test]
async fn a_host_that_sells_without_its_secrets_says_what_is_missing_and_does_not_start() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    server.stop();
    for (name, value, said) in [
        ("AAASP_DODO_WEBHOOK_SECRETS", "nonsense", "AAASP_DODO_WEBHOOK_SECRETS: a secret is `whsec_` and base64"),
        ("AAASP_DODO_API_KEY", "", "`payments` needs the environment variable AAASP_DODO_API_KEY"),
    ] {
        server.set(name, value);
        let ended = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && error.contains(said), "{error}");
    }
}
