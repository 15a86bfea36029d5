//! `/v1/credits`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{all_items, begun, fields, items, start, text};
use crate::support::{Client, Server, guests, until};

#[tokio::test]
async fn an_account_sees_what_is_available_and_what_is_held() {
    let server = Server::with("", 5).await;
    assert_eq!(server.account.balance().await, (5_000_000, 0));
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(&server.account, "slow", json!(20_000)).await;
    begun(&server.account, &run).await;
    let held = run["held_microcredits"].as_i64().unwrap();
    assert!(held > 0);
    assert_eq!(server.account.balance().await, (5_000_000 - held, held));
}

#[tokio::test]
async fn transactions_explain_the_balance_and_page_latest_first() {
    let server = Server::with("", 5).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let first = account.run("echo", json!(1)).await;
    let second = account.run("echo", json!(2)).await;

    let all = all_items(account, "/v1/credits/transactions", 2).await;
    assert_eq!(fields(&all, "reason"), ["settle", "release", "hold", "settle", "release", "hold", "grant"]);
    let subjects = fields(&all, "subject");
    assert!(subjects[..3].iter().all(|subject| subject == text(&second, "id")), "{subjects:?}");
    assert!(subjects[3..6].iter().all(|subject| subject == text(&first, "id")), "{subjects:?}");
    let ids = fields(&all, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "one is shown twice: {ids:?}");

    let available: i64 = all.iter().map(change_of_available).sum();
    assert_eq!(account.balance().await, (available, 0));
    let charged: i64 = [&first, &second].iter().map(|run| run["charge_microcredits"].as_i64().unwrap()).sum();
    assert_eq!(available, 5_000_000 - charged);
}

fn change_of_available(transaction: &Value) -> i64 {
    let amount = transaction["amount_microcredits"].as_i64().unwrap();
    match (text(transaction, "from"), text(transaction, "to")) {
        (_, "credits") => amount,
        ("credits", _) => -amount,
        _ => 0,
    }
}

#[tokio::test]
async fn an_account_without_credits_is_told_what_a_run_requires() {
    let server = Server::with("", 0).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let deployed = server.account.get("/v1/deployments/echo").await.expect(200);
    let problem = server.account.post("/v1/deployments/echo/runs", json!({"input": 1})).await.problem(402);
    assert_eq!(text(&problem, "type"), "urn:aaasp:problem:insufficient-credits");
    assert_eq!(problem["required_microcredits"], deployed["hold_microcredits"]);
    assert_eq!((&problem["available_microcredits"], &problem["held_microcredits"]), (&json!(0), &json!(0)));
    assert!(items(&server.account.get("/v1/runs").await.expect(200)).is_empty());
    assert!(items(&server.account.get("/v1/credits/transactions").await.expect(200)).is_empty());
}

#[tokio::test]
async fn transactions_are_filtered_by_reason_subject_and_time() {
    let server = Server::with("", 5).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let first = account.run("echo", json!(1)).await;
    let second = account.run("echo", json!(2)).await;
    let of = async |filter: &str| {
        let page = account.get(&format!("/v1/credits/transactions?{filter}")).await.expect(200);
        items(&page).clone()
    };
    assert_eq!(fields(&of("reason=grant").await, "amount_microcredits"), ["5000000"]);
    let settled = of("reason=settle").await;
    assert_eq!(fields(&settled, "subject"), [text(&second, "id"), text(&first, "id")]);
    let all_of_first = of(&format!("subject={}", text(&first, "id"))).await;
    assert_eq!(fields(&all_of_first, "reason"), ["settle", "release", "hold"]);
    let held = of(&format!("subject={}&reason=hold", text(&first, "id"))).await;
    assert_eq!(held[0]["available_change_microcredits"], -first["held_microcredits"].as_i64().unwrap());
    let page =
        account.get(&format!("/v1/credits/transactions?subject={}&limit=2", text(&first, "id"))).await.expect(200);
    let rest = of(&format!("subject={}&after={}", text(&first, "id"), text(&page, "next"))).await;
    assert_eq!(fields(&rest, "reason"), ["hold"]);

    let end = text(&settled[1], "at");
    let later = of(&format!("from={end}")).await;
    assert_eq!(fields(&later, "reason"), ["settle", "release", "hold", "settle", "release"]);
    let earlier = of(&format!("to={end}")).await;
    assert_eq!(fields(&earlier, "reason"), ["hold", "grant"]);
    assert!(of(&format!("from={end}&to={end}")).await.is_empty());
    let problem = account.get("/v1/credits/transactions?reason=theft").await.problem(422);
    assert!(text(&problem, "detail").contains("`reason`"), "{problem}");
    account.get("/v1/credits/transactions?format=xml").await.problem(422);
}

#[tokio::test]
async fn a_table_for_spreadsheets_holds_all_of_it_and_sums_to_the_balance() {
    let server = Server::with("", 5).await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    for number in 0..3 {
        account.run("echo", json!(number)).await;
    }
    let asked = account.request(Method::GET, "/v1/credits/transactions").header("accept", "text/csv");
    let reply = Client::send(asked).await;
    assert_eq!(
        (reply.status, reply.headers["content-type"].to_str().unwrap()),
        (200, "text/csv; charset=utf-8; header=present")
    );
    assert!(reply.text.ends_with("\r\n"));
    let rows: Vec<Vec<&str>> = reply.text.lines().map(|line| line.split(',').collect()).collect();
    let header =
        ["id", "at", "reason", "subject", "from", "to", "amount_microcredits", "available_change_microcredits"];
    assert_eq!(rows[0], header);
    let all = all_items(account, "/v1/credits/transactions", 200).await;
    assert_eq!(rows[1..].iter().map(|row| row[0]).collect::<Vec<_>>(), fields(&all, "id"));
    let sum: i64 = rows[1..].iter().map(|row| row[7].parse::<i64>().unwrap()).sum();
    assert_eq!(account.balance().await, (sum, 0));
    let few = account.get("/v1/credits/transactions?format=csv&reason=settle&limit=2").await.text;
    assert_eq!(few.lines().count(), 3);
}

#[tokio::test]
async fn a_charge_is_explained_with_the_prices_that_it_was_made_under() {
    let server = Server::with_config("[prices]\nrun_microcredits = 10\n").await;
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let run = account.run("echo", json!(1)).await;
    let charges = async |run: &Value| account.get(&format!("/v1/runs/{}/charges", text(run, "id"))).await.expect(200);
    let explained = charges(&run).await;
    assert_eq!(explained["charge_microcredits"], run["charge_microcredits"]);
    let lines = explained["lines"].as_array().unwrap();
    assert_eq!(lines.len(), run["charges"].as_array().unwrap().len());
    for (line, charged) in lines.iter().zip(run["charges"].as_array().unwrap()) {
        for field in ["item", "quantity", "unit", "amount_microcredits"] {
            assert_eq!(line[field], charged[field]);
        }
        assert!(line["price_microcredits"].is_i64() && line["price_for"].is_string(), "{line}");
    }
    assert_eq!((&lines[0]["item"], &lines[0]["price_microcredits"]), (&json!("run"), &json!(10)));
    let sum: i64 = lines.iter().map(|line| line["amount_microcredits"].as_i64().unwrap()).sum();
    assert_eq!(explained["charge_microcredits"], sum);
    let (held, released) = (&explained["held_microcredits"], &explained["released_microcredits"]);
    assert_eq!(held.as_i64().unwrap(), sum + released.as_i64().unwrap());

    // Another price list is another version; what was charged before stays as it was.
    let file = server.data().join("aaasp.toml");
    std::fs::write(&file, "[prices]\nrun_microcredits = 11\n").unwrap();
    server.operator().post("/v1/admin/reload", json!({"reason": "a test"})).await.expect(200);
    let later = until("the new price", async || {
        let explained = charges(&account.run("echo", json!(1)).await).await;
        (explained["lines"][0]["price_microcredits"] == 11).then_some(explained)
    })
    .await;
    assert_ne!(later["price_version"], explained["price_version"]);
    assert_eq!(charges(&run).await, explained);

    account.deploy("slow", guests::slow(), json!({})).await;
    let running = charges(&start(account, "slow", json!(5_000)).await).await;
    assert_eq!((&running["charge_microcredits"], &running["lines"]), (&Value::Null, &json!([])));
    assert_eq!(running["price_version"], later["price_version"]);
}
