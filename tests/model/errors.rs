//! What is not granted, what the provider refuses, and what is tried again.

use std::sync::atomic::{AtomicUsize, Ordering};

use aaasp::runtime::{Gate, Outcome};
use serde_json::json;

use crate::support::https::{HttpsServer, answer};
use crate::support::models::{Mock, ModelLab, model_at};

/// An answer of a whole word, as OpenAI streams it.
const WORD: &[u8] = b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_not_asked() {
    let lab = ModelLab::new(model_at("openai", "https://api.test"));
    let asks = async |grants, script| lab.run_under(grants, Gate::open(), script).await.told()["error"].clone();
    let none = asks(json!({}), json!({"text": "hello"})).await;
    assert!(none.as_str().unwrap().starts_with("NotGranted("), "{none}");
    let other = asks(json!({"models": {"fast": {}}}), json!({"text": "hello", "model": "other"})).await;
    assert!(other.as_str().unwrap().starts_with("NotGranted("), "{other}");
    let gone = asks(json!({"models": {"gone": {}}}), json!({"text": "hello"})).await;
    assert!(gone.as_str().unwrap().starts_with("UnknownModel("), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_each_provider_is_told_in_its_own_words_and_costs_no_tokens() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    for model in ["openai", "anthropic", "gemini"] {
        for how in ["chat", "stream"] {
            let probed = lab.run(json!({"how": how, "text": "nonsense", "model": model})).await;
            assert_eq!(probed.told()["error"], "Invalid(\"no such thing\")", "{model} {how}");
            assert_eq!(probed.tokens(), (0, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_asked_too_often_says_when_to_come_back() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    for model in ["openai", "anthropic", "gemini"] {
        // An hour is more than the run has, so nothing is tried again.
        let probed = lab.run(json!({"text": "too often", "model": model})).await;
        assert_eq!(probed.told()["error"], "RateLimited(Some(3600000))", "{model}");
        assert_eq!(probed.finished.usage.http_requests_sent, 1, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_in_trouble_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let server = HttpsServer::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => answer("503 Service Unavailable", "", b"{\"error\":{\"message\":\"busy\"}}"),
        1 => answer("429 Too Many Requests", "retry-after: 0\r\n", b"{}"),
        _ => answer("200 OK", "content-type: text/event-stream\r\n", WORD),
    })
    .await;
    let lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    let probed = lab.run(json!({"text": "hello"})).await;
    assert_eq!(probed.told()["texts"], json!(["ok"]));
    assert_eq!(server.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_beyond_all_time_is_longer_than_the_run() {
    let server = HttpsServer::start(|_| {
        answer("429 Too Many Requests", "retry-after: 18446744073709551615\r\n", b"{\"error\":{\"message\":\"busy\"}}")
    })
    .await;
    let lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    assert_eq!(lab.run(json!({"text": "hello"})).await.told()["error"], "RateLimited(None)");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_stays_in_trouble_is_given_up() {
    let server =
        HttpsServer::start(|_| answer("500 Internal Server Error", "", b"{\"error\":{\"message\":\"broken\"}}")).await;
    let mut lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    lab.limits.wall_clock_ms = 120_000;
    let probed = lab.run(json!({"text": "hello", "fail": true})).await;
    assert_eq!(server.received().len(), 4);
    let error = probed.finished.error.as_ref().unwrap();
    assert_eq!((error.code.as_str(), probed.tokens()), ("retryable", (0, 0)), "{error:?}");
    assert!(error.message.contains("broken"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_the_provider_does_not_take_is_the_operator_s_trouble() {
    let server = HttpsServer::start(|_| answer("401 Unauthorized", "", b"{\"error\":{\"message\":\"bad key\"}}")).await;
    let lab = ModelLab::new(model_at("anthropic", &format!("https://api.test:{}", server.address.port())));
    let told = lab.run(json!({"text": "hello"})).await.told();
    assert!(told["error"].as_str().unwrap().starts_with("Unavailable(\"the provider does not take the credential"));
    assert_eq!(server.received().len(), 1, "it is not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_can_t_be_asked_is_invalid() {
    let lab = ModelLab::new(model_at("openai", "https://api.test"));
    let told = lab.run(json!({"text": ""})).await.told();
    assert!(told["error"].as_str().unwrap().starts_with("Invalid("), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_before_the_run_is_paid_for() {
    let server = HttpsServer::start(|_| answer("200 OK", "content-type: text/event-stream\r\n", WORD)).await;
    let lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    let (gate, keeper) = Gate::closed();
    drop(keeper);
    let probed = lab.run_under(json!({"models": {"fast": {}}}), gate, json!({"text": "hello"})).await;
    assert!(probed.told()["error"].as_str().unwrap().starts_with("Unavailable("));
    assert!(server.received().is_empty());
    assert_eq!((probed.finished.outcome, server.received().len()), (Outcome::Succeeded, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_asking_at_a_limit_makes_one_line_of_it() {
    let mut lab = ModelLab::new(model_at("openai", "https://api.test"));
    lab.limits.http_requests = 0;
    let probed = lab.run(json!({"how": "insist", "text": "hello"})).await;
    assert_eq!(probed.told()["error"], "LimitReached(\"http_requests\")");
    assert_eq!(probed.log.len(), 1, "{:?}", probed.log);
}
