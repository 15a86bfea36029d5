//! What tokens a run is charged for, however it ends.

use aaasp::runtime::{Gate, Outcome};
use serde_json::json;

use crate::support::https::{HttpsServer, Pieces, answer};
use crate::support::models::{Mock, ModelLab, model_at};
use crate::support::probe::SECRET;

fn chunk(text: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

/// Streams two words and then says nothing more.
fn two_words() -> Pieces {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut pieces = vec![head.as_bytes().to_vec()];
    for text in ["one ", "two "] {
        let chunk = chunk(text, "null");
        pieces.push(format!("{:x}\r\n{chunk}\r\n", chunk.len()).into_bytes());
    }
    pieces.push(Vec::new());
    pieces
}

fn lab(server: &HttpsServer) -> ModelLab {
    ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_counts_nothing_is_counted_by_bytes() {
    let body = [chunk("twelve bytes", "\"stop\""), "data: [DONE]\n\n".to_owned()].concat();
    let server =
        HttpsServer::start(move |_| answer("200 OK", "content-type: text/event-stream\r\n", body.as_bytes())).await;
    let probed = lab(&server).run(json!({"text": "hello"})).await;
    let told = probed.told();
    assert_eq!((&told["texts"][0], &told["reported"][0]), (&json!("twelve bytes"), &json!(false)), "{told}");
    let (input, output) = probed.tokens();
    assert!(input >= 5 && output == 12, "{input} {output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_the_agent_drops_is_charged_as_far_as_it_came() {
    let server = HttpsServer::start(|_| two_words()).await;
    let probed = lab(&server).run(json!({"how": "stream", "text": "hello", "pieces": 2})).await;
    assert_eq!(probed.told()["texts"], json!(["one ", "two "]));
    assert_eq!(probed.tokens().1, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_times_out_while_a_model_speaks_is_charged_as_far_as_it_came() {
    let server = HttpsServer::start(|_| two_words()).await;
    let mut lab = lab(&server);
    lab.limits.wall_clock_ms = 2_000;
    for how in ["chat", "stream"] {
        let probed = lab.run(json!({"how": how, "text": "hello"})).await;
        assert_eq!(probed.finished.outcome, Outcome::TimedOut, "{how}");
        let (input, output) = probed.tokens();
        assert!(input > 0 && output == 8, "{how}: {input} {output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_burns_its_fuel_with_a_stream_open_is_charged_for_the_stream() {
    let server = HttpsServer::start(|_| two_words()).await;
    let mut lab = lab(&server);
    lab.limits.fuel = 20_000_000;
    let probed = lab.run(json!({"how": "stream", "text": "hello", "pieces": 2, "hang": true})).await;
    assert_eq!((probed.finished.outcome.clone(), probed.tokens().1), (Outcome::OutOfFuel, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_egress_does_not_let_through_is_charged_for() {
    let stream = "content-type: text/event-stream\r\n";
    let body = chunk("ok", "\"stop\"");
    let too_long = answer("200 OK", &format!("{stream}x-long: {}\r\n", "x".repeat(100)), body.as_bytes());
    let packed = answer("200 OK", &format!("{stream}content-encoding: compress\r\n"), body.as_bytes());
    let nonsense = vec![b"this is no answer\r\n\r\n".to_vec()];
    for (pieces, error) in [(too_long, "LimitReached("), (packed, "Unavailable("), (nonsense, "Unavailable(")] {
        let server = HttpsServer::start(move |_| pieces.clone()).await;
        let mut lab = lab(&server);
        lab.limits.http_response_bytes = 100;
        for how in ["chat", "stream", "embed"] {
            let probed = lab.run(json!({"how": how, "text": "hello"})).await;
            let told = probed.told();
            assert!(told["error"].as_str().unwrap().starts_with(error), "{how}: {told}");
            assert!(probed.tokens().0 > "hello".len() as u64, "{how}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_does_not_leave_costs_no_tokens() {
    let server = HttpsServer::start(|_| two_words()).await;
    let mut lab = lab(&server);
    lab.limits.http_request_bytes = 300;
    let probed = lab.run(json!({"text": "hello ".repeat(100)})).await;
    assert_eq!(probed.told()["error"], "LimitReached(\"http_request_bytes\")");
    assert_eq!(probed.tokens(), (0, 0));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let probed = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", closed.port())))
        .run(json!({"text": "hello"}))
        .await;
    assert!(probed.told()["error"].as_str().unwrap().starts_with("Unavailable("));
    assert_eq!((probed.tokens(), probed.finished.usage.http_requests_sent), ((0, 0), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_larger_than_what_is_left_is_not_asked() {
    let mock = Mock::start();
    let mut lab = ModelLab::new(mock.models());
    lab.limits.model_tokens = 1_000;
    let long = "hello ".repeat(200);
    let probed = lab.run(json!({"text": long, "model": "openai"})).await;
    assert_eq!((&probed.told()["error"], probed.tokens()), (&json!("LimitReached(\"model_tokens\")"), (0, 0)));
    let probed = lab.run(json!({"text": long, "model": "openai", "fail": true})).await;
    assert_eq!(probed.finished.outcome, Outcome::LimitExceeded("model_tokens".into()));
    assert_eq!(probed.finished.usage.http_requests_sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_s_own_credential_goes_along_instead_of_the_operator_s_key() {
    let body = [chunk("ok", "\"stop\""), "data: [DONE]\n\n".to_owned()].concat();
    let server =
        HttpsServer::start(move |_| answer("200 OK", "content-type: text/event-stream\r\n", body.as_bytes())).await;
    let lab = lab(&server);
    lab.vault.keep("mine", "my-own-key-0123456789");
    let grants = json!({"models": {"fast": {"credential": "mine"}}});
    let probed = lab.run_under(grants, Gate::open(), json!({"text": "hello"})).await;
    assert_eq!(probed.told()["texts"], json!(["ok"]));
    let received = &server.received()[0];
    assert_eq!(received.values("authorization"), ["Bearer my-own-key-0123456789"]);
    assert!(!received.head.contains(SECRET));
    let uses = lab.vault.uses();
    assert_eq!((uses.len(), uses[0].0.credential.as_str(), uses[0].1), (1, "mine", Some(Some(200))));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_cache_and_of_hidden_thoughts_are_counted() {
    let anthropic = [
        r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"m-1","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":90,"cache_creation_input_tokens":0,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(|data| {
        let kind = data.split('"').nth(3).unwrap();
        format!("event: {kind}\ndata: {data}\n\n")
    })
    .concat();
    let gemini = r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":90,"candidatesTokenCount":5,"thoughtsTokenCount":20,"totalTokenCount":125},"modelVersion":"m-1"}

"#;
    for (provider, body, tokens) in [("anthropic", anthropic.as_str(), [100, 5, 90]), ("gemini", gemini, [100, 25, 90])]
    {
        let body = body.to_owned();
        let server =
            HttpsServer::start(move |_| answer("200 OK", "content-type: text/event-stream\r\n", body.as_bytes())).await;
        let lab = ModelLab::new(model_at(provider, &format!("https://api.test:{}", server.address.port())));
        let probed = lab.run(json!({"text": "hello"})).await;
        assert_eq!(probed.told()["tokens"], json!([tokens]), "{provider}");
        assert_eq!(probed.tokens(), (tokens[0], tokens[1]), "{provider}");
    }
}
