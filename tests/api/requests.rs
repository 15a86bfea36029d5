//! `/v1/requests`: what was asked for is kept, shown to nobody else, and forgotten in time.

use std::collections::BTreeSet;

use aaasp::clock::{Clock, Micros};
use aaasp::db::requests::RequestMetadata;
use aaasp::ids::{ApiKeyId, RequestId};
use aaasp::request_log::{RequestLog, WAITING};
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{all_items, fields, items, text};
use crate::support::vault::Vault;
use crate::support::{Client, Server, guests, until};

/// The requests that are listed, once there are so many of them.
async fn listed(client: &Client, query: &str, count: usize) -> Vec<Value> {
    until("the requests to be written", async || {
        let page = client.get(&format!("/v1/requests?limit=200{query}")).await.expect(200);
        let found = items(&page).clone();
        (found.len() >= count).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_request_is_kept_with_its_key_its_route_and_its_answer() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let ran = account.post("/v1/deployments/echo/runs?wait=60", json!({"input": "secret of the input"})).await;
    ran.expect(200);
    let missing = account.get("/v1/agents/nobody-s").await;
    missing.problem(404);

    let found = listed(account, "&route=/v1/agents/%7Bname%7D&status=404", 1).await;
    let [request] = &found[..] else { panic!("{found:?}") };
    assert_eq!(request["id"], missing.headers["x-request-id"].to_str().unwrap());
    assert_eq!((text(request, "method"), text(request, "route")), ("GET", "/v1/agents/{name}"));
    let keys = account.get("/v1/api-keys").await.expect(200);
    assert_eq!(request["api_key"], items(&keys)[0]["id"]);
    let fields_of_one: BTreeSet<_> = request.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["api_key", "at", "duration_us", "id", "method", "route", "status"];
    assert_eq!(fields_of_one, BTreeSet::from(expected), "nothing else is kept");

    let found = listed(account, "&route=/v1/deployments/%7Bname%7D/runs", 1).await;
    assert_eq!((&found[0]["status"], text(&found[0], "method")), (&json!(200), "POST"));
    assert!(found[0]["duration_us"].as_i64().unwrap() > 0);
    assert!(listed(account, "&status=402", 0).await.is_empty());
}

#[tokio::test]
async fn each_sees_its_own_and_who_has_no_key_is_in_no_list() {
    let server = Server::start().await;
    let other = server.another_account("other@example.org", 0).await;
    server.account.with_key(None).get("/v1/account").await.problem(401);
    other.get("/v1/credits").await.expect(200);
    for _ in 0..5 {
        server.account.get("/v1/account").await.expect(200);
    }
    let own = listed(&other, "", 1).await;
    assert!(fields(&own, "route").iter().all(|route| ["/v1/credits", "/v1/requests"].contains(&route.as_str())));
    let mine = listed(&server.account, "&route=/v1/account", 5).await;
    assert_eq!(mine.len(), 5);
    assert!(fields(&mine, "status").iter().all(|status| status == "200"), "{mine:?}");

    let all = all_items(&server.account, "/v1/requests", 2).await;
    let ids = fields(&all, "id");
    assert!(ids.is_sorted_by(|later, earlier| later > earlier), "{ids:?}");
    // A second key of the account is told from the first.
    let made = server.account.post("/v1/api-keys", json!({"name": "second"})).await.expect(201);
    let second = server.account.with_key(made["api_key"].as_str());
    second.get("/v1/credits").await.expect(200);
    let found = listed(&server.account, &format!("&api_key={}", text(&made, "id")), 1).await;
    assert_eq!(fields(&found, "route"), ["/v1/credits"]);
}

#[tokio::test]
async fn a_period_bounds_the_list() {
    let server = Server::start().await;
    let account = &server.account;
    account.get("/v1/account").await.expect(200);
    let first = listed(account, "&route=/v1/account", 1).await.remove(0);
    until("the next millisecond", async || {
        let at: Micros = serde_json::from_value(first["at"].clone()).unwrap();
        (Clock::System.now().0 > at.0 + 1_000).then_some(())
    })
    .await;
    let between = Clock::System.now();
    until("another millisecond", async || (Clock::System.now().0 > between.0 + 1_000).then_some(())).await;
    account.get("/v1/account").await.expect(200);
    listed(account, "&route=/v1/account", 2).await;
    let before = listed(account, &format!("&route=/v1/account&to={}", between.rfc3339()), 1).await;
    assert_eq!(fields(&before, "id"), [text(&first, "id")]);
    let after = listed(account, &format!("&route=/v1/account&from={}", between.rfc3339()), 1).await;
    assert!(after.len() == 1 && after[0]["id"] != first["id"], "{after:?}");
    account.get("/v1/requests?from=yesterday").await.problem(422);
    account.get("/v1/requests?status=many").await.problem(422);
}

#[tokio::test]
async fn what_was_asked_just_before_a_graceful_stop_is_kept() {
    let mut server = Server::start().await;
    for _ in 0..3 {
        server.account.get("/v1/account").await.expect(200);
    }
    server.stop();
    server.serve();
    assert_eq!(listed(&server.account, "&route=/v1/account", 3).await.len(), 3);
}

#[tokio::test]
async fn requests_are_kept_for_as_many_days_as_the_plan_says() {
    let config = "[retention]\nrequest_days = 3\n[plans.default]\n[plans.keen]\nrequest_days = 9\n";
    let mut server = Server::with_config(config).await;
    let body = json!({"email": "keen@example.org", "plan": "keen", "reason": "a test"});
    let keen = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let keen_id = text(&keen, "account").to_owned();
    let id = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    server.stop();
    let mut database = server.connect().await;
    for days in [1, 4, 10] {
        let at = Clock::System.now().plus_ms(-days * 86_400_000);
        for account in [&id, &keen_id] {
            let id = RequestId::first_at(at).to_string();
            let requests = json!([[id, ApiKeyId::generate(), "GET", "/old", 200, 5]]);
            sqlx::query(
                "INSERT INTO request_batches (account_id, last_id, first_id, requests) VALUES ($1, $2, $2, $3)",
            )
            .bind(account.as_str())
            .bind(id)
            .bind(requests.to_string())
            .execute(&mut database)
            .await
            .unwrap();
        }
    }
    server.serve();
    drop(database);
    until("what is too old to be deleted", async || {
        let left = [kept(&server, &id).await, kept(&server, &keen_id).await];
        (left == [1, 2]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn more_requests_than_can_wait_are_dropped_and_hold_up_nobody() {
    let mut server = Server::start().await;
    let account = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    server.stop();
    let vault = Vault::open(&server, &account).await;
    let log = RequestLog::new(vault.store.db.clone());
    for _ in 0..WAITING + 1_000 {
        log.note(RequestMetadata {
            id: RequestId::generate(),
            account: vault.account.id,
            api_key: ApiKeyId::generate(),
            method: "GET".into(),
            route: "/old".into(),
            status: 200,
            duration_us: 1,
        });
    }
    log.write().await.unwrap();
    assert_eq!(kept(&server, &account).await, WAITING as i64);
    vault.close().await;
}

/// How many of the old requests of an account are kept.
async fn kept(server: &Server, account: &str) -> i64 {
    let rows = sqlx::query("SELECT requests FROM request_batches WHERE account_id = $1")
        .bind(account)
        .fetch_all(&mut server.connect().await)
        .await
        .unwrap();
    rows.iter().map(|row| row.get::<String, _>(0).matches("\"/old\"").count() as i64).sum()
}
