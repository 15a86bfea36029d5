//! P23: deletion, by one command and the link that it sends.

use crate::cli::shell::Shell;
use crate::privacy::erasure::{erased, letter};
use crate::support::Server;

#[tokio::test]
async fn one_command_deletes_the_account() {
    let server = Server::with_config("[accounts]\nclosing_days = 0\n[host]\nslow_client_ms = 1000\n").await;
    let ada = server.another_account("ada@example.org", 0).await;
    let shell = Shell::of(&ada);
    shell.run(&["account", "delete"]).expect(0);
    let told = letter(&server, "ada@example.org", "Delete your account").await;
    shell.run_with_input(&["confirm"], told.link()).expect(0);
    let erasure = erased(&server).await;
    assert!(erasure["certificate"]["erased"]["api_keys"].as_u64() >= Some(1), "{erasure}");
}
