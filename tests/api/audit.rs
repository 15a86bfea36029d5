//! `/v1/audit`, on uses that the vault wrote down for real runs.

use std::sync::{Arc, Mutex};

use aaasp::names::Name;
use aaasp::runs::{FirstUses, RunCustody};
use aaasp::vault::custody::{Custody as _, Purpose, Use, Withheld};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{all_items, fields, items, pointers, text};
use crate::support::vault::Vault;
use crate::support::{Server, components, guests, until};

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
    let (db, clock) = (vault.store.db.clone(), vault.store.clock.clone());
    let tools = (db.clone(), clock.clone(), FirstUses::new(db, clock));
    RunCustody::new(vault.credentials(), tools, Arc::clone(&vault.account), ids)
}

/// Remembers the credential of each request, and answers with it.
async fn echo(State(seen): State<Seen>, headers: HeaderMap) -> String {
    let value = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    seen.lock().unwrap().push(value.clone());
    value
}

type Seen = Arc<Mutex<Vec<String>>>;

#[tokio::test(flavor = "multi_thread")]
async fn once_a_run_has_an_answer_its_uses_are_in_the_audit_and_a_new_value_is_used_by_the_next_one() {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().fallback(echo).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut server = Server::with_config("[egress]\nallow_addresses = [\"127.0.0.1/32\"]\n").await;
    for (name, kind) in [("token", "bearer"), ("key", "hmac")] {
        let body = json!({"kind": kind, "secret": SECRET});
        server.account.put(&format!("/v1/credentials/{name}"), body).await.expect(201);
    }
    let here = json!([{"scheme": "http", "host": "127.0.0.1", "port": port}]);
    let grants = json!({"egress": {"allow": here}, "credentials": {"token": {"to": here}, "key": {}}});
    server.account.deploy("probe", components::built("egress-probe"), grants).await;
    let step = json!({"scheme": "http", "authority": format!("127.0.0.1:{port}"), "path": "/v1/things?q=1"});
    let input = json!({"steps": [step], "sign": ["key"]});
    let run = server.account.run("probe", input.clone()).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert!(!run.to_string().contains(SECRET), "{run}");
    // Nothing but the commit that settled the run stands between its answer and a power cut.
    server.kill();
    server.serve();
    let audit = server.account.get(&format!("/v1/audit?run={}", text(&run, "id"))).await.expect(200);
    let [signature, request] = &items(&audit)[..] else { panic!("{audit}") };
    assert_eq!((text(signature, "credential"), text(signature, "purpose")), ("key", "signature"));
    assert_eq!((text(request, "credential"), &request["status"]), ("token", &json!(200)), "{request}");
    let place = ["method", "host", "path"].map(|field| text(request, field).to_owned());
    assert_eq!(place, ["GET".to_owned(), format!("127.0.0.1:{port}"), "/v1/things".to_owned()]);
    assert!(!signature["ended_at"].is_null() && !request["ended_at"].is_null(), "{audit}");

    let another =
        json!({"kind": {"header": {"name": "authorization", "prefix": "token "}}, "secret": "an0ther-of-the-audit"});
    server.account.put("/v1/credentials/token", another).await.expect(200);
    let run = server.account.run("probe", input).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(*seen.lock().unwrap(), [format!("Bearer {SECRET}"), "token an0ther-of-the-audit".to_owned()]);
    let told = until("the letters of first uses", async || {
        let mut letters = server.letters();
        letters.retain(|letter| letter.subject == "A credential was used for the first time");
        (letters.len() >= 2).then_some(letters)
    })
    .await;
    let named = |name: &str| told.iter().filter(|letter| letter.text.contains(&format!("Credential: {name}"))).count();
    assert_eq!((told.len(), named("token"), named("key")), (2, 1, 1), "{told:?}");
    let audit = server.account.get("/v1/audit?credential=token").await.expect(200);
    assert_eq!(fields(items(&audit), "version"), ["2", "1"]);
    server.stop();
    server.verify_ledger();
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
