//! `/v1/api-keys`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aaasp::clock::{Clock, Micros};
use reqwest::Method;
use serde_json::json;

use super::openapi::Description;
use super::routes::{Door, selling, walk};
use super::{all_items, fields, items, pointers, text};
use crate::support::{Client, Server, guests, until};

#[tokio::test]
async fn a_key_is_shown_once_and_works() {
    let server = Server::start().await;
    let made = server.account.post("/v1/api-keys", json!({"name": "  a laptop "})).await.expect(201);
    assert_eq!(text(&made, "name"), "a laptop");
    let key = text(&made, "api_key");
    assert!(key.starts_with("aaasp_") && key.len() == 55, "{key}");
    server.account.with_key(Some(key)).get("/v1/account").await.expect(200);

    let listed = server.account.get("/v1/api-keys").await;
    let page = listed.expect(200);
    assert_eq!(fields(items(&page), "name"), ["a laptop", "first"]);
    assert!(!listed.text.contains(&key[6..]), "a secret is listed");
    assert!(items(&page).iter().all(|item| item.get("api_key").is_none()), "{page}");
}

#[tokio::test]
async fn keys_are_listed_page_by_page_latest_first() {
    let server = Server::start().await;
    for name in ["second", "third", "fourth"] {
        server.account.post("/v1/api-keys", json!({"name": name})).await.expect(201);
    }
    let all = all_items(&server.account, "/v1/api-keys", 1).await;
    assert_eq!(fields(&all, "name"), ["fourth", "third", "second", "first"]);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_here_and_within_a_second_everywhere() {
    let server = Server::start().await;
    let made = server.account.post("/v1/api-keys", json!({"name": "lost"})).await.expect(201);
    let lost = server.account.with_key(made["api_key"].as_str());
    lost.get("/v1/account").await.expect(200);
    let second = server.second_host();
    let elsewhere = second.as_ref().map(|second| second.account.with_key(made["api_key"].as_str()));
    if let Some(elsewhere) = &elsewhere {
        elsewhere.get("/v1/account").await.expect(200);
    }

    let path = format!("/v1/api-keys/{}", text(&made, "id"));
    assert_eq!(server.account.delete(&path).await.status, 204);
    let revoked = Instant::now();
    lost.get("/v1/account").await.problem(401);
    if let Some(elsewhere) = &elsewhere {
        until("the other host to refuse the key", async || {
            let asked = revoked.elapsed();
            let refused = elsewhere.get("/v1/account").await.status == 401;
            assert!(refused || asked < Duration::from_secs(1), "still accepted after {asked:?}");
            refused.then_some(())
        })
        .await;
    }
    server.account.delete(&path).await.problem(404);
    assert_eq!(fields(items(&server.account.get("/v1/api-keys").await.expect(200)), "name"), ["first"]);
}

#[tokio::test]
async fn a_key_may_revoke_itself() {
    let server = Server::start().await;
    let keys = server.account.get("/v1/api-keys").await.expect(200);
    let path = format!("/v1/api-keys/{}", text(&items(&keys)[0], "id"));
    assert_eq!(server.account.delete(&path).await.status, 204);
    server.account.get("/v1/account").await.problem(401);
}

#[tokio::test]
async fn a_key_needs_a_printable_name() {
    let server = Server::start().await;
    for name in ["", "   ", "two\nlines", "\u{1b}[2J", "\u{0}", &"x".repeat(101)] {
        let problem = server.account.post("/v1/api-keys", json!({"name": name})).await.problem(422);
        assert_eq!(pointers(&problem), ["/name"], "{problem}");
    }
}

#[tokio::test]
async fn a_mistyped_key_is_told_apart_from_an_unknown_one_without_a_look_at_the_database() {
    let server = Server::start().await;
    let key = server.account.key();
    let mistyped = format!("{}{}", &key[..key.len() - 1], if key.ends_with('0') { '1' } else { '0' });
    for malformed in [mistyped.as_str(), "aaasp_", "aaasp_tooshort", "sk-something-else"] {
        let problem = server.account.with_key(Some(malformed)).get("/v1/account").await.problem(401);
        assert!(text(&problem, "detail").starts_with("not an API key"), "{problem}");
        let repeated = malformed.len() > 6 && problem.to_string().contains(malformed);
        assert!(!repeated, "a key is repeated: {problem}");
    }
    let stranger = Server::start().await;
    let problem = server.account.with_key(Some(stranger.account.key())).get("/v1/account").await.problem(401);
    assert_eq!(text(&problem, "detail"), "no account has this key, or it has expired");
}

#[tokio::test]
async fn a_refusal_for_want_of_a_key_says_how_to_send_one() {
    let server = Server::start().await;
    let refused = server.account.with_key(None).get("/v1/account").await;
    assert!(text(&refused.problem(401), "detail").contains("Authorization: Bearer"));
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
}

/// A key with these scopes, as a client.
async fn key_for(server: &Server, scopes: &[&str]) -> Client {
    let made = server.account.post("/v1/api-keys", json!({"name": "scoped", "scopes": scopes})).await.expect(201);
    server.account.with_key(made["api_key"].as_str())
}

#[tokio::test]
async fn each_route_asks_for_the_scope_that_it_describes_and_for_no_other() {
    let (dodo, server) = selling().await;
    let routes = walk(&dodo, &server).await;
    let scopes = Description::of(&server).await.scopes();
    let all: BTreeSet<_> = scopes.values().flatten().cloned().collect();
    assert!(all.len() >= 8, "{all:?}");
    for route in routes.iter().filter(|route| route.door == Door::Account) {
        let Some(scope) = &scopes[&(route.pattern.to_owned(), route.method.to_string())] else { continue };
        let others: Vec<_> = all.iter().filter(|other| *other != scope).map(String::as_str).collect();
        let refused = route.send(&key_for(&server, &others).await).await;
        let problem = refused.problem(403);
        assert_eq!((&problem["scope"], text(&problem, "type")), (&json!(scope), "urn:aaasp:problem:scope-missing"));
        assert_eq!(
            refused.headers["www-authenticate"],
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"").as_str()
        );
        let allowed = route.send(&key_for(&server, &[scope]).await).await;
        assert!(allowed.status != 403 && allowed.status != 401, "{route:?}: {}", allowed.text);
        for key in items(&server.account.get("/v1/api-keys?limit=200").await.expect(200)) {
            if text(key, "name") == "scoped" {
                server.account.delete(&format!("/v1/api-keys/{}", text(key, "id"))).await;
            }
        }
    }
}

#[tokio::test]
async fn a_deployment_that_binds_a_credential_asks_for_the_right_to_set_it() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let body = json!({
        "agent": "echo", "egress": {"allow": [{"scheme": "https", "host": "a.example"}]},
        "credentials": {"token": {"to": [{"scheme": "https", "host": "a.example"}]}},
    });
    let writer = key_for(&server, &["agents:write"]).await;
    let refused = writer.put("/v1/deployments/bound", body.clone()).await;
    assert_eq!(refused.problem(403)["scope"], "credentials:write");
    writer.put("/v1/deployments/unbound", json!({"agent": "echo"})).await.expect(201);
    let both = key_for(&server, &["agents:write", "credentials:write"]).await;
    both.put("/v1/deployments/bound", body).await.expect(201);
}

#[tokio::test]
async fn a_key_makes_none_stronger_than_itself() {
    let server = Server::start().await;
    let (soon, later) = ("2100-01-01T00:00:00Z", "2100-01-02T00:00:00Z");
    let weak = json!({
        "name": "weak", "scopes": ["keys", "runs:read"], "addresses": ["127.0.0.0/8", "::1"], "expires_at": soon,
    });
    let made = server.account.post("/v1/api-keys", weak).await.expect(201);
    let weak = server.account.with_key(made["api_key"].as_str());
    let own = weak.post("/v1/api-keys", json!({"name": "as itself"})).await.expect(201);
    for part in ["scopes", "addresses", "expires_at"] {
        assert_eq!(own[part], made[part], "{own}");
    }
    for (part, value) in [
        ("scopes", json!(["*"])),
        ("scopes", json!(["runs:read", "runs:create"])),
        ("scopes", json!([])),
        ("addresses", json!([])),
        ("addresses", json!(["0.0.0.0/0"])),
        ("addresses", json!(["127.0.0.1", "192.0.2.1"])),
        ("expires_at", json!(later)),
        ("expires_at", json!("2001-01-01T00:00:00Z")),
    ] {
        let problem = weak.post("/v1/api-keys", json!({"name": "stronger", part: value})).await.problem(422);
        assert_eq!(pointers(&problem), [format!("/{part}")], "{problem}");
    }
    let less = json!({"name": "less", "scopes": ["runs:read"], "addresses": ["127.0.0.1"], "expires_at": "2099-01-01T00:00:00Z"});
    weak.post("/v1/api-keys", less).await.expect(201);
    // Nor may it have a stronger one made again, which it would be shown.
    let first = server.account.get("/v1/api-keys").await.expect(200);
    let first = items(&first).iter().find(|key| text(key, "name") == "first").unwrap();
    let rotated = weak.post(&format!("/v1/api-keys/{}/rotate", text(first, "id")), json!({})).await.problem(422);
    assert_eq!(pointers(&rotated), ["/scopes"], "{rotated}");
    let endless = json!({"name": "endless", "scopes": ["runs:read"], "addresses": ["127.0.0.1"]});
    let endless = server.account.post("/v1/api-keys", endless).await.expect(201);
    let rotate = format!("/v1/api-keys/{}/rotate", text(&endless, "id"));
    let problem = weak.post(&rotate, json!({})).await.problem(422);
    assert_eq!(pointers(&problem), ["/expires_at"], "{problem}");
    weak.post(&rotate, json!({"expires_at": soon})).await.expect(201);
}

#[tokio::test]
async fn a_weaker_key_that_repeats_a_request_is_not_shown_what_a_stronger_one_made() {
    let server = Server::start().await;
    let made = server.account.post("/v1/api-keys", json!({"name": "weak", "scopes": ["keys"]})).await.expect(201);
    let weak = server.account.with_key(made["api_key"].as_str());
    let ask = async |client: &Client| {
        let request = client.request(Method::POST, "/v1/api-keys").header("idempotency-key", "ci-1");
        Client::send(request.json(&json!({"name": "ci"}))).await
    };
    let first = ask(&server.account).await.expect(201);
    assert_eq!(ask(&server.account).await.expect(201)["api_key"], first["api_key"]);
    let refused = ask(&weak).await;
    refused.problem(422);
    assert!(!refused.text.contains("aaasp_"), "{}", refused.text);
}

#[tokio::test]
async fn unknown_scopes_and_addresses_are_named() {
    let server = Server::start().await;
    let problem =
        server.account.post("/v1/api-keys", json!({"name": "x", "scopes": ["runs:delete"]})).await.problem(422);
    assert!(
        text(&problem, "detail").contains("there is no scope `runs:delete`; there are: *, agents:read"),
        "{problem}"
    );
    let wrong = json!({"name": "x", "addresses": ["127.0.0.1", "example.org"]});
    let problem = server.account.post("/v1/api-keys", wrong).await.problem(422);
    assert_eq!(pointers(&problem), ["/addresses/1"], "{problem}");
}

#[tokio::test]
async fn a_key_is_refused_from_elsewhere_and_a_proxy_is_believed_when_the_operator_says_so() {
    let server = Server::with_config("trusted_proxies = [\"127.0.0.0/8\"]\n").await;
    let new = json!({"name": "office", "addresses": ["192.0.2.0/24"]});
    let made = server.account.post("/v1/api-keys", new).await.expect(201);
    let office = server.account.with_key(made["api_key"].as_str());
    let problem = office.get("/v1/account").await.problem(401);
    assert!(text(&problem, "detail").contains("address"), "{problem}");
    for (forwarded, status) in [("192.0.2.7", 200), ("192.0.2.7, 198.51.100.1", 401), ("1.1.1.1, 192.0.2.7", 200)] {
        let asked = office.request(Method::GET, "/v1/account").header("x-forwarded-for", forwarded);
        assert_eq!(Client::send(asked).await.status, status, "{forwarded}");
    }
}

#[tokio::test]
async fn a_key_ends_when_it_was_said_to() {
    let server = Server::start().await;
    let at = Clock::System.now().plus_ms(2_000);
    let made = server.account.post("/v1/api-keys", json!({"name": "short", "expires_at": at})).await.expect(201);
    let short = server.account.with_key(made["api_key"].as_str());
    short.get("/v1/account").await.expect(200);
    until("the key to end", async || (short.get("/v1/account").await.status == 401).then_some(())).await;
    assert!(Clock::System.now() >= at);
}

#[tokio::test]
async fn a_rotated_key_works_on_until_the_overlap_is_over() {
    let server = Server::start().await;
    let new = json!({"name": "rotated", "scopes": ["runs:read"]});
    let made = server.account.post("/v1/api-keys", new).await.expect(201);
    let old = server.account.with_key(made["api_key"].as_str());
    let path = format!("/v1/api-keys/{}/rotate", text(&made, "id"));
    let next = server.account.post(&path, json!({"overlap_seconds": 2})).await.expect(201);
    assert_eq!((text(&next, "name"), &next["scopes"]), ("rotated", &made["scopes"]));
    let new = server.account.with_key(next["api_key"].as_str());
    old.get("/v1/runs").await.expect(200);
    new.get("/v1/runs").await.expect(200);
    until("the old key to end", async || (old.get("/v1/runs").await.status == 401).then_some(())).await;
    new.get("/v1/runs").await.expect(200);
    server.account.post(&path, json!({})).await.problem(409);
    let long = server.account.post(&path, json!({"overlap_seconds": 9_999_999})).await.problem(422);
    assert_eq!(pointers(&long), ["/overlap_seconds"]);
}

#[tokio::test]
async fn it_is_seen_when_a_key_was_last_used() {
    let server = Server::start().await;
    let made = server.account.post("/v1/api-keys", json!({"name": "used"})).await.expect(201);
    let shown = async || {
        let keys = server.account.get("/v1/api-keys").await.expect(200);
        items(&keys)[0].get("last_used_at").cloned()
    };
    assert_eq!(shown().await, None);
    server.account.with_key(made["api_key"].as_str()).get("/v1/account").await.expect(200);
    let used = until("the use to be noted", shown).await;
    let used: Micros = serde_json::from_value(used).unwrap();
    let now = Clock::System.now();
    assert!(now.plus_ms(-60_000) < used && used <= now, "{used:?}");
}

#[tokio::test]
async fn a_key_without_the_scope_revokes_itself_and_no_other() {
    let server = Server::start().await;
    let made = server.account.post("/v1/api-keys", json!({"name": "ci", "scopes": ["agents:write"]})).await.expect(201);
    let ci = server.account.with_key(made["api_key"].as_str());
    let keys = server.account.get("/v1/api-keys").await.expect(200);
    let first = items(&keys).iter().find(|key| text(key, "name") == "first").unwrap();
    assert_eq!(ci.delete(&format!("/v1/api-keys/{}", text(first, "id"))).await.problem(403)["scope"], "keys");
    assert_eq!(ci.delete(&format!("/v1/api-keys/{}", text(&made, "id"))).await.status, 204);
    ci.get("/v1/account").await.problem(401);
}
