//! P14: no clear text to other machines, AES-256 at rest.

use serde_json::json;

use crate::support::{Server, guests, leaks};

#[tokio::test]
async fn nothing_is_in_the_clear_for_others_nor_on_the_disk() {
    let mut server = Server::start().await;
    let words = "a question that nobody else should read";
    server.account.deploy("echo", guests::echo(), json!({"config": {"who": "configured in private"}})).await;
    assert_eq!(server.account.run("echo", json!(words)).await["output"], words);
    leaks::assert_nowhere(&mut server, "", &[words, "configured in private"]).await;
    let refused = server.command().args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("clear text"), "{refused:?}");
}
