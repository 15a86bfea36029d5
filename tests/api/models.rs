//! Models through the API: what is granted, held, charged and kept.

use serde_json::{Value, json};

use crate::support::models::{Mock, operator_file};
use crate::support::probe::SECRET;
use crate::support::{Server, components};

/// A server that offers the mock's models.
pub async fn offering(mock: &Mock) -> Server {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), SECRET).unwrap();
    // The key is read once, when the server starts.
    Server::with_config(&operator_file(mock, key.path())).await
}

pub async fn deploy(server: &Server, name: &str, more: Value) -> Value {
    server.account.upload("model-probe", components::built("model-probe")).await;
    let mut body = json!({"agent": "model-probe"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_str(&server.account.put(&format!("/v1/deployments/{name}"), body).await.text).unwrap()
}

/// The log of a run, in one text.
async fn log(server: &Server, run: &Value) -> String {
    server.account.get(&format!("/v1/runs/{}/logs", run["id"].as_str().unwrap())).await.expect(200).to_string()
}

fn lines(run: &Value, item: &str) -> Vec<(u64, String, u64)> {
    let lines = run["charges"].as_array().unwrap().iter().filter(|line| line["item"] == item);
    lines
        .map(|line| {
            let unit = line["unit"].as_str().unwrap().to_owned();
            (line["quantity"].as_u64().unwrap(), unit, line["amount_microcredits"].as_u64().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_pays_for_its_tokens_and_no_more_than_was_held() {
    let mock = Mock::start();
    let server = offering(&mock).await;
    let before = server.account.balance().await;
    let limits = json!({"model_tokens": 50_000});
    let shown = deploy(&server, "asks", json!({"models": {"openai": {}}, "limits": limits})).await;
    assert_eq!((&shown["capabilities"], &shown["models"]), (&json!(["model"]), &json!({"openai": {}})), "{shown}");
    assert!(shown.get("warnings").is_none(), "{shown}");
    let plain = deploy(&server, "plain", json!({"limits": limits})).await;
    let hold = |shown: &Value| shown["hold_microcredits"].as_i64().unwrap();
    assert_eq!(hold(&shown) - hold(&plain), 50_000 * 4 + 1, "each token at the highest price, and one for rounding");
    assert!(plain["warnings"][0]["detail"].as_str().unwrap().contains("`model`"), "{plain}");

    let run = server.account.run("asks", json!({"text": "hello"})).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(lines(&run, "model_input"), [(11, "tokens of openai".to_owned(), 11)]);
    assert_eq!(lines(&run, "model_output"), [(7, "tokens of openai".to_owned(), 28)]);
    let charge = run["charge_microcredits"].as_i64().unwrap();
    assert!(charge <= run["held_microcredits"].as_i64().unwrap());
    assert_eq!(server.account.balance().await, (before.0 - charge, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_can_t_grant_what_its_plan_does_not_offer() {
    let mock = Mock::start();
    let server = offering(&mock).await;
    let refused = deploy(&server, "asks", json!({"models": {"gold": {}, "none": {}}})).await;
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/models/gold", "/models/none"], "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_and_answered_is_found_nowhere() {
    let mock = Mock::start();
    let mut server = offering(&mock).await;
    deploy(&server, "asks", json!({"capabilities": ["model"]})).await;
    // The question is put together by the model's own words, so that neither input nor output hold it.
    let run = server.account.run("asks", json!({"how": "secretly", "text": "hello", "model": "anthropic"})).await;
    assert_eq!((&run["outcome"], &run["output"]["texts"]), (&json!("succeeded"), &json!([])), "{run}");
    assert!(!lines(&run, "model_output").is_empty(), "{run}");
    let logs = log(&server, &run).await;
    assert!(!logs.contains("Ask away"), "{logs}");
    server.stop();
    let said = server.said();
    for words in ["hello from the inside", "Ask away", SECRET] {
        assert!(!said.contains(words), "{words} is in the server's log");
        for file in ["aaasp.db", "aaasp.db-wal"] {
            let bytes = std::fs::read(server.data().join(file)).unwrap_or_default();
            assert!(!bytes.windows(words.len()).any(|window| window == words.as_bytes()), "{words} is in {file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_and_answered_is_in_the_log_of_a_deployment_that_wants_it() {
    let mock = Mock::start();
    let server = offering(&mock).await;
    deploy(&server, "asks", json!({"models": {"gemini": {}}, "log_output": true})).await;
    let run = server.account.run("asks", json!({"how": "secretly", "text": "hello"})).await;
    let logs = log(&server, &run).await;
    assert!(logs.contains("hello from the inside") && logs.contains("Ask away"), "{logs}");
}
