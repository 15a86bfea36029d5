//! `/v1/runs/{id}/receipt`: what anybody can verify of a run with the operator's public key.

use aaasp::receipts::{NotGenuine, PublicKey, Receipt, Signed, digest};
use aaasp::runtime::Digest;
use serde_json::{Value, json};

use super::{start, text};
use crate::support::{Client, Server, guests};

async fn public_key(client: &Client) -> PublicKey {
    let keys = client.with_key(None).get("/.well-known/jwks.json").await.expect(200);
    let [key] = &keys["keys"].as_array().unwrap()[..] else { panic!("{keys}") };
    assert_eq!((text(key, "kty"), text(key, "crv"), text(key, "alg")), ("OKP", "Ed25519", "EdDSA"));
    text(key, "x").parse().unwrap()
}

async fn receipt(client: &Client, run: &Value) -> Signed {
    let signed = client.get(&format!("/v1/runs/{}/receipt", text(run, "id"))).await.expect(200);
    serde_json::from_value(signed).unwrap()
}

#[tokio::test]
async fn a_receipt_says_what_ran_on_what_with_what_result_at_what_cost() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let input = json!({"text": "grüß dich", "list": [1, 2.5]});
    let run = account.run("echo", input.clone()).await;
    let key = public_key(account).await;
    let signed = receipt(account, &run).await;
    let told: Receipt = signed.verified(&key).unwrap();
    assert_eq!(told.run.to_string(), text(&run, "id"));
    assert_eq!(told.component, Digest::of(&guests::echo()));
    assert_eq!((told.input, told.output), (digest(&input.to_string()), Some(digest(&input.to_string()))));
    assert_eq!((told.outcome.as_str(), told.fuel), ("succeeded", run["fuel"].as_i64().unwrap()));
    assert_eq!(json!(told.charge_microcredits), run["charge_microcredits"]);
    assert_eq!(json!(told.charges), run["charges"]);
    let charges = account.get(&format!("/v1/runs/{}/charges", text(&run, "id"))).await.expect(200);
    assert_eq!(told.price_version, text(&charges, "price_version"));
    assert_eq!(receipt(account, &run).await, signed, "a run has one receipt");

    let another = receipt(account, &account.run("echo", json!(2)).await).await;
    let mixed = Signed { payload: another.payload, ..signed };
    assert_eq!(mixed.verified::<Receipt>(&key), Err(NotGenuine::Changed));
}

#[tokio::test]
async fn a_run_that_failed_has_a_receipt_without_an_output_and_one_that_goes_on_has_none() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("poor", guests::echo(), json!({"limits": {"fuel": 1}})).await;
    let run = account.run("poor", json!(1)).await;
    let told: Receipt = receipt(account, &run).await.verified(&public_key(account).await).unwrap();
    assert_eq!((told.outcome.as_str(), told.output), ("out_of_fuel", None));
    account.deploy("slow", guests::slow(), json!({})).await;
    let running = start(account, "slow", json!(20_000)).await;
    account.get(&format!("/v1/runs/{}/receipt", text(&running, "id"))).await.problem(409);
}

#[tokio::test]
async fn a_receipt_outlives_its_deployment_its_agent_and_the_rotation_of_keys() {
    let mut server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let run = account.run("echo", json!(1)).await;
    let (key, before) = (public_key(account).await, receipt(account, &run).await);
    assert_eq!(account.delete("/v1/deployments/echo").await.status, 204);
    assert_eq!(account.delete("/v1/agents/echo").await.status, 204);
    server.operator().post("/v1/admin/master-keys", json!({})).await.expect(200);
    server.stop();
    server.serve();
    assert_eq!(public_key(&server.account).await, key);
    assert_eq!(receipt(&server.account, &run).await, before);
    if let Some(second) = server.second_host() {
        assert_eq!(receipt(&second.account, &run).await, before, "every host signs with the same key");
    }
}

#[tokio::test]
async fn what_past_runs_cost_is_an_estimate_of_one_more() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let path = "/v1/deployments/echo/estimate";
    let none = account.post(path, json!({})).await.expect(200);
    assert_eq!((&none["runs"], &none["median_microcredits"]), (&json!(0), &Value::Null));
    let deployed = account.get("/v1/deployments/echo").await.expect(200);
    assert_eq!(none["hold_microcredits"], deployed["hold_microcredits"]);

    let mut charges = Vec::new();
    for size in [1, 2_000, 4_000] {
        let run = account.run("echo", json!("x".repeat(size))).await;
        charges.push(run["charge_microcredits"].as_i64().unwrap());
    }
    account.deploy("other", guests::echo(), json!({})).await;
    account.run("other", json!(1)).await;
    charges.sort_unstable();
    let estimate = account.post(path, json!({"input": 5})).await.expect(200);
    assert_eq!(estimate["runs"], 3);
    let told = ["median_microcredits", "p95_microcredits", "worst_microcredits"].map(|field| estimate[field].clone());
    assert_eq!(told, [json!(charges[1]), json!(charges[2]), json!(charges[2])]);
    let balance = account.balance().await;
    account.post(path, json!({})).await.expect(200);
    assert_eq!(account.balance().await, balance, "an estimate costs nothing");
    account.post(path, json!({"input": "x".repeat(2_000_000)})).await.problem(413);
    account.post("/v1/deployments/none/estimate", json!({})).await.problem(404);
}
