//! P13: how the service is used is looked at in aggregate alone: metrics name routes and statuses, and no account, and
//! statistics hide whether an account is in them.

use aaasp::clock::{Clock, Micros};
use aaasp::db::statistics;
use aaasp::statistics::counted;
use serde_json::{Value, json};

use crate::api::text;
use crate::cli::shell::Shell;
use crate::support::later::Later;
use crate::support::vault::Vault;
use crate::support::{Client, Server, guests, until};

#[tokio::test]
async fn metrics_name_no_account() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::with_config(&format!("metrics_listen = \"{address}\"\n")).await;
    let account = server.account.get("/v1/account").await.expect(200);
    server.account.deploy("my-own-agent", guests::echo(), json!({})).await;
    server.account.run("my-own-agent", json!(1)).await;
    let metrics = Client::new(&format!("http://{address}"), None).get("/metrics").await.text;
    assert!(metrics.contains("aaasp_http_requests_total"), "{metrics}");
    for own in [&account["id"], &account["email"], &json!("my-own-agent"), &json!("acc_"), &json!("127.0.0.1")] {
        assert!(!metrics.contains(own.as_str().unwrap()), "{own} is in {metrics}");
    }
}

#[tokio::test]
async fn whoever_objects_or_is_restricted_or_not_active_is_not_counted() {
    let mut server = Server::start().await;
    let all = ["works", "idle", "objects", "restricted", "suspended", "closing"];
    let mut accounts = Vec::new();
    for name in all {
        accounts.push(server.another_account(&format!("{name}@example.org"), 100_000_000).await);
    }
    for account in [&accounts[0], &accounts[2], &accounts[3]] {
        account.deploy("echo", guests::echo(), json!({})).await;
        for _ in 0..12 {
            account.run("echo", json!(1)).await;
        }
    }
    accounts[2].put("/v1/privacy/objection", json!({})).await.expect(200);
    accounts[3].put("/v1/privacy/restriction", json!({})).await.expect(200);
    for (name, status) in [(4, "suspended"), (5, "closing")] {
        let id = text(&accounts[name].get("/v1/account").await.expect(200), "id").to_owned();
        server.execute(&format!("UPDATE accounts SET status = '{status}' WHERE id = '{id}'")).await;
    }
    let first = text(&server.account.get("/v1/account").await.expect(200), "id").to_owned();
    server.stop();
    let vault = Vault::open(&server, &first).await;
    let now = Clock::System.now();
    let uses = statistics::uses(&vault.store.db, (Micros(0), now)).await.unwrap();
    // The first account of all is idle, too.
    let counts = counted(&uses);
    assert_eq!(counts[0], [2, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(counts[1].iter().sum::<i64>(), 3);
    assert_eq!(counts[2], [2, 0, 0, 0, 0, 1]);
    // An account that came later is not in a period before it, and runs are those of the period.
    assert_eq!(statistics::uses(&vault.store.db, (Micros(0), Micros(1))).await.unwrap(), []);
    let after = statistics::uses(&vault.store.db, (now, now.plus_ms(1_000))).await.unwrap();
    assert_eq!(counted(&after)[0], [3, 0, 0, 0, 0, 0, 0, 0]);
    vault.close().await;
}

// The host is served in the test itself, which waits for a command.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_made_once_and_shows_no_small_count() {
    let mut server = Server::start().await;
    // All of them idle, so that one count is surely shown and all others surely are small.
    for number in 0..60 {
        server.another_account(&format!("{number}@example.org"), 0).await;
    }
    server.operator().get("/v1/admin/statistics?month=2999-01").await.problem(422);
    server.operator().get("/v1/admin/statistics?month=January").await.problem(422);
    let empty = server.operator().get("/v1/admin/statistics?month=1999-01").await.expect(200);
    assert_eq!(empty["made_at"], Value::Null);
    assert!(empty.to_string().contains("\"accounts\":null") && !empty.to_string().contains("\"accounts\":0"));
    server.stop();

    let later = Later::serve(&server, 33).await;
    let operator = later.account.with_key(Some(server.operator_key().trim()));
    let path = "/v1/admin/statistics";
    let made = until("the month to be made", async || {
        let shown = operator.get(path).await.expect(200);
        shown["made_at"].is_string().then_some(shown)
    })
    .await;
    assert_eq!((&made["epsilon"], &made["minimum"]), (&json!(0.25), &json!(10)));
    assert!(text(&made, "method").contains("discrete Laplace"));
    assert_eq!(made["histograms"].as_array().unwrap().len(), 3);
    for histogram in made["histograms"].as_array().unwrap() {
        for bucket in histogram["buckets"].as_array().unwrap() {
            assert!(bucket["accounts"].is_null() || bucket["accounts"].as_i64().unwrap() >= 10, "{bucket}");
        }
        let idle = histogram["buckets"][0]["accounts"].as_i64().unwrap();
        assert!((10..120).contains(&idle), "{histogram}");
    }
    assert_eq!(operator.get(path).await.expect(200), made);
    assert!(!made.to_string().contains("acc_"));
    let shell = Shell::of(&operator).with("AAASP_OPERATOR_KEY", operator.key());
    let said = shell.run(&["admin", "statistics"]).expect(0);
    assert!(said.out.contains("fewer than 10"), "{}", said.out);
    later.stop().await;
    // Nor does a start make it anew.
    let later = Later::serve(&server, 33).await;
    let operator = later.account.with_key(Some(server.operator_key().trim()));
    assert_eq!(operator.get(path).await.expect(200), made);
    // That of the month before the server was first started is there, too.
    assert_eq!(server.count("SELECT COUNT(*) FROM statistics").await, 2);
    later.stop().await;
}
