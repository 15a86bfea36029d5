//! `/v1/api-keys`.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{all_items, fields, items, pointers, text};
use crate::support::{Server, until};

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
    assert_eq!(text(&problem, "detail"), "no account has this key");
}

#[tokio::test]
async fn a_refusal_for_want_of_a_key_says_how_to_send_one() {
    let server = Server::start().await;
    let refused = server.account.with_key(None).get("/v1/account").await;
    assert!(text(&refused.problem(401), "detail").contains("Authorization: Bearer"));
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
}
