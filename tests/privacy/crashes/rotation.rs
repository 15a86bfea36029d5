//! Rotation of master keys and of an account's data key, killed at each of their steps.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{LANES, in_lanes};
use crate::api::text;
use crate::support::components::built;
use crate::support::{Client, Server};
use crate::vault::{keys_in_file, wrapped};

/// More data keys than are wrapped anew in one commit.
const ACCOUNTS: usize = 20;
const MASTERS: &str = "/v1/admin/master-keys";

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_dies_at_any_step_ends_and_everything_opens() {
    let deaths = in_lanes(lane).await;
    assert!(deaths > 8, "{deaths}");
}

async fn lane(first: usize) -> usize {
    let mut server = Server::start().await;
    let mut accounts = BTreeMap::new();
    for number in 0..ACCOUNTS {
        let email = format!("{number}@example.org");
        accounts.insert(server.another_account(&email, 0).await.key().to_owned(), email);
    }
    let signer = &server.account;
    let id = text(&signer.get("/v1/account").await.expect(200), "id").to_owned();
    signer.put("/v1/credentials/key", json!({"kind": "hmac", "secret": "the secret that signs"})).await.expect(201);
    signer.deploy("probe", built("egress-probe"), json!({"credentials": {"key": {}}})).await;
    let before = sign(signer).await;
    let mut deaths = 0;
    for step in (first..).step_by(LANES) {
        let newest = server.operator().get(MASTERS).await.expect(200)["newest"].as_i64().unwrap();
        let old = keys_in_file(&server);
        server.stop();
        server.serve_to_die("rotation", step);
        let died = rotate(&mut server, &id, newest + 1).await.is_none();
        server.kill();
        server.serve();
        assert!(rotate(&mut server, &id, newest + 1).await.is_some(), "it ends");

        // What the old key wrapped opens with it no more: it is gone, and so is what it wrapped.
        let left = keys_in_file(&server);
        assert!(left.len() == 1 && old.iter().all(|old| !left.contains(old)), "{old:?} {left:?}");
        assert_eq!(server.count("SELECT COUNT(*) FROM master_keys").await, 1);
        let versions = i64::try_from(deaths + 2).unwrap();
        let keys = i64::try_from(ACCOUNTS).unwrap() + versions;
        assert_eq!(wrapped(&server).await.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [keys]);
        for file in std::fs::read_dir(server.data().join("keys")).unwrap() {
            let bytes = String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned();
            assert!(old.iter().all(|old| !bytes.contains(old.trim_matches('"'))), "the old key is still in the folder");
        }
        // Everything opens, what each version sealed too.
        server.stop();
        server.serve();
        for (key, email) in &accounts {
            assert_eq!(server.account.with_key(Some(key)).get("/v1/account").await.expect(200)["email"], **email);
        }
        let shown = server.account.get(&format!("/v1/runs/{}", text(&before, "id"))).await.expect(200);
        assert_eq!(shown, before);
        assert_eq!(sign(&server.account).await["output"], before["output"]);
        if !died {
            break;
        }
        deaths += 1;
    }
    deaths
}

async fn sign(account: &Client) -> Value {
    let run = account.run("probe", json!({"sign": ["key"]})).await;
    assert!(run["output"]["signed"][0]["Ok"].is_array(), "{run}");
    run
}

/// Rotates the master key, retires the one before, and rotates an account's data key: each as often as it takes. None
/// when the server dies meanwhile.
async fn rotate(server: &mut Server, account: &str, target: i64) -> Option<()> {
    let operator = server.operator();
    let ask = async |method: Method, path: &str, body: Value| {
        let request = operator.request(method, path).header("idempotency-key", format!("rotation-{target}"));
        let request = if body.is_null() { request } else { request.json(&body) };
        Client::try_send(request).await.ok()
    };
    loop {
        let status = ask(Method::GET, MASTERS, Value::Null).await?.expect(200);
        if status["newest"] == target && status["current"] == target && status["older_data_keys"] == 0 {
            break;
        }
        if status["newest"].as_i64().unwrap() < target {
            ask(Method::POST, MASTERS, json!({})).await?.expect(200);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    ask(Method::POST, "/v1/admin/master-keys/retire", json!({"below": target})).await?.expect(200);
    let path = format!("/v1/admin/accounts/{account}/data-keys");
    ask(Method::POST, &path, json!({})).await?.expect(201);
    Some(())
}
