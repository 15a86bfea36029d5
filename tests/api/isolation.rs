//! Nobody sees or changes what is another's.

use reqwest::Method;
use serde_json::{Value, json};

use super::routes::{Door, Route, selling, walk};
use super::{items, pointers, text};
use crate::support::{Client, Server, guests, until};

#[tokio::test]
async fn every_route_asks_for_a_key() {
    let (dodo, server) = selling().await;
    let nobody = server.account.with_key(None);
    let mut asked = 0;
    for route in walk(&dodo, &server).await {
        let reply = route.send(&nobody).await;
        if route.pattern.starts_with("/test-checkout/") {
            // Nothing is tested where money moves.
            reply.problem(404);
        } else if route.door == Door::Nobody {
            assert!(matches!(reply.status, 200 | 202 | 204), "{route:?}");
        } else {
            let problem = reply.problem(401);
            assert_eq!(reply.headers["www-authenticate"], "Bearer", "{route:?}: {problem}");
            asked += 1;
        }
    }
    assert!(asked > 20);
}

#[tokio::test]
async fn an_accounts_key_opens_no_operators_route_and_an_operators_key_no_accounts() {
    let (dodo, server) = selling().await;
    let operator = server.operator();
    for route in walk(&dodo, &server).await {
        match route.door {
            Door::Operator => drop(route.send(&server.account).await.problem(401)),
            Door::Account => drop(route.send(&operator).await.problem(401)),
            Door::Nobody | Door::Signer => {}
        }
    }
}

#[tokio::test]
async fn another_accounts_key_finds_nothing_on_any_route() {
    let (dodo, server) = selling().await;
    let owner = &server.account;
    let routes = walk(&dodo, &server).await;
    let before = everything(owner).await;
    let other = server.another_account("other@example.org", 10_000_000).await;
    let mut not_found = 0;
    for route in routes.iter().filter(|route| route.door == Door::Account && route.names_a_thing()) {
        let reply = route.send(&other).await;
        match (&route.method, route.pattern) {
            // Names are each account's own: a PUT makes the other account's thing, or finds no such agent.
            (&Method::PUT, "/v1/agents/{name}") => {
                assert_eq!(reply.expect(201)["version"], 1);
                assert_eq!(other.delete(&route.path).await.status, 204);
            }
            (&Method::PUT, "/v1/deployments/{name}") => assert_eq!(pointers(&reply.problem(422)), ["/agent"]),
            (&Method::PUT, "/v1/credentials/{name}") => {
                assert_eq!(reply.expect(201)["version"], 1);
                assert_eq!(other.delete(&route.path).await.status, 204);
            }
            _ => {
                reply.problem(404);
                not_found += 1;
            }
        }
    }
    assert!(not_found >= 10, "{not_found}");
    assert_eq!(everything(owner).await, before, "another account changed something");
}

#[tokio::test]
async fn lists_show_an_account_only_its_own() {
    let (dodo, server) = selling().await;
    walk(&dodo, &server).await;
    let other = server.another_account("other@example.org", 0).await;
    for path in ["/v1/agents", "/v1/credentials", "/v1/deployments", "/v1/runs", "/v1/credits/transactions"] {
        assert!(!items(&server.account.get(path).await.expect(200)).is_empty(), "{path} shows the owner nothing");
        assert!(items(&other.get(path).await.expect(200)).is_empty(), "{path} shows another's");
    }
    let keys = other.get("/v1/api-keys").await.expect(200);
    assert_eq!(items(&keys).len(), 1);
    assert_eq!(other.balance().await, (0, 0));
    assert_eq!(text(&other.get("/v1/account").await.expect(200), "email"), "other@example.org");
    let runs = server.account.get("/v1/runs").await.expect(200);
    let cursor = format!("/v1/runs?after={}", text(&items(&runs)[0], "id").replace("run_0", "run_7"));
    assert!(items(&other.get(&cursor).await.expect(200)).is_empty());
}

#[tokio::test]
async fn two_accounts_may_use_the_same_names_for_different_things() {
    let server = Server::start().await;
    let other = server.another_account("other@example.org", 10_000_000).await;
    server.account.deploy("work", guests::saying("\"mine\""), json!({})).await;
    other.deploy("work", guests::saying("\"theirs\""), json!({})).await;
    assert_eq!(server.account.run("work", Value::Null).await["output"], "mine");
    assert_eq!(other.run("work", Value::Null).await["output"], "theirs");
    other.delete("/v1/deployments/work").await;
    other.delete("/v1/agents/work").await;
    assert_eq!(server.account.run("work", Value::Null).await["output"], "mine");
}

#[tokio::test]
async fn the_same_component_of_two_accounts_is_each_accounts_own() {
    let server = Server::start().await;
    let other = server.another_account("other@example.org", 10_000_000).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let uploaded = other.upload("echo", guests::echo()).await;
    uploaded.expect(201);
    assert_eq!(other.delete("/v1/agents/echo").await.status, 204);
    assert_eq!(server.account.run("echo", json!(1)).await["output"], 1);
}

/// What the owner would notice of a change. When a key was used last changes with the looking itself.
async fn everything(owner: &Client) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "/v1/account",
        "/v1/api-keys",
        "/v1/agents/echo",
        "/v1/deployments/echo",
        "/v1/runs",
        "/v1/credits",
        "/v1/credentials/echo",
    ] {
        let mut shown = owner.get(path).await.expect(200);
        if path == "/v1/api-keys" {
            shown["items"].as_array_mut().unwrap().iter_mut().for_each(|key| key["last_used_at"] = Value::Null);
        }
        seen.push(shown);
    }
    seen
}

/// Routes that change something and that an account may use which is stopped: what ends something, or only answers.
const FOR_THE_STOPPED: [&str; 3] = ["/v1/runs/{id}/cancel", "/v1/api-keys/{id}", "/v1/deployments/{name}/estimate"];

/// Routes by which an account manages itself, which one in restriction may.
const FOR_THE_RESTRICTED: [&str; 5] =
    ["/v1/account", "/v1/api-keys", "/v1/api-keys/{id}/rotate", "/v1/credits/top-ups", "/v1/credits/auto-top-up"];

#[tokio::test]
async fn every_route_honours_the_status_of_the_account() {
    let (dodo, server) = selling().await;
    let mut routes = walk(&dodo, &server).await;
    routes.retain(|route| route.door == Door::Account);
    routes.sort_by_key(Route::turn);
    for status in ["pending", "closed", "suspended", "closing", "restricted"] {
        let text = format!("UPDATE accounts SET status = '{status}'");
        server.execute(&text).await;
        let dead = matches!(status, "pending" | "closed");
        until("the status to hold", async || {
            let reply = server.account.get("/v1/account").await;
            let holds =
                if dead { reply.status == 403 } else { reply.text.contains(&format!("\"status\":\"{status}\"")) };
            holds.then_some(())
        })
        .await;
        for route in &routes {
            let allowed = !dead
                && (route.method == Method::GET
                    || FOR_THE_STOPPED.contains(&route.pattern)
                    // Whoever has an account may end it.
                    || route.method == Method::DELETE && route.pattern.starts_with("/v1/account")
                    // So may whoever has rights over data.
                    || route.pattern.starts_with("/v1/privacy")
                    || route.pattern.starts_with("/v1/support")
                    || status == "restricted" && FOR_THE_RESTRICTED.contains(&route.pattern));
            // What is allowed is not done: the next status needs it.
            if allowed && route.method != Method::GET {
                continue;
            }
            let reply = route.send(&server.account).await;
            assert_eq!(reply.status == 403, !allowed, "{status}: {route:?} {}", reply.text);
        }
    }
}
