//! P09: what models answer is kept nowhere, unless the deployment wants it in its logs.

use serde_json::json;

use crate::api::models::{deploy, offering};
use crate::support::leaks;
use crate::support::models::Mock;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_answers_is_kept_nowhere() {
    let mock = Mock::start();
    let mut server = offering(&mock).await;
    deploy(&server, "asks", json!({"capabilities": ["model"]})).await;
    // The question is put together by the model's own words, so that neither input nor output hold it.
    let input = json!({"how": "secretly", "text": "hello", "model": "anthropic"});
    assert_eq!(server.account.run("asks", input).await["outcome"], "succeeded");
    leaks::assert_nowhere(&mut server, "", &["Ask away"]).await;
}
