//! What is known of money is forgotten once it was kept long enough, and nothing else changes by that.

use serde_json::json;

use super::{bought, debt, letters, paid, texts};
use crate::support::dodo::{Dodo, SECRET, Webhook, now};
use crate::support::until;

#[tokio::test]
async fn a_webhook_that_comes_again_after_it_was_forgotten_changes_nothing() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let (_, payment) = paid(&dodo, &server, &server.account, 1000).await;
    let (_, disputed) = paid(&dodo, &server, &server.account, 400).await;
    let told = [
        dodo.webhook("payment.succeeded", &payment, 0),
        dodo.webhook("refund.succeeded", &dodo.refund(&payment, Some(300), "succeeded"), 0),
        dodo.webhook("dispute.lost", &dodo.dispute(&disputed, "lost"), 0),
    ];
    for webhook in &told {
        assert_eq!(webhook.send(&server).await.status, 204);
    }
    let (balance, written) = ((bought(700), 0), letters(&server).await);
    assert_eq!(server.account.balance().await, balance);
    // As long as the default says, and a day.
    server.execute(&format!("UPDATE webhooks SET received_at = received_at - {}", 91 * 86_400_000_000_i64)).await;
    server.stop();
    server.serve();
    until("the webhooks to be forgotten", async || {
        (server.count("SELECT COUNT(*) FROM webhooks").await == 0).then_some(())
    })
    .await;
    for Webhook { id, body, .. } in told {
        assert_eq!(Webhook::signed(&id, now(), body, SECRET).send(&server).await.status, 204);
    }
    assert_eq!((server.account.balance().await, debt(&server.account).await), (balance, 0));
    assert_eq!(letters(&server).await, written);
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn what_is_past_seven_years_is_forgotten_and_the_ledger_still_adds_up() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let (old, payment) = paid(&dodo, &server, &server.account, 1000).await;
    let refund = dodo.refund(&payment, Some(300), "succeeded");
    dodo.tell(&server, "refund.succeeded", &refund).await;
    let (kept, _) = paid(&dodo, &server, &server.account, 400).await;
    // Of a payment that nobody knows: when it was made is not known either.
    let nobodys = dodo.payment("of something else", (100, 0), "succeeded");
    dodo.tell(&server, "refund.succeeded", &dodo.refund(&nobodys, None, "succeeded")).await;
    let id = server.account.get("/v1/account").await.expect(200)["id"].as_str().unwrap().to_owned();
    let grant = json!({"amount_microcredits": 5, "reason": "long ago"});
    server.operator().post(&format!("/v1/admin/accounts/{id}/grants"), grant).await.expect(201);
    server.stop();
    server.execute_with("UPDATE top_ups SET created_at = 1 WHERE id = $1", &old).await;
    server.execute_with("UPDATE payments SET told_at = 1 WHERE id = $1", &payment).await;
    server.execute_with("UPDATE reversals SET created_at = 1, told_at = 1 WHERE processor_id = $1", &refund).await;
    server.execute("UPDATE audit_contents SET id = 'act_0000' || SUBSTR(id, 9)").await;
    server.execute("INSERT INTO monthly_grants (account_id, month) SELECT id, '2019-01' FROM accounts").await;
    for end in [1, 2] {
        let statement = "INSERT INTO statements (number, tenant, period_end, closing, document)";
        server.execute(&format!("{statement} SELECT {end}, tenant, {end}, 0, '{{}}' FROM balances")).await;
    }
    server.serve();
    until("it to be forgotten", async || {
        let left = "SELECT (SELECT COUNT(*) FROM audit_contents) + (SELECT COUNT(*) FROM monthly_grants)
             + (SELECT COUNT(*) FROM top_ups) + (SELECT COUNT(*) FROM statements)";
        (server.count(left).await == 2).then_some(())
    })
    .await;
    assert_eq!(texts(&server, "SELECT id FROM top_ups").await, [kept]);
    // The next one begins where the last one ends.
    assert_eq!(server.count("SELECT period_end FROM statements").await, 2);
    assert_eq!(texts(&server, "SELECT state FROM payments ORDER BY state").await, ["succeeded", "unseen"]);
    assert_eq!(server.count("SELECT COUNT(*) FROM reversals").await, 1);
    assert_eq!(server.account.balance().await, (bought(700 + 400) + 5, 0));
    server.stop();
    server.verify_ledger();
}
