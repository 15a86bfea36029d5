//! `/v1/credits/statements`: a statement for each month in which anything moved, numbered without a gap.

use serde_json::{Value, json};
use sqlx::Row as _;

use super::{fields, items, text};
use crate::support::{Client, Server, guests, until};

/// Days, in microseconds.
const DAY: i64 = 86_400_000_000;

async fn statements(client: &Client, count: usize) -> Vec<Value> {
    until("the statements to be issued", async || {
        let found = items(&client.get("/v1/credits/statements").await.expect(200)).clone();
        (found.len() >= count).then_some(found)
    })
    .await
}

/// The number and the document of every statement.
async fn documents(server: &Server) -> Vec<(i64, String)> {
    let query = sqlx::query("SELECT number, document FROM statements ORDER BY number");
    let rows = query.fetch_all(&mut server.connect().await).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// A server whose first account was given credits 100 days ago and has run something 40 days ago, and now.
async fn with_a_past() -> Server {
    let mut server = Server::with("", 5).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let other = server.another_account("other@example.org", 3_000_000).await;
    other.deploy("echo", guests::echo(), json!({})).await;
    server.account.run("echo", json!(1)).await;
    other.run("echo", json!(1)).await;
    assert!(items(&server.account.get("/v1/credits/statements").await.expect(200)).is_empty());
    server.stop();
    // What was done just now was done long ago. The hash chain notices, which nobody asks here.
    server.execute(&format!("UPDATE transfers SET at = at - {} WHERE verb = 'grant'", 100 * DAY)).await;
    server.execute(&format!("UPDATE transfers SET at = at - {} WHERE verb <> 'grant'", 40 * DAY)).await;
    server.serve();
    server.account.run("echo", json!(2)).await;
    server
}

#[tokio::test]
async fn each_month_with_a_movement_has_a_statement_that_goes_on_from_the_one_before() {
    let server = with_a_past().await;
    let account = &server.account;
    let issued = statements(account, 2).await;
    let [later, first] = &issued[..] else { panic!("{issued:?}") };
    assert_eq!((&first["opening_microcredits"], &first["closing_microcredits"]), (&json!(0), &json!(5_000_000)));
    assert_eq!(fields(first["movements"].as_array().unwrap(), "reason"), ["grant"]);
    assert_eq!(first["runs"], 0);
    let movements = later["movements"].as_array().unwrap();
    assert_eq!(fields(movements, "reason"), ["settle"]);
    let changes: i64 = movements.iter().map(|m| m["balance_change_microcredits"].as_i64().unwrap()).sum();
    assert_eq!(later["opening_microcredits"], 5_000_000);
    assert_eq!(later["closing_microcredits"].as_i64().unwrap(), 5_000_000 + changes);
    assert!(changes < 0 && later["booked_late_microcredits"] == 0 && later["runs"] == 1, "{later}");
    let spent = |each: &Value| (each["name"].clone(), each["runs"].clone(), each["charged_microcredits"].clone());
    let deployments: Vec<_> = later["deployments"].as_array().unwrap().iter().map(spent).collect();
    assert_eq!(deployments, [(json!("echo"), json!(1), json!(-changes))]);
    assert_eq!(first["deployments"], json!([]));
    assert!(text(first, "month") < text(later, "month") && text(first, "to") <= text(later, "from"));

    let number = later["number"].as_i64().unwrap();
    let path = format!("/v1/credits/statements/{number}");
    assert_eq!(&account.get(&path).await.expect(200), later);
    account.get("/v1/credits/statements/999").await.problem(404);
    account.get("/v1/credits/statements/first").await.problem(404);
    let page = account.get(&format!("{path}?format=pdf")).await;
    assert_eq!((page.status, page.headers["content-type"].to_str().unwrap()), (200, "application/pdf"));
    assert!(page.text.starts_with("%PDF-"));
    account.get(&format!("{path}?format=txt")).await.problem(422);
}

#[tokio::test]
async fn numbers_have_no_gap_and_a_statement_that_was_issued_stays_as_it_is() {
    let mut server = with_a_past().await;
    let before = statements(&server.account, 2).await;
    let issued = until("those of the other account", async || {
        let all = documents(&server).await;
        (all.len() == 4).then_some(all)
    })
    .await;
    assert_eq!(issued.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(issued.iter().all(|(_, document)| !document.contains("@") && !document.contains("acc_")), "{issued:?}");
    let foreign: Vec<_> = issued.iter().filter(|(n, _)| before.iter().all(|own| own["number"] != *n)).collect();
    assert_eq!(foreign.len(), 2);
    for (number, _) in foreign {
        server.account.get(&format!("/v1/credits/statements/{number}")).await.problem(404);
    }
    server.stop();
    server.serve();
    server.account.get("/v1/credits").await.expect(200);
    assert_eq!(statements(&server.account, 2).await, before);
    assert_eq!(documents(&server).await, issued);
}

#[tokio::test]
async fn a_statement_says_what_each_deployment_was_charged() {
    let mut server = Server::with("", 5).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    account.deploy("slow", guests::slow(), json!({})).await;
    account.put("/v1/deployments/gone", json!({"agent": "echo"})).await.expect(201);
    let mut charged = std::collections::BTreeMap::<_, i64>::new();
    for name in ["echo", "slow", "gone", "slow"] {
        *charged.entry(name).or_default() += account.run(name, json!(1)).await["charge_microcredits"].as_i64().unwrap();
    }
    assert_eq!(account.delete("/v1/deployments/gone").await.status, 204);
    server.stop();
    server.execute(&format!("UPDATE transfers SET at = at - {}", 40 * DAY)).await;
    // A run that is gone is counted with the rest.
    server.execute("DELETE FROM runs WHERE deployment_id IN (SELECT id FROM deployments WHERE name = 'echo')").await;
    server.serve();
    let issued = statements(&server.account, 1).await.remove(0);
    let spent = |each: &Value| {
        let name = each["name"].as_str().unwrap_or("echo").to_owned();
        (name, each["runs"].as_i64().unwrap(), each["charged_microcredits"].as_i64().unwrap())
    };
    let of = |name: &str, runs: i64| (name.to_owned(), runs, charged[name]);
    let found: Vec<_> = issued["deployments"].as_array().unwrap().iter().map(spent).collect();
    assert_eq!(found, [of("slow", 2), of("gone", 1), of("echo", 1)]);
    assert_eq!(issued["deployments"][2].get("deployment"), None);
    assert!(documents(&server).await.iter().all(|(_, document)| !document.contains("slow")));
    let page = server.account.get(&format!("/v1/credits/statements/{}?format=pdf", issued["number"])).await;
    assert!(page.text.contains("(slow)") && page.text.contains("(all others)"), "{}", page.text);
}

#[tokio::test]
async fn what_is_written_after_the_statement_of_its_month_is_named_on_the_next_one() {
    let mut server = Server::with("", 5).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let runs = [server.account.run("echo", json!(1)).await, server.account.run("echo", json!(2)).await];
    server.stop();
    server.execute(&format!("UPDATE transfers SET at = at - {} WHERE verb = 'grant'", 100 * DAY)).await;
    server.serve();
    assert_eq!(statements(&server.account, 1).await[0]["closing_microcredits"], 5_000_000);
    server.stop();
    let [late, in_time] = runs.each_ref().map(|run| text(run, "id"));
    let past = |days: i64, which: &str| format!("UPDATE transfers SET at = at - {} WHERE {which}", days * DAY);
    server.execute(&past(100, &format!("verb = 'settle' AND subject = '{late}'"))).await;
    server.execute(&past(40, &format!("subject = '{in_time}'"))).await;
    server.serve();
    let next = statements(&server.account, 2).await.remove(0);
    let charges = runs.each_ref().map(|run| run["charge_microcredits"].as_i64().unwrap());
    assert_eq!(next["booked_late_microcredits"], -charges[0]);
    assert_eq!(next["closing_microcredits"], 5_000_000 - charges[0] - charges[1]);
}

#[tokio::test]
async fn hosts_that_issue_at_the_same_time_issue_each_statement_once() {
    let server = with_a_past().await;
    let Some(second) = server.second_host() else { return };
    let (here, there) = (statements(&server.account, 2).await, statements(&second.account, 2).await);
    assert_eq!(here, there);
}
