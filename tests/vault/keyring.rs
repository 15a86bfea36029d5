//! A wrong, missing or damaged keyring is named at the start, with what to do, and loses nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::{key, key_json, refused};
use crate::support::Server;

#[tokio::test]
async fn a_host_with_a_bad_keyring_says_what_to_do_and_loses_nothing() {
    let mut server = Server::start().await;
    server.stop();
    let path = path(&server);
    let good = fs::read_to_string(&path).unwrap();
    let other = another_keyring();
    let wrong_master = {
        let lookup = good.lines().next().unwrap();
        other.lines().skip(1).fold(format!("{lookup}\n"), |text, line| text + line + "\n")
    };
    let half = good[..good.len() / 2].to_owned();
    for (text, expected) in [
        (wrong_master, "master key 1 in"),
        (other, "is not the database's"),
        (half, "is not a keyring"),
        (String::new(), "is not a keyring"),
        (good.replace("version = 1", "version = 2"), "lacks master key 1, which the database needs (for 1 data keys)"),
        (good.replace("lowest = 1", "lowest = 2"), "below the lowest"),
    ] {
        fs::write(&path, &text).unwrap();
        let said = refused_start(&server);
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(said.contains("backup") || said.contains("copy"), "it does not say what to do: {said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a refusal changes no file");
        assert!(!said.contains(good.lines().last().unwrap().split('"').nth(1).unwrap()), "a key was shown");
    }
    fs::remove_file(&path).unwrap();
    assert!(refused_start(&server).contains("holds no keyring; restore"));

    fs::write(&path, &good).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused_start(&server).contains("chmod 600"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.expect(200)["email"], "owner@localhost");
}

#[tokio::test]
async fn a_keyring_that_lost_the_current_master_key_is_refused() {
    let mut server = Server::start().await;
    server.stop();
    let before = fs::read_to_string(path(&server)).unwrap();
    key_json(&server, &["rotate"]);
    let rotated = fs::read_to_string(path(&server)).unwrap();
    fs::write(path(&server), before).unwrap();
    assert!(refused_start(&server).contains("lacks master key 2"));
    fs::write(path(&server), rotated).unwrap();
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.status, 200);
}

#[tokio::test]
async fn a_keyring_that_parted_from_the_database_s_is_refused_and_neither_is_changed() {
    let mut server = Server::start().await;
    server.stop();
    let old = fs::read_to_string(path(&server)).unwrap();
    key_json(&server, &["rotate"]);
    key_json(&server, &["retire", "--below", "2"]);
    let good = fs::read_to_string(path(&server)).unwrap();
    let others = another_keyring();
    let others = &others[others.find("[[master]]").unwrap()..];
    let another = |version: u32| others.replace("version = 1", &format!("version = {version}"));
    let (lookup, second) = (good.lines().next().unwrap(), &good[good.find("[[master]]").unwrap()..]);
    for (text, expected) in [
        // It was rotated on its own, and the first key is what its own backups need.
        (format!("{old}\n{}", another(2)), "master key 2 in"),
        (format!("{lookup}\n{}\n{}", another(2), another(3)), "master key 2 in"),
        (old.clone(), "lacks master key 2"),
        (format!("{old}\n{}", another(3)), "lacks master key 2"),
    ] {
        fs::write(path(&server), &text).unwrap();
        let said = refused_start(&server);
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(fs::read_to_string(path(&server)).unwrap() == text, "a refusal changes no file: {expected}");
    }
    fs::write(path(&server), &good).unwrap();
    assert_eq!(key_json(&server, &["list"])["newest"], 2, "a refusal makes no key known");
    // A copy from before the old key was retired loses it at the next start.
    fs::write(path(&server), format!("{old}\n{second}")).unwrap();
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.status, 200);
    assert_eq!(super::keys_in_file(&server).len(), 1);
}

#[tokio::test]
async fn the_keyring_may_come_from_the_environment_and_is_then_not_ours_to_change() {
    let mut server = Server::start().await;
    server.stop();
    let text = fs::read_to_string(path(&server)).unwrap();
    fs::remove_file(path(&server)).unwrap();
    server.set("AAASP_KEYRING", &text);
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.expect(200)["email"], "owner@localhost");
    assert!(!path(&server).exists(), "no file is made of it");
    let said = refused(&key(&server, &["rotate"]));
    assert!(said.contains("AAASP_KEYRING"), "{said}");
    server.stop();

    // Whoever starts the host adds a master key; the host takes it into use, and later goes without the old one.
    let second = another_keyring().replace("version = 1", "version = 2");
    let second = &second[second.find("[[master]]").unwrap()..];
    server.set("AAASP_KEYRING", &format!("{text}\n{second}"));
    server.serve();
    let rotated = crate::support::until("the key to be taken into use", || async {
        let status = server.operator().get("/v1/admin/master-keys").await.expect(200);
        (status["current"] == 2 && status["older_data_keys"] == 0).then_some(status)
    });
    rotated.await;
    server.stop();
    let lookup = text.lines().next().unwrap();
    server.set("AAASP_KEYRING", &format!("{lookup}\nlowest = 2\n{second}"));
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.status, 200);
    assert!(!server.said().contains(second.split('"').nth(1).unwrap()), "a key was logged");
}

#[tokio::test]
async fn a_bad_keyring_of_the_environment_is_named_and_not_shown() {
    let mut server = Server::start().await;
    server.stop();
    for bad in ["secret-that-is-no-keyring", "lookup = \"secret-that-is-no-keyring\"\nmaster = []\n"] {
        server.set("AAASP_KEYRING", bad);
        let said = refused_start(&server);
        assert!(said.contains("AAASP_KEYRING is not a keyring") && !said.contains("secret-that"), "{said}");
    }
}

fn refused_start(server: &Server) -> String {
    refused(&server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap())
}

fn path(server: &Server) -> PathBuf {
    server.data().join("keys/keyring.toml")
}

/// The keyring of another database.
fn another_keyring() -> String {
    let other = tempfile::tempdir().unwrap();
    let made = crate::support::server::command(other.path(), None).args(["init", "--json"]).output().unwrap();
    assert!(made.status.success());
    fs::read_to_string(other.path().join("keys/keyring.toml")).unwrap()
}
