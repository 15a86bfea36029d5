//! An account in restriction keeps what it has, and nothing is done with it; whoever asked for that lifts it.

use aaasp::clock::Clock;
use aaasp::ids::RunId;
use serde_json::{Value, json};

use crate::api::{begun, items, start, text};
use crate::cli::shell::Shell;
use crate::support::{Client, Server, guests, until};

const PATH: &str = "/v1/privacy/restriction";

async fn path_of(account: &Client) -> String {
    format!("/v1/admin/accounts/{}", text(&account.get("/v1/account").await.expect(200), "id"))
}

async fn status(account: &Client) -> String {
    text(&account.get("/v1/account").await.expect(200), "status").to_owned()
}

#[tokio::test]
async fn whoever_restricts_an_account_has_its_runs_cancelled_and_no_more_started() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({"limits": {"concurrent_runs": 1}})).await;
    account.deploy("echo", guests::echo(), json!({})).await;
    let before = account.balance().await;
    let (running, queued) = (start(account, "slow", json!(25_000)).await, start(account, "slow", json!(25_000)).await);
    begun(account, &running).await;
    assert_eq!(text(&queued, "status"), "queued");

    let view = account.put(PATH, json!({"reason": "I dispute what is kept"})).await.expect(200);
    let restriction = &view["restrictions"][0];
    assert_eq!((text(restriction, "by"), text(restriction, "reason")), ("owner", "I dispute what is kept"));
    let refused = account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(403);
    assert!(text(&refused, "detail").contains("restricted"), "{refused}");
    for run in [&running, &queued] {
        let path = format!("/v1/runs/{}", text(run, "id"));
        let ended = until("the run to be cancelled", async || {
            let run = account.get(&path).await.expect(200);
            (run["status"] == "finished").then_some(run)
        })
        .await;
        assert_eq!(text(&ended, "outcome"), "cancelled");
    }
    let (available, held) = account.balance().await;
    assert!(held == 0 && available <= before.0, "{available} {held}");

    // What there is can be read, and what was said is said again.
    assert_eq!(account.get("/v1/privacy").await.expect(200), view);
    account.get("/v1/agents/echo").await.expect(200);
    account.delete(PATH).await.expect(204);
    account.delete(PATH).await.problem(409);
    assert_eq!(account.run("echo", json!(1)).await["output"], 1);
}

/// The gate is below the handlers, which believe a caller for a moment.
#[tokio::test]
async fn a_caller_who_is_still_believed_starts_no_run() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    for word in ["restricted", "suspended", "closing"] {
        account.run("echo", json!(1)).await;
        let before = account.balance().await;
        server.execute(&format!("UPDATE accounts SET status = '{word}'")).await;
        let refused = account.post("/v1/deployments/echo/runs?wait=5", json!({"input": 1})).await.problem(403);
        assert!(text(&refused, "detail").contains(word), "{refused}");
        assert_eq!(account.balance().await, before);
        server.execute("UPDATE accounts SET status = 'active'").await;
        until("the status to hold", async || (status(account).await == "active").then_some(())).await;
    }
}

#[tokio::test]
async fn on_another_host_no_run_starts_either() {
    let server = Server::start().await;
    let Some(second) = server.second_host() else { return };
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let running = start(&second.account, "slow", json!(25_000)).await;
    begun(&second.account, &running).await;
    server.account.put(PATH, json!({})).await.expect(200);
    second.account.post("/v1/deployments/slow/runs", json!({"input": 0})).await.problem(403);
    until("the other host's run to be cancelled", async || {
        let run = second.account.get(&format!("/v1/runs/{}", text(&running, "id"))).await.expect(200);
        (run["outcome"] == "cancelled").then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_lifts_only_what_it_asked_for() {
    let server = Server::start().await;
    let (account, operator) = (&server.account, server.operator());
    let path = path_of(account).await;
    let operate = async |status: &str| {
        let change = json!({"status": status, "reason": "a test"});
        text(&operator.patch(&path, change).await.expect(200), "status").to_owned()
    };
    assert_eq!(operate("restricted").await, "restricted");
    account.delete(PATH).await.problem(409);
    assert_eq!(status(account).await, "restricted");
    account.put(PATH, json!({})).await.expect(200);
    let by: Vec<_> = account.get("/v1/privacy").await.expect(200)["restrictions"].as_array().unwrap().clone();
    assert_eq!(by.iter().map(|one| text(one, "by")).collect::<Vec<_>>(), ["operator", "owner"]);
    // Neither lifts the other's.
    assert_eq!(operate("active").await, "restricted");
    assert_eq!(operate("suspended").await, "suspended");
    assert_eq!(operate("active").await, "restricted");
    assert_eq!(operate("restricted").await, "restricted");
    account.delete(PATH).await.expect(204);
    assert_eq!(status(account).await, "restricted");
    assert_eq!(operate("active").await, "active");
    assert!(account.get("/v1/privacy").await.expect(200)["restrictions"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn who_thinks_again_about_deleting_a_restricted_account_has_it_restricted() {
    let server = Server::start().await;
    let zora = server.another_account("zora@example.org", 0).await;
    zora.delete("/v1/account").await.expect(202);
    let letter = until("the letter", async || {
        server.letters().into_iter().find(|letter| letter.subject == "Delete your account")
    })
    .await;
    server.account.with_key(None).post("/v1/accounts/confirm", json!({"link": letter.link()})).await.expect(200);
    assert_eq!(status(&zora).await, "closing");
    zora.put(PATH, json!({})).await.expect(200);
    assert_eq!(status(&zora).await, "closing");
    zora.delete("/v1/account/deletion").await.expect(204);
    assert_eq!(status(&zora).await, "restricted");
    zora.delete(PATH).await.expect(204);
    assert_eq!(status(&zora).await, "active");
}

#[tokio::test]
async fn nothing_of_a_restricted_account_is_deleted_because_of_its_age() {
    let mut server = Server::with_config("[retention]\ncontent_days = 3\nlog_days = 3\n").await;
    let other = server.another_account("other@example.org", 100_000_000).await;
    for (account, days) in [(&server.account, 9), (&other, 10)] {
        account.deploy("greet", guests::greet(), json!({})).await;
        let run = text(&account.run("greet", json!(3)).await, "id").to_owned();
        let old = RunId::first_at(Clock::System.now().plus_ms(-days * 86_400_000));
        server.execute(&format!("UPDATE log_chunks SET created_at = 1, run_id = '{old}' WHERE run_id = '{run}'")).await;
        server.execute(&format!("UPDATE runs SET id = '{old}' WHERE id = '{run}'")).await;
    }
    other.put(PATH, json!({})).await.expect(200);
    server.stop();
    server.serve();
    until("what is too old to be forgotten", async || {
        (server.count("SELECT COUNT(*) FROM runs WHERE LENGTH(sealed_input) > 0").await == 1).then_some(())
    })
    .await;
    until("old logs to be deleted", async || {
        (server.count("SELECT COUNT(DISTINCT account_id) FROM log_chunks").await == 1).then_some(())
    })
    .await;
    let kept = "SELECT COUNT(*) FROM runs JOIN accounts ON accounts.id = runs.account_id
                WHERE LENGTH(sealed_input) > 0 AND accounts.status = 'restricted'";
    assert_eq!(server.count(kept).await, 1);
}

#[tokio::test]
async fn whoever_objects_is_left_out_until_the_objection_is_withdrawn() {
    let server = Server::start().await;
    let account = &server.account;
    assert_eq!(account.get("/v1/privacy").await.expect(200)["objected_at"], Value::Null);
    let since = account.put("/v1/privacy/objection", json!({})).await.expect(200)["objected_at"].clone();
    assert!(since.is_string(), "{since}");
    assert_eq!(account.put("/v1/privacy/objection", json!({})).await.expect(200)["objected_at"], since);
    account.delete("/v1/privacy/objection").await.expect(204);
    assert_eq!(account.get("/v1/privacy").await.expect(200)["objected_at"], Value::Null);
}

#[tokio::test]
async fn each_is_one_command() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let said = shell.run(&["account", "restrict", "--reason", "a dispute"]).expect(0).out;
    assert!(said.contains("by the owner since") && said.contains("a dispute"), "{said}");
    assert_eq!(status(&server.account).await, "restricted");
    shell.run(&["account", "unrestrict"]).expect(0);
    assert_eq!(status(&server.account).await, "active");
    assert!(shell.run(&["account", "object"]).expect(0).out.contains("no, since"));
    let json = shell.run(&["account", "privacy", "--json"]).json(0);
    assert!(items(&json!({"items": json["restrictions"]})).is_empty() && json["objected_at"].is_string(), "{json}");
    shell.run(&["account", "unobject"]).expect(0);
}
