//! `/v1/audit`, on uses that the vault wrote down for real runs.

use std::sync::Arc;

use aaasp::names::Name;
use aaasp::runs::RunCustody;
use aaasp::vault::custody::{Custody as _, Purpose, Use, Withheld};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{all_items, fields, items, pointers, text};
use crate::support::vault::Vault;
use crate::support::{Server, guests};

const SECRET: &str = "s3cret-of-the-audit-tests";

/// A server with the credentials `token` and `key`, the deployments `one` and `two`, and a run of each.
async fn two_runs() -> (Server, [Value; 2], String) {
    let server = Server::start().await;
    let account = &server.account;
    account.put("/v1/credentials/token", json!({"kind": "bearer", "secret": SECRET})).await.expect(201);
    account.put("/v1/credentials/key", json!({"kind": "hmac", "secret": SECRET})).await.expect(201);
    let mut runs = Vec::new();
    for name in ["one", "two"] {
        account.deploy(name, guests::echo(), json!({})).await;
        runs.push(account.run(name, Value::Null).await);
    }
    let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
    (server, runs.try_into().unwrap(), id)
}

/// The vault as a run of a deployment sees it.
async fn custody(server: &Server, vault: &Vault, run: &Value, deployment: &Value) -> RunCustody {
    let _ = server;
    let ids = (text(deployment, "id").parse().unwrap(), text(run, "id").parse().unwrap());
    let store = &vault.store;
    RunCustody::new(vault.credentials(), (store.db.clone(), store.clock.clone()), Arc::clone(&vault.account), ids)
}

fn request(credential: &Name, version: u32, path: &str) -> Use {
    let (method, host, path) = ("POST".to_owned(), "api.example.org:8443".to_owned(), path.to_owned());
    Use { credential: credential.clone(), version, purpose: Purpose::Request { method, host, path } }
}

#[tokio::test]
async fn each_use_is_shown_with_who_which_where_and_how_it_ended() {
    let (mut server, [one, two], id) = two_runs().await;
    let mut deployments = Vec::new();
    for name in ["one", "two"] {
        deployments.push(server.account.get(&format!("/v1/deployments/{name}")).await.expect(200));
    }
    server.stop();
    let vault = Vault::open(&server, &id).await;
    let (token, key): (Name, Name) = ("token".parse().unwrap(), "key".parse().unwrap());
    let first = custody(&server, &vault, &one, &deployments[0]).await;
    let lent = first.lend(&token).await.unwrap();
    assert_eq!(lent.secret.expose_secret(), SECRET.as_bytes());
    let answered = first.used(request(&token, lent.version, "/v1/things"));
    let silent = first.used(request(&token, lent.version, "/v1/silence"));
    first.ended(answered, Some(201));
    first.ended(silent, None);
    assert_eq!(first.sign(&key, b"bytes").await.unwrap().len(), 32);
    let second = custody(&server, &vault, &two, &deployments[1]).await;
    assert!(matches!(second.sign(&token, b"bytes").await, Err(Withheld::Kind { .. })));
    assert!(matches!(second.lend(&"none".parse().unwrap()).await, Err(Withheld::Unknown(_))));
    let _killed = second.used(request(&token, 1, "/v1/never-ended"));
    for custody in [&first, &second] {
        let unwritten = custody.unwritten();
        vault.store.db.append_uses(unwritten.iter().map(|(_, used)| used.clone()).collect()).await.unwrap();
        custody.written(&unwritten);
        assert!(custody.unwritten().is_empty());
    }
    vault.close().await;

    server.serve();
    let account = &server.account;
    let reply = account.get("/v1/audit").await;
    let page = reply.expect(200);
    assert!(!reply.text.contains(SECRET));
    let what: Vec<_> = items(&page)
        .iter()
        .map(|used| json!([used["deployment"], used["credential"], used["purpose"], used["path"], used["status"]]))
        .collect();
    let expected = [
        json!(["two", "token", "request", "/v1/never-ended", null]),
        json!(["one", "key", "signature", null, null]),
        json!(["one", "token", "request", "/v1/silence", null]),
        json!(["one", "token", "request", "/v1/things", 201]),
    ];
    assert_eq!(what, expected);
    let ended: Vec<_> = items(&page).iter().map(|used| !used["ended_at"].is_null()).collect();
    assert_eq!(ended, [false, true, true, true], "{page}");
    let last = &items(&page)[3];
    assert_eq!((text(last, "run"), text(last, "method")), (text(&one, "id"), "POST"));
    assert_eq!((text(last, "host"), &last["version"]), ("api.example.org:8443", &json!(1)));
    let token = account.get("/v1/credentials/token").await.expect(200);
    assert_eq!(token["last_used_at"], items(&page)[0]["at"]);

    assert_eq!(all_items(account, "/v1/audit", 1).await, *items(&page));
    for (filter, expected) in [
        ("credential=key".to_owned(), 1),
        ("credential=none".to_owned(), 0),
        ("deployment=one".to_owned(), 3),
        ("deployment=one&credential=token".to_owned(), 2),
        (format!("run={}", text(&two, "id")), 1),
    ] {
        let found = account.get(&format!("/v1/audit?{filter}")).await.expect(200);
        assert_eq!(items(&found).len(), expected, "{filter}: {:?}", fields(items(&found), "id"));
    }
    for wrong in ["run=7", "runs=7", "after=x", "limit=0"] {
        assert_eq!(pointers(&account.get(&format!("/v1/audit?{wrong}")).await.problem(422)), [""], "{wrong}");
    }
    let other = server.another_account("other@example.org", 0).await;
    assert!(items(&other.get("/v1/audit").await.expect(200)).is_empty());
}
