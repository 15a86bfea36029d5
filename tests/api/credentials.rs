//! `/v1/credentials`.

use std::path::Path;

use serde_json::{Value, json};

use super::{all_items, fields, pointers, text};
use crate::support::{Client, Reply, Server, guests};

const SECRET: &str = "s3cret-of-the-credential-tests";
const OTHER: &str = "an0ther-of-the-credential-tests";

/// Every kind, with a client secret where one goes along.
fn kinds() -> Vec<(Value, Option<&'static str>)> {
    let client = json!({"token_url": "https://id.example/token", "client_id": "me", "scopes": ["read"]});
    vec![
        (json!("bearer"), None),
        (json!({"header": {"name": "x-api-key", "prefix": "token "}}), None),
        (json!({"basic": {"username": "ada"}}), None),
        (json!({"query": {"name": "key"}}), None),
        (json!("hmac"), None),
        (json!({"oauth_client_credentials": client}), None),
        (json!({"oauth_refresh_token": client}), Some(OTHER)),
    ]
}

fn bearer(secret: &str) -> Value {
    json!({"kind": "bearer", "secret": secret})
}

#[track_caller]
fn tells_no_secret(reply: &Reply) {
    for secret in [SECRET, OTHER] {
        assert!(!reply.text.contains(secret), "{}", reply.text);
        assert!(
            reply.headers.values().all(|value| !value.as_bytes().windows(secret.len()).any(|w| w == secret.as_bytes()))
        );
    }
}

async fn names_of(account: &Client) -> Vec<String> {
    fields(&all_items(account, "/v1/credentials", 2).await, "name")
}

#[tokio::test]
async fn of_a_credential_of_any_kind_only_metadata_comes_back() {
    let server = Server::start().await;
    let account = &server.account;
    for (position, (kind, client_secret)) in kinds().into_iter().enumerate() {
        let path = format!("/v1/credentials/kind-{position}");
        let mut body = json!({"kind": kind, "secret": SECRET});
        if let Some(secret) = client_secret {
            body["client_secret"] = secret.into();
        }
        let put = account.put(&path, body).await;
        let made = put.expect(201);
        assert_eq!((&made["kind"], &made["version"], &made["used_by"]), (&kind, &json!(1), &json!([])));
        assert_eq!((&made["rotated_at"], &made["last_used_at"]), (&Value::Null, &Value::Null));
        let got = account.get(&path).await;
        assert_eq!(got.expect(200), made);
        tells_no_secret(&put);
        tells_no_secret(&got);
    }
    let listed = account.get("/v1/credentials").await;
    assert_eq!(listed.expect(200)["items"].as_array().unwrap().len(), kinds().len());
    tells_no_secret(&listed);
    tells_no_secret(&account.get("/v1/audit").await);
    for secret in [SECRET, OTHER] {
        assert!(!server.said().contains(secret), "a secret is in the host's log");
    }
}

#[tokio::test]
async fn a_new_value_is_a_version_and_the_old_one_stays_until_it_is_retired() {
    let server = Server::start().await;
    let account = &server.account;
    account.put("/v1/credentials/key", bearer(SECRET)).await.expect(201);
    let second = account.put("/v1/credentials/key", json!({"kind": "hmac", "secret": OTHER})).await.expect(200);
    assert_eq!((&second["version"], text(&second, "kind")), (&json!(2), "hmac"));
    assert_eq!(fields(second["versions"].as_array().unwrap(), "version"), ["2", "1"]);
    assert_eq!(second["rotated_at"], second["versions"][0]["created_at"]);

    // Retiring the latest brings the one before it back, kind and all; its number is not given again.
    assert_eq!(account.delete("/v1/credentials/key/versions/2").await.status, 204);
    let back = account.get("/v1/credentials/key").await.expect(200);
    assert_eq!((&back["version"], text(&back, "kind")), (&json!(1), "bearer"));
    let third = account.put("/v1/credentials/key", bearer(OTHER)).await.expect(200);
    assert_eq!(fields(third["versions"].as_array().unwrap(), "version"), ["3", "1"]);
    assert_eq!(account.delete("/v1/credentials/key/versions/1").await.status, 204);
    let problem = account.delete("/v1/credentials/key/versions/3").await.problem(409);
    assert!(text(&problem, "detail").contains("only version"), "{problem}");
    for path in ["key/versions/1", "key/versions/0", "key/versions/x", "none/versions/1", "K/versions/1"] {
        account.delete(&format!("/v1/credentials/{path}")).await.problem(404);
    }
}

#[tokio::test]
async fn what_can_not_be_kept_is_named_by_its_pointer_and_not_repeated() {
    let server = Server::start().await;
    let account = &server.account;
    let client = json!({"token_url": "http://id.example/token", "client_id": "", "scopes": ["a b"]});
    let cases = [
        (json!({"kind": "bearer"}), vec![""]),
        (json!({"kind": "bearer", "secret": "too short"}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": "s3cret-of-the-credential-tests\n"}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": 31_415_926_535_897_i64}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": 31.415_926_535}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": [SECRET]}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": {SECRET: 1}}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": null}), vec!["/secret"]),
        (json!({"kind": "bearer", "secret": SECRET, "client_secret": OTHER}), vec!["/client_secret"]),
        (json!({"kind": "bearer", "secret": SECRET, "value": 1}), vec!["/value"]),
        (json!({"kind": "password", "secret": SECRET}), vec!["/kind"]),
        (json!({"kind": {"header": {"name": "Content-Length"}}, "secret": SECRET}), vec!["/kind/header"]),
        (json!({"kind": {"basic": {"username": "a:b"}}, "secret": SECRET}), vec!["/kind/basic"]),
        (
            json!({"kind": {"oauth_refresh_token": client}, "secret": SECRET}),
            ["token_url", "client_id", "scopes/0"]
                .map(|field| &*format!("/kind/oauth_refresh_token/{field}").leak())
                .to_vec(),
        ),
    ];
    for (body, expected) in cases {
        let reply = account.put("/v1/credentials/key", body.clone()).await;
        assert_eq!(pointers(&reply.problem(422)), expected, "{body}: {}", reply.text);
        tells_no_secret(&reply);
        assert!(!reply.text.contains("314159") && !reply.text.contains("31.4"), "{}", reply.text);
    }
    account.put("/v1/credentials/No-Name", bearer(SECRET)).await.problem(422);
    assert!(names_of(account).await.is_empty());
}

#[tokio::test]
async fn an_account_keeps_no_more_than_its_limits() {
    let config = "
        [limits.account]
        credentials = 3
        credential_versions = 2
        secret_bytes = 40
    ";
    let server = Server::with_config(config).await;
    let account = &server.account;
    for name in ["b", "a-c", "a"] {
        account.put(&format!("/v1/credentials/{name}"), bearer(SECRET)).await.expect(201);
    }
    assert_eq!(names_of(account).await, ["a", "a-c", "b"]);
    let problem = account.put("/v1/credentials/d", bearer(SECRET)).await.problem(409);
    assert_eq!((text(&problem, "limit"), &problem["value"]), ("credentials", &json!(3)));
    account.put("/v1/credentials/a", bearer(OTHER)).await.expect(200);
    let problem = account.put("/v1/credentials/a", bearer(OTHER)).await.problem(409);
    assert_eq!(text(&problem, "limit"), "credential_versions");
    let problem = account.put("/v1/credentials/a", bearer(&"x".repeat(41))).await.problem(422);
    assert!(text(&problem, "detail").contains("12 to 40"), "{problem}");

    assert_eq!(account.delete("/v1/credentials/b").await.status, 204);
    account.put("/v1/credentials/d", bearer(SECRET)).await.expect(201);
}

#[tokio::test]
async fn a_credential_that_a_deployment_names_stays_and_the_deployment_is_named() {
    let server = Server::start().await;
    let account = &server.account;
    account.put("/v1/credentials/key", bearer(SECRET)).await.expect(201);
    let credentials = json!({"key": {"to": [{"scheme": "https", "host": "a.example"}]}});
    let allow = json!({"allow": [{"scheme": "https", "host": "a.example"}]});
    let deployment = json!({"credentials": credentials, "egress": allow});
    account.deploy("uses-it", guests::echo(), deployment).await;
    let used = account.get("/v1/credentials/key").await.expect(200);
    assert_eq!(used["used_by"], json!(["uses-it"]));
    let problem = account.delete("/v1/credentials/key").await.problem(409);
    assert!(text(&problem, "detail").contains("deployment `uses-it`"), "{problem}");
    let shown = account.get("/v1/deployments/uses-it").await.expect(200);
    assert_eq!((&shown["credentials"], &shown["egress"]), (&credentials, &allow));

    // The next revision names it no more.
    account.deploy("uses-it", guests::echo(), json!({})).await;
    assert_eq!(account.delete("/v1/credentials/key").await.status, 204);
    account.get("/v1/credentials/key").await.problem(404);
    account.delete("/v1/credentials/key").await.problem(404);
}

#[tokio::test]
async fn a_deployment_that_is_deleted_names_no_credential_any_more() {
    let server = Server::start().await;
    let account = &server.account;
    account.put("/v1/credentials/key", bearer(SECRET)).await.expect(201);
    account.deploy("signs", guests::echo(), json!({"credentials": {"key": {}}})).await;
    account.delete("/v1/credentials/key").await.problem(409);
    assert_eq!(account.delete("/v1/deployments/signs").await.status, 204);
    assert_eq!(account.delete("/v1/credentials/key").await.status, 204);
}

#[tokio::test]
async fn many_values_at_once_are_each_a_version() {
    let server = Server::start().await;
    let account = &server.account;
    let puts = (0..6).map(|_| async { account.put("/v1/credentials/key", bearer(SECRET)).await });
    let mut made = 0;
    for reply in futures::future::join_all(puts).await {
        assert!([200, 201, 409].contains(&reply.status), "{}", reply.text);
        made += i64::from(reply.status != 409);
    }
    let kept = account.get("/v1/credentials/key").await.expect(200);
    assert_eq!(kept["version"], made);
}

#[tokio::test]
async fn no_file_of_the_host_holds_the_secret() {
    let mut server = Server::start().await;
    for (name, secret) in [("one", SECRET), ("two", OTHER)] {
        server.account.put(&format!("/v1/credentials/{name}"), bearer(secret)).await.expect(201);
    }
    server.account.delete("/v1/credentials/two").await;
    let mut read = 0;
    for stopped in [false, true] {
        if stopped {
            server.stop();
        }
        read += holds_no_secret(&server.data());
    }
    assert!(read > 0, "no file was read");
}

/// Looks for the secrets as they are, in hexadecimal and in base64; returns how many files it read.
fn holds_no_secret(folder: &Path) -> usize {
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read += holds_no_secret(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for secret in [SECRET, OTHER] {
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            // The first 30 bytes are ten groups of base64, whatever follows.
            let base64 = base64_of(&secret.as_bytes()[..30]);
            for needle in [secret, &hex, &base64] {
                let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
                assert!(!found, "{} holds a secret", path.display());
            }
        }
        read += 1;
    }
    read
}

fn base64_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        (0..4).rev().map(move |place| char::from(ALPHABET[(bits >> (6 * place)) as usize & 63]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}
