//! What each provider is asked and answers, as a mock of its API sees it.

use aaasp::runtime::{Gate, Outcome};
use serde_json::{Value, json};

use crate::support::https::{HttpsServer, answer};
use crate::support::models::{Mock, ModelLab, model_at};
use crate::support::probe::SECRET;

const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gemini"];

/// The fixture's answer.
const HELLO: &str = "Hello there, how can I help you today? Ask away.";

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_answers_and_counts() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    for model in PROVIDERS {
        let probed = lab.run(json!({"text": "hello", "system": "be brief", "model": model})).await;
        let told = probed.told();
        assert_eq!(told["texts"][0], HELLO, "{model}: {told}");
        assert_eq!((&told["finish"][0], &told["tokens"][0]), (&json!("FinishReason::Stop"), &json!([11, 7, 0])));
        assert_eq!(told["reported"][0], true);
        assert_eq!(probed.tokens(), (11, 7), "{model}");
        assert_eq!(probed.finished.usage.http_requests_sent, 1);
        probed.assert_no_secret();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_s_answer_comes_in_pieces() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    for model in PROVIDERS {
        let probed = lab.run(json!({"how": "stream", "text": "hello", "model": model})).await;
        let told = probed.told();
        let texts: Vec<&str> = told["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        assert!(texts.len() > 1, "{model}: {told}");
        assert_eq!(texts.concat(), HELLO);
        assert_eq!((told["finish"].as_array().unwrap().len(), probed.tokens()), (1, (11, 7)), "{model}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_calls_a_tool_and_goes_on_with_its_result() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    for model in PROVIDERS {
        let probed = lab.run(json!({"how": "tool", "text": "what of issue 7", "model": model})).await;
        let told = probed.told();
        assert_eq!(told["calls"], json!(["lookup({\"number\":7})"]), "{model}: {told}");
        assert_eq!(told["finish"], json!(["FinishReason::ToolCalls", "FinishReason::Stop"]), "{model}");
        assert_eq!(told["texts"][1], "It is open.", "{model}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_answers_in_a_type() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    for model in PROVIDERS {
        let probed = lab.run(json!({"how": "ask", "text": "label this", "system": "be exact", "model": model})).await;
        let told = probed.told();
        assert_eq!(told["texts"], json!(["bug 0.5"]), "{model}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_come_in_the_order_of_their_texts() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    let probed = lab.run(json!({"how": "embed", "text": "hello", "model": "vectors"})).await;
    let told = probed.told();
    assert_eq!(told["vectors"], json!([[0.25, -0.5, 0.75], [0.25, -0.5, 0.75]]), "{told}");
    let (input, output) = probed.tokens();
    assert!(input > 0 && output == 0, "{input} {output}");
}

/// The mock has no vectors of Gemini's, so this server answers as its documentation says.
#[tokio::test(flavor = "multi_thread")]
async fn gemini_makes_vectors_and_gets_the_key_in_its_header() {
    let body = json!({"embeddings": [{"values": [0.5, 0.25]}, {"values": [0.125, 1.0]}]}).to_string();
    let server =
        HttpsServer::start(move |_| answer("200 OK", "content-type: application/json\r\n", body.as_bytes())).await;
    let lab = ModelLab::new(model_at("gemini", &format!("https://api.test:{}", server.address.port())));
    let probed = lab.run(json!({"how": "embed", "text": "hello"})).await;
    let told = probed.told();
    assert_eq!(told["vectors"], json!([[0.5, 0.25], [0.125, 1.0]]), "{told}");
    let received = &server.received()[0];
    assert_eq!(received.target(), "/v1beta/models/m-1:batchEmbedContents");
    assert_eq!(received.values("x-goog-api-key"), [SECRET]);
    assert!(!received.head.contains("placeholder"), "{}", received.head);
    let asked: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(asked["requests"][0]["content"]["parts"][0]["text"], "hello");
    // It reports no usage, so bytes are counted, and never none.
    assert!(probed.tokens().0 >= "helloanother text".len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_makes_no_vectors() {
    let lab = ModelLab::new(model_at("anthropic", "https://api.test"));
    let told = lab.run(json!({"how": "embed", "text": "hello"})).await.told();
    assert!(told["error"].as_str().unwrap().starts_with("Invalid("), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_asks_for_reaches_the_provider() {
    let server = HttpsServer::start(|_| {
        answer("200 OK", "content-type: text/event-stream\r\n", b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"length\"}],\"usage\":null}\n\ndata: [DONE]\n\n")
    })
    .await;
    let lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    let script = json!({"text": "hello", "system": "be brief", "max_tokens": 50, "stop": "END"});
    let probed = lab.run(script).await;
    assert_eq!(probed.finished.outcome, Outcome::Succeeded, "{:?}", probed.finished.error);
    assert_eq!(probed.told()["finish"][0], "FinishReason::Length");
    let received = &server.received()[0];
    assert_eq!(
        (received.target(), received.values("authorization")),
        ("/v1/chat/completions", vec![format!("Bearer {SECRET}")])
    );
    let asked: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!((&asked["model"], &asked["max_tokens"], &asked["stream"]), (&json!("m-1"), &json!(50), &json!(true)));
    assert_eq!((&asked["temperature"], &asked["stop"]), (&json!(0.0), &json!(["END"])), "{asked}");
    assert_eq!(asked["stream_options"]["include_usage"], true);
    assert_eq!((&asked["messages"][0]["role"], &asked["messages"][1]["role"]), (&json!("system"), &json!("user")));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_in_javascript_and_python_ask_models_too() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    let granted = json!({"models": {"anthropic": {}, "vectors": {}}});
    for agent in ["model-js", "model-py"] {
        let script = json!({"model": "anthropic", "vectors": "vectors"});
        let told = lab.run_agent(agent, granted.clone(), Gate::open(), script).await.told();
        assert_eq!(told["names"], json!(["anthropic", "vectors"]), "{agent}: {told}");
        assert_eq!((&told["text"], &told["streamed"]), (&json!(HELLO), &json!(HELLO)), "{agent}: {told}");
        assert!(told["pieces"].as_u64().unwrap() > 2, "{agent}: {told}");
        assert_eq!(told["tokens"], json!([11, 7]), "{agent}: {told}");
        assert_eq!(told["finish"], json!(["stop", "tool-calls", "stop"]), "{agent}: {told}");
        assert_eq!(told["tool"], "It is open.", "{agent}: {told}");
        assert_eq!(told["vectors"], json!([[0.25, -0.5, 0.75]]), "{agent}: {told}");
        let errors = json!([["invalid", null, null], ["rate-limited", "retryable", 3_600_000]]);
        assert_eq!(told["errors"], errors, "{agent}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_sees_the_names_of_its_models_only() {
    let mock = Mock::start();
    let lab = ModelLab::new(mock.models());
    let grants = json!({"models": {"openai": {}, "gemini": {}}});
    let told = lab.run_under(grants, Gate::open(), json!({"how": "names"})).await.told();
    assert_eq!(told["texts"], json!(["gemini", "openai"]));
}

/// Gemini refuses a conversation whose calls come back without the signature that they came with.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_signs_comes_back_to_it() {
    let call = r#"data: {"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"lookup","args":{"number":7}},"thoughtSignature":"c2lnbmVkLWJ5LXRoZS1tb2RlbA=="}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"m-1"}

"#;
    let word = r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":"open"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"m-1"}

"#;
    let server = HttpsServer::start(move |received| {
        let goes_on = String::from_utf8_lossy(&received.body).contains("issue 7 is open");
        let body = if goes_on { word } else { call };
        answer("200 OK", "content-type: text/event-stream\r\n", body.as_bytes())
    })
    .await;
    let lab = ModelLab::new(model_at("gemini", &format!("https://api.test:{}", server.address.port())));
    let told = lab.run(json!({"how": "tool", "text": "what of issue 7"})).await.told();
    assert_eq!((&told["texts"][1], &told["finish"][0]), (&json!("open"), &json!("FinishReason::ToolCalls")), "{told}");
    let asked: Value = serde_json::from_slice(&server.received()[1].body).unwrap();
    let signatures = asked.to_string().matches("c2lnbmVkLWJ5LXRoZS1tb2RlbA==").count();
    assert_eq!(signatures, 1, "{asked}");
}
