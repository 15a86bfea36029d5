//! `/v1/admin`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{all_items, fields, items, pointers, text};
use crate::support::{Client, Server, until};

#[tokio::test]
async fn an_operator_makes_an_account_that_works() {
    let server = Server::start().await;
    let body = json!({"email": "ada@example.org", "grant_microcredits": 7, "reason": "a test"});
    let made = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let ada = server.account.with_key(made["api_key"].as_str());
    let account = ada.get("/v1/account").await.expect(200);
    assert_eq!((text(&account, "id"), text(&account, "email")), (text(&made, "account"), "ada@example.org"));
    assert_eq!(ada.balance().await, (7, 0));
}

#[tokio::test]
async fn an_address_has_one_account() {
    let server = Server::start().await;
    server.another_account("ada@example.org", 0).await;
    for email in ["ada@example.org", "Ada@Example.org", " ada@example.org "] {
        server.operator().post("/v1/admin/accounts", json!({"email": email, "reason": "a test"})).await.problem(409);
    }
}

#[tokio::test]
async fn accounts_are_listed_page_by_page_latest_first() {
    let server = Server::start().await;
    for email in ["a@example.org", "b@example.org", "c@example.org"] {
        server.another_account(email, 0).await;
    }
    let all = all_items(&server.operator(), "/v1/admin/accounts", 2).await;
    assert_eq!(fields(&all, "email"), ["c@example.org", "b@example.org", "a@example.org", "owner@localhost"]);
}

#[tokio::test]
async fn a_grant_is_available_at_once_and_in_the_history() {
    let server = Server::with("", 0).await;
    let id = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    let path = format!("/v1/admin/accounts/{id}/grants");
    let granted =
        server.operator().post(&path, json!({"amount_microcredits": 42, "reason": "a test"})).await.expect(201);
    assert_eq!(server.account.balance().await, (42, 0));
    let history = server.account.get("/v1/credits/transactions").await.expect(200);
    assert_eq!(fields(items(&history), "subject"), [text(&granted, "id")]);
    let seen = server.operator().get(&format!("/v1/admin/accounts/{id}")).await.expect(200);
    assert_eq!(seen["available_microcredits"], 42);
}

#[tokio::test]
async fn what_an_operator_can_not_mean_is_named() {
    let server = Server::start().await;
    let operator = server.operator();
    let id = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    let create = |body| operator.post("/v1/admin/accounts", body);
    for email in ["nobody", "@example.org", "a@", "a@b", "a b@example.org", "a\u{0}@example.org", "a@b@example.org"] {
        assert_eq!(
            pointers(&create(json!({"email": email, "reason": "a test"})).await.problem(422)),
            ["/email"],
            "{email}"
        );
    }
    let unknown = create(json!({"email": "a@example.org", "plan": "gold", "reason": "a test"})).await.problem(422);
    assert_eq!(pointers(&unknown), ["/plan"]);
    let negative =
        create(json!({"email": "a@example.org", "grant_microcredits": -1, "reason": "a test"})).await.problem(422);
    assert_eq!(pointers(&negative), ["/grant_microcredits"]);
    for amount in [json!(0), json!(-5), json!(i64::MAX), json!(1.5), json!("1")] {
        let grant = json!({"amount_microcredits": amount, "reason": "a test"});
        let problem = operator.post(&format!("/v1/admin/accounts/{id}/grants"), grant).await.problem(422);
        assert_eq!(pointers(&problem), ["/amount_microcredits"], "{problem}");
    }
    let status = operator
        .patch(&format!("/v1/admin/accounts/{id}"), json!({"status": "deleted", "reason": "a test"}))
        .await
        .problem(422);
    assert_eq!(pointers(&status), ["/status"]);
    assert_eq!(items(&operator.get("/v1/admin/accounts").await.expect(200)).len(), 1, "nothing was made");
}

#[tokio::test]
async fn an_unknown_account_is_not_found() {
    let server = Server::start().await;
    let path = "/v1/admin/accounts/acc_01h455vb4pex5vsknk084sn02q";
    server.operator().get(path).await.problem(404);
    server.operator().patch(path, json!({"status": "suspended", "reason": "a test"})).await.problem(404);
    server
        .operator()
        .post(&format!("{path}/grants"), json!({"amount_microcredits": 1, "reason": "a test"}))
        .await
        .problem(404);
}

#[tokio::test]
async fn nothing_is_done_without_a_reason_and_each_act_is_written_down_with_its_own() {
    let mut server = Server::start().await;
    let operator = server.operator();
    let id = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    let account = server.another_account("ada@example.org", 0).await;
    account.post("/v1/api-keys", json!({"name": "a"})).await.expect(201);
    let letters = operator.get("/v1/admin/letters").await.expect(200);
    let letter = text(&items(&letters)[0], "id").to_owned();
    until("the letter", async || (server.letters().len() == 1).then_some(())).await;
    server.execute("UPDATE letters SET state = 'dead'").await;
    let acts = async || items(&operator.get("/v1/admin/acts").await.expect(200)).to_vec();
    let before = acts().await.len();
    let (account, resend) = (format!("/v1/admin/accounts/{id}"), format!("/v1/admin/letters/{letter}/resend"));
    for (method, path, body) in [
        (Method::POST, "/v1/admin/accounts", json!({"email": "a@example.org", "grant_microcredits": 5})),
        (Method::POST, "/v1/admin/invitations", json!({"email": "b@example.org"})),
        (Method::POST, &format!("{account}/grants"), json!({"amount_microcredits": 5})),
        (Method::POST, &format!("{account}/adjustments"), json!({"amount_microcredits": -5})),
        (Method::PATCH, &account, json!({"status": "restricted"})),
        (Method::POST, &resend, json!({})),
        (Method::POST, "/v1/admin/reload", json!({})),
    ] {
        let ask = |body: &Value| Client::send(operator.request(method.clone(), path).json(body));
        let refused = ask(&body).await.problem(422);
        assert!(text(&refused, "detail").contains("`reason`"), "{refused}");
        let mut body = body;
        body["reason"] = format!("why {path}").into();
        let done = ask(&body).await;
        assert!(done.status < 300, "{done:?}");
        assert_eq!(text(acts().await.first().unwrap(), "reason"), format!("why {path}"));
    }
    let acts = acts().await;
    let done = ["reload", "resend", "status", "adjust", "grant", "invite", "create"];
    assert_eq!(fields(&acts[..acts.len() - before], "act"), done);
    assert_eq!((&acts[6]["amount_microcredits"], &acts[1]["subject"]), (&json!(5), &json!(letter)));

    // Who was invited and did not come is forgotten, and that somebody was stays.
    server.execute("UPDATE accounts SET pending_until = 1 WHERE pending_until IS NOT NULL").await;
    server.stop();
    server.serve();
    let invited = "SELECT COUNT(*) FROM audit_entries WHERE act = 'invite'
        AND NOT EXISTS (SELECT 1 FROM audit_contents WHERE audit_contents.id = audit_entries.id)";
    until("the invited to be forgotten", async || (server.count(invited).await == 1).then_some(())).await;
    let acts = server.operator().get("/v1/admin/acts").await.expect(200);
    assert_eq!((text(&items(&acts)[5], "act"), &items(&acts)[5]["reason"]), ("invite", &Value::Null));
}
