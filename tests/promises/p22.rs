//! P22: what is wrong can be corrected: the address, by one command and the agreement of both addresses.

use crate::cli::shell::Shell;
use crate::privacy::erasure::letter;
use crate::support::Server;

#[tokio::test]
async fn one_command_corrects_the_address() {
    let server = Server::start().await;
    let ada = server.another_account("adda@example.org", 0).await;
    let shell = Shell::of(&ada);
    shell.run(&["account", "set", "--email", "ada@example.org"]).expect(0);
    for to in ["adda@example.org", "ada@example.org"] {
        let told = letter(&server, to, "Confirm your new email address").await;
        shell.run_with_input(&["confirm"], told.link()).expect(0);
    }
    assert_eq!(ada.get("/v1/account").await.expect(200)["email"], "ada@example.org");
}
