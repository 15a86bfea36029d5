//! Webhooks: who signed them, and how often they count.

use serde_json::json;

use super::{asked, bought, paid, texts};
use crate::support::dodo::{Dodo, NEXT_SECRET, SECRET, Webhook, now};
use crate::support::until;

#[tokio::test]
async fn a_webhook_that_the_processor_did_not_sign_like_this_is_refused_and_changes_nothing() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    let good = dodo.webhook("payment.succeeded", &payment, 0);
    let other = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
    let forged = [
        Webhook { body: good.body.replace("\"total_amount\":500", "\"total_amount\":900"), ..good.clone() },
        Webhook { id: "msg_9999".to_owned(), ..good.clone() },
        Webhook { timestamp: good.timestamp + 1, ..good.clone() },
        Webhook { signature: String::new(), ..good.clone() },
        Webhook { signature: good.signature.replace("v1,", "v1a,"), ..good.clone() },
        Webhook::signed(&good.id, good.timestamp, good.body.clone(), other),
        Webhook::signed(&good.id, now() - 302, good.body.clone(), SECRET),
        Webhook::signed(&good.id, now() + 330, good.body.clone(), SECRET),
    ];
    for webhook in forged {
        webhook.send(&server).await.problem(401);
    }
    let unsigned = server.account.post("/v1/webhooks/dodo", json!({"type": "payment.succeeded"})).await;
    unsigned.problem(401);
    assert_eq!(server.account.balance().await, (0, 0));
    assert!(texts(&server, "SELECT id FROM webhooks").await.is_empty());

    assert_eq!(good.send(&server).await.status, 204);
    assert_eq!(server.account.balance().await, (bought(500), 0));
}

#[tokio::test]
async fn during_a_rotation_either_secret_signs() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let (_, payment) = paid(&dodo, &server, &server.account, 500).await;
    let refund = dodo.refund(&payment, Some(100), "succeeded");
    let old = dodo.webhook("refund.succeeded", &refund, 0);
    let fresh = Webhook::signed("msg_new", now(), old.body.clone(), NEXT_SECRET);
    let both = Webhook { signature: format!("{} {}", fresh.signature, "v1,AAAA"), ..fresh.clone() };
    assert_eq!(both.send(&server).await.status, 204);
    assert_eq!(server.account.balance().await, (bought(400), 0));
    // After it, only the new one.
    server.stop();
    server.set("AAASP_DODO_WEBHOOK_SECRETS", NEXT_SECRET);
    server.serve();
    old.send(&server).await.problem(401);
    assert_eq!(fresh.send(&server).await.status, 204);
}

#[tokio::test]
async fn the_same_delivery_and_another_of_the_same_state_count_once() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    let webhook = dodo.webhook("payment.succeeded", &payment, 0);
    // At the same time, as when the processor does not wait for the answer.
    let sent = (0..8).map(|_| tokio::spawn(webhook.request(&server).send()));
    for reply in futures::future::join_all(sent).await {
        assert_eq!(reply.unwrap().unwrap().status(), 204);
    }
    for _ in 0..3 {
        dodo.tell(&server, "payment.succeeded", &payment).await;
    }
    server.stop();
    server.serve();
    assert_eq!(webhook.send(&server).await.status, 204);
    assert_eq!(server.account.balance().await, (bought(500), 0));
    assert_eq!(texts(&server, "SELECT id FROM webhooks").await.len(), 4);
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn what_moves_no_credits_is_taken_and_written_down() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    for event in ["payout.success", "subscription.active", "something.new"] {
        dodo.tell(&server, event, "some_1").await;
    }
    // What is paid for something else, and a refund of it.
    let payment = dodo.payment("somebody else's reference", (500, 0), "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    let refund = dodo.refund(&payment, None, "succeeded");
    dodo.tell(&server, "refund.succeeded", &refund).await;
    let kinds = texts(&server, "SELECT kind FROM webhooks ORDER BY kind").await;
    let expected = ["payment.succeeded", "payout.success", "refund.succeeded", "something.new", "subscription.active"];
    assert_eq!(kinds, expected);
    assert_eq!(server.account.balance().await, (0, 0));
}

#[tokio::test]
async fn a_webhook_that_is_not_understood_is_not_taken_so_that_it_comes_again() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    for body in ["{", "{}", r#"{"type": "payment.succeeded", "data": {"payment_id": 5}}"#] {
        let webhook = Webhook::signed("msg_1", now(), body.to_owned(), SECRET);
        webhook.send(&server).await.problem(422);
    }
    assert!(texts(&server, "SELECT id FROM webhooks").await.is_empty());
}

#[tokio::test]
async fn a_delivery_that_was_sent_before_another_is_the_older_state_whenever_it_comes() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let (_, payment) = paid(&dodo, &server, &server.account, 500).await;
    let dispute = dodo.dispute(&payment, "lost");
    let lost = dodo.webhook("dispute.lost", &dispute, 20);
    dodo.becomes(&dispute, "won");
    let won = dodo.webhook("dispute.won", &dispute, 10);
    for webhook in [&won, &lost] {
        assert_eq!(webhook.send(&server).await.status, 204);
        assert_eq!(server.account.balance().await, (bought(500), 0));
    }
}

#[tokio::test]
async fn a_refund_that_is_told_before_its_payment_is_taken_with_it() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    let part = dodo.refund(&payment, Some(200), "succeeded");
    let dispute = dodo.dispute(&payment, "lost");
    dodo.tell(&server, "dispute.lost", &dispute).await;
    dodo.tell(&server, "refund.succeeded", &part).await;
    assert_eq!(server.account.balance().await, (0, 0));
    dodo.tell(&server, "payment.succeeded", &payment).await;
    // Together they would be more than was paid; no more is taken than was bought.
    assert_eq!(server.account.balance().await, (0, 0));
    assert_eq!(super::debt(&server.account).await, 0);
    assert_eq!(super::shown(&server.account, &top_up).await["taken_microcredits"], bought(500));
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn what_was_paid_in_another_currency_is_left_to_the_operator() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    let webhook = dodo.webhook("payment.succeeded", &payment, 0);
    let body = webhook.body.replace("\"currency\":\"EUR\"", "\"currency\":\"INR\"");
    assert_eq!(Webhook::signed("msg_inr", now(), body, SECRET).send(&server).await.status, 204);
    assert_eq!(super::shown(&server.account, &top_up).await["state"], "review");
    assert_eq!(server.account.balance().await, (0, 0));
    let report = server.operator().post("/v1/admin/reconcile", json!({"reason": "a test"})).await.expect(200);
    assert_eq!(report["review"], json!([top_up]));
}

#[tokio::test]
async fn a_webhook_is_answered_after_its_commit_and_a_host_that_is_killed_forgets_nothing() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let mut owed = 0;
    for round in 0..6 {
        let top_up = asked(&server.account, 500 + round).await;
        let payment = dodo.payment(&top_up, (500 + round, 0), "succeeded");
        let webhook = dodo.webhook("payment.succeeded", &payment, 0);
        let sending = tokio::spawn(webhook.request(&server).send());
        if round % 2 == 0 {
            // It may be killed before, within or after the commit; the processor sends again until it is answered.
            tokio::task::yield_now().await;
            server.kill();
            let _ = sending.await.unwrap();
            server.serve();
            let again = || async { Some(webhook.send(&server).await.status).filter(|status| *status == 204) };
            until("the webhook to be taken", again).await;
        } else {
            assert_eq!(sending.await.unwrap().unwrap().status(), 204);
            server.kill();
            server.serve();
        }
        owed += 500 + round;
        assert_eq!(server.account.balance().await, (bought(owed), 0));
    }
    server.execute("SELECT 1").await;
    server.stop();
    server.verify_ledger();
}
