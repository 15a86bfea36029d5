//! Several hosts on one PostgreSQL: none touches the runs of another before that one's lease is over.

use std::time::{Duration, Instant};

use aaasp::clock::{Clock, Micros};
use aaasp::config::{Config, Overrides};
use aaasp::db::hosts;
use aaasp::folder::Folder;
use aaasp::host::Store;
use aaasp::ids::HostId;
use serde_json::{Value, json};

use super::{MUCH_FUEL, deploy_guests};
use crate::support::database::Database;
use crate::support::{Client, Server, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_touches_the_runs_of_another_only_when_its_lease_is_over() {
    let mut first = Server::with_config(MUCH_FUEL).await;
    deploy_guests(&first.account, 60_000).await;
    let run = first.account.post("/v1/deployments/burner/runs", json!({"input": null})).await.expect(202);
    let Some(mut second) = first.second_host() else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    let seen = |account: Client, run: Value| async move {
        account.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200)
    };
    // Starting and killing the second host leaves the first one's run alone.
    second.kill();
    second.serve();
    assert_eq!(seen(second.account.clone(), run.clone()).await["status"], "running");

    first.kill();
    let killed = Instant::now();
    assert_eq!(seen(second.account.clone(), run.clone()).await["status"], "running", "its lease is not over");
    let lost = loop {
        let now = seen(second.account.clone(), run.clone()).await;
        if now["status"] == "finished" {
            break now;
        }
        assert!(killed.elapsed() < Duration::from_secs(40), "the run of a dead host was not recovered");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(lost["outcome"], "lost");
    assert_eq!(second.account.balance().await.1, 0);
}

#[tokio::test]
async fn of_the_hosts_that_live_one_does_what_is_to_be_done_once() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::fresh().await);
    let overrides =
        Overrides { database: database.as_ref().map(|database| database.url().into()), ..Overrides::default() };
    let config = Config::load(folder.path(), &overrides).unwrap();
    let store = Store::open(Folder::take(folder.path()).unwrap(), config, Clock::System).await.unwrap();
    let db = &store.db;
    let mut both = [HostId::generate(), HostId::generate()];
    both.sort_by_key(ToString::to_string);
    let first = async |now: i64| {
        let each = both.map(|host| hosts::is_first(db, host, Micros(now)));
        futures::future::try_join_all(each).await.unwrap()
    };
    assert_eq!(first(0).await, [true, true], "nobody has said anything yet");
    for (host, until) in both.into_iter().zip([10, 20]) {
        hosts::begin_epoch(db, host, 1, Micros(0), Micros(until)).await.unwrap();
    }
    assert_eq!(first(5).await, [true, false]);
    assert_eq!(first(15).await, [false, true]);
    hosts::renew_lease(db, both[0], 1, Micros(30)).await.unwrap();
    assert_eq!(first(15).await, [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_keyring_is_refused() {
    let first = Server::start().await;
    let Some(mut second) = first.second_host() else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    second.stop();
    let keyring = second.data().join("keys/keyring.toml");
    let other = tempfile::tempdir().unwrap();
    let made = server::command(other.path(), None).args(["init", "--json"]).output().unwrap();
    assert!(made.status.success());
    std::fs::copy(other.path().join("keys/keyring.toml"), keyring).unwrap();
    let refused = second.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("is not the database's"), "{said}");
}
