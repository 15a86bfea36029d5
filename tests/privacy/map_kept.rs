//! What the data map says is kept for a time goes when that is over, table by table, and not before.

use std::collections::BTreeMap;

use aaasp::clock::Micros;
use aaasp::ids::{ActId, RequestId};
use aaasp::statements::Month;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::api::{items, text};
use crate::cli::shell::Shell;
use crate::support::dodo::Dodo;
use crate::support::later::Later;
use crate::support::{Client, Server, guests, until};

const CONFIG: &str = "
    [retention]
    idempotency_hours = 24
    log_days = 2
    content_days = 3
    request_days = 4
    letter_days = 5
    ended_key_days = 6
    export_days = 7
    webhook_days = 8
    audit_days = 9
    billing_days = 2557
    [plans.default]
    monthly_grant_microcredits = 5
";

/// How many days each word of the map stands for, under that configuration. What expires does so by itself, at the
/// latest when the clocks of hosts can't differ about a month any more.
const DAYS: [(&str, i64); 11] = [
    ("idempotency", 1),
    ("logs", 2),
    ("content", 3),
    ("requests", 4),
    ("letters", 5),
    ("ended_keys", 6),
    ("exports", 7),
    ("webhooks", 8),
    ("audit", 9),
    ("expiry", 70),
    ("billing", 2557),
];

const DAY_MICROS: i64 = 86_400_000_000;

/// The rows of a table, or what is in a column of it, whose time is over at a moment, when its time began before
/// another one.
fn over(table: &str, now: Micros, began: Micros) -> String {
    let (at, then) = (now.0, began.0);
    match table {
        "log_chunks" | "answered_requests" | "top_ups" | "reversals" => format!("created_at < {then}"),
        "runs" => format!(
            "created_at < {then} AND status = 'finished'
             AND (LENGTH(sealed_input) > 0 OR sealed_output IS NOT NULL OR sealed_error IS NOT NULL)"
        ),
        "request_batches" => format!("last_id < '{}'", RequestId::first_at(began)),
        "audit_contents" => format!("id < '{}'", ActId::first_at(began)),
        "credential_uses" => format!("used_at < {then}"),
        "letters" | "rights_requests" => format!("ended_at < {then}"),
        "api_keys" => format!("(revoked_at < {then} OR expires_at < {then})"),
        "export_parts" => format!("export_id IN (SELECT id FROM exports WHERE expires_at < {at})"),
        "webhooks" => format!("received_at < {then}"),
        "payments" => format!("told_at < {then}"),
        "links" | "email_changes" => format!("expires_at < {at}"),
        "monthly_grants" => format!("month < '{}'", Month::of(Micros(at - 32 * DAY_MICROS))),
        // A tenant's last one is what the next one goes on from.
        "statements" => format!(
            "period_end < {then} AND EXISTS (
                 SELECT 1 FROM statements AS later WHERE later.tenant = statements.tenant
                   AND later.period_end > statements.period_end)"
        ),
        unknown => panic!("how is the age of rows of {unknown} seen?"),
    }
}

/// Whatever will be over some day: not before the year 3000.
fn some_day(table: &str) -> String {
    let then = Micros(32_503_680_000_000_000);
    over(table, then, then)
}

/// Each table that the printed map says is kept for a time, or has a column that is, with its days.
fn kept_for_a_time() -> BTreeMap<String, i64> {
    let map = Shell::open().run(&["privacy", "map", "--json"]).json(0);
    let days = |kept: &Value| {
        let word = kept.as_str().unwrap();
        let known = DAYS.iter().find(|(known, _)| *known == word);
        assert!(known.is_some() || ["account", "service"].contains(&word), "how long is {word}?");
        known.map(|(_, days)| *days)
    };
    let tables = map["tables"].as_array().or_else(|| map.as_array()).unwrap();
    let mut found = BTreeMap::new();
    for table in tables {
        let columns = table["columns"].as_array().unwrap().iter().map(|column| &column["kept"]);
        let kept = columns.filter(|kept| !kept.is_null()).chain([&table["kept"]]);
        for days in kept.filter_map(days) {
            found.insert(text(table, "name").to_owned(), days);
        }
    }
    assert!(found.len() >= 17, "{found:?}");
    found
}

/// Something in each table that an account can have something in, by the doors that there are.
async fn fill(server: &Server, account: &Client) {
    account.deploy("greet", guests::greet(), json!({})).await;
    let once = account.request(Method::POST, "/v1/deployments/greet/runs?wait=60").header("idempotency-key", "once");
    Client::send(once.json(&json!({"input": 2}))).await.expect(200);
    let key = account.post("/v1/api-keys", json!({"name": "short"})).await.expect(201);
    account.delete(&format!("/v1/api-keys/{}", text(&key, "id"))).await.expect(204);
    account.put("/v1/privacy/restriction", json!({})).await.expect(200);
    account.delete("/v1/privacy/restriction").await.expect(204);
    account.delete("/v1/account").await.expect(202);
    let own = account.get("/v1/account").await.expect(200);
    account.patch("/v1/account", json!({"email": format!("{}@example.net", text(&own, "id"))})).await.expect(200);
    account.post("/v1/privacy/exports", json!({})).await.expect(202);
    until("the copy", async || {
        (account.get("/v1/privacy/exports").await.expect(200)["state"] == "ready").then_some(())
    })
    .await;
    // No guest asks for anything here.
    let insert = "INSERT INTO credential_uses
             (account_id, id, deployment_id, run_id, credential, version, sealed_purpose, status, used_at, ended_at)
         SELECT account_id, 'use_' || id, deployment_id, id, 'a credential', 1, sealed_input, 200, created_at, created_at
         FROM runs WHERE account_id = $1";
    server.execute_with(insert, text(&own, "id")).await;
}

/// The rows of a table, of an account or of all others, that are over some day.
async fn count_all(server: &Server, table: &str, (account, is): (&str, bool)) -> i64 {
    count(server, table, &format!("{} AND {}", some_day(table), whose(table, account, is))).await
}

async fn count(server: &Server, table: &str, condition: &str) -> i64 {
    let text = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table} WHERE {condition}"));
    sqlx::query(text).fetch_one(&mut server.connect().await).await.unwrap().get(0)
}

/// The rows of tables that are not of an account, or are.
fn whose(table: &str, account: &str, is: bool) -> String {
    let not = if is { "" } else { "NOT " };
    match table {
        "statements" => {
            format!("{not}tenant IN (SELECT tenant FROM tenants WHERE account_id = '{account}')")
        }
        _ if is => format!("account_id = '{account}'"),
        _ => format!("(account_id IS NULL OR account_id <> '{account}')"),
    }
}

#[tokio::test]
async fn what_the_map_says_is_kept_for_a_time_goes_then_and_not_before_and_what_is_held_stays() {
    let kept = kept_for_a_time();
    let dodo = Dodo::start().await;
    let mut server = dodo.server_with(CONFIG, 100_000_000).await;
    let held = server.another_account("held@example.org", 100_000_000).await;
    for account in [&server.account, &held] {
        let asked = account.post("/v1/credits/top-ups", json!({"amount": 500, "currency": "EUR"})).await.expect(201);
        let payment = dodo.payment(text(&asked, "id"), (500, 0), "succeeded");
        dodo.tell(&server, "payment.succeeded", &payment).await;
        dodo.tell(&server, "refund.succeeded", &dodo.refund(&payment, Some(100), "succeeded")).await;
        fill(&server, account).await;
    }
    let id = text(&held.get("/v1/account").await.expect(200), "id").to_owned();
    let because = json!({"reason": "a test"});
    server.operator().post(&format!("/v1/admin/accounts/{id}/holds"), because.clone()).await.expect(201);
    until("all letters to be sent", async || {
        (server.count("SELECT COUNT(*) FROM letters WHERE ended_at IS NULL").await == 0).then_some(())
    })
    .await;
    server.stop();
    // From here on nobody is asked for money.
    std::fs::write(server.data().join("aaasp.toml"), CONFIG).unwrap();
    let mut of_held = BTreeMap::new();
    for table in kept.keys() {
        of_held.insert(table, count_all(&server, table, (&id, true)).await);
    }

    let mut filled = BTreeMap::<&str, bool>::new();
    // Twice a month that is over makes a statement that another one goes on from.
    let mut steps: Vec<i64> = kept.values().copied().chain([32, 64, 2557 + 70]).collect();
    steps.sort_unstable();
    steps.dedup();
    for days in steps {
        for table in kept.keys() {
            *filled.entry(table).or_default() |= count_all(&server, table, (&id, false)).await > 0;
        }
        let later = Later::serve(&server, days).await;
        let now = later.now();
        for (table, kept_days) in &kept {
            let over = over(table, now, Micros(now.0 - kept_days * DAY_MICROS));
            let over = format!("{over} AND {}", whose(table, &id, false));
            until(&format!("{table} to go after {days} days"), async || {
                (count(&server, table, &over).await == 0).then_some(())
            })
            .await;
            if days < *kept_days && *kept_days < 70 {
                assert!(count_all(&server, table, (&id, false)).await > 0, "{table} went after {days} days");
            }
        }
        later.stop().await;
    }
    let never: Vec<_> = filled.iter().filter(|(_, filled)| !**filled).collect();
    assert!(never.is_empty(), "nothing was ever in {never:?}");
    for (table, before) in &of_held {
        let now = count_all(&server, table, (&id, true)).await;
        assert!(*before <= now, "of {before} rows of {table} that are held {now} are left");
        assert!(now > 0 || ["monthly_grants", "statements"].contains(&table.as_str()), "{table}");
    }

    // What a hold alone kept goes as if there had been none.
    let later = Later::serve(&server, 2557 + 70).await;
    let operator = later.account.with_key(Some(server.operator_key().trim()));
    let holds = operator.get("/v1/admin/holds").await.expect(200);
    operator.post(&format!("/v1/admin/holds/{}/lift", text(&items(&holds)[0], "id")), because).await.expect(200);
    later.stop().await;
    let later = Later::serve(&server, 2557 + 71).await;
    let now = later.now();
    for (table, days) in &kept {
        let over = over(table, now, Micros(now.0 - days * DAY_MICROS));
        until(&format!("{table} to go"), async || (count(&server, table, &over).await == 0).then_some(())).await;
    }
    later.stop().await;
    server.verify_ledger();
}

#[tokio::test]
async fn a_week_off_is_caught_up_with_in_small_commits() {
    let mut server = Server::with_config("[retention]\nlog_days = 3\nrequest_days = 3\ncontent_days = 3\n").await;
    server.account.deploy("greet", guests::greet(), json!({})).await;
    server.account.run("greet", json!(1)).await;
    server.stop();
    let fill = "INSERT INTO log_chunks (account_id, run_id, first_sequence, entries, sealed_entries, created_at)
         WITH RECURSIVE n (i) AS (SELECT 10000 UNION ALL SELECT i + 1 FROM n WHERE i < 11700)
         SELECT account_id, run_id, i, entries, sealed_entries, created_at FROM log_chunks CROSS JOIN n
         WHERE first_sequence = (SELECT MIN(first_sequence) FROM log_chunks)";
    server.execute(fill).await;
    let commits = "SELECT CAST(SUM(host_group) AS BIGINT) FROM chain_heads";
    let before = server.count(commits).await;
    assert!(server.count("SELECT COUNT(*) FROM log_chunks").await > 1_700);
    let later = Later::serve(&server, 10).await;
    until("all that is due to go", async || {
        let left = "SELECT (SELECT COUNT(*) FROM log_chunks) + (SELECT COUNT(*) FROM request_batches)
             + (SELECT COUNT(*) FROM runs WHERE LENGTH(sealed_input) > 0)";
        (server.count(left).await == 0).then_some(())
    })
    .await;
    later.stop().await;
    // 500 rows each, and those of the start.
    assert!(server.count(commits).await - before >= 4, "so many rows are no single commit");
}
