//! P25: restriction and objection, each by one command.

use serde_json::json;

use crate::cli::shell::Shell;
use crate::support::{Server, guests};

#[tokio::test]
async fn one_command_restricts_and_one_objects() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let shell = Shell::of(account);
    shell.run(&["account", "restrict", "--reason", "I dispute what is kept"]).expect(0);
    account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(403);
    // What there is can be read and taken along.
    account.get("/v1/deployments/echo").await.expect(200);
    shell.run(&["account", "export", "--file", "copy.zip"]).expect(0);
    shell.run(&["account", "unrestrict"]).expect(0);
    assert_eq!(account.run("echo", json!(1)).await["outcome"], "succeeded");
    shell.run(&["account", "object"]).expect(0);
    let said = account.get("/v1/privacy").await.expect(200);
    assert!(said["objected_at"].is_string(), "{said}");
}
