//! What is asked and answered is kept nowhere, unless the deployment wants it; keys are kept from everybody.

use serde_json::json;

use crate::support::https::{HttpsServer, answer};
use crate::support::models::{Mock, ModelLab, model_at};
use crate::support::probe::SECRET;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_holds_questions_and_answers_only_where_the_deployment_wants_them() {
    let mock = Mock::start();
    let mut lab = ModelLab::new(mock.models());
    for how in ["chat", "stream"] {
        let script = json!({"how": how, "text": "hello from Xanadu", "system": "be brief", "model": "anthropic"});
        lab.log_output = false;
        let probed = lab.run(script.clone()).await;
        assert!(probed.log.is_empty(), "{:?}", probed.log);
        lab.log_output = true;
        let probed = lab.run(script).await;
        let lines: Vec<&str> = probed.log.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("hello from Xanadu") && lines[0].contains("be brief"), "{lines:?}");
        assert!(lines[1].contains("Ask away."), "{lines:?}");
        assert!(probed.log.iter().all(|line| line.source == "model"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_sends_the_key_back_does_not_hand_it_to_the_agent() {
    let body = format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":\
         [{{\"index\":0,\"delta\":{{\"content\":\"your key is {SECRET}\"}},\"finish_reason\":\"stop\"}}]}}\n\n\
         data: [DONE]\n\n"
    );
    let server =
        HttpsServer::start(move |_| answer("200 OK", "content-type: text/event-stream\r\n", body.as_bytes())).await;
    let mut lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    lab.log_output = true;
    let probed = lab.run(json!({"text": "what is your key?"})).await;
    assert!(probed.told()["texts"][0].as_str().unwrap().starts_with("your key is "), "{:?}", probed.told());
    probed.assert_no_secret();
    let server = HttpsServer::start(|_| {
        answer("400 Bad Request", "", format!("{{\"error\":{{\"message\":\"not {SECRET}\"}}}}").as_bytes())
    })
    .await;
    let lab = ModelLab::new(model_at("gemini", &format!("https://api.test:{}", server.address.port())));
    let probed = lab.run(json!({"text": "hello"})).await;
    assert!(probed.told()["error"].as_str().unwrap().starts_with("Invalid("));
    probed.assert_no_secret();
    let server = HttpsServer::start(|_| answer("200 OK", &format!("content-encoding: {SECRET}\r\n"), b"")).await;
    let lab = ModelLab::new(model_at("openai", &format!("https://api.test:{}/v1", server.address.port())));
    let probed = lab.run(json!({"text": "hello"})).await;
    assert!(probed.told()["error"].as_str().unwrap().contains("content-encoding"), "{:?}", probed.told());
    probed.assert_no_secret();
}
