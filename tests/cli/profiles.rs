//! `aaasp login`: where keys are kept, and whom they are told.

use super::shell::{Shell, mode, url};
use crate::support::Server;

#[tokio::test]
async fn a_key_is_kept_where_nobody_else_reads_it() {
    let server = Server::start().await;
    let address = url(&server.account);
    let shell = Shell::open();
    let login = ["login", "--url", &address, "--profile", "work"];
    let ended = shell.run_with_input(&login, &format!("{}\n", server.account.key())).expect(0);
    assert!(!ended.out.contains(server.account.key()) && !ended.err.contains(server.account.key()));
    let file = shell.path(".config/aaasp/profiles.toml");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(shell.run(&["credits", "--profile", "work", "--json"]).json(0)["held_microcredits"], 0);
    assert!(shell.run(&["credits"]).expect(1).err.contains("aaasp login"));

    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(shell.run(&["credits", "--profile", "work"]).expect(1).err.contains("chmod 600"));
}

#[tokio::test]
async fn a_key_is_told_to_no_other_server_than_its_own() {
    let (server, other) = (Server::start().await, Server::start().await);
    let shell = Shell::open();
    let login = ["login", "--url", &url(&server.account)];
    shell.run_with_input(&login, server.account.key()).expect(0);
    shell.run(&["credits"]).expect(0);
    let ended = shell.run(&["credits", "--url", &url(&other.account)]).expect(1);
    assert!(ended.err.contains("the key of the profile `default` is for"), "{}", ended.err);
}

#[tokio::test]
async fn a_key_that_does_not_work_is_not_kept() {
    let (server, other) = (Server::start().await, Server::start().await);
    let shell = Shell::open();
    let login = ["login", "--url", &url(&server.account)];
    assert!(shell.run_with_input(&login, "aaasp_typo").expect(1).err.contains("not an API key"));
    assert!(shell.run_with_input(&login, other.account.key()).expect(1).err.contains("no account has this key"));
    assert!(!shell.path(".config/aaasp/profiles.toml").exists());
}
