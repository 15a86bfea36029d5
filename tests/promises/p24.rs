//! P24: what is had can be taken elsewhere: structured, machine-readable, and read by another server.

use serde_json::json;

use crate::cli::shell::Shell;
use crate::support::{Server, guests};

#[tokio::test]
async fn two_commands_take_an_agent_elsewhere() {
    let (here, there) = (Server::start().await, Server::start().await);
    here.account.deploy("echo", guests::echo(), json!({"config": {"language": "en"}})).await;
    let shell = Shell::of(&here.account);
    shell.run(&["account", "export", "--file", "copy.zip"]).expect(0);
    let copy = shell.path("copy.zip");
    Shell::of(&there.account).run(&["import", copy.to_str().unwrap()]).expect(0);
    assert_eq!(there.account.run("echo", json!("carried over")).await["output"], "carried over");
}
